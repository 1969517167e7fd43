//! CPU time of processes, and the CPU that a thread runs on.

use std::io;

/// CPU time, user and system, that a process and its ended threads have used so far; ns. The kernel counts it to the
/// nanosecond, where `/proc/PID/stat` rounds to hundredths of a second.
pub(crate) fn cpu_ns(pid: u32) -> io::Result<u64> {
    // `CPUCLOCK_SCHED` of a process, as `clock_getcpuclockid(3)` makes it.
    let clock = (!(pid.cast_signed()) << 3) | 2;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec to a live one.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// What all children took that have ended and were waited for.
fn children() -> libc::rusage {
    // SAFETY: all zeroes is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes one `rusage` to a live one; with these arguments it cannot fail.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) };
    usage
}

/// The most memory that one of them had at once; bytes.
pub(crate) fn children_peak() -> u64 {
    children().ru_maxrss.unsigned_abs() * 1_024
}

/// CPU time, user and system, of all children that have ended and were waited for; ns.
pub(crate) fn children_ns() -> u64 {
    let usage = children();
    let ns = |time: libc::timeval| {
        time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_usec.unsigned_abs() * 1_000
    };
    ns(usage.ru_utime) + ns(usage.ru_stime)
}

/// CPU time, user and system, of the calling thread so far; ns.
pub(crate) fn thread_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Pins the calling thread to the last CPU and leaves the others to the monitors.
///
/// # Errors
/// The CPU is not this process's to use.
pub(crate) fn pin() -> io::Result<()> {
    let cpus = std::thread::available_parallelism()?.get();
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpus - 1);
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}
