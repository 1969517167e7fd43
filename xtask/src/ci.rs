//! `ci`: what continuous integration runs, in a fresh clone. At its end, one line for each stage with its time, and the totals.
//!
//! Each stage is a command of this program in a process of its own. What only computes runs beside the tests, which wait
//! for much, on the processors' time that these leave; what fills all processors runs alone.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::sh;
use crate::step::{FAILED, note, short};

type Stage = &'static [&'static str];

/// First, since two stages at a time must not install the same things.
const SETUP: Stage = &["setup", "--test-servers"];

/// What waits for servers, time-outs and the kernel.
const TESTS: [Stage; 2] = [&["test"], &["lint"]];

/// What runs beside them at the lowest priority. Neither the load of the machine nor the clock changes its result: builds,
/// and counts of instructions.
const BESIDE: [Stage; 2] = [&["fuzz", "--build-only"], &["bench", "check"]];

/// What fills all processors, or is a machine that is emulated, whose time-outs count seconds of the host.
const ALONE: [Stage; 3] = [
    // Earlier finds are in the corpus, which the tests replay. A new find here is chance and need not come from the change
    // under test: it is reported and does not fail the run. A target that no longer builds does.
    &["fuzz", "--seconds", "30", "--report-only"],
    // The oldest kernel and the newest of a release keep every promise, the one between them the core.
    &["vm", "--kernel", "5.10", "--kernel", "6.1", "--kernel", "6.12", "--core", "6.1"],
    &["bench", "check", "--kernel-only"],
];

/// How many failures of a stage its end names again.
const NAMES: usize = 40;

/// Runs all stages, whatever becomes of one of them; fails if one did.
pub(crate) fn run() -> ExitCode {
    let begun = Instant::now();
    let mut ended = vec![in_front(SETUP)];
    let beside = thread::spawn(|| BESIDE.map(behind));
    ended.extend(TESTS.map(in_front));
    ended.extend(joined(beside));
    ended.extend(ALONE.map(in_front));
    report(&ended, begun.elapsed());
    if ended.iter().all(|stage| stage.problem.is_none()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How a stage ended.
struct Ended {
    name: String,
    time: Duration,
    said: Said,
    /// Why it failed, if it did.
    problem: Option<String>,
}

/// What a stage printed that the end repeats.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    totals: Totals,
    /// What it names as failed, the first of them.
    failed: Vec<String>,
}

impl Said {
    fn read(&mut self, line: &str) {
        self.totals.read(line);
        if let Some(name) = line.strip_prefix(FAILED).filter(|_| self.failed.len() < NAMES) {
            self.failed.push(name.to_owned());
        }
    }
}

/// Sums of the lines `N passed, N failed, N skipped` that commands print.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Totals {
    /// Adds a line of totals; other lines mean nothing.
    fn read(&mut self, line: &str) {
        let counts: Option<Vec<u64>> = line
            .split(", ")
            .zip(["passed", "failed", "skipped"])
            .map(|(count, what)| count.strip_suffix(what)?.strip_suffix(' ')?.parse().ok())
            .collect();
        if let Some([passed, failed, skipped]) = counts.as_deref()
            && line.matches(", ").count() == 2
        {
            self.passed += passed;
            self.failed += failed;
            self.skipped += skipped;
        }
    }
}

fn named(stage: Stage) -> String {
    stage.join(" ")
}

fn ended(stage: Stage, begun: Instant, ran: Result<(bool, Said)>) -> Ended {
    let (said, problem) = match ran {
        Ok((true, said)) => (said, None),
        Ok((false, said)) => (said, Some("failed".to_owned())),
        Err(error) => (Said::default(), Some(format!("failed: {error:#}"))),
    };
    Ended { name: named(stage), time: begun.elapsed(), said, problem }
}

/// Runs a stage, passing its output on.
fn in_front(stage: Stage) -> Ended {
    let begun = Instant::now();
    eprintln!("■ {}", named(stage));
    let run = || {
        let mut cargo = sh::cargo();
        let mut child = cargo.arg("xtask").args(stage).env("CI", "true").stdout(Stdio::piped()).spawn()?;
        let mut said = Said::default();
        for line in BufReader::new(child.stdout.take().expect("is piped")).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            said.read(&line);
        }
        Ok((child.wait()?.success(), said))
    };
    ended(stage, begun, run())
}

/// Runs a stage at the lowest priority, its output going to a file.
fn behind(stage: Stage) -> Ended {
    let begun = Instant::now();
    let run = || {
        let log = log(stage);
        let file = log.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| File::create(&log));
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let cargo = sh::cargo();
        let status = Command::new("nice")
            .args(["-n", "19"])
            .arg(cargo.get_program())
            .arg("xtask")
            .args(stage)
            .env("CI", "true")
            .current_dir(sh::workspace())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .status()?;
        let mut said = Said::default();
        String::from_utf8_lossy(&fs::read(&log)?).lines().for_each(|line| said.read(line));
        Ok((status.success(), said))
    };
    ended(stage, begun, run())
}

fn log(stage: Stage) -> std::path::PathBuf {
    sh::target_dir().join("ci").join(format!("{}.log", stage.join("-")))
}

/// Waits for the stages beside the tests and shows their output.
fn joined(beside: JoinHandle<[Ended; BESIDE.len()]>) -> [Ended; BESIDE.len()] {
    note("waiting for what runs beside the tests");
    let ended = beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    for stage in BESIDE {
        eprintln!("■ {}, which ran beside the tests", named(stage));
        eprint!("{}", String::from_utf8_lossy(&fs::read(log(stage)).unwrap_or_default()));
    }
    ended
}

/// One line a stage, and the totals of all in the last line, where a reader looks first.
fn report(stages: &[Ended], all: Duration) {
    print!("{}", rendered(stages, all));
}

fn rendered(stages: &[Ended], all: Duration) -> String {
    let width = stages.iter().map(|stage| stage.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    let line = |name: &str, time: Duration, remark: &str| {
        format!("{}\n", format!("{name:<width$}  {:>11}  {remark}", short(time)).trim_end())
    };
    for stage in stages {
        let beside = BESIDE.iter().any(|other| named(other) == stage.name);
        let remark = match (&stage.problem, beside) {
            (Some(problem), _) => problem,
            (None, true) => "beside the tests",
            (None, false) => "",
        };
        text.push_str(&line(&stage.name, stage.time, remark));
        for name in &stage.said.failed {
            text.push_str(&format!("  {FAILED}{name}\n"));
        }
    }
    text.push_str(&line("in all", all, ""));
    let mut sum = Totals::default();
    for Totals { passed, failed, skipped } in stages.iter().map(|stage| stage.said.totals) {
        sum.passed += passed;
        sum.failed += failed;
        sum.skipped += skipped;
    }
    text.push_str(&format!("{} passed, {} failed, {} skipped\n", sum.passed, sum.failed, sum.skipped));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_of_totals_count() {
        let mut totals = Totals::default();
        for line in [
            "12 passed, 0 failed, 1 skipped",
            "  ✓ 789 passed, 1 failed (2 min 27 s)",
            "789 passed, 1 failed",
            "1 passed, 1 failed, 1 skipped, 1 more",
            "x passed, 1 failed, 1 skipped",
            "3 passed, 2 failed, 0 skipped",
        ] {
            totals.read(line);
        }
        assert_eq!(totals, Totals { passed: 15, failed: 2, skipped: 1 });
    }

    #[test]
    fn each_stage_has_a_line_and_the_totals_are_last() {
        let stage = |stage: Stage, seconds, passed, problem: Option<&str>| Ended {
            name: named(stage),
            time: Duration::from_secs(seconds),
            said: Said {
                totals: Totals { passed, failed: 1, skipped: 0 },
                failed: problem.map(|_| vec!["files are short".to_owned()]).unwrap_or_default(),
            },
            problem: problem.map(str::to_owned),
        };
        let stages = [
            stage(&["test"], 700, 10, None),
            stage(BESIDE[0], 90, 0, None),
            stage(&["lint"], 5, 1, Some("failed")),
        ];
        let text = rendered(&stages, Duration::from_secs(800));
        let expected = "test               11 min 40 s\n\
                        fuzz --build-only         90 s  beside the tests\n\
                        lint                     5.0 s  failed\n\
                        \x20 failed: files are short\n\
                        in all             13 min 20 s\n\
                        11 passed, 3 failed, 0 skipped\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_a_stage_names_as_failed_is_named_again_bounded() {
        let mut said = Said::default();
        said.read("failed: bytes::b on 6.1");
        said.read("test failed: not so");
        (0..1_000).for_each(|at| said.read(&format!("failed: {at}")));
        assert_eq!((said.failed.len(), &*said.failed[0]), (NAMES, "bytes::b on 6.1"));
    }

    #[test]
    fn every_stage_is_a_command() {
        for stage in [SETUP].into_iter().chain(TESTS).chain(BESIDE).chain(ALONE) {
            let words = ["cargo xtask"].iter().chain(stage);
            <crate::Cli as clap::Parser>::try_parse_from(words).unwrap_or_else(|e| panic!("{stage:?}: {e}"));
        }
    }
}
