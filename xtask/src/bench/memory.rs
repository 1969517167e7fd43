//! What a process has in memory, from `/proc`.

use std::fs;

/// Resident memory from `/proc/PID/status`; bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// `VmRSS`.
    pub(crate) resident: u64,
    /// `RssAnon`: heap and stacks.
    pub(crate) anonymous: u64,
    /// `RssFile`: code; shared by all processes of the same file.
    pub(crate) file: u64,
    /// `RssShmem`.
    pub(crate) shared: u64,
}

impl Memory {
    /// Of a process; nothing if it is gone.
    pub(crate) fn of(pid: u64) -> Self {
        Self::read(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default())
    }

    /// What is resident, in MB of 1,000,000 bytes.
    pub(crate) fn mb(&self) -> f64 {
        self.resident as f64 / 1e6
    }

    /// What is resident, in MiB.
    pub(crate) fn mib(&self) -> f64 {
        self.resident as f64 / f64::from(1 << 20)
    }

    fn read(status: &str) -> Self {
        let of = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) * 1024
        };
        Self { resident: of("VmRSS"), anonymous: of("RssAnon"), file: of("RssFile"), shared: of("RssShmem") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_what_the_kernel_prints() {
        let status = "Name:\tx\nVmRSS:\t   20480 kB\nRssAnon:\t    4096 kB\nRssFile:\t    8192 kB\nRssShmem:\t  0 kB\n";
        let memory = Memory::read(status);
        assert_eq!((memory.resident, memory.anonymous, memory.file), (20 << 20, 4 << 20, 8 << 20));
        assert_eq!(Memory::read(""), Memory::default());
    }
}
