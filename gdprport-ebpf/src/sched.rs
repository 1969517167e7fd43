//! Processes: each `execve` gets an exec id, a forked child starts with its parent's, an exit removes the entry.
//!
//! So the executable of a flow is known even if its process exited before the daemon could read `/proc`.

use core::ptr::read_volatile;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::BPF_ANY;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::{
    bpf_get_current_pid_tgid, bpf_get_current_task, bpf_get_smp_processor_id, bpf_ktime_get_boot_ns,
    bpf_probe_read_kernel_str,
};
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use gdprport_common::{PATH_CAP, RecordKind, TASK_HEADLESS, TaskIdentity};

use crate::maps::{EXEC_SCRATCH, EXEC_SEQUENCE, EXECS, TASKS};
use crate::owner::current_tgid;

/// Offset of `filename` in `sched_process_exec`; the daemon sets it from tracefs.
#[unsafe(no_mangle)]
static EXEC_FILENAME_OFFSET: u32 = 8;

/// Offset of `pid` in `task_newtask`; the daemon sets it from tracefs.
#[unsafe(no_mangle)]
static NEWTASK_PID_OFFSET: u32 = 8;

/// Offset of `clone_flags` in `task_newtask`; the daemon sets it from tracefs.
#[unsafe(no_mangle)]
static NEWTASK_FLAGS_OFFSET: u32 = 32;

/// The new task is a thread of the calling process (include/uapi/linux/sched.h).
const CLONE_THREAD: u64 = 0x1_0000;

/// Offset of `cred` in `task_struct`. The daemon sets this and the next two from the BTF of the running kernel, all or
/// none.
#[unsafe(no_mangle)]
static TASK_CRED_OFFSET: u32 = 0;
/// Offset of `user_ns` in `cred`.
#[unsafe(no_mangle)]
static CRED_USER_NS_OFFSET: u32 = 0;
/// Offset of the inode number in `user_namespace`.
#[unsafe(no_mangle)]
static USER_NS_INUM_OFFSET: u32 = 0;

/// Inode number of the initial user namespace (`PROC_USER_INIT_INO`, include/linux/proc_ns.h).
const INITIAL_USER_NS: u32 = 0xefff_fffd;

/// First bit of the CPU number in an exec id. Below is that CPU's count; the bit `EXEC_ID_SEEDED` above stays clear.
const EXEC_ID_CPU_SHIFT: u32 = 40;

/// Returns whether the caller is in a user namespace other than the initial one, where an unprivileged user may have
/// set its mounts and its root; false if that cannot be read.
#[inline(always)]
fn in_user_ns() -> bool {
    // SAFETY: the offsets are those of the running kernel, or 0; the helper checks every address.
    unsafe {
        let cred_offset = read_volatile(&raw const TASK_CRED_OFFSET) as u64;
        if cred_offset == 0 {
            return false;
        }
        let cred = bpf_probe_read_kernel((bpf_get_current_task() + cred_offset) as *const u64);
        let Ok(cred) = cred else { return false };
        let user_ns_offset = read_volatile(&raw const CRED_USER_NS_OFFSET) as u64;
        let Ok(user_ns) = bpf_probe_read_kernel((cred + user_ns_offset) as *const u64) else { return false };
        let inum_offset = read_volatile(&raw const USER_NS_INUM_OFFSET) as u64;
        bpf_probe_read_kernel((user_ns + inum_offset) as *const u32).is_ok_and(|inum| inum != INITIAL_USER_NS)
    }
}

#[tracepoint]
fn gp_sched_exec(ctx: TracePointContext) -> u32 {
    // A failed read leaves the process without an executable, which the daemon then looks up in /proc.
    let _ = exec(&ctx);
    0
}

#[inline(always)]
fn exec(ctx: &TracePointContext) -> Option<()> {
    let tgid = current_tgid();
    let sequence = EXEC_SEQUENCE.get_ptr_mut(0)?;
    let record = EXEC_SCRATCH.get_ptr_mut(0)?;
    // SAFETY: both are this CPU's own map values, and tracepoint programs are not preempted by each
    // other. The offset is a constant to the verifier; the helpers check every address.
    unsafe {
        *sequence += 1;
        let exec_id = (u64::from(bpf_get_smp_processor_id()) + 1) << EXEC_ID_CPU_SHIFT | *sequence;
        (*record).kind = RecordKind::Exec as u8;
        (*record).shipped = 0;
        (*record).tgid = tgid;
        (*record).in_user_ns = u8::from(in_user_ns());
        (*record).exec_id = exec_id;
        (*record).time_ns = bpf_ktime_get_boot_ns();
        let task = TASKS.get_ptr_mut(&tgid);
        (*record).previous = match task {
            Some(task) => (*task).exec_id,
            None => 0,
        };
        (*record).path_len = 0;
        let location = ctx.read_at::<u32>(read_volatile(&raw const EXEC_FILENAME_OFFSET) as usize).ok()?;
        let name = ctx.as_ptr().cast::<u8>().add((location & 0xffff) as usize);
        let read = bpf_probe_read_kernel_str((&raw mut (*record).path).cast(), PATH_CAP as u32, name.cast());
        // The helper counts the NUL. The length shows that a name was cut: it fills the field.
        if read > 0 {
            (*record).path_len = (read - 1) as u8;
        }
        EXECS.insert(&exec_id, &*record, u64::from(BPF_ANY)).ok()?;
        match task {
            Some(task) => {
                (*task).exec_id = exec_id;
                // All other threads have exited by now, and this one is the first.
                (*task).threads = 0;
            }
            None => {
                let task = TaskIdentity { exec_id, start_ns: 0, parent_tgid: 0, threads: 0, shipped: 0 };
                TASKS.insert(&tgid, &task, u64::from(BPF_ANY)).ok()?;
            }
        }
    }
    Some(())
}

/// A new thread or process, in the context of the task that creates it and before it runs.
#[tracepoint]
fn gp_task_newtask(ctx: TracePointContext) -> u32 {
    let parent_tgid = current_tgid();
    // SAFETY: the helpers check every address; the parent's entry is used at once, and the parent is alive: it is the
    // caller.
    unsafe {
        let pid = ctx.read_at::<u32>(read_volatile(&raw const NEWTASK_PID_OFFSET) as usize);
        let flags = ctx.read_at::<u64>(read_volatile(&raw const NEWTASK_FLAGS_OFFSET) as usize);
        let (Ok(child), Ok(flags)) = (pid, flags) else { return 0 };
        let parent = TASKS.get_ptr_mut(&parent_tgid);
        if flags & CLONE_THREAD != 0 {
            if let Some(task) = parent {
                (*task).threads += 1;
            }
            return 0;
        }
        let (exec_id, shipped) = match parent {
            Some(parent) => ((*parent).exec_id, (*parent).shipped),
            None => (0, 0),
        };
        let start_ns = bpf_ktime_get_boot_ns();
        let task = TaskIdentity { exec_id, start_ns, parent_tgid, threads: 0, shipped };
        let _ = TASKS.insert(&child, &task, u64::from(BPF_ANY));
    }
    0
}

/// A thread exits. The entry of its process is removed with the last thread, which need not be the first: that one may
/// exit before the others, or be replaced by one that calls `execve`.
#[tracepoint]
fn gp_sched_exit(_ctx: TracePointContext) -> u32 {
    // SAFETY: takes no argument and cannot fail. The lower half is the thread's own id.
    let tid = unsafe { bpf_get_current_pid_tgid() } as u32;
    let tgid = current_tgid();
    let is_first = tid == tgid;
    let Some(task) = TASKS.get_ptr_mut(&tgid) else { return 0 };
    // SAFETY: the entry is the caller's own. Threads that start or exit at the same time on two CPUs may be counted as
    // one; then the entry outlives its process until the id is reused, or is removed with the first thread.
    unsafe {
        let threads = (*task).threads;
        if threads & !TASK_HEADLESS != 0 {
            (*task).threads = (threads - 1) | if is_first { TASK_HEADLESS } else { 0 };
            return 0;
        }
        if !is_first && threads & TASK_HEADLESS == 0 {
            return 0;
        }
    }
    let _ = TASKS.remove(&tgid);
    0
}
