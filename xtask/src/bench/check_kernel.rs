//! `bench check --kernel`: how many instructions the kernel programs take for one connection, against the baseline.
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

/// Connections that are counted in a round: each end opened, accepted and closed on a watched port.
const CONNECTIONS: u64 = 200;

/// Rounds, each with a daemon of its own. The kernel seeds every hash map at random, so that keys collide in one round
/// and not in another: 4 % of what `connect` takes. The minimum of all rounds is free of that and of the machine's work
/// after boot.
const ROUNDS: usize = 8;

/// Time limit for the machine; it usually takes three minutes.
const LIMIT: Duration = Duration::from_secs(420);

/// The prefix of the machine's reports.
const MARK: &str = "counted: ";

/// Program types (`enum bpf_prog_type`, include/uapi/linux/bpf.h) by the names of their cases.
const TYPES: [(u32, &str); 6] = [
    (5, "kernel-tracepoint"),
    (8, "kernel-cgroup-skb"),
    (9, "kernel-cgroup-sock"),
    (13, "kernel-sock-ops"),
    (18, "kernel-cgroup-sock-addr"),
    (26, "kernel-tracing"),
];

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
        if counts.len() != 2 * ROUNDS {
            bail!("the machine gave {} reports, not {}", counts.len(), 2 * ROUNDS);
        }
        let rounds = counts
            .chunks(2)
            .map(|reports| difference(&reports[0], &reports[1]))
            .collect::<Result<Vec<_>>>()?;
        let cases = minima(&rounds);
        let count = cases.len();
        Ok((cases, format!("{count} cases")))
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
    kill $daemon
    wait $daemon || true
done
"#
    )
}

/// The instructions for one connection by type, from the difference of two reports.
fn difference(before: &str, after: &str) -> Result<BTreeMap<&'static str, u64>> {
    let (before, after) = (read(before)?, read(after)?);
    let mut cases = BTreeMap::new();
    let mut runs = 0;
    for (kind, time, count) in after {
        let (then, then_count) = before
            .iter()
            .find(|(other, ..)| *other == kind)
            .map(|(_, time, count)| (*time, *count))
            .ok_or_else(|| anyhow!("programs of type {kind} came up while they were counted"))?;
        let name = TYPES.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name);
        let name = name.ok_or_else(|| anyhow!("programs of type {kind} have no name here"))?;
        runs += count - then_count;
        cases.insert(name, (time - then) / CONNECTIONS);
    }
    if runs < CONNECTIONS {
        bail!("{runs} runs for {CONNECTIONS} connections: the port was not watched");
    }
    Ok(cases)
}

/// The minimum of each type over all rounds, preceded by their sum.
fn minima(rounds: &[BTreeMap<&'static str, u64>]) -> Vec<(String, u64)> {
    let mut least = BTreeMap::new();
    for (name, count) in rounds.iter().flatten() {
        least.entry(*name).and_modify(|least: &mut u64| *least = (*least).min(*count)).or_insert(*count);
    }
    let all = least.values().sum();
    iter::once(("kernel", all)).chain(least).map(|(name, count)| (name.to_owned(), count)).collect()
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
        let quiet = difference("13:1000:10 5:70:7 ", "5:4070:12 13:601000:8510 ").expect("reports");
        let collided = difference("13:0:0 5:0:0 ", "5:2000:12 13:800000:8510 ").expect("reports");
        let expected = [("kernel", 3_010), ("kernel-sock-ops", 3_000), ("kernel-tracepoint", 10)];
        assert_eq!(minima(&[quiet, collided]), expected.map(|(name, count)| (name.to_owned(), count)));
    }

    #[test]
    fn programs_that_did_not_run_are_an_error() {
        assert!(difference("13:1000:10", "13:1000:10").is_err());
        assert!(difference("13:1000", "13:1000:10").is_err());
    }
}
