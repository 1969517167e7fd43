//! The clock of the kernel's records against the wall clock, and the identity of this host.

use std::io;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// Turns `CLOCK_BOOTTIME` nanoseconds into wall-clock time. A value: what the wall clock showed at one
/// moment, until it is measured again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootClock {
    booted: Timestamp,
}

/// How far two measurements of the boot time may differ before the wall clock counts as having jumped. A
/// clock under NTP drifts by at most 500 ppm, 30 ms a minute; less than that is no jump.
const JUMP: Duration = Duration::from_millis(100);

impl BootClock {
    /// Measures both clocks. Several readings are taken and the closest pair counts, so that being
    /// interrupted between the two does not shift every timestamp.
    #[must_use]
    pub fn measure() -> Self {
        let pair = || {
            let before = boottime_ns();
            let wall = wall_ns();
            let after = boottime_ns();
            (after - before, wall - i128::from(before) - i128::from(after - before) / 2)
        };
        let (_, offset_ns) =
            [pair(), pair(), pair()].into_iter().min_by_key(|(gap, _)| *gap).expect("three readings");
        Self { booted: Timestamp::from_nanosecond(offset_ns).unwrap_or(Timestamp::UNIX_EPOCH) }
    }

    /// A clock whose zero was at this moment.
    #[must_use]
    pub const fn booted_at(booted: Timestamp) -> Self {
        Self { booted }
    }

    /// The wall-clock time of a `CLOCK_BOOTTIME` reading in nanoseconds; saturates at the ends of time.
    #[must_use]
    pub fn timestamp(&self, boot_ns: u64) -> Timestamp {
        let since = SignedDuration::from_nanos(i64::try_from(boot_ns).unwrap_or(i64::MAX));
        self.booted.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    /// How far the wall clock was set since `self` was measured, if by 100 ms or more. The caller uses
    /// `now` from then on in either case.
    #[must_use]
    pub fn jumped(&self, now: &Self) -> Option<SignedDuration> {
        let moved = now.booted.duration_since(self.booted);
        (moved.unsigned_abs() >= JUMP).then_some(moved)
    }
}

/// Nanoseconds of `CLOCK_BOOTTIME`, the clock of the kernel side's records.
#[must_use]
pub(crate) fn boottime_ns() -> u64 {
    let t = clock_gettime(ClockId::Boottime);
    u64::try_from(t.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(t.tv_nsec).unwrap_or(0)
}

fn wall_ns() -> i128 {
    let t = clock_gettime(ClockId::Realtime);
    i128::from(t.tv_sec) * 1_000_000_000 + i128::from(t.tv_nsec)
}

/// The identity of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostId {
    /// Host name, as the kernel has it.
    pub name: String,
    /// Random id of this boot (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
    /// Kernel release, for example `6.1.0-18-amd64`.
    pub kernel: String,
}

impl HostId {
    /// Reads it.
    ///
    /// # Errors
    /// If the boot id cannot be read, which means that `/proc` is not mounted.
    pub(crate) fn read() -> io::Result<Self> {
        let uname = rustix::system::uname();
        Ok(Self {
            name: uname.nodename().to_string_lossy().into_owned(),
            boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim_end().to_owned(),
            kernel: uname.release().to_string_lossy().into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_time_becomes_a_wall_clock_time() {
        let clock = BootClock::booted_at("2026-11-23T13:00:00Z".parse().expect("time"));
        assert_eq!(clock.timestamp(1_500_000_000).to_string(), "2026-11-23T13:00:01.5Z");
        assert_eq!(clock.timestamp(u64::MAX).to_string(), clock.timestamp(i64::MAX as u64).to_string());
    }

    #[test]
    fn the_measured_clock_agrees_with_the_wall_clock() {
        let off = BootClock::measure().timestamp(boottime_ns()).duration_since(Timestamp::now());
        assert!(off.unsigned_abs() < Duration::from_secs(1), "{off}");
    }

    #[test]
    fn setting_the_wall_clock_is_a_jump_and_drift_is_none() {
        let at = |text: &str| BootClock::booted_at(text.parse().expect("time"));
        let old = at("2026-11-23T13:00:00Z");
        assert_eq!(old.jumped(&at("2026-11-23T13:00:00.02Z")), None);
        assert_eq!(old.jumped(&at("2026-11-23T12:59:59Z")), Some(SignedDuration::from_secs(-1)));
    }

    #[test]
    fn this_host_has_a_name_a_boot_and_a_kernel() {
        let host = HostId::read().expect("/proc is mounted");
        assert_eq!(host.boot_id.len(), 36);
        assert!(!host.name.is_empty() && !host.kernel.is_empty());
    }
}
