//! Who runs right now: only for programs that run in the caller's context (never `sock_ops`).

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid,
};
use gdprport_common::{Caller, ExecRecord, Hook, SocketOwner, SocketRole};

use crate::count::Occasion;
use crate::maps::{EVENTS, EXECS, TASKS};

/// How far above an acceptor the process that opened the listener may be: a server that detached itself (its first process
/// opens, that one's child is the master, whose children accept) under a manager that opened the listener is three.
const ANCESTORS: usize = 4;

/// Thread group id of the caller, in the initial pid namespace.
#[inline(always)]
pub fn current_tgid() -> u32 {
    // SAFETY: takes no argument and cannot fail.
    (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32
}

/// Who calls. Its executable is shipped to the daemon if it was not.
#[inline(always)]
pub fn current(netns_cookie: u64) -> Caller {
    let tgid = current_tgid();
    // SAFETY: the helpers take no argument and cannot fail.
    let (ids, cgroup_id) = unsafe { (bpf_get_current_uid_gid(), bpf_get_current_cgroup_id()) };
    let (uid, gid) = (ids as u32, (ids >> 32) as u32);
    let mut caller = Caller { cgroup_id, netns_cookie, tgid, uid, gid, ..Caller::default() };
    // SAFETY: writes at most the 16 bytes it is given.
    unsafe { bpf_get_current_comm((&raw mut caller.comm).cast(), 16) };
    if let Some(task) = TASKS.get_ptr_mut(&tgid) {
        // SAFETY: a map value that this program holds; an entry that is replaced meanwhile belongs to the same
        // live process, which is the caller. Two of its threads that race here ship it twice, with no harm.
        unsafe {
            caller.exec_id = (*task).exec_id;
            caller.start_ns = (*task).start_ns;
            caller.parent_tgid = (*task).parent_tgid;
            // The look-up of the executable is saved for all calls of a process but its first.
            if (*task).shipped != caller.exec_id && ship_executable(caller.exec_id) {
                (*task).shipped = caller.exec_id;
            }
        }
    }
    caller
}

/// Hands the executable to the daemon, once, ahead of every flow that names it. Says whether the daemon has it, or
/// nobody has.
#[inline(always)]
fn ship_executable(exec_id: u64) -> bool {
    let Some(exec) = EXECS.get_ptr_mut(&exec_id) else { return true };
    // SAFETY: a map value that this program holds; two CPUs that race here ship it twice, with no harm.
    if unsafe { (*exec).shipped } != 0 {
        return true;
    }
    let Some(occasion) = Occasion::seen(Hook::Exec) else { return false };
    // SAFETY: as above; the record is as large as the map's value.
    let record: &ExecRecord = unsafe { &*exec };
    if EVENTS.output::<ExecRecord>(record, u64::from(BPF_RB_NO_WAKEUP)).is_ok() {
        // SAFETY: as above.
        unsafe { (*exec).shipped = 1 };
        occasion.emitted();
        true
    } else {
        occasion.dropped();
        false
    }
}

/// Whether `caller` is the process `other`, or descends from it within [`ANCESTORS`] steps. False where that is not known.
///
/// A process that has ended is still the parent that its children name; a number that was given out again shows by the
/// time of its fork.
#[inline(always)]
pub fn descends(caller: &Caller, other: &Caller) -> bool {
    let (mut tgid, mut start_ns, mut parent_tgid) = (caller.tgid, caller.start_ns, caller.parent_tgid);
    for _ in 0..ANCESTORS {
        if tgid == other.tgid {
            break;
        }
        if parent_tgid == 0 {
            return false;
        }
        tgid = parent_tgid;
        let child_ns = start_ns;
        (start_ns, parent_tgid) = match TASKS.get_ptr(&tgid) {
            // SAFETY: a map value that this program holds. One that changes meanwhile belongs to an ancestor that has
            // just ended, and then the times do not fit.
            Some(task) => unsafe { ((*task).start_ns, (*task).parent_tgid) },
            None => (0, 0),
        };
        if start_ns > child_ns {
            return false;
        }
    }
    tgid == other.tgid && (start_ns == 0 || other.start_ns == 0 || start_ns == other.start_ns)
}

/// The caller accepted this socket, which had an owner: it becomes its owner, and what else is remembered of the
/// connection stays.
///
/// # Safety
/// `stored` is the socket's storage.
#[inline(always)]
pub unsafe fn accepted(stored: *mut SocketOwner, caller: &Caller) -> SocketOwner {
    // SAFETY: the caller's promise.
    unsafe {
        (*stored).caller = *caller;
        (*stored).role = SocketRole::Accepted as u8;
        (*stored).started = 1;
        *stored
    }
}
