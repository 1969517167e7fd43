//! The calling process, for programs that run in its context (of `sock_ops` only the callback of `listen`).

use core::ptr::{self, read_volatile};
use core::slice::from_raw_parts;

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_task,
    bpf_get_current_uid_gid,
};
use gdprport_common::{Caller, ExecHeader, FILE_CAP, Hook, SocketOwner, SocketRole, Started, TaskIdentity};

use crate::count::Occasion;
use crate::maps::{EVENTS, EXECS, TASKS};
use crate::overload;

/// How many generations above an acceptor the process that opened the listener may be. Three are needed for a server
/// that daemonizes under a manager that opened the listener: its first process's child is the master, whose children
/// accept.
const ANCESTORS: usize = 4;

/// Offset of `flags` in `task_struct`. The daemon sets this from the BTF of the running kernel, or leaves it 0.
#[unsafe(no_mangle)]
static TASK_FLAGS_OFFSET: u32 = 0;

/// Offset of `tgid` in `task_struct`. The daemon sets this and those below likewise, all or none.
#[unsafe(no_mangle)]
static TASK_TGID_OFFSET: u32 = 0;
/// Offset of `comm` in `task_struct`.
#[unsafe(no_mangle)]
static TASK_COMM_OFFSET: u32 = 0;
/// Offset of `cred` in `task_struct`.
#[unsafe(no_mangle)]
static TASK_IDS_OFFSET: u32 = 0;
/// Offset of `uid` in `cred`.
#[unsafe(no_mangle)]
static CRED_UID_OFFSET: u32 = 0;
/// Offset of `gid` in `cred`.
#[unsafe(no_mangle)]
static CRED_GID_OFFSET: u32 = 0;
/// Offset of `euid` in `cred`.
#[unsafe(no_mangle)]
static CRED_EUID_OFFSET: u32 = 0;
/// Offset of `egid` in `cred`.
#[unsafe(no_mangle)]
static CRED_EGID_OFFSET: u32 = 0;
/// Offset of `cgroups` in `task_struct`.
#[unsafe(no_mangle)]
static TASK_CGROUPS_OFFSET: u32 = 0;
/// Offset of `dfl_cgrp`, the cgroup2 directory, in `css_set`.
#[unsafe(no_mangle)]
static CSS_SET_CGROUP_OFFSET: u32 = 0;
/// Offset of `kn` in `cgroup`.
#[unsafe(no_mangle)]
static CGROUP_NODE_OFFSET: u32 = 0;
/// Offset of `id` in `kernfs_node`.
#[unsafe(no_mangle)]
static NODE_ID_OFFSET: u32 = 0;

/// The task is a kernel thread (`PF_KTHREAD`, include/linux/sched.h; the same since 2.6). Threads of io_uring are not:
/// they belong to their process, since Linux 5.12.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// Returns the thread group id of the caller, in the initial pid namespace.
#[inline(always)]
pub(crate) fn current_tgid() -> u32 {
    // SAFETY: takes no argument and cannot fail.
    (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32
}

/// Reads a value at an offset that the daemon set.
///
/// # Safety
/// `offset` is one of the statics above. The helper checks the address.
#[inline(always)]
unsafe fn member<T>(of: u64, offset: &'static u32) -> Option<T> {
    // SAFETY: guaranteed by the caller.
    unsafe { bpf_probe_read_kernel((of + u64::from(read_volatile(offset))) as *const T).ok() }
}

/// Returns whether this runs in a kernel thread, which calls for nobody: a worker of MPTCP or NFS is no process of root's.
/// False if that cannot be read.
#[inline(always)]
fn in_kernel_thread() -> bool {
    // SAFETY: the offset is that of the running kernel, or 0.
    unsafe {
        read_volatile(&raw const TASK_FLAGS_OFFSET) != 0
            && member::<u32>(bpf_get_current_task(), &TASK_FLAGS_OFFSET)
                .is_some_and(|flags| flags & KERNEL_THREAD != 0)
    }
}

/// Describes the calling process in `caller`, where all but the network namespace is 0. Sends its executable to the daemon
/// unless the daemon has it. In a kernel thread there is no caller: its tgid stays 0, and its name is that of the thread. Returns
/// what is known of the process, its map value; null if nothing is, or there is no caller.
///
/// In place, because a caller that is returned is copied, field by field, once for each function in between.
#[inline(always)]
pub(crate) fn read_current(caller: &mut Caller) -> *const TaskIdentity {
    // SAFETY: writes at most the 16 bytes it is given.
    unsafe { bpf_get_current_comm((&raw mut caller.comm).cast(), 16) };
    let tgid = current_tgid();
    let task = TASKS.get_ptr_mut(&tgid);
    // SAFETY: a map value that this program holds.
    let exec_id = unsafe { task.map_or(0, |task| (*task).exec_id) };
    // A kernel thread never executed a program, nor did those that it descends from: only `kthreadd` makes them.
    if exec_id == 0 && in_kernel_thread() {
        return ptr::null();
    }
    // SAFETY: the helpers take no argument and cannot fail.
    unsafe {
        let ids = bpf_get_current_uid_gid();
        caller.uid = ids as u32;
        caller.gid = (ids >> 32) as u32;
        caller.cgroup_id = bpf_get_current_cgroup_id();
    }
    caller.tgid = tgid;
    read_effective_ids(caller);
    let Some(task) = task else { return ptr::null() };
    // SAFETY: as above.
    unsafe { identify(caller, task) };
    task
}

/// Reads the calling process in a program that has no helpers for it, from the task itself; else as [`read_current`].
/// Returns false if that cannot be read here; then its tgid is 0, as in a kernel thread.
#[inline(always)]
pub(crate) fn read_caller(caller: &mut Caller) -> bool {
    // SAFETY: the offsets are those of the running kernel, or 0.
    unsafe {
        if read_volatile(&raw const TASK_TGID_OFFSET) == 0 {
            return false;
        }
        if in_kernel_thread() {
            return true;
        }
        let task = bpf_get_current_task();
        let cred: u64 = member(task, &TASK_IDS_OFFSET).unwrap_or(0);
        let cgroups: u64 = member(task, &TASK_CGROUPS_OFFSET).unwrap_or(0);
        let cgroup: u64 = member(cgroups, &CSS_SET_CGROUP_OFFSET).unwrap_or(0);
        let node: u64 = member(cgroup, &CGROUP_NODE_OFFSET).unwrap_or(0);
        let (Some(tgid), Some(uid), Some(gid)) =
            (member(task, &TASK_TGID_OFFSET), member(cred, &CRED_UID_OFFSET), member(cred, &CRED_GID_OFFSET))
        else {
            return false;
        };
        caller.tgid = tgid;
        caller.uid = uid;
        caller.gid = gid;
        caller.euid = member(cred, &CRED_EUID_OFFSET).unwrap_or(uid);
        caller.egid = member(cred, &CRED_EGID_OFFSET).unwrap_or(gid);
        caller.comm = member(task, &TASK_COMM_OFFSET).unwrap_or([0; 2]);
        caller.cgroup_id = member(node, &NODE_ID_OFFSET).unwrap_or(0);
    }
    if let Some(task) = TASKS.get_ptr_mut(&caller.tgid) {
        // SAFETY: the map value of the caller.
        unsafe { identify(caller, task) };
    }
    true
}

/// Adds the effective ids of the calling process, which no helper gives.
#[inline(always)]
fn read_effective_ids(caller: &mut Caller) {
    caller.euid = caller.uid;
    caller.egid = caller.gid;
    // SAFETY: the offsets are those of the running kernel, or 0.
    unsafe {
        if read_volatile(&raw const TASK_IDS_OFFSET) == 0 {
            return;
        }
        let Some(cred) = member::<u64>(bpf_get_current_task(), &TASK_IDS_OFFSET) else { return };
        // On every kernel so far they are neighbours, and read at once. The verifier does not look at the other branch.
        let ids =
            if read_volatile(&raw const CRED_EGID_OFFSET) == read_volatile(&raw const CRED_EUID_OFFSET) + 4 {
                member::<[u32; 2]>(cred, &CRED_EUID_OFFSET)
            } else if let (Some(euid), Some(egid)) =
                (member(cred, &CRED_EUID_OFFSET), member(cred, &CRED_EGID_OFFSET))
            {
                Some([euid, egid])
            } else {
                None
            };
        if let Some([euid, egid]) = ids {
            caller.euid = euid;
            caller.egid = egid;
        }
    }
}

/// Adds what is known of the calling process by its tgid. Sends its executable to the daemon unless the daemon has it.
///
/// # Safety
/// `task` is the caller's map value.
#[inline(always)]
unsafe fn identify(caller: &mut Caller, task: *mut TaskIdentity) {
    // SAFETY: a map value that this program holds; an entry that is replaced meanwhile belongs to the same
    // live process, the caller. If two of its threads race here, both send it, which is harmless.
    unsafe {
        let exec_id = (*task).exec_id;
        caller.exec_id = exec_id;
        caller.start_ns = (*task).start_ns;
        caller.parent_tgid = (*task).parent_tgid;
        // Only the first call of a process looks its executable up.
        if (*task).shipped != exec_id && ship_executable(exec_id) {
            (*task).shipped = exec_id;
        }
    }
}

/// Sends the executable to the daemon once, before any flow that names it. Returns false if that must be tried again.
#[inline(always)]
fn ship_executable(exec_id: u64) -> bool {
    let Some(exec) = EXECS.get_ptr_mut(&exec_id) else { return true };
    // SAFETY: a map value that this program holds; if two CPUs race here, both send it, which is harmless.
    if unsafe { (*exec).header.shipped } != 0 {
        return true;
    }
    let Some(occasion) = Occasion::seen(Hook::Exec) else { return false };
    // It is up to 800 bytes long, and who calls now will be counted in a group. The next call sends it.
    if overload::is_nearly_full() {
        occasion.filtered();
        return false;
    }
    // SAFETY: as above; with the mask the bytes are within the map's value.
    let record: &[u8] = unsafe {
        let file_len = usize::from(read_volatile(&raw const (*exec).header.file_len)) & (FILE_CAP - 1);
        from_raw_parts(exec.cast(), size_of::<ExecHeader>() + file_len)
    };
    if EVENTS.output::<[u8]>(record, u64::from(BPF_RB_NO_WAKEUP)).is_ok() {
        // SAFETY: as above.
        unsafe { (*exec).header.shipped = 1 };
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
pub(crate) unsafe fn set_acceptor(stored: *mut SocketOwner, caller: &Caller) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        (*stored).caller = *caller;
        (*stored).role = SocketRole::Accepted as u8;
        (*stored).started = Started::Yes as u8;
    }
}
