//! What was measured where: without it no figure means anything.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::sh;

/// The machine and the state of the checkout.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Such as `Intel(R) Xeon(R) …`.
    cpu: String,
    cpus: usize,
    memory_gib: u64,
    kernel: String,
    /// Of the checkout; with `+` if it has changes.
    commit: String,
    /// UTC.
    date: String,
    /// Of the last minute, as the measuring began: 0 on an idle machine.
    load: String,
}

impl Machine {
    /// Looks at it as it is now.
    pub fn read() -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let said = |program: &str, words: &[&str]| {
            let mut command = Command::new(program);
            sh::quiet(command.args(words).current_dir(sh::workspace())).unwrap_or_default().trim().to_owned()
        };
        let changes = if said("git", &["status", "--porcelain"]).is_empty() { "" } else { "+" };
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
            commit: format!("{}{changes}", said("git", &["rev-parse", "--short", "HEAD"])),
            date: said("date", &["-u", "+%F %H:%M"]),
            load: file("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    /// In one line.
    pub fn line(&self) -> String {
        format!(
            "{} UTC, commit {}: {} CPUs ({}), {} GiB, Linux {}, load average {} at the start",
            self.date, self.commit, self.cpus, self.cpu, self.memory_gib, self.kernel, self.load
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
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
