//! `bench check`: how many instructions each stage of the daemon takes for one item, against the checked-in baseline.
//!
//! Belongs here: counting and comparing. What is counted is `gdprport-daemon/benches`. Instructions are counted by
//! callgrind, an emulator, so that the machine's load and speed do not matter; `bench` measures times.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, bail};

use super::baseline::{Baseline, Outcome, compare};
use super::check_kernel;
use crate::build;
use crate::setup::apt;
use crate::sh;
use crate::side_by_side::side_by_side;
use crate::step::{FAILED, step};

/// Where the baseline is, within the checkout.
const BASELINE: &str = "xtask/baselines/instructions.toml";

/// The comment at its beginning.
const HEAD: &str = "\
# Instructions for one item of each case of gdprport-daemon/benches, counted by callgrind.
# `cargo xtask bench check` compares, `cargo xtask bench check --bless` writes.
";

/// The function whose instructions count.
const MEASURED: &str = "gdprport_measured";

/// Items of a case: enough for rare work (a table grows, a batch is passed on) to be counted in proportion.
const ITEMS: u64 = 4_096;

/// The arguments of `cargo xtask bench check`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// Write the baseline instead of comparing with it
    #[arg(long)]
    bless: bool,
    /// Also the kernel programs, in a virtual machine
    #[arg(long)]
    kernel: bool,
    /// The kernel programs alone
    #[arg(long, conflicts_with_all = ["kernel", "filter"])]
    kernel_only: bool,
    /// With debug builds, which read records slower: the kernel programs hardly notice
    #[arg(long, requires = "kernel_only")]
    debug: bool,
    /// Only the cases whose name contains this; the others keep their baseline
    filter: Option<String>,
}

/// Counts, and compares or blesses.
///
/// # Errors
/// Something could not be built or counted, or a case takes more than the baseline allows.
pub(crate) fn run(options: &Options) -> Result<()> {
    let release = !options.debug;
    let profile = if release { "release" } else { "debug" };
    let driver = step(&format!("building the driver ({profile})"), || {
        let driver = driver(release)?;
        let path = driver.display().to_string();
        Ok((driver, path))
    })?;
    let compiler = compiler()?;
    let mut counted = Baseline { compiler, cases: Vec::new() };
    if !options.kernel_only {
        counted.cases.extend(stages(&driver, options.filter.as_deref())?);
    }
    if options.kernel || options.kernel_only {
        let daemon = build::daemon(release)?;
        counted.cases.extend(check_kernel::count(&driver, &daemon)?);
    }
    if counted.cases.is_empty() {
        bail!("no case has that in its name");
    }
    let path = sh::workspace().join(BASELINE);
    let known = read(&path)?;
    if options.bless {
        let merged = known.unwrap_or_default().with(counted);
        fs::write(&path, merged.render(HEAD)).with_context(|| format!("cannot write {BASELINE}"))?;
        println!("{BASELINE} was written");
        return Ok(());
    }
    let known = known.ok_or_else(|| anyhow!("there is no {BASELINE}: `cargo xtask bench check --bless`"))?;
    let outcomes = compare(&known, &counted);
    print!("{}", table(&outcomes));
    let worse: Vec<&str> = outcomes.iter().filter(|case| case.is_worse()).map(|case| &*case.name).collect();
    worse.iter().for_each(|name| println!("{FAILED}{name}"));
    println!("{} passed, {} failed, 0 skipped", outcomes.len() - worse.len(), worse.len());
    if !worse.is_empty() {
        bail!(
            "more instructions than the baseline allows: {}; make it cheaper, or document why it costs more and \
             `cargo xtask bench check --bless`",
            worse.join(", ")
        );
    }
    Ok(())
}

/// Instructions for one item of each case of the driver.
fn stages(driver: &Path, filter: Option<&str>) -> Result<Vec<(String, u64)>> {
    step("valgrind: counts instructions", || {
        let missing = apt::missing(&["valgrind"])?;
        if !missing.is_empty() {
            apt::install(&missing)?;
        }
        Ok(((), sh::quiet(Command::new("valgrind").arg("--version"))?.trim().to_owned()))
    })?;
    let cases = sh::quiet(&mut Command::new(driver))?;
    let cases: Vec<&str> =
        cases.lines().filter(|case| filter.is_none_or(|part| case.contains(part))).collect();
    step("instructions for one item", || {
        let counts = side_by_side(&cases, |case| count(driver, case))?;
        let outcome = format!("{} cases", cases.len());
        Ok((cases.iter().map(|case| (*case).to_owned()).zip(counts).collect(), outcome))
    })
}

fn read(path: &Path) -> Result<Option<Baseline>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {BASELINE}"))?;
    Baseline::parse(&text).with_context(|| BASELINE.to_owned()).map(Some)
}

/// Builds the driver and returns its path.
fn driver(release: bool) -> Result<PathBuf> {
    let mut cargo = sh::cargo();
    // No packages that the program itself lacks, so that both are made of the same crates, compiled once.
    cargo.args(["build", "--package", "gdprport-benches", "--bin", "instructions"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
    if release {
        cargo.arg("--release");
    }
    let messages = sh::quiet(&mut cargo)?;
    let mut executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let name = message.pointer("/target/name")?.as_str()?;
        (name == "instructions").then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executables.next_back().ok_or_else(|| anyhow!("cargo printed no path of the driver"))
}

/// The compiler's version: another one generates other code.
fn compiler() -> Result<String> {
    let mut rustc = Command::new("rustc");
    Ok(sh::quiet(rustc.arg("--version").current_dir(sh::workspace()))?.trim().to_owned())
}

/// Instructions for one item of a case.
fn count(driver: &Path, case: &str) -> Result<u64> {
    // Without randomised addresses: tables hashed by address would differ from run to run.
    let mut valgrind = Command::new("setarch");
    valgrind
        .args(["--addr-no-randomize", "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", &format!("--toggle-collect={MEASURED}")])
        .arg(driver)
        .args([case, &ITEMS.to_string()]);
    let output = valgrind.output().context("cannot run setarch and valgrind")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let counted =
        stderr.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse::<u64>().ok());
    match counted {
        Some(counted) if output.status.success() && counted > 0 => Ok(counted / ITEMS),
        _ => bail!("{case} was not counted ({}):\n{stderr}", output.status),
    }
}

fn table(outcomes: &[Outcome]) -> String {
    let width = outcomes.iter().map(|case| case.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for case in outcomes {
        writeln!(text, "{:<width$}  {case}", case.name).expect("writing to a String cannot fail");
    }
    text
}
