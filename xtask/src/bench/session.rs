//! How a part of the bench is run: building, root, the instrument and the folder of a run, and where results go.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::context::Context;
use super::instrument::Instrument;
use super::machine::Machine;
use super::table::{Style, Table};
use crate::setup;
use crate::step::{note, step};
use crate::{build, sh};

/// How results are printed and what is already built.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct RunOptions {
    /// Print Markdown, as in docs/performance.md
    #[arg(long)]
    markdown: bool,
    /// Try the bench itself: a debug build and the smallest sizes. What comes out means nothing
    #[arg(long = "try")]
    pub(crate) tiny: bool,
    /// Everything is built; for the part that sudo runs
    #[arg(long, hide = true)]
    built: bool,
}

/// Builds what is needed; returns false if this command ran again as root and is done.
pub(crate) fn prepare(options: RunOptions) -> Result<bool> {
    if !options.built {
        build_all(!options.tiny)?;
        if !sh::is_root() {
            again_as_root()?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// Builds the product, the instrument and the floor.
fn build_all(release: bool) -> Result<()> {
    build::daemon(release)?;
    step("building the instrument and the floor", || {
        let mut cargo = sh::cargo();
        cargo.args(["build", "--package", "gdprport-bench", "--package", "gdprport-tests", "--bins"]);
        if release {
            cargo.arg("--release");
        }
        sh::loud(&mut cargo)?;
        let object = setup::kernel_object(FLOOR)?;
        Ok(((), object.display().to_string()))
    })
}

/// Builds the instrument alone, for what needs neither the product nor root; returns where it is.
pub(crate) fn build_instrument(options: RunOptions) -> Result<PathBuf> {
    step("building the instrument", || {
        let mut cargo = sh::cargo();
        cargo.args(["build", "--package", "gdprport-bench"]);
        if !options.tiny {
            cargo.arg("--release");
        }
        sh::loud(&mut cargo)?;
        let path = sh::target_dir().join(profile(options)).join("gdprport-bench");
        let shown = path.display().to_string();
        Ok((path, shown))
    })
}

const fn profile(options: RunOptions) -> &'static str {
    if options.tiny { "debug" } else { "release" }
}

/// The floor's kernel programs.
const FLOOR: &str = "gdprport-floor";

/// Runs the same command through sudo, without building again.
fn again_as_root() -> Result<()> {
    let own = env::current_exe().context("cannot find this program's path")?;
    let mut command = sh::as_root(own)?;
    sh::loud(command.args(env::args_os().skip(1)).arg("--built"))
}

/// Starts the instrument, with a folder for this run that it removes at the end.
pub(crate) fn ready(options: RunOptions) -> Result<(Instrument, Context)> {
    let target = sh::target_dir();
    let bin = |name: &str| target.join(profile(options)).join(name);
    let mut context = Context {
        gdprport: bin("gdprport"),
        bench: bin("gdprport-bench"),
        client: bin("client-once"),
        floor: target.join("kernel").join(setup::compile::TARGET).join("release").join(FLOOR),
        dir: env::temp_dir().join(format!("gdprport-bench-{}", process::id())),
        pins: PathBuf::new(),
    };
    let mut instrument = Instrument::start(&context.bench)?;
    let pins = instrument.ask(&json!({ "do": "pins" }))?;
    context.pins = pins.as_str().context("the instrument has no bpffs")?.into();
    instrument.undo(&["rm", "-rf", &context.dir.display().to_string()])?;
    fs::create_dir_all(&context.dir).with_context(|| format!("cannot make {}", context.dir.display()))?;
    Ok((instrument, context))
}

pub(crate) fn show(title: &str, machine: &Machine, tables: &[Table], options: RunOptions) {
    let style = if options.markdown { Style::Markdown } else { Style::Terminal };
    match style {
        Style::Markdown => println!("## {title}\n\n{}.\n", machine.line()),
        Style::Terminal => println!("{}\n", machine.line()),
    }
    for table in tables {
        print!("{}", table.render(style));
    }
}

/// Writes `target/bench/NAME.json`.
pub(crate) fn save(name: &str, machine: &Machine, results: &Value) -> Result<()> {
    let dir = sh::target_dir().join("bench");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join(format!("{name}.json"));
    let text = json!({ "machine": machine.json(), "results": results });
    fs::write(&path, format!("{text:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    note(format_args!("all values: {}", path.display()));
    Ok(())
}
