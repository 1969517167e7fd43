//! Who runs right now: only for programs that run in the caller's context (never `sock_ops`).

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use aya_ebpf::helpers::generated::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_uid_gid,
    bpf_ktime_get_boot_ns,
};
use gdprport_common::{ExecRecord, Hook, SocketOwner, SocketRole};

use crate::count::Occasion;
use crate::maps::{EVENTS, EXECS, TASKS};

/// Thread group id of the caller, in the initial pid namespace.
#[inline(always)]
pub fn current_tgid() -> u32 {
    // SAFETY: takes no argument and cannot fail.
    (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32
}

/// The caller as an owner in `role`, without a peer. Its executable is shipped to the daemon if it was not.
#[inline(always)]
pub fn current(role: SocketRole, netns_cookie: u64) -> SocketOwner {
    let tgid = current_tgid();
    // SAFETY: the helpers take no argument and cannot fail.
    let (ids, cgroup_id, since_ns) =
        unsafe { (bpf_get_current_uid_gid(), bpf_get_current_cgroup_id(), bpf_ktime_get_boot_ns()) };
    let mut owner = SocketOwner {
        exec_id: 0,
        cgroup_id,
        netns_cookie,
        start_ns: 0,
        tgid,
        parent_tgid: 0,
        uid: ids as u32,
        gid: (ids >> 32) as u32,
        comm: [0; 2],
        since_ns,
        peer: [0; 4],
        peer_port: 0,
        peer_family: 0,
        role: role as u8,
        started: 0,
        wants_payload: 0,
        segments_out: 0,
        segments_in: 0,
        out_base: 0,
        in_base: 0,
        fin_wait2_received: 0,
        local_port: 0,
        reserved: 0,
    };
    // SAFETY: writes at most the 16 bytes it is given.
    unsafe { bpf_get_current_comm((&raw mut owner.comm).cast(), 16) };
    // SAFETY: the value is read at once; an entry that is replaced meanwhile belongs to the same live
    // process, which is the caller.
    if let Some(task) = unsafe { TASKS.get(&tgid) } {
        owner.exec_id = task.exec_id;
        owner.start_ns = task.start_ns;
        owner.parent_tgid = task.parent_tgid;
    }
    ship_executable(owner.exec_id);
    owner
}

/// Hands the executable to the daemon, once, ahead of every flow that names it.
#[inline(always)]
fn ship_executable(exec_id: u64) {
    if exec_id == 0 {
        return;
    }
    let Some(exec) = EXECS.get_ptr_mut(&exec_id) else { return };
    // SAFETY: a map value that this program holds; two CPUs that race here ship it twice, with no harm.
    if unsafe { (*exec).shipped } != 0 {
        return;
    }
    let Some(occasion) = Occasion::seen(Hook::Exec) else { return };
    // SAFETY: as above; the record is as large as the map's value.
    let record: &ExecRecord = unsafe { &*exec };
    if EVENTS.output::<ExecRecord>(record, u64::from(BPF_RB_NO_WAKEUP)).is_ok() {
        // SAFETY: as above.
        unsafe { (*exec).shipped = 1 };
        occasion.emitted();
    } else {
        occasion.dropped();
    }
}
