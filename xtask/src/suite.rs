//! `test`: runs every test of the project from a bare checkout and prints one line with the totals at the end.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::step::{FAILED, Times, note};
use crate::{build, setup, sh};

/// Totals over all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    /// Their names.
    names: Vec<String>,
    /// Each with the reason, where one was given.
    skipped: Vec<String>,
    /// Those that do not belong into this run, as their reason states; these are not skips.
    elsewhere: Vec<String>,
}

/// Prefixes of the reason given by tests that another command runs, or that run on demand only.
pub(crate) const ELSEWHERE: [&str; 2] = ["kept by `cargo xtask vm`: ", "on demand: "];

/// Sets up, builds, and runs the unit tests and then the end-to-end promises as root.
///
/// # Errors
/// A test failed, did not compile or, in CI, was skipped.
pub(crate) fn run(filter: Option<&str>, args: &[String]) -> Result<()> {
    note("`test` also installs the servers it talks to (`cargo xtask setup --test-servers`)");
    setup::run(setup::Scope { test_servers: true, ..setup::Scope::BUILD })?;
    let mut tally = Tally::default();
    let skips = Skips::new();
    let mut times = Times::default();
    let (built, units) = thread::scope(|scope| {
        // The end of this build optimises the whole program in one thread, for minutes. The unit tests do not need it.
        let release = scope.spawn(|| {
            let begun = Instant::now();
            (build::daemon_beside(), begun.elapsed())
        });
        // Unit tests too run as root: what reads the machine is tested on namespaces and cgroups of its own.
        let mut run = |what: &str, targets: &[&str]| {
            let mut cargo = cargo_test();
            as_root(cargo.args(targets), &skips);
            times.step(what, || phase(&mut cargo, filter, args, &mut tally))
        };
        let units = run("unit tests, as root", &["--lib", "--bins"]);
        let units = units.and(run("examples in the documentation", &["--doc"]));
        let compiled = times.step("building the end-to-end promises", || {
            let programs = promises()?;
            sh::loud(cargo_test().args(&programs).args(["--no-run", "--quiet"]))?;
            Ok((programs, "built".into()))
        });
        let (binary, time) = release.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        times.add("building gdprport (release), beside these", time);
        (compiled.and_then(|programs| Ok((programs, binary?))), units)
    });
    let (programs, binary) = built?;
    let mut promises = cargo_test();
    promises.args(programs).env("GDPRPORT_BIN", binary);
    as_root(&mut promises, &skips);
    let promises =
        times.step("end-to-end promises, as root", || phase(&mut promises, filter, args, &mut tally));
    tally.move_skips(skips.read()?);

    times.print();
    for case in &tally.elsewhere {
        println!("not in this run: {case}");
    }
    for case in &tally.skipped {
        eprintln!("skipped: {case}");
    }
    for name in &tally.names {
        println!("{FAILED}{name}");
    }
    println!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped.len());
    units.and(promises)?;
    tally.verdict(filter, env::var("CI").is_ok_and(|ci| ci == "true"))
}

/// `cargo test` of every package that has tests for this machine. Whoever builds some of them asks for all: cargo compiles
/// what they depend on again for each set of packages that has other features.
pub(crate) fn cargo_test() -> Command {
    let mut cargo = sh::cargo();
    cargo.args(["test", "--workspace", "--exclude", "gdprport-ebpf"]);
    cargo
}

/// The arguments that ask for every end-to-end test program of this machine. `--test *` would ask for those of machines of their
/// own too, and be refused: they need a feature.
fn promises() -> Result<Vec<String>> {
    let said = sh::quiet(sh::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&said).context("cargo's metadata are no JSON")?;
    let programs = test_programs(&metadata);
    if programs.is_empty() {
        bail!("cargo knows no end-to-end test program");
    }
    Ok(programs.into_iter().flat_map(|name| ["--test".to_owned(), name]).collect())
}

/// The names of test programs that need no feature, each once, in their order.
fn test_programs(metadata: &Value) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let is_test =
        |target: &&Value| target["kind"] == json!(["test"]) && target["required-features"].is_null();
    targets.filter(is_test).filter_map(|target| Some(target["name"].as_str()?.to_owned())).collect()
}

/// Makes cargo run the test programs as root, with the environment they need.
fn as_root(cargo: &mut Command, skips: &Skips) {
    cargo.env("GDPRPORT_SKIPS", &skips.file);
    if !sh::is_root() {
        let runner =
            r#"target."cfg(all())".runner=["sudo","--preserve-env=GDPRPORT_BIN,GDPRPORT_SKIPS","--"]"#;
        cargo.args(["--config", runner]);
    }
}

/// Runs `cargo test` once, passing its output on and counting results.
fn phase(
    cargo: &mut Command,
    filter: Option<&str>,
    args: &[String],
    tally: &mut Tally,
) -> Result<((), String)> {
    cargo.arg("--no-fail-fast").args(filter).arg("--").args(args).stdout(Stdio::piped());
    let (passed, failed) = (tally.passed, tally.failed);
    let mut child = cargo.spawn().with_context(|| format!("cannot run `{}`", sh::shown(cargo)))?;
    let stdout = child.stdout.take().expect("is piped");
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read what the tests print")?;
        println!("{line}");
        tally.read(&line);
    }
    let status = child.wait().context("cannot wait for the tests")?;
    let (passed, failed) = (tally.passed - passed, tally.failed - failed);
    if !status.success() && failed == 0 {
        bail!("`{}` failed: {status}", sh::shown(cargo));
    }
    Ok(((), format!("{passed} passed, {failed} failed")))
}

/// The test that a line says has failed.
fn failed_test(line: &str) -> Option<String> {
    let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
    Some(name.to_owned())
}

impl Tally {
    /// Counts one line of a test program's output; lines other than results are ignored.
    fn read(&mut self, line: &str) {
        if let Some((name, why)) = line
            .strip_prefix("test ")
            .and_then(|test| test.split_once(" ... ignored"))
            .filter(|(_, why)| why.is_empty() || why.starts_with(','))
        {
            let reason = why.trim_start_matches(", ");
            let list = if ELSEWHERE.iter().any(|begin| reason.starts_with(begin)) {
                &mut self.elsewhere
            } else {
                &mut self.skipped
            };
            list.push(format!("{name}{}", why.replacen(',', ":", 1)));
        }
        self.names.extend(failed_test(line));
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|line| line.split_once(". "))
        else {
            return;
        };
        for (number, what) in counts.split("; ").filter_map(|count| count.split_once(' ')) {
            let number = number.parse::<u64>().unwrap_or(0);
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                _ => {}
            }
        }
    }

    /// A case that skips itself ends without failing, so cargo counted it as passed.
    fn move_skips(&mut self, skips: Vec<String>) {
        self.passed = self.passed.saturating_sub(skips.len() as u64);
        self.skipped.extend(skips);
    }

    fn verdict(&self, filter: Option<&str>, ci: bool) -> Result<()> {
        if self.failed > 0 {
            bail!("{} tests failed", self.failed);
        }
        if self.passed == 0 && self.skipped.is_empty() {
            bail!(
                "no test ran{}",
                filter.map(|name| format!(": none has `{name}` in its name")).unwrap_or_default()
            );
        }
        if ci && !self.skipped.is_empty() {
            bail!("{} tests were skipped, and CI accepts no skip", self.skipped.len());
        }
        Ok(())
    }
}

/// The file in which tests report skips: a test program has no status for it.
struct Skips {
    file: PathBuf,
}

impl Skips {
    fn new() -> Self {
        Self { file: env::temp_dir().join(format!("gdprport-skips.{}", process::id())) }
    }

    fn read(&self) -> Result<Vec<String>> {
        if !self.file.exists() {
            return Ok(Vec::new());
        }
        let text =
            fs::read_to_string(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        Ok(text.lines().map(|line| line.trim_start_matches("SKIPPED ").to_owned()).collect())
    }
}

impl Drop for Skips {
    fn drop(&mut self) {
        // Without a skip there is no file; one written by root stays until the temporary folder is cleaned.
        let _gone = fs::remove_file(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn programs_for_machines_of_their_own_are_not_asked_for() {
        let target = |name: &str, kind: &str| json!({ "name": name, "kind": [kind] });
        let mut machine = target("faults_machine", "test");
        machine["required-features"] = json!(["machine"]);
        let first = json!({ "targets": [target("sinks", "test"), target("gdprport", "bin"), machine] });
        let second = json!({ "targets": [target("siem", "test"), target("stages", "bench")] });
        let found = test_programs(&json!({ "packages": [first, second] }));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["siem", "sinks"]);
    }

    #[test]
    fn counts_of_all_programs_add_up_and_skips_have_names() {
        let mut counted = tally(&[
            "test core::a ... ok",
            "test core::b ... ignored, needs an hour",
            "test core::c ... ignored",
            "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "a test result: is not a result. 9 passed",
        ]);
        counted.move_skips(vec!["postgres: not installed".into()]);
        assert_eq!((counted.passed, counted.failed), (7, 2));
        assert_eq!(counted.skipped, ["core::b: needs an hour", "core::c", "postgres: not installed"]);
    }

    #[test]
    fn a_test_that_runs_elsewhere_is_no_skip() {
        let counted = tally(&[
            "test a ... ignored, kept by `cargo xtask vm`: it sets the clock",
            "test b ... ignored, on demand: it lasts half a minute",
            "test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured",
        ]);
        assert_eq!((counted.skipped.len(), counted.elsewhere.len()), (0, 2));
        assert!(counted.verdict(None, true).is_ok());
    }

    #[test]
    fn a_skip_fails_only_in_ci_and_no_test_at_all_fails_everywhere() {
        let ran = "test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured";
        let skipped = tally(&["test a ... ignored", ran]);
        assert!(skipped.verdict(None, false).is_ok());
        assert!(skipped.verdict(None, true).is_err());
        assert!(tally(&[]).verdict(Some("typo"), false).is_err());
        assert!(tally(&[ran]).verdict(None, true).is_ok());
    }
}
