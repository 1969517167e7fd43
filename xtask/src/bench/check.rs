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
use crate::step::step;

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
    /// Only the cases whose name contains this; the others keep their baseline
    filter: Option<String>,
}

/// Counts, and compares or blesses.
///
/// # Errors
/// Something could not be built or counted, or a case takes more than the baseline allows.
pub(crate) fn run(options: &Options) -> Result<()> {
    step("valgrind: counts instructions", || {
        let missing = apt::missing(&["valgrind"])?;
        if !missing.is_empty() {
            apt::install(&missing)?;
        }
        Ok(((), sh::quiet(Command::new("valgrind").arg("--version"))?.trim().to_owned()))
    })?;
    let driver = step("building the driver (release)", || {
        let driver = driver()?;
        let path = driver.display().to_string();
        Ok((driver, path))
    })?;
    let compiler = compiler()?;
    let cases = sh::quiet(&mut Command::new(&driver))?;
    let cases = cases.lines().filter(|case| options.filter.as_ref().is_none_or(|part| case.contains(part)));
    let mut counted = Baseline { compiler, cases: Vec::new() };
    step("instructions for one item", || {
        for case in cases {
            counted.cases.push((case.to_owned(), count(&driver, case)?));
        }
        Ok(((), format!("{} cases", counted.cases.len())))
    })?;
    if options.kernel {
        let daemon = build::daemon(true)?;
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

fn read(path: &Path) -> Result<Option<Baseline>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {BASELINE}"))?;
    Baseline::parse(&text).with_context(|| BASELINE.to_owned()).map(Some)
}

/// Builds the driver and returns its path.
fn driver() -> Result<PathBuf> {
    let mut cargo = sh::cargo();
    cargo.args(["build", "--release", "--package", "gdprport-daemon", "--bench", "instructions"]);
    cargo.args(["--message-format", "json-render-diagnostics"]);
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
