//! Which end-to-end promises run on every kernel, how a machine runs them, and what it reports.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::machine::quoted;
use crate::{sh, suite};

/// Files of `tests/tests` that depend on the kernel: who connects, binds and accepts, executables of exited
/// processes, failed connects, bytes at the close, the first bytes of the payload, what predates the daemon, the
/// kernel's own counters. All their tests run in a machine, except those in [`HOST_ONLY`]. What does not depend on
/// the kernel (policies, sinks, most servers), or is too slow for an emulator (tens of thousands of connections), is
/// in other files.
pub(super) const FILES: [&str; 29] = [
    "ownership",
    "executed",
    "ownership_unusual",
    "attack_process",
    "attack_exe",
    "attack_refused",
    "attack_wrap",
    "attack_segments",
    "short_lived",
    "addresses",
    "bytes",
    "posture_edges",
    "posture_capture",
    "predates_daemon",
    "conservation",
    "overload",
    "low_memory",
    "restart",
    "fresh_start",
    "unpin",
    "hooks",
    "enforce",
    "enforce_in",
    "enforce_bind",
    "enforce_reset",
    SYSTEMD_FILE,
    CONTAINER_FILES[0],
    CONTAINER_FILES[1],
    CONTAINER_FILES[2],
];

/// The module, in a file of these, whose tests run on the host alone.
const HOST_ONLY: &str = "host_only::";

/// The file whose promises need a machine of their own, with systemd as its first process.
const SYSTEMD_FILE: &str = "faults_machine";

/// Files whose promises need a machine of their own with container runtimes.
const CONTAINER_FILES: [&str; 3] = ["containers_docker", "containers_podman", "containers_named"];

/// The kernel that runs them, where it is among those asked for: the one of the runtimes' own release. What they promise
/// depends on the runtimes, not on the kernel.
const CONTAINER_SERIES: &str = "6.1";

/// Files whose promises run one at a time: they load the machine themselves, or change a setting of it.
const SERIAL: [&str; 9] = [
    "attack_wrap",
    "conservation",
    "overload",
    "short_lived",
    "low_memory",
    SYSTEMD_FILE,
    CONTAINER_FILES[0],
    CONTAINER_FILES[1],
    CONTAINER_FILES[2],
];

/// How many others run at a time: as many as a machine has processors.
const WORKERS: usize = 2;

/// Seconds that one promise may take in a machine; its own time-outs are shorter and report more.
const LIMIT: u64 = 240;

/// The same where it starts runtimes and containers, each of which takes 5–20 s there.
const CONTAINER_LIMIT: u64 = 300;

/// What a machine's line about one promise begins with.
const RESULT: &str = "promise ";

/// The shell function that runs one promise. A program that ran no test has kept none.
const RUN: &str = r#"run() {
    local start=${EPOCHREALTIME/./} outcome=failed output=/run/output.$BASHPID
    export GDPRPORT_SKIPS=/run/skips.$BASHPID
    rm -f "$GDPRPORT_SKIPS"
    if timeout --kill-after=5 "$LIMIT" "$2" --include-ignored --exact "$3" >"$output" 2>&1 && grep -q '^test result: ok. 1 passed' "$output"
    then outcome=passed; [ ! -s "$GDPRPORT_SKIPS" ] || outcome=skipped; fi
    [ $outcome = passed ] || cat "$output"
    echo "promise $1::$3 $outcome $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
}
"#;

/// A promise and the test program that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) file: &'static str,
    pub(super) test: String,
    program: PathBuf,
}

impl Promise {
    #[cfg(test)]
    pub(super) fn sample(file: &'static str, test: &str) -> Self {
        Self { file, test: test.to_owned(), program: "/p".into() }
    }

    /// File and test, as people name it.
    pub(super) fn name(&self) -> String {
        format!("{}::{}", self.file, self.test)
    }

    /// The kind of machine that it needs.
    pub(super) fn needs(&self) -> Kind {
        match self.file {
            SYSTEMD_FILE => Kind::Systemd,
            file if CONTAINER_FILES.contains(&file) => Kind::Containers,
            _ => Kind::Plain,
        }
    }
}

/// A kind of machine, by what promises need of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The command is the first process.
    Plain,
    /// With systemd as its first process.
    Systemd,
    /// With systemd and container runtimes.
    Containers,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Systemd, Self::Containers];

    /// Names what is kept of its machine.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Systemd => "systemd",
            Self::Containers => "containers",
        }
    }

    /// What one of its promises is expected to take of the machine's time.
    pub(super) const fn expected(self) -> Duration {
        Duration::from_secs(match self {
            // Ten seconds each, two at a time.
            Self::Plain => 5,
            Self::Systemd => 30,
            Self::Containers => 20,
        })
    }
}

/// The one of these series that runs the promises about container runtimes.
pub(super) fn container_series(asked: &[String]) -> Option<&String> {
    asked.iter().find(|series| *series == CONTAINER_SERIES).or(asked.first())
}

/// The result of a promise in a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PromiseOutcome {
    /// After so many milliseconds.
    Passed(u64),
    Failed,
    /// The kernel or the machine lacks what it is about; the machine has printed what.
    Skipped,
    /// Another kernel runs it, which is enough: it is about container runtimes, or not in the core.
    Elsewhere,
}

impl PromiseOutcome {
    /// How many passed, failed and were skipped.
    pub(super) fn count(outcomes: &[Self]) -> (usize, usize, usize) {
        let count = |is: fn(&Self) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
        (
            count(|outcome| matches!(outcome, Self::Passed(_))),
            count(|outcome| matches!(outcome, Self::Failed)),
            count(|outcome| matches!(outcome, Self::Skipped)),
        )
    }
}

/// Builds the test programs and selects the promises in them.
///
/// # Errors
/// They do not compile, or a file is gone or has nothing left to run.
pub(super) fn build() -> Result<Vec<Promise>> {
    let mut cargo = suite::cargo_test();
    cargo.args(["--test", "*", "--features", "gdprport-tests/machine", "--no-run"]);
    cargo.arg("--message-format=json-render-diagnostics");
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the end-to-end tests do not compile");
    }
    let programs = programs(&String::from_utf8_lossy(&output.stdout));
    let mut promises = Vec::new();
    for file in FILES {
        let Some(program) = programs.get(file) else { bail!("there is no test program {file}") };
        let listing = sh::quiet(Command::new(program).arg("--list"))?;
        let tests = selected(&listing);
        if tests.is_empty() {
            bail!("{file} has no test to run on a kernel");
        }
        let promise = |test: &str| Promise { file, test: test.to_owned(), program: program.clone() };
        promises.extend(tests.into_iter().map(promise));
    }
    Ok(promises)
}

/// Builds one test program of the end-to-end tests and returns where it is.
///
/// # Errors
/// It does not compile.
pub(crate) fn test_program(name: &str) -> Result<PathBuf> {
    let mut cargo = suite::cargo_test();
    cargo.args(["--test", name, "--no-run", "--message-format=json-render-diagnostics"]);
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the test program {name} does not compile");
    }
    programs(&String::from_utf8_lossy(&output.stdout))
        .remove(name)
        .with_context(|| format!("there is no test program {name}"))
}

/// The tests of one program that run in a machine, from its own listing.
fn selected(listing: &str) -> Vec<&str> {
    let tests = listing.lines().filter_map(|line| line.strip_suffix(": test"));
    tests.filter(|test| !test.starts_with(HOST_ONLY)).collect()
}

/// Test programs by name, from cargo's messages.
fn programs(messages: &str) -> HashMap<String, PathBuf> {
    let message = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    message
        .filter(|message| message["target"]["kind"][0] == "test")
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, PathBuf::from(message["executable"].as_str()?)))
        })
        .collect()
}

/// What a machine is to do.
pub(super) fn script(binary: &Path, promises: &[Promise]) -> String {
    let binary = quoted(&[binary.display().to_string()]);
    let with_containers = promises.iter().any(|promise| promise.needs() == Kind::Containers);
    let limit = if with_containers { CONTAINER_LIMIT } else { LIMIT };
    let mut script = format!("export GDPRPORT_BIN={binary} RUST_BACKTRACE=0\nLIMIT={limit}\n{RUN}");
    let (serial, parallel): (Vec<&Promise>, Vec<&Promise>) =
        promises.iter().partition(|promise| SERIAL.contains(&promise.file));
    let run = |Promise { file, test, program }: &Promise| {
        let words = [(*file).to_owned(), program.display().to_string(), test.clone()];
        format!("run {}\n", quoted(&words))
    };
    for worker in 0..WORKERS {
        let share: String =
            parallel.iter().skip(worker).step_by(WORKERS).map(|promise| run(promise)).collect();
        // A worker without a share would be an empty list, which bash refuses.
        script.push_str(&format!("{{ :\n{share}}} &\n"));
    }
    script.push_str("wait\n");
    script.extend(serial.into_iter().map(run));
    script
}

/// What a machine has reported so far.
#[derive(Debug, Default)]
pub(super) struct Results {
    outcomes: HashMap<String, PromiseOutcome>,
}

impl Results {
    /// Applies one line of output; lines that are not results mean nothing.
    pub(super) fn read(&mut self, line: &str) {
        let Some(result) = line.strip_prefix(RESULT) else { return };
        let words: Vec<&str> = result.split(' ').collect();
        let [name, outcome, time, "ms"] = words[..] else { return };
        let outcome = match (outcome, time.parse()) {
            ("passed", Ok(time)) => PromiseOutcome::Passed(time),
            ("failed", Ok(_)) => PromiseOutcome::Failed,
            ("skipped", Ok(_)) => PromiseOutcome::Skipped,
            _ => return,
        };
        self.outcomes.insert(name.to_owned(), outcome);
    }

    /// Adds what another machine with the same kernel has reported.
    pub(super) fn add(&mut self, other: &Self) {
        self.outcomes.extend(other.outcomes.iter().map(|(name, outcome)| (name.clone(), *outcome)));
    }

    /// How many of these passed, failed and were skipped.
    pub(super) fn count(&self, promises: &[Promise]) -> (usize, usize, usize) {
        let outcomes: Vec<PromiseOutcome> = promises.iter().map(|promise| self.of(promise)).collect();
        PromiseOutcome::count(&outcomes)
    }

    /// One without a result has failed, for the machine ended before it.
    pub(super) fn of(&self, promise: &Promise) -> PromiseOutcome {
        self.outcomes.get(&promise.name()).copied().unwrap_or(PromiseOutcome::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(file: &'static str, test: &str) -> Promise {
        Promise::sample(file, test)
    }

    #[test]
    fn every_file_of_promises_has_tests() {
        for file in FILES {
            let path = sh::workspace().join("tests/tests").join(file).with_extension("rs");
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let (kernel, _) = text.split_once("\nmod host_only {").unwrap_or((&text, ""));
            assert!(kernel.contains("#[test]"), "{file} has no test to run on a kernel");
        }
        assert!(SERIAL.iter().all(|file| FILES.contains(file)));
    }

    #[test]
    fn a_test_of_the_host_is_not_selected() {
        let listing =
            "a_promise: test\nhost_only::a_slow_one: test\nanother: test\n\n3 tests, 0 benchmarks\n";
        assert_eq!(selected(listing), ["a_promise", "another"]);
    }

    #[test]
    fn a_promise_without_a_result_has_failed() {
        let mut results = Results::default();
        for line in [
            "promise bytes::a passed 1234 ms",
            "promise bytes::b failed 5 ms",
            "promise bytes::c skipped 5 ms",
            "promise bytes::d passed",
            "test bytes::e ... ok",
        ] {
            results.read(line);
        }
        let outcomes = ["a", "b", "c", "d", "e"].map(|test| results.of(&promise("bytes", test)));
        assert_eq!(
            outcomes,
            [
                PromiseOutcome::Passed(1234),
                PromiseOutcome::Failed,
                PromiseOutcome::Skipped,
                PromiseOutcome::Failed,
                PromiseOutcome::Failed
            ]
        );
    }

    #[test]
    fn every_promise_runs_once_and_serial_ones_run_last() {
        let others = ["a", "b", "c"].map(|test| promise("bytes", test));
        let promises = [&[promise("conservation", "z")], &others[..]].concat();
        let script = script(Path::new("/gdprport"), &promises);
        let runs: Vec<&str> = script.lines().filter_map(|line| line.strip_prefix("run '")).collect();
        assert_eq!(runs, ["bytes' '/p' 'a'", "bytes' '/p' 'c'", "bytes' '/p' 'b'", "conservation' '/p' 'z'"]);
    }

    #[test]
    fn test_programs_are_found_in_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"bytes"},"executable":"/t/bytes-1"}
{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"gdprport_tests"},"executable":"/t/lib-1"}
{"reason":"build-finished","success":true}
not a message"#;
        let found = programs(messages);
        assert_eq!(found.len(), 1);
        assert_eq!(found["bytes"], Path::new("/t/bytes-1"));
    }
}
