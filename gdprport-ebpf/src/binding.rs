//! Sockets that are bound to a port: with `listener = "deny"` one that the policy does not allow fails with `EPERM`.
//!
//! Who may is decided by the tables, like a connect, with a group of its own in which the address of the socket stands where a
//! peer's does. That a bound socket will listen is not known here: a client that takes such a port as its own is decided alike. A
//! socket that gets its port by `listen` alone is never bound, and only reported.
//!
//! Global functions, for the reasons in `enforce`.

use aya_ebpf::bindings::{BPF_ANY, bpf_sock_addr};
use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_ktime_get_boot_ns};
use gdprport_common::{FlowRecord, Hook, RecordKind, SOCKET_DECISION, SocketOwner};

use crate::arriving::{decided, listens};
use crate::call::{user_address, user_port};
use crate::count::{Occasion, add};
use crate::enforce::{Asked, DECIDES, settle};
use crate::exempt::MAPPED;
use crate::flow::{SocketTuple, withheld_flags};
use crate::identity::Caller;
use crate::maps::{COUNTERS, DENIED_BINDS, DeniedBind};
use crate::{emit, flow, overload};

/// How long a process that tries again makes no other record; ns.
const REPEATED_NS: u64 = 1_000_000_000;

/// Decides a bind of `owner` and counts it. Returns `SOCKET_*` flags of a decision.
///
/// # Safety
/// `ctx` is the context of a program of `cgroup/bind` for this family.
#[inline(always)]
pub(crate) unsafe fn decide(ctx: *mut bpf_sock_addr, family: u8, owner: &SocketOwner) -> u8 {
    let [who, exec_id, ids, cgroup] = listens(owner);
    let who = who | u64::from(withheld_flags(owner) != 0);
    // SAFETY: guaranteed by the caller.
    let decision = unsafe {
        if family == 4 {
            gp_decide_bind4(ctx, who, exec_id, ids, cgroup)
        } else {
            gp_decide_bind6(ctx, who, exec_id, ids, cgroup)
        }
    };
    decision as u8
}

/// # Safety
/// `ctx` is the context of a program of `cgroup/bind4`.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_decide_bind4(
    ctx: *mut bpf_sock_addr,
    who: u64,
    exec_id: u64,
    ids: u64,
    cgroup: u64,
) -> u32 {
    // SAFETY: guaranteed by the caller.
    unsafe { decide_family(ctx, 4, &Caller::other(who, exec_id, ids, cgroup)) }
}

/// # Safety
/// `ctx` is the context of a program of `cgroup/bind6`.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_decide_bind6(
    ctx: *mut bpf_sock_addr,
    who: u64,
    exec_id: u64,
    ids: u64,
    cgroup: u64,
) -> u32 {
    // SAFETY: guaranteed by the caller.
    unsafe { decide_family(ctx, 6, &Caller::other(who, exec_id, ids, cgroup)) }
}

/// # Safety
/// `ctx` is the context of a program for this family.
#[inline(always)]
unsafe fn decide_family(ctx: *mut bpf_sock_addr, family: u8, caller: &Caller) -> u32 {
    let Some(counters) = COUNTERS.get_ptr_mut(0) else { return 0 };
    // SAFETY: guaranteed by the caller; counters are a map value, which only atomic additions change.
    unsafe {
        let mut address = user_address(ctx, family);
        if family == 4 {
            address = [0, 0, MAPPED, address[0]];
        }
        let number = user_port(ctx);
        let asked = Asked { number, address, inward: false, bound: true, decides: DECIDES };
        let found = decided(&asked, caller);
        if found.as_ref().is_some_and(|found| found.flags & DECIDES == 0) {
            // A port of which nobody decides who listens.
            return 0;
        }
        let tally = &raw mut (*counters).binds;
        add(&raw mut (*tally).asked, 1);
        let Some(found) = found else {
            add(&raw mut (*tally).unsettled, 1);
            return 0;
        };
        settle(&found, tally)
    }
}

/// Reports a bind that is denied, unless its process tried the same just before. A function of its own, whose stack is not that of
/// the decision, and for each family one that reads no field of the other.
///
/// # Safety
/// `ctx` is the context of a program for this family, and `owner` the caller's own value.
#[inline(never)]
pub(crate) unsafe fn denied<const FAMILY: u8>(ctx: *mut bpf_sock_addr, owner: *const SocketOwner) {
    // SAFETY: guaranteed by the caller; what is found is checked before its use.
    unsafe {
        let owner = &*owner;
        let now = bpf_ktime_get_boot_ns();
        let key = DeniedBind { tgid: owner.caller.tgid, port: owner.local_port.into() };
        let last = DENIED_BINDS.get_ptr(&key).map_or(0, |last| *last);
        // Of nobody who is known each is another one's.
        if key.tgid != 0 && last != 0 && now - last < REPEATED_NS {
            if let Some(counters) = COUNTERS.get_ptr_mut(0) {
                add(&raw mut (*counters).repeated_binds, 1);
            }
            return;
        }
        let _ = DENIED_BINDS.insert(&key, now, u64::from(BPF_ANY));
        let Some(occasion) = Occasion::seen(Hook::Listen) else { return };
        // A process may begin others without end: half of the ring is not theirs.
        let room = if overload::is_half_full() { None } else { emit::room() };
        let Some(mut entry) = room else { return occasion.dropped() };
        let tuple = SocketTuple {
            family: FAMILY,
            local: user_address(ctx, FAMILY),
            local_port: owner.local_port,
            ..SocketTuple::default()
        };
        let cookie = bpf_get_socket_cookie(ctx.cast());
        entry.write(FlowRecord {
            flags: withheld_flags(owner),
            decision: owner.flags & SOCKET_DECISION,
            ..flow::opened(RecordKind::BindDenied, cookie, &tuple, &owner.caller, owner.role, now)
        });
        emit::submit(entry, occasion);
    }
}
