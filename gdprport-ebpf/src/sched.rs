//! Processes: each `execve` gets an exec id, a forked child starts with its parent's, an exit removes the entry.
//!
//! So the executable of a flow is known even if its process exited before the daemon could read `/proc`. What file it
//! is, `exe_file` reads.

use core::ptr::read_volatile;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::BPF_ANY;
use aya_ebpf::helpers::generated::{
    bpf_get_current_pid_tgid, bpf_get_smp_processor_id, bpf_ktime_get_boot_ns, bpf_probe_read_kernel_str,
};
use aya_ebpf::macros::tracepoint;
use aya_ebpf::programs::TracePointContext;
use gdprport_common::{EnforceExe, PATH_CAP, RecordKind, TASK_HEADLESS, TaskIdentity};

use crate::exe_file::{describe, in_user_ns};
use crate::fingerprint;
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

/// First bit of the CPU number in an exec id. Below is that CPU's count; the bit `EXEC_ID_SEEDED` above stays clear.
const EXEC_ID_CPU_SHIFT: u32 = 40;

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
    let scratch = EXEC_SCRATCH.get_ptr_mut(0)?;
    // SAFETY: both are this CPU's own map values, and tracepoint programs are not preempted by each
    // other. The offset is a constant to the verifier; the helpers check every address.
    unsafe {
        // First, while few values are known: the verifier checks the walk for each combination of them.
        describe(scratch);
        fingerprint::gp_fingerprint();
        let header = &raw mut (*scratch).record.header;
        *sequence += 1;
        let exec_id = (u64::from(bpf_get_smp_processor_id()) + 1) << EXEC_ID_CPU_SHIFT | *sequence;
        (*header).kind = RecordKind::Exec as u8;
        (*header).shipped = 0;
        (*header).tgid = tgid;
        (*header).in_user_ns = u8::from(in_user_ns());
        (*header).exec_id = exec_id;
        (*header).time_ns = bpf_ktime_get_boot_ns();
        let task = TASKS.get_ptr_mut(&tgid);
        (*header).previous = match task {
            Some(task) => (*task).exec_id,
            None => 0,
        };
        (*header).name_len = 0;
        let location = ctx.read_at::<u32>(read_volatile(&raw const EXEC_FILENAME_OFFSET) as usize).ok()?;
        let name = ctx.as_ptr().cast::<u8>().add((location & 0xffff) as usize);
        let read = bpf_probe_read_kernel_str((&raw mut (*header).name).cast(), PATH_CAP as u32, name.cast());
        // The helper counts the NUL. The length shows that a name was cut: it fills the field.
        if read > 0 {
            (*header).name_len = (read - 1) as u8;
        }
        EXECS.insert(&exec_id, &(*scratch).record, u64::from(BPF_ANY)).ok()?;
        match task {
            Some(task) => {
                (*task).exec_id = exec_id;
                // All other threads have exited by now, and this one is the first.
                (*task).threads = 0;
                (*task).exe = (*scratch).exe;
            }
            None => {
                let task = TaskIdentity { exec_id, exe: (*scratch).exe, ..TaskIdentity::default() };
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
        let (exec_id, shipped, exe) = match parent {
            Some(parent) => ((*parent).exec_id, (*parent).shipped, (*parent).exe),
            None => (0, 0, EnforceExe::default()),
        };
        let start_ns = bpf_ktime_get_boot_ns();
        let task = TaskIdentity { exec_id, start_ns, parent_tgid, threads: 0, shipped, exe };
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
