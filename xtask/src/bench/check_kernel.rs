//! `bench check --kernel`: how many instructions the kernel programs take for one connection, against the baseline; on a
//! watched port and on one that is not.
//!
//! Belongs here: the machine, what runs in it, and what its reports mean. The machine has one processor that is emulated
//! instruction by instruction and whose clock is the instruction count (one a nanosecond), so that a program's run time as
//! the kernel measures it (`bpf_stats_enabled`) is a number of instructions, independent of the host's load.

use std::collections::BTreeMap;
use std::iter;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::sh;
use crate::step::step;
use crate::vm::{self, Pace};

/// A kernel that supports every program; the others differ in few of them.
const KERNEL: &str = "6.1";

/// Connections of each kind that are counted in a round: each end opened, accepted and closed.
const CONNECTIONS: u64 = 200;

/// Reports in a round: before connections to a watched port, after them, and after as many to another one.
const REPORTS: usize = 3;

/// Rounds, each with a daemon of its own. The kernel seeds every hash map at random, so that keys collide in one round
/// and not in another: 4 % of what `connect` takes. The minimum of all rounds is free of that and of the machine's work
/// after boot.
const ROUNDS: usize = 8;

/// Time limit for the machine; it usually takes three minutes, with a debug build four.
const LIMIT: Duration = Duration::from_secs(420);

/// The prefix of the machine's reports.
const MARK: &str = "counted: ";

/// Program types (`enum bpf_prog_type`, include/uapi/linux/bpf.h) by the names of their cases.
const TYPES: [(u32, &str); 6] = [
    (5, "tracepoint"),
    (8, "cgroup-skb"),
    (9, "cgroup-sock"),
    (13, "sock-ops"),
    (18, "cgroup-sock-addr"),
    (26, "tracing"),
];

/// The case of a connection to a watched port; the prefix of its parts.
const WATCHED: &str = "kernel";
/// The same of a port that is not watched.
const UNWATCHED: &str = "kernel-unwatched";

/// What the programs of one type did for one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Effort {
    instructions: u64,
    runs: u64,
}

/// By type of program.
type Efforts = BTreeMap<&'static str, Effort>;

/// Instructions for one connection, all programs together and by type.
///
/// # Errors
/// No machine could be run, or it did not report.
pub(crate) fn count(driver: &Path, daemon: &Path) -> Result<Vec<(String, u64)>> {
    step(&format!("instructions of the kernel programs for one connection, on Linux {KERNEL}"), || {
        let mut counts = Vec::new();
        let ended = vm::run_script(KERNEL, script(driver, daemon), LIMIT, Pace::Counted, |line| {
            counts.extend(line.strip_prefix(MARK).map(str::to_owned));
        })?;
        if !ended.status.is_success() {
            bail!("the machine's command ended with {}", ended.status);
        }
        if counts.len() != REPORTS * ROUNDS {
            bail!("the machine gave {} reports, not {}", counts.len(), REPORTS * ROUNDS);
        }
        let between = |first: usize| -> Result<Efforts> {
            let rounds =
                counts.chunks(REPORTS).map(|reports| difference(&reports[first], &reports[first + 1]));
            Ok(minima(&rounds.collect::<Result<Vec<_>>>()?))
        };
        let (watched, unwatched) = (between(0)?, between(1)?);
        if watched == unwatched {
            bail!("both ports cost the same: neither or both were watched");
        }
        let runs = format!("{} runs, unwatched {}", runs(&watched), runs(&unwatched));
        Ok(([cases(WATCHED, &watched), cases(UNWATCHED, &unwatched)].concat(), runs))
    })
}

/// Reports the types of programs with their run times and run counts, from `fdinfo`.
fn script(driver: &Path, daemon: &Path) -> String {
    let (driver, daemon) = (vm::quoted(driver), vm::quoted(daemon));
    let policy = vm::quoted(&sh::workspace().join("xtask/baselines/policy.toml"));
    format!(
        r#"set -eu
echo 1 >/proc/sys/kernel/bpf_stats_enabled
report() {{
    printf '{MARK}'
    # Descriptors come and go meanwhile.
    cat /proc/$daemon/fdinfo/* 2>/dev/null | awk '
        /^prog_type:/ {{ type = $2 }}
        /^prog_id:/ {{ id = $2 }}
        /^run_time_ns:/ {{ time = $2 }}
        /^run_cnt:/ {{ if (!seen[id]++) {{ times[type] += time; runs[type] += $2 }} }}
        END {{ for (type in times) printf "%d:%d:%d ", type, times[type], runs[type]; print "" }}'
}}
for round in $(seq {ROUNDS}); do
    {daemon} daemon run --policy {policy} --events /dev/null --socket /run/gdprport.sock >/run/daemon-output 2>&1 &
    daemon=$!
    for try in $(seq 600); do {daemon} --socket /run/gdprport.sock daemon status >/dev/null 2>&1 && break; sleep 0.1; done
    {driver} --loopback 15432 50
    report
    {driver} --loopback 15432 {CONNECTIONS}
    report
    {driver} --loopback 15433 {CONNECTIONS}
    report
    kill $daemon
    wait $daemon || true
done
"#
    )
}

/// What one connection took by type, from the difference of two reports.
fn difference(before: &str, after: &str) -> Result<Efforts> {
    let (before, after) = (read(before)?, read(after)?);
    let mut efforts = Efforts::new();
    for (kind, time, count) in after {
        let (then, then_count) = before
            .iter()
            .find(|(other, ..)| *other == kind)
            .map(|(_, time, count)| (*time, *count))
            .ok_or_else(|| anyhow!("programs of type {kind} came up while they were counted"))?;
        let name = TYPES.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name);
        let name = name.ok_or_else(|| anyhow!("programs of type {kind} have no name here"))?;
        let effort =
            Effort { instructions: (time - then) / CONNECTIONS, runs: (count - then_count) / CONNECTIONS };
        efforts.insert(name, effort);
    }
    if runs(&efforts) == 0 {
        bail!("no program ran for a connection: none is attached");
    }
    Ok(efforts)
}

/// The minimum of each type over all rounds.
fn minima(rounds: &[Efforts]) -> Efforts {
    let mut least = Efforts::new();
    for (name, effort) in rounds.iter().flatten() {
        let known = least.entry(*name).or_insert(*effort);
        known.instructions = known.instructions.min(effort.instructions);
        known.runs = known.runs.min(effort.runs);
    }
    least
}

fn runs(efforts: &Efforts) -> u64 {
    efforts.values().map(|effort| effort.runs).sum()
}

/// The instructions of all types together under the name `of`, and of each under a name that begins with it.
fn cases(of: &str, efforts: &Efforts) -> Vec<(String, u64)> {
    let all = efforts.values().map(|effort| effort.instructions).sum();
    let parts = efforts.iter().map(|(name, effort)| (format!("{of}-{name}"), effort.instructions));
    iter::once((of.to_owned(), all)).chain(parts).collect()
}

/// Parses `type:time:runs` items.
fn read(report: &str) -> Result<Vec<(u32, u64, u64)>> {
    let item = |item: &str| {
        let mut numbers = item.split(':');
        let kind = numbers.next()?.parse().ok()?;
        Some((kind, numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    };
    let items = report.split_whitespace().map(item);
    items.collect::<Option<_>>().with_context(|| format!("`{report}` is no report"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_per_connection_is_counted_by_type_and_in_total() {
        let quiet = difference("13:1000:10 5:70:7 ", "5:4070:212 13:601000:3410 ").expect("reports");
        let collided = difference("13:0:0 5:0:0 ", "5:2000:212 13:800000:3410 ").expect("reports");
        let least = minima(&[quiet, collided]);
        let expected = [("kernel", 3_010), ("kernel-sock-ops", 3_000), ("kernel-tracepoint", 10)];
        assert_eq!(cases(WATCHED, &least), expected.map(|(name, count)| (name.to_owned(), count)));
        assert_eq!(runs(&least), 18);
    }

    #[test]
    fn programs_that_did_not_run_are_an_error() {
        assert!(difference("13:1000:10", "13:1000:10").is_err());
        assert!(difference("13:1000", "13:1000:10").is_err());
    }
}
