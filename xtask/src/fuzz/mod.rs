//! `fuzz`: hostile bytes for everything that reads bytes from outside. Builds all targets once, runs them in
//! parallel and prints the result of each. The targets and their first inputs are in `fuzz/`.

mod outcome;

use std::env::consts::ARCH;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::setup::fuzzer::Sanitizer;
use crate::setup::{self, Toolchain};
use crate::sh;
use crate::side_by_side::side_by_side;
use crate::step::{note, step};
use outcome::Outcome;

/// Memory limit of one target, in MiB: many times what any of them needs, and two fit any machine.
const MEMORY: u32 = 2048;

/// Seconds that one input may take.
const TIMEOUT: u32 = 10;

/// The longest input, in bytes: longer ones only slow down each execution.
const LONGEST: u32 = 4096;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these; all when left out
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How long each runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Seed of the random numbers: the same seed tries the same inputs in the same order, as far as the time goes
    #[arg(long)]
    seed: Option<u32>,
    /// Report finds but exit with 0: for runs that gate a change, as a find depends on chance
    #[arg(long)]
    report_only: bool,
    /// Build the targets and run none
    #[arg(long)]
    build_only: bool,
}

/// Sets up, builds and runs.
///
/// # Errors
/// A target is unknown, does not build or run, or found something without `--report-only`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let known = known()?;
    let targets = chosen(&options.targets, &known)?;
    let toolchain = setup::build_tools()?;
    step("C++ compiler: builds the fuzzer itself", || Ok(((), setup::fuzzer::compiler()?)))?;
    let machine = format!("{ARCH}-unknown-linux-gnu");
    let sanitizer = step("AddressSanitizer: finds wrong memory accesses", || {
        setup::fuzzer::sanitizer(&toolchain, &machine)
    })?;
    let binaries = step("building the fuzz targets (the first time takes minutes)", || {
        build(&toolchain, &sanitizer, &machine)
    })?;
    if options.build_only {
        return Ok(());
    }
    let what = format!("fuzzing {} targets, {} s each", targets.len(), options.seconds);
    let outcomes = step(&what, || {
        let outcomes = run_all(&targets, &binaries, options)?;
        let found = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
        Ok((outcomes, format!("{found} found something")))
    })?;
    print!("{}", outcome::table(&outcomes));
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.failure.is_some())
        .map(|outcome| outcome.target.as_str())
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let found = format!("fuzzing found something in: {}", failed.join(", "));
    if options.report_only {
        note(found);
        return Ok(());
    }
    bail!(found)
}

fn folder() -> PathBuf {
    sh::workspace().join("fuzz")
}

/// Every target, by its source.
fn known() -> Result<Vec<String>> {
    let sources = folder().join("fuzz_targets");
    let entries = fs::read_dir(&sources).with_context(|| format!("cannot list {}", sources.display()))?;
    let names = entries.flatten().filter_map(|entry| {
        let path = entry.path();
        let name = path.file_stem()?.to_str()?.to_owned();
        path.extension().is_some_and(|end| end == "rs").then_some(name)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

fn chosen(asked: &[String], known: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = asked.iter().find(|name| !known.contains(name)) {
        bail!("there is no fuzz target `{unknown}`; there are {}", known.join(", "));
    }
    Ok(if asked.is_empty() { known.to_vec() } else { asked.to_vec() })
}

/// Builds all targets and returns their folder.
fn build(toolchain: &Toolchain, sanitizer: &Sanitizer, machine: &str) -> Result<(PathBuf, String)> {
    let place = sh::target_dir().join("fuzz");
    let mut cargo = Command::new(&toolchain.cargo);
    cargo
        // With an explicit target, cargo does not apply these flags to build scripts and macros. Not locked: a new
        // dependency of the daemon has to be added to the fuzzer's own lock file.
        .args(["build", "--release", "--bins", "--quiet", "--target", machine])
        .arg("--target-dir")
        .arg(&place)
        .current_dir(folder())
        .env("RUSTC", &toolchain.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags(sanitizer).join("\x1f"))
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("LD_LIBRARY_PATH");
    sh::loud(&mut cargo)?;
    let binaries = place.join(machine).join("release");
    let shown = binaries.display().to_string();
    Ok((binaries, shown))
}

/// Coverage as libFuzzer needs it: a counter for each edge, their addresses, and the operands of comparisons.
fn flags(sanitizer: &Sanitizer) -> Vec<String> {
    let mut flags: Vec<String> = [
        "--cfg=fuzzing",
        "-Cpasses=sancov-module",
        "-Cllvm-args=-sanitizer-coverage-level=4",
        "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
        "-Cllvm-args=-sanitizer-coverage-pc-table",
        "-Cllvm-args=-sanitizer-coverage-trace-compares",
    ]
    .map(str::to_owned)
    .into();
    match sanitizer {
        Sanitizer::Own => flags.push("-Zsanitizer=address".into()),
        Sanitizer::Llvm(runtime) => {
            // It has to be the first library, and as nothing before it needs it, the linker would drop it.
            let folder = runtime.parent().unwrap_or(runtime).display();
            let link = format!("-Wl,--no-as-needed,{},-rpath,{folder},--as-needed", runtime.display());
            flags.extend([
                "-Zsanitizer=address".to_owned(),
                "-Zexternal-clangrt".to_owned(),
                format!("-Zpre-link-args={link}"),
            ]);
        }
        Sanitizer::None => {}
    }
    flags
}

/// Runs every target for its time, one per processor at a time.
fn run_all(targets: &[String], binaries: &Path, options: &Options) -> Result<Vec<Outcome>> {
    side_by_side(targets, |target| {
        let outcome = run_one(target, binaries, options)?;
        note(&outcome);
        Ok(outcome)
    })
}

/// Runs one target. Its working corpus stays in `target/`.
fn run_one(target: &str, binaries: &Path, options: &Options) -> Result<Outcome> {
    let work = sh::target_dir().join("fuzz/work").join(target);
    let (learned, log) = (work.join("corpus"), work.join("log"));
    fs::create_dir_all(&learned).with_context(|| format!("cannot make {}", learned.display()))?;
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let binary = binaries.join(target);
    let status = Command::new(&binary)
        .args([format!("-max_total_time={}", options.seconds), format!("-rss_limit_mb={MEMORY}")])
        .args(options.seed.map(|seed| format!("-seed={seed}")))
        .args([format!("-timeout={TIMEOUT}"), format!("-max_len={LONGEST}")])
        .args(["-print_final_stats=1", "-detect_leaks=0"])
        .arg(format!("-artifact_prefix={}/", work.display()))
        .arg(&learned)
        .arg(folder().join("corpus").join(target))
        // Finding leaks needs the right to trace processes, which most containers lack.
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        .status()
        .with_context(|| format!("cannot run {}", binary.display()))?;
    let output = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    Ok(Outcome::read(target, &String::from_utf8_lossy(&output), status.success(), &binary, &log))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_program_and_seeds() {
        let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("the fuzzer's manifest");
        let known = known().expect("targets");
        assert!(!known.is_empty());
        for target in known {
            assert!(manifest.contains(&format!("name = \"{target}\"\n")), "{target} is no program");
            let seeds = fs::read_dir(folder().join("corpus").join(&target)).expect("a folder of seeds");
            assert!(seeds.count() > 0, "{target} has no seed");
        }
    }

    #[test]
    fn an_unknown_target_is_refused_with_those_there_are() {
        let known = ["flow".to_owned(), "tls".to_owned()];
        let refused = chosen(&["flwo".to_owned()], &known).expect_err("unknown").to_string();
        assert_eq!(refused, "there is no fuzz target `flwo`; there are flow, tls");
        assert_eq!(chosen(&[], &known).expect("all"), known);
    }
}
