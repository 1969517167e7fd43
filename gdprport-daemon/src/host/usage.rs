//! What this process itself uses of the machine.
//!
//! Does not belong here: what it may use (`memory`).

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time of all threads of this process, in user and kernel mode together.
#[must_use]
pub(crate) fn cpu_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0))
}

/// This process's resident memory in KiB; 0 if `/proc` does not show it.
#[must_use]
pub(crate) fn resident_kib() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * (rustix::param::page_size() as u64 / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_computes_uses_time_and_memory() {
        let before = cpu_time();
        while cpu_time() - before < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        assert!(cpu_time() < Duration::from_secs(86_400), "of this process alone");
        assert!((512..1 << 24).contains(&resident_kib()), "{}", resident_kib());
    }
}
