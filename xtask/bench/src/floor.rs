//! The least possible monitor, polled every 2 ms, and the product's hooks with empty programs: those of
//! `gdprport-ebpf/src/floor.rs`.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aya::maps::RingBuf;
use aya::programs::{
    CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, CgroupSockAddr, Program, ProgramError,
    SockOps, TracePoint,
};
use aya::{Ebpf, EbpfLoader};

/// The product's poll interval.
const POLL: Duration = Duration::from_millis(2);

/// The product's mode.
const MODE: CgroupAttachMode = CgroupAttachMode::Single;

static ENDING: AtomicBool = AtomicBool::new(false);

extern "C" fn end(_: libc::c_int) {
    ENDING.store(true, Ordering::Relaxed);
}

/// Runs the floor until SIGTERM or SIGINT, then prints the number of records.
pub(crate) fn run(object: &str, port: &str) -> Result<(), Box<dyn Error>> {
    let mut ebpf = load(object, port)?;
    let cgroup = File::open(cgroup2()?)?;
    let exec: &mut TracePoint = program(&mut ebpf, "fl_exec")?;
    exec.load()?;
    exec.attach("sched", "sched_process_exec")?;
    sock_addr(&mut ebpf, "fl_connect4", &cgroup)?;
    sock_ops(&mut ebpf, "fl_sock_ops", &cgroup)?;
    let mut ring = RingBuf::try_from(ebpf.map_mut("EVENTS").ok_or("no EVENTS")?)?;
    print_line("ready")?;
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
    print_line(&format!("records {records}"))
}

/// Holds the product's hooks until SIGTERM or SIGINT, with those of packets or without.
pub(crate) fn hooks(object: &str, port: &str, packets: bool) -> Result<(), Box<dyn Error>> {
    let mut ebpf = load(object, port)?;
    let cgroup = File::open(cgroup2()?)?;
    sock_addr(&mut ebpf, "hk_connect4", &cgroup)?;
    sock_addr(&mut ebpf, "hk_getpeername4", &cgroup)?;
    sock_ops(&mut ebpf, "hk_sock_ops", &cgroup)?;
    let release: &mut CgroupSock = program(&mut ebpf, "hk_sock_release")?;
    release.load()?;
    release.attach(&cgroup, MODE)?;
    if packets {
        for (name, direction) in
            [("hk_egress", CgroupSkbAttachType::Egress), ("hk_ingress", CgroupSkbAttachType::Ingress)]
        {
            let packets: &mut CgroupSkb = program(&mut ebpf, name)?;
            packets.load()?;
            packets.attach(&cgroup, direction, MODE)?;
        }
    }
    print_line("ready")?;
    while !ENDING.load(Ordering::Relaxed) {
        std::thread::sleep(POLL);
    }
    Ok(())
}

fn load(object: &str, port: &str) -> Result<Ebpf, Box<dyn Error>> {
    let port: u32 = port.parse()?;
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the handler only stores to an atomic.
        unsafe { libc::signal(signal, end as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    }
    Ok(EbpfLoader::new().btf(None).override_global("FLOOR_PORT", &port, true).load_file(object)?)
}

/// The program of this name, which must be of this type.
fn program<'a, P>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, Box<dyn Error>>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    Ok(ebpf.program_mut(name).ok_or_else(|| format!("no {name}"))?.try_into()?)
}

fn sock_addr(ebpf: &mut Ebpf, name: &str, cgroup: &File) -> Result<(), Box<dyn Error>> {
    let program: &mut CgroupSockAddr = program(ebpf, name)?;
    program.load()?;
    program.attach(cgroup, MODE)?;
    Ok(())
}

fn sock_ops(ebpf: &mut Ebpf, name: &str, cgroup: &File) -> Result<(), Box<dyn Error>> {
    let program: &mut SockOps = program(ebpf, name)?;
    program.load()?;
    program.attach(cgroup, MODE)?;
    Ok(())
}

fn print_line(line: &str) -> Result<(), Box<dyn Error>> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    Ok(())
}

/// Where the cgroup2 hierarchy is mounted.
pub(crate) fn cgroup2() -> Result<PathBuf, Box<dyn Error>> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let found = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after.starts_with("cgroup2 ").then(|| before.split(' ').nth(4)).flatten()
    });
    Ok(PathBuf::from(found.ok_or("no cgroup2 hierarchy is mounted")?))
}
