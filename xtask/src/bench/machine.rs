//! The machine that was measured: without it, no figure means anything.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::sh;

/// The machine and the state of the checkout.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// Such as `Intel(R) Xeon(R) …`.
    cpu: String,
    cpus: usize,
    memory_gib: u64,
    kernel: String,
    /// Of the checkout; with `+` if it has changes.
    commit: String,
    date: String,
    /// Load average of the last minute at the start: 0 on an idle machine.
    load: String,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let output = |program: &str, args: &[&str]| {
            let mut command = Command::new(program);
            sh::quiet(command.args(args).current_dir(sh::workspace())).unwrap_or_default().trim().to_owned()
        };
        let changes = if output("git", &["status", "--porcelain"]).is_empty() { "" } else { "+" };
        Self {
            cpu: after_colon(&file("/proc/cpuinfo"), "model name"),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: after_colon(&file("/proc/meminfo"), "MemTotal")
                .split(' ')
                .next()
                .and_then(|kib| kib.parse::<u64>().ok())
                .unwrap_or(0)
                / (1 << 20),
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
            commit: format!("{}{changes}", output("git", &["rev-parse", "--short", "HEAD"])),
            date: output("date", &["-u", "+%F %H:%M"]),
            load: file("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "{} UTC, commit {}: {} CPUs ({}), {} GiB, Linux {}, load average {} at the start",
            self.date, self.commit, self.cpus, self.cpu, self.memory_gib, self.kernel, self.load
        )
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu, "cpus": self.cpus, "memory_gib": self.memory_gib, "kernel": self.kernel,
            "commit": self.commit, "date": self.date, "load": self.load,
        })
    }
}

/// The value of the first line `key : value`.
fn after_colon(text: &str, key: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::after_colon;

    #[test]
    fn the_first_value_of_a_key_is_taken() {
        assert_eq!(after_colon("a : 1\nmodel name\t: X 2\nmodel name\t: Y\n", "model name"), "X 2");
        assert_eq!(after_colon("", "model name"), "");
    }
}
