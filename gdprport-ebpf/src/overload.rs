//! What is done while the ring buffer is nearly full, so that no connection is lost without a trace.
//!
//! - From half of the ring on, payload makes no records ([`is_half_full`]).
//! - From three quarters on, openings make none ([`is_nearly_full`]): a connection is added to a group of connections with
//!   the same port, direction, peer and owner, and its socket is marked. So is a connect that failed, whose only record is
//!   that of its end.
//! - The last quarter is for what concerns connections that are described: their acceptors and ends. An end for which even
//!   that has no room is added to a group, and so is that of a marked one.
//!
//! The functions that add run instead of what makes a record. They read again what they need, so that the others keep
//! nothing for them.

use core::ptr::read_volatile;

use aya_ebpf::bindings::{bpf_sock, bpf_sock_ops};
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_ktime_get_boot_ns};
use gdprport_common::{FLAG_OPTMEM_FULL, FlowRecord, RecordKind, SOCKET_GROUPED, SocketOwner};

use crate::count::{Occasion, add};
use crate::ending::End;
use crate::flow::SocketTuple;
use crate::groups::{Carried, Place, find, is_incoming};
use crate::maps::{EVENTS, watched};
use crate::{flow, owners, wanting};

/// Bytes of the ring buffer; the daemon sets this.
#[unsafe(no_mangle)]
static RING_BYTES: u32 = 1 << 22;

/// 1 if connections are counted in groups; the daemon sets this. The verifier does not look at what it excludes: before Linux
/// 6.12 it keeps so many states apart there (every scalar of a program with functions counts) that a start would take five
/// times as long.
#[unsafe(no_mangle)]
static GROUPS: u32 = 0;

/// Whether connections are counted in groups on this kernel. Elsewhere what finds no room is counted as dropped.
#[inline(always)]
pub(crate) fn counts() -> bool {
    // SAFETY: a constant of the loaded programs.
    unsafe { read_volatile(&raw const GROUPS) != 0 }
}

/// `BPF_RB_AVAIL_DATA`: the bytes that were reserved and not read yet.
const UNREAD: u64 = 0;

/// Whether openings go to groups. The last quarter of the ring is for what concerns connections that are described already:
/// an end that is lost leaves a flow open until a comparison with the host finds that it is gone.
#[inline(always)]
pub(crate) fn is_nearly_full() -> bool {
    if !counts() {
        return false;
    }
    // SAFETY: a constant of the loaded programs.
    let bytes = u64::from(unsafe { read_volatile(&raw const RING_BYTES) });
    EVENTS.query(UNREAD) >= bytes / 4 * 3
}

/// Whether payload makes no records. How a connection is encrypted is worth less than that it is described, and a payload
/// record takes up to 2 KiB.
#[inline(always)]
pub(crate) fn is_half_full() -> bool {
    // SAFETY: as above.
    let bytes = u64::from(unsafe { read_volatile(&raw const RING_BYTES) });
    EVENTS.query(UNREAD) >= bytes / 2
}

/// A connection was established, and its opening is counted in a group.
#[inline(never)]
pub(crate) fn opened(ops: *mut bpf_sock_ops, kind: RecordKind, occasion: Occasion) {
    // SAFETY: `ops` is the program's context; `sk`, `stored` and `group` are checked before their use.
    unsafe {
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return occasion.dropped();
        }
        let stored = owners::find(sk, ops.cast());
        if stored.is_null() {
            return occasion.dropped();
        }
        // What is not described has no use for its payload.
        wanting::cancel(stored);
        let incoming = kind as u8 == RecordKind::PassiveEstablished as u8;
        let flags = flow::withheld_flags(&*stored);
        let tuple = flow::tuple(ops);
        let now = bpf_ktime_get_boot_ns();
        let mut place = Place::of(&tuple, &*stored, incoming, flags);
        let group = find(&raw mut place);
        if group.is_null() {
            return occasion.dropped();
        }
        (*stored).flags |= SOCKET_GROUPED;
        add(&raw mut (*group).sums.opened, 1);
        place.note(group, now, || {
            let cookie = bpf_get_socket_cookie(ops.cast());
            FlowRecord { flags, ..flow::opened(kind, cookie, &tuple, &(*stored).caller, (*stored).role, now) }
        });
        occasion.grouped();
    }
}

/// A connection ended or a connect failed, and that is counted in a group.
#[inline(never)]
pub(crate) fn ended(ops: *mut bpf_sock_ops, occasion: Occasion) {
    // SAFETY: `ops` is the program's context; `sk`, `stored` and `group` are checked before their use.
    unsafe {
        let old = read_volatile(&raw const (*ops).__bindgen_anon_1.args[0]);
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return occasion.dropped();
        }
        let stored = owners::find(sk, ops.cast());
        let mut owner = SocketOwner::default();
        let (incoming, flags);
        if stored.is_null() {
            let (local_port, peer_port) = flow::ports(ops);
            incoming = watched(local_port) && !watched(peer_port);
            flags = if owners::option_memory_filled(sk) { FLAG_OPTMEM_FULL } else { 0 };
        } else {
            owner = *stored;
            incoming = is_incoming(&owner);
            flags = flow::withheld_flags(&owner);
            owners::forget_spare(ops.cast());
        }
        let end = End::read(ops, sk, old, &owner, flags);
        let mut place = Place::of(&end.tuple, &owner, incoming, flags);
        let group = find(&raw mut place);
        if group.is_null() {
            return occasion.dropped();
        }
        if end.failed() {
            add(&raw mut (*group).sums.failed, 1);
        } else {
            let carried = Carried::of(end.acked, end.received, old, end.flags, incoming);
            carried.add_to(group, owner.flags & SOCKET_GROUPED != 0);
        }
        place.note(group, end.now, || end.record(&owner));
        occasion.grouped();
    }
}

/// A connect that never left this host ended, and that is counted in a group. `kind` is what its record would be.
///
/// # Safety
/// `sk` is the program's context.
#[inline(always)]
pub(crate) unsafe fn unsent(
    sk: *mut bpf_sock,
    kind: RecordKind,
    tuple: &SocketTuple,
    owner: &SocketOwner,
    now: u64,
    occasion: Occasion,
) {
    // SAFETY: guaranteed by the caller; `group` is checked before its use.
    unsafe {
        let mut place = Place::of(tuple, owner, false, 0);
        let group = find(&raw mut place);
        if group.is_null() {
            return occasion.dropped();
        }
        let sums = &raw mut (*group).sums;
        let denied = kind as u8 == RecordKind::Denied as u8;
        add(if denied { &raw mut (*sums).denied } else { &raw mut (*sums).failed }, 1);
        place.note(group, now, || {
            let cookie = bpf_get_socket_cookie(sk.cast());
            flow::record(kind, cookie, tuple, &owner.caller, owner.role, now, flow::fail_tail(owner, now, 0))
        });
        occasion.grouped();
    }
}
