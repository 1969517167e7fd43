//! The least possible monitor: the programs of `gdprport-ebpf/src/floor.rs`, read by looking every 2 ms.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aya::EbpfLoader;
use aya::maps::RingBuf;
use aya::programs::{CgroupAttachMode, CgroupSockAddr, SockOps, TracePoint};

/// How often the reader looks: as often as the product's.
const POLL: Duration = Duration::from_millis(2);

static ENDING: AtomicBool = AtomicBool::new(false);

extern "C" fn end(_: libc::c_int) {
    ENDING.store(true, Ordering::Relaxed);
}

/// Runs until SIGTERM or SIGINT, then prints how many records came.
///
/// # Errors
/// The kernel refuses the programs.
pub fn run(object: &str, port: &str) -> Result<(), Box<dyn Error>> {
    let port: u32 = port.parse()?;
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the handler only stores to an atomic.
        unsafe { libc::signal(signal, end as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    }
    let mut ebpf =
        EbpfLoader::new().btf(None).override_global("FLOOR_PORT", &port, true).load_file(object)?;
    let cgroup = File::open(cgroup2()?)?;
    let exec: &mut TracePoint = ebpf.program_mut("fl_exec").ok_or("no fl_exec")?.try_into()?;
    exec.load()?;
    exec.attach("sched", "sched_process_exec")?;
    let connect: &mut CgroupSockAddr = ebpf.program_mut("fl_connect4").ok_or("no fl_connect4")?.try_into()?;
    connect.load()?;
    connect.attach(&cgroup, CgroupAttachMode::Single)?;
    let ops: &mut SockOps = ebpf.program_mut("fl_sock_ops").ok_or("no fl_sock_ops")?.try_into()?;
    ops.load()?;
    ops.attach(&cgroup, CgroupAttachMode::Single)?;
    let mut ring = RingBuf::try_from(ebpf.map_mut("EVENTS").ok_or("no EVENTS")?)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "ready")?;
    stdout.flush()?;
    let mut records = 0_u64;
    while !ENDING.load(Ordering::Relaxed) {
        while ring.next().is_some() {
            records += 1;
        }
        std::thread::sleep(POLL);
    }
    while ring.next().is_some() {
        records += 1;
    }
    writeln!(stdout, "records {records}")?;
    Ok(())
}

/// Where the cgroup2 hierarchy is mounted.
///
/// # Errors
/// It is not.
pub fn cgroup2() -> Result<PathBuf, Box<dyn Error>> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let found = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after.starts_with("cgroup2 ").then(|| before.split(' ').nth(4)).flatten()
    });
    Ok(PathBuf::from(found.ok_or("no cgroup2 hierarchy is mounted")?))
}
