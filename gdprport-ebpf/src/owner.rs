//! The calling process, for programs that run in its context (never `sock_ops`).

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid,
};
use gdprport_common::{Caller, ExecRecord, Hook, SocketOwner, SocketRole};

use crate::count::Occasion;
use crate::maps::{EVENTS, EXECS, TASKS};

/// How many generations above an acceptor the process that opened the listener may be. Three are needed for a server
/// that daemonizes under a manager that opened the listener: its first process's child is the master, whose children
/// accept.
const ANCESTORS: usize = 4;

/// Returns the thread group id of the caller, in the initial pid namespace.
#[inline(always)]
pub(crate) fn current_tgid() -> u32 {
    // SAFETY: takes no argument and cannot fail.
    (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32
}

/// Returns the calling process. Sends its executable to the daemon unless the daemon has it.
#[inline(always)]
pub(crate) fn current_caller(netns_cookie: u64) -> Caller {
    let tgid = current_tgid();
    // SAFETY: the helpers take no argument and cannot fail.
    let (ids, cgroup_id) = unsafe { (bpf_get_current_uid_gid(), bpf_get_current_cgroup_id()) };
    let (uid, gid) = (ids as u32, (ids >> 32) as u32);
    let mut caller = Caller { cgroup_id, netns_cookie, tgid, uid, gid, ..Caller::default() };
    // SAFETY: writes at most the 16 bytes it is given.
    unsafe { bpf_get_current_comm((&raw mut caller.comm).cast(), 16) };
    if let Some(task) = TASKS.get_ptr_mut(&tgid) {
        // SAFETY: a map value that this program holds; an entry that is replaced meanwhile belongs to the same
        // live process, the caller. If two of its threads race here, both send it, which is harmless.
        unsafe {
            caller.exec_id = (*task).exec_id;
            caller.start_ns = (*task).start_ns;
            caller.parent_tgid = (*task).parent_tgid;
            // Only the first call of a process looks its executable up.
            if (*task).shipped != caller.exec_id && ship_executable(caller.exec_id) {
                (*task).shipped = caller.exec_id;
            }
        }
    }
    caller
}

/// Sends the executable to the daemon once, before any flow that names it. Returns false if that must be tried again.
#[inline(always)]
fn ship_executable(exec_id: u64) -> bool {
    let Some(exec) = EXECS.get_ptr_mut(&exec_id) else { return true };
    // SAFETY: a map value that this program holds; if two CPUs race here, both send it, which is harmless.
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

/// Returns whether `caller` is the process `other` or descends from it within [`ANCESTORS`] steps; false if that is not
/// known.
///
/// Children still name a parent that has exited; a reused process id is detected by its fork time.
#[inline(always)]
pub(crate) fn descends_from(caller: &Caller, other: &Caller) -> bool {
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
            // just exited, and then the times do not match.
            Some(task) => unsafe { ((*task).start_ns, (*task).parent_tgid) },
            None => (0, 0),
        };
        if start_ns > child_ns {
            return false;
        }
    }
    tgid == other.tgid && (start_ns == 0 || other.start_ns == 0 || start_ns == other.start_ns)
}

/// Makes the caller, which accepted this socket, its owner. What else is stored of the connection stays.
///
/// # Safety
/// `stored` is the socket's storage.
#[inline(always)]
pub(crate) unsafe fn set_acceptor(stored: *mut SocketOwner, caller: &Caller) -> SocketOwner {
    // SAFETY: guaranteed by the caller.
    unsafe {
        (*stored).caller = *caller;
        (*stored).role = SocketRole::Accepted as u8;
        (*stored).started = 1;
        *stored
    }
}
