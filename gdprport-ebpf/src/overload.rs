//! What is done while the ring buffer is nearly full, so that no connection is lost without a trace.
//!
//! - From half of the ring on, payload makes no records ([`is_half_full`]).
//! - From three quarters on, openings make none ([`is_nearly_full`]): a connection is added to a group of connections with
//!   the same port, direction, peer and owner, and its socket is marked. So is a connect that failed, whose only record is
//!   that of its end. A SYN that is denied makes none from half of the ring on: strangers choose how many there are.
//! - The last quarter is for what concerns connections that are described: their acceptors and ends. An end for which even
//!   that has no room is added to a group, and so is that of a marked one.
//!
//! The functions that add run after what would have made a record, and read again what they need: the verifier checks a
//! global function once and by itself (since Linux 5.6). One that it follows from its caller it checks anew for each way
//! there: of `gp_sock_ops` it then looked at 823,000 instructions on Linux 5.10, which took 17 s in an emulated machine;
//! so it looks at 47,000. Such a function takes the program's context and numbers, no other pointers (before 5.13), and
//! returns a number.

use core::ffi::c_void;
use core::ptr::read_volatile;

use aya_ebpf::bindings::{bpf_sock, bpf_sock_ops};
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_ktime_get_boot_ns};
use gdprport_common::{
    FlowRecord, Hook, OverloadGroup, RecordKind, SOCKET_DECISION, SOCKET_DENIED, SOCKET_GROUPED,
    SOCKET_WOULD_DENY, SocketOwner,
};

use crate::count::{Occasion, add};
use crate::ending::{End, Signs};
use crate::flow::SocketTuple;
use crate::groups::{Carried, Place, find, is_incoming};
use crate::maps::{EVENTS, watched};
use crate::{flow, owners, wanting};

/// Bytes of the ring buffer; the daemon sets this.
#[unsafe(no_mangle)]
static RING_BYTES: u32 = 1 << 22;

/// `BPF_RB_AVAIL_DATA`: the bytes that were reserved and not read yet.
const UNREAD: u64 = 0;

/// Whether openings go to groups. The last quarter of the ring is for what concerns connections that are described already:
/// an end that is lost leaves a flow open until a comparison with the host finds that it is gone.
#[inline(always)]
pub(crate) fn is_nearly_full() -> bool {
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

/// Counts the opening of a connection in a group. The occasion was postponed.
#[inline(always)]
pub(crate) fn opened(ops: *mut bpf_sock_ops, incoming: bool) {
    // SAFETY: `ops` is the program's context.
    settle(Hook::Established, unsafe { gp_group_opened(ops, incoming) });
}

/// Counts the end of a connection, or a connect that failed, in a group. The occasion was postponed.
#[inline(always)]
pub(crate) fn ended(ops: *mut bpf_sock_ops, signs: u32) {
    // SAFETY: `ops` is the program's context, of a change of state.
    settle(Hook::Close, unsafe { gp_group_ended(ops, signs) });
}

#[inline(always)]
fn settle(hook: Hook, counted: bool) {
    if let Some(occasion) = Occasion::resumed(hook) {
        if counted { occasion.grouped() } else { occasion.dropped() }
    }
}

/// Returns whether there was room.
///
/// # Safety
/// `ops` is the program's context.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_group_opened(ops: *mut bpf_sock_ops, incoming: bool) -> bool {
    // SAFETY: guaranteed by the caller; `sk`, `stored` and `group` are checked before their use.
    unsafe {
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return false;
        }
        let stored = owners::find(sk, ops.cast());
        if stored.is_null() {
            return false;
        }
        // What is not described has no use for its payload.
        wanting::cancel(stored);
        let flags = flow::withheld_flags(&*stored);
        let tuple = flow::tuple(ops);
        let now = bpf_ktime_get_boot_ns();
        let mut place = Place::of(&tuple, &*stored, incoming, flags);
        let group = find(&raw mut place);
        if group.is_null() {
            return false;
        }
        (*stored).flags |= SOCKET_GROUPED;
        add(&raw mut (*group).sums.opened, 1);
        would_deny(group, &*stored);
        place.note(group, now, || {
            let kind = if incoming { RecordKind::PassiveEstablished } else { RecordKind::ActiveEstablished };
            let cookie = bpf_get_socket_cookie(ops.cast());
            let decision = (*stored).flags & SOCKET_DECISION;
            FlowRecord {
                flags,
                decision,
                ..flow::opened(kind, cookie, &tuple, &(*stored).caller, (*stored).role, now)
            }
        });
        true
    }
}

/// As above; `signs` is what [`Signs::pack`] made of the end.
///
/// # Safety
/// `ops` is the program's context, of a change of state.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_group_ended(ops: *mut bpf_sock_ops, signs: u32) -> bool {
    // SAFETY: guaranteed by the caller; `sk`, `stored` and `group` are checked before their use.
    unsafe {
        let sk: *mut bpf_sock = read_volatile(&raw const (*ops).__bindgen_anon_2.sk);
        if sk.is_null() {
            return false;
        }
        let stored = owners::find(sk, ops.cast());
        let mut owner = SocketOwner::default();
        let incoming;
        if stored.is_null() {
            let (local_port, peer_port) = flow::ports(ops);
            incoming = watched(local_port) && !watched(peer_port);
        } else {
            owner = *stored;
            incoming = is_incoming(&owner);
            owners::forget_spare(ops.cast());
        }
        let end = End::again(ops, Signs::unpack(signs));
        let mut place = Place::of(&end.tuple, &owner, incoming, end.signs.flags);
        let group = find(&raw mut place);
        if group.is_null() {
            return false;
        }
        if end.signs.failed() {
            add(&raw mut (*group).sums.failed, 1);
            would_deny(group, &owner);
        } else {
            let carried = Carried::of(&end, incoming);
            carried.add_to(group, owner.flags & SOCKET_GROUPED != 0);
        }
        place.note(group, end.now, || end.record(&owner));
        true
    }
}

/// A SYN that is denied is counted in a group. `owner` is the listener's.
#[inline(always)]
pub(crate) fn refused(
    cookie: u64,
    tuple: &SocketTuple,
    owner: &SocketOwner,
    decision: u8,
    now: u64,
    occasion: Occasion,
) {
    // SAFETY: `group` is checked before its use.
    unsafe {
        let mut place = Place::of(tuple, owner, true, 0);
        let group = find(&raw mut place);
        if group.is_null() {
            return occasion.dropped();
        }
        add(&raw mut (*group).sums.denied_by_policy, 1);
        place.note(group, now, || flow::refused(cookie, tuple, owner, decision, now));
        occasion.grouped();
    }
}

/// Counts in its group that the policy would deny this connect.
///
/// # Safety
/// `group` is a map value.
#[inline(always)]
unsafe fn would_deny(group: *mut OverloadGroup, owner: &SocketOwner) {
    if owner.flags & SOCKET_WOULD_DENY != 0 {
        // SAFETY: guaranteed by the caller.
        unsafe { add(&raw mut (*group).sums.would_deny, 1) };
    }
}

/// A connect that never left this host ended, and that is counted in a group. `kind` is what its record would be.
///
/// # Safety
/// `context` is the program's, of which the helper for socket cookies takes it.
#[inline(always)]
pub(crate) unsafe fn unsent(
    context: *mut c_void,
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
        let counter = if owner.flags & SOCKET_DENIED != 0 {
            &raw mut (*sums).denied_by_policy
        } else if kind as u8 == RecordKind::Denied as u8 {
            &raw mut (*sums).denied
        } else {
            &raw mut (*sums).failed
        };
        add(counter, 1);
        would_deny(group, owner);
        place.note(group, now, || flow::unsent(kind, bpf_get_socket_cookie(context), tuple, owner, now));
        occasion.grouped();
    }
}
