//! Deciding by the tables of the policy: the algorithm, and connects before their first packet. What arrives is `arriving`'s.
//!
//! The algorithm is that of `gdprport_core::enforce::Interpreter`, step by step; a change here is a change there. All
//! of it is on the stack: a program in the context of a process may be interrupted by another one on the same CPU.
//!
//! Global functions, which the verifier checks once and by themselves (since Linux 5.6), and of whose result it knows nothing:
//! in one piece it would follow every combination of what was found and what was not. Before Linux 5.13 such a function takes
//! no pointers but the program's context, so that numbers are packed.

use core::ffi::c_void;
use core::ptr::{self, read_volatile};

use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::helpers::generated::{bpf_ktime_get_boot_ns, bpf_map_lookup_elem};
use gdprport_common::{
    CLASS_UNKNOWN, ENFORCE_CGROUP, ENFORCE_DENY, ENFORCE_DENY_UNKNOWN, ENFORCE_EXE, ENFORCE_FIRST,
    ENFORCE_GID, ENFORCE_LOST_DENIES, ENFORCE_LOST_PASSES, ENFORCE_OPEN, ENFORCE_STEPS, ENFORCE_STEPS_CHAIN,
    ENFORCE_UID, ENFORCE_WARN, EnforcePeer, EnforcePeerKey, EnforcePort, EnforcePortKey, EnforceRuleKey,
    EnforceStep, EnforceStepsKey, EnforceTally, NAME_SERVICE, SOCKET_DENIED, SOCKET_UNKNOWN,
    SOCKET_WOULD_DENY, SocketOwner, TaskIdentity,
};

use crate::call::{called, socket, user_port};
use crate::count::add;
use crate::exempt::{is_loopback, is_lost, is_own};
use crate::flow::withheld_flags;
use crate::identity::{self, Caller, Classes};
use crate::maps::{
    COUNTERS, ENFORCE_ACTIVE, ENFORCE_PEERS, ENFORCE_PORTS, ENFORCE_RULES, ENFORCE_STEP_LISTS,
};

/// How often a decision is made again because another generation became the active one meanwhile.
pub(crate) const ATTEMPTS: u32 = 2;

/// A rule allows it.
const ALLOWS: u32 = 1;
/// A rule may allow it, were more known.
const MAY_ALLOW: u32 = 2;
/// One of these flags: it is decided.
pub(crate) const DECIDES: u32 = (ENFORCE_WARN | ENFORCE_DENY) as u32;

/// One of these flags: what becomes of it while no daemon is there is another decision.
const LOST: u32 = (ENFORCE_LOST_PASSES | ENFORCE_LOST_DENIES) as u32;

/// The classes of two parts of which nothing is known.
const UNKNOWN_PAIR: u64 = (CLASS_UNKNOWN as u64) << 32 | CLASS_UNKNOWN as u64;

/// Decides a connect of `owner` and counts it. Returns `SOCKET_*` flags of a decision. `task`: what is known of the process that
/// calls, if that is the owner, as it nearly always is; null otherwise.
///
/// # Safety
/// `ctx` is the context of a program of `cgroup/connect` for this family, and its socket is not null. `task` is null or a map value.
#[inline(always)]
pub(crate) unsafe fn decide(
    ctx: *mut bpf_sock_addr,
    family: u8,
    owner: &SocketOwner,
    task: *const TaskIdentity,
) -> u8 {
    let caller = &owner.caller;
    // SAFETY: guaranteed by the caller.
    let decision = unsafe {
        if task.is_null() {
            let ids = u64::from(caller.uid) << 32 | u64::from(caller.gid);
            // Of nobody who is known, no value is; a worker of io_uring is one that a process chose to be unknown by.
            let withheld = u64::from(withheld_flags(owner) != 0);
            let who = u64::from(caller.tgid) << 1 | withheld;
            if family == 4 {
                gp_decide4(ctx, who, caller.exec_id, ids, caller.cgroup_id)
            } else {
                gp_decide6(ctx, who, caller.exec_id, ids, caller.cgroup_id)
            }
        } else {
            let (state, [first, second]) = identity::executable(task, caller.exec_id);
            let who = u64::from(caller.tgid) << 32 | u64::from(state);
            if family == 4 {
                gp_decide_own4(ctx, who, first, second, owner.since_ns)
            } else {
                gp_decide_own6(ctx, who, first, second, owner.since_ns)
            }
        }
    };
    decision as u8
}

/// Decides for a process that need not be the one that calls.
///
/// # Safety
/// `ctx` is the context of a program of `cgroup/connect4`.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_decide4(
    ctx: *mut bpf_sock_addr,
    who: u64,
    exec_id: u64,
    ids: u64,
    cgroup: u64,
) -> u32 {
    // SAFETY: guaranteed by the caller.
    unsafe { decide_family(ctx, 4, &Caller::other(who, exec_id, ids, cgroup), bpf_ktime_get_boot_ns()) }
}

/// As above.
///
/// # Safety
/// `ctx` is the context of a program of `cgroup/connect6`.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_decide6(
    ctx: *mut bpf_sock_addr,
    who: u64,
    exec_id: u64,
    ids: u64,
    cgroup: u64,
) -> u32 {
    // SAFETY: guaranteed by the caller.
    unsafe { decide_family(ctx, 6, &Caller::other(who, exec_id, ids, cgroup), bpf_ktime_get_boot_ns()) }
}

/// Decides for the process that calls, of which nothing is looked up again.
///
/// # Safety
/// `ctx` is the context of a program of `cgroup/connect4`.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_decide_own4(
    ctx: *mut bpf_sock_addr,
    who: u64,
    first: u64,
    second: u64,
    now_ns: u64,
) -> u32 {
    // SAFETY: guaranteed by the caller.
    unsafe { decide_family(ctx, 4, &Caller::own(who, [first, second]), now_ns) }
}

/// As above.
///
/// # Safety
/// `ctx` is the context of a program of `cgroup/connect6`.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn gp_decide_own6(
    ctx: *mut bpf_sock_addr,
    who: u64,
    first: u64,
    second: u64,
    now_ns: u64,
) -> u32 {
    // SAFETY: guaranteed by the caller.
    unsafe { decide_family(ctx, 6, &Caller::own(who, [first, second]), now_ns) }
}

/// # Safety
/// `ctx` is the context of a program for this family.
#[inline(always)]
unsafe fn decide_family(ctx: *mut bpf_sock_addr, family: u8, caller: &Caller, now_ns: u64) -> u32 {
    let Some(counters) = COUNTERS.get_ptr_mut(0) else { return 0 };
    // SAFETY: guaranteed by the caller; counters are a map value, which only atomic additions change.
    unsafe {
        let tally = &raw mut (*counters).decisions;
        add(&raw mut (*tally).asked, 1);
        let sk = socket(ctx);
        let Some(active) = ENFORCE_ACTIVE.get_ptr(0) else { return left(tally) };
        let mut generation = read_volatile(active).at(now_ns);
        if sk.is_null() || generation == 0 {
            return left(tally);
        }
        let number = user_port(ctx);
        let address = called(ctx, sk, family);
        if number == u32::from(NAME_SERVICE) && is_loopback(&address) {
            return left(tally);
        }
        for _ in 0..ATTEMPTS {
            let mut found = Found::default();
            let asked = Asked { number, address, inward: false, bound: false, decides: DECIDES };
            look(generation, &asked, caller, now_ns, &mut found);
            // Rows of a generation are removed only when it is no more the active one.
            let now = read_volatile(active).at(now_ns);
            if now == generation {
                let denied = u32::from(SOCKET_DENIED | SOCKET_WOULD_DENY);
                if found.flags & DECIDES != 0
                    && found.decision() & denied != 0
                    && is_own(caller.tgid(), caller.uid(), number)
                {
                    return left(tally);
                }
                return settle(&found, tally);
            }
            generation = now;
            if generation == 0 {
                return left(tally);
            }
        }
        add(&raw mut (*tally).unsettled, 1);
        0
    }
}

#[inline(always)]
pub(crate) unsafe fn left(tally: *mut EnforceTally) -> u32 {
    // SAFETY: the caller's map value.
    unsafe { add(&raw mut (*tally).left, 1) };
    0
}

/// What is asked.
pub(crate) struct Asked {
    /// The port, host byte order.
    pub number: u32,
    /// The peer, 128 bits in network byte order.
    pub address: [u32; 4],
    /// It arrives: the caller is who listens, and who will accept may be another one.
    pub inward: bool,
    /// A socket is bound to the port: the address is its own.
    pub bound: bool,
    /// Flags of peers, one of which it has to have to be decided.
    pub decides: u32,
}

/// What the tables say; without flags, nothing.
#[derive(Default)]
pub(crate) struct Found {
    /// Those of the peer.
    pub flags: u32,
    /// [`ALLOWS`] and [`MAY_ALLOW`].
    says: u32,
}

impl Found {
    /// What becomes of the connection, as `SOCKET_*` flags of a decision.
    #[inline(always)]
    pub(crate) fn decision(&self) -> u32 {
        let open = self.flags & u32::from(ENFORCE_OPEN) != 0;
        if !open && self.says & ALLOWS != 0 {
            return 0;
        }
        let mut decision = 0;
        if open || self.says & MAY_ALLOW != 0 {
            decision = u32::from(SOCKET_UNKNOWN);
            if self.flags & u32::from(ENFORCE_DENY_UNKNOWN) == 0 {
                return decision;
            }
        }
        let denies = self.flags & u32::from(ENFORCE_DENY) != 0;
        decision | u32::from(if denies { SOCKET_DENIED } else { SOCKET_WOULD_DENY })
    }
}

/// Counts what was found, and returns the decision.
///
/// # Safety
/// `tally` is a map value.
#[inline(always)]
pub(crate) unsafe fn settle(found: &Found, tally: *mut EnforceTally) -> u32 {
    // SAFETY: guaranteed by the caller.
    unsafe {
        if found.flags & DECIDES == 0 {
            return left(tally);
        }
        let decision = found.decision();
        let counter = if decision & u32::from(SOCKET_DENIED) != 0 {
            &raw mut (*tally).denied
        } else if decision & u32::from(SOCKET_WOULD_DENY) != 0 {
            &raw mut (*tally).would_deny
        } else if decision != 0 {
            &raw mut (*tally).unknown
        } else {
            &raw mut (*tally).allowed
        };
        add(counter, 1);
        decision
    }
}

#[inline(always)]
pub(crate) fn look(generation: u32, asked: &Asked, caller: &Caller, now_ns: u64, found: &mut Found) {
    let number = asked.number;
    let group = |port: &EnforcePort| match (asked.bound, asked.inward) {
        (true, _) => port.bound,
        (false, true) => port.accepted,
        (false, false) => port.connected,
    };
    let mut peer = longest(generation, group(&EnforcePort::own(number)), asked.address);
    if peer.is_null() {
        let Some(port) = ENFORCE_PORTS.get_ptr(&EnforcePortKey { generation, number }) else { return };
        // SAFETY: a map value.
        peer = longest(generation, unsafe { group(&*port) }, asked.address);
        if peer.is_null() {
            return;
        }
    }
    // SAFETY: a map value.
    let (flags, parts, mut number) =
        unsafe { (u32::from((*peer).flags), u32::from((*peer).parts), (*peer).steps) };
    if flags & asked.decides == 0 {
        return;
    }
    if flags & LOST != 0 && is_lost(now_ns) {
        if flags & u32::from(ENFORCE_LOST_PASSES) == 0 {
            // No rule is asked.
            found.flags = flags & !u32::from(ENFORCE_OPEN);
        }
        return;
    }
    if flags & u32::from(ENFORCE_OPEN) != 0 {
        // Whatever rules say, it is unknown.
        found.flags = flags;
        return;
    }
    let classes = caller.classes(generation, parts);
    let mut says = 0;
    for at in 0..ENFORCE_FIRST {
        // SAFETY: as above.
        let step = unsafe { (*peer).first[at] };
        if step.bucket == 0 || says & ALLOWS != 0 {
            break;
        }
        says |= ask(generation, step, &classes, asked.inward, now_ns);
    }
    for _ in 0..ENFORCE_STEPS_CHAIN {
        if number == 0 || says & ALLOWS != 0 {
            break;
        }
        let Some(list) = ENFORCE_STEP_LISTS.get_ptr(&EnforceStepsKey { generation, number }) else {
            // A table that is not whole proves nothing.
            says |= MAY_ALLOW;
            break;
        };
        // SAFETY: as above.
        let (count, next) = unsafe { ((*list).count, (*list).next) };
        for at in 0..ENFORCE_STEPS {
            if at as u32 >= count {
                break;
            }
            // SAFETY: as above.
            says |= ask(generation, unsafe { (*list).steps[at] }, &classes, asked.inward, now_ns);
        }
        number = next;
    }
    found.flags = flags;
    found.says = says;
}

/// What the rules of a step say; of what arrives, also of nobody who is known.
#[inline(always)]
fn ask(generation: u32, step: EnforceStep, classes: &Classes, inward: bool, now_ns: u64) -> u32 {
    let bucket = u64::from(generation) << 32 | u64::from(step.bucket);
    let parts = u64::from(step.parts);
    let mut says = gp_enforce_rule(bucket, classes.exe_uid, classes.gid_cgroup, parts, now_ns);
    if inward && parts != 0 {
        says |= gp_enforce_rule(bucket, UNKNOWN_PAIR, UNKNOWN_PAIR, parts, now_ns);
    }
    says
}

/// The longest prefix that has the address; null if there is none.
#[inline(always)]
fn longest(generation: u32, group: u32, address: [u32; 4]) -> *const EnforcePeer {
    let key = EnforcePeerKey { prefix: 64 + 128, generation, group, address };
    let map = ptr::from_ref(&ENFORCE_PEERS).cast_mut().cast::<c_void>();
    // SAFETY: the map and a key of its size.
    unsafe { bpf_map_lookup_elem(map, (&raw const key).cast()) }.cast_const().cast()
}

/// What the rules of a bucket, below the generation, say now of a caller with these classes: [`ALLOWS`] and [`MAY_ALLOW`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn gp_enforce_rule(bucket: u64, exe_uid: u64, gid_cgroup: u64, parts: u64, now_ns: u64) -> u32 {
    let asked = |part: usize, class: u64| if parts & (1 << part) == 0 { 0 } else { class as u32 };
    let key = EnforceRuleKey {
        generation: (bucket >> 32) as u32,
        bucket: bucket as u32,
        classes: [
            asked(ENFORCE_EXE, exe_uid >> 32),
            asked(ENFORCE_UID, exe_uid),
            asked(ENFORCE_GID, gid_cgroup >> 32),
            asked(ENFORCE_CGROUP, gid_cgroup),
        ],
    };
    let Some(rule) = ENFORCE_RULES.get_ptr(&key) else { return 0 };
    // SAFETY: a map value.
    let (allows_until, unknown_until) = unsafe { ((*rule).allows_until, (*rule).unknown_until) };
    let allows = if now_ns <= allows_until { ALLOWS } else { 0 };
    if now_ns <= unknown_until { allows | MAY_ALLOW } else { allows }
}
