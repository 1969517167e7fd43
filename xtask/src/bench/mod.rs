//! `bench`: the budgets of the product, measured side by side with nothing, with a floor and with its peers.
//!
//! Belongs here: what the command line says, which part does it, and what is made ready for it. Times are measured here
//! and nowhere else; a test never depends on one. The load itself is made by the package `gdprport-bench`.

mod audit;
mod baseline;
mod budgets;
mod bulk;
mod check;
mod check_kernel;
mod context;
mod cycles;
mod daemon;
mod effort;
mod instrument;
mod loss;
mod machine;
mod output;
mod report;
mod saturation;
mod scale;
mod startup;
mod stats;
mod subject;
mod table;
mod telling;

use std::env;
use std::fs;
use std::process;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::setup::{self, apt};
use crate::step::{note, step};
use crate::{build, sh};
use budgets::Results;
use context::Context;
use effort::Effort;
use instrument::Instrument;
use machine::Machine;
use subject::Subject;
use table::{Style, Table};

/// What `cargo xtask bench` was told.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    budgets: Budgets,
}

/// A part of the bench that is run by itself.
#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Instructions that each stage takes, against the checked-in baseline
    Check(check::Options),
    /// Many ports, rules, flows and connections: what grows with them, and what gives way first
    Scale(Manner),
}

/// How results are shown and what was done before.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Manner {
    /// Print Markdown, as it stands in docs/performance.md
    #[arg(long)]
    markdown: bool,
    /// Everything is built; for the part that sudo runs
    #[arg(long, hide = true)]
    built: bool,
}

/// How the budgets are measured.
#[derive(Debug, Clone, clap::Args)]
struct Budgets {
    /// Fewer rounds, a few minutes in all (the default)
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// More rounds, and the scale runs
    #[arg(long)]
    full: bool,
    /// Install the peers that Debian offers and that are missing
    #[arg(long)]
    install_peers: bool,
    /// End with status 1 if a budget is missed
    #[arg(long)]
    check_budgets: bool,
    #[command(flatten)]
    manner: Manner,
}

/// Measures what was asked for.
///
/// # Errors
/// Something could not be built or measured, or a budget is missed and that was asked about.
pub fn run(options: &Options) -> Result<()> {
    match &options.part {
        None => measure_budgets(&options.budgets),
        Some(Part::Check(options)) => check::run(options),
        Some(Part::Scale(manner)) => {
            if prepare(*manner)? {
                measure_scale(*manner)?;
            }
            Ok(())
        }
    }
}

fn measure_budgets(options: &Budgets) -> Result<()> {
    if options.install_peers {
        step("peers to measure beside", || {
            let missing = apt::missing(&Subject::packages())?;
            if !missing.is_empty() {
                apt::install(&missing)?;
            }
            Ok(((), format!("{} of {} were missing", missing.len(), Subject::packages().len())))
        })?;
    }
    if !prepare(options.manner)? {
        return Ok(());
    }
    let effort = if options.full { Effort::FULL } else { Effort::QUICK };
    let machine = Machine::read();
    note(machine.line());
    let results = measure(effort)?;
    let budgets = results.budgets();
    let tables = [report::budgets(&budgets), report::subjects(&results), report::programs(&results)];
    show("The last run", &machine, &tables, options.manner);
    save("budgets", &machine, &report::json(&results, &budgets))?;
    if options.full {
        measure_scale(options.manner)?;
    }
    let missed: Vec<&str> =
        budgets.iter().filter(|budget| budget.met() == Some(false)).map(|budget| budget.what).collect();
    if options.check_budgets && !missed.is_empty() {
        bail!("{} of {} budgets are missed: {}", missed.len(), budgets.len(), missed.join("; "));
    }
    Ok(())
}

fn measure(effort: Effort) -> Result<Results> {
    let (mut instrument, context) = ready()?;
    let courses = step("pairs: with and without each monitor in turn", || {
        let courses = cycles::measure(&mut instrument, &context, &effort)?;
        let told = format!("{} subjects, {} skipped", courses.of.len(), courses.skipped.len());
        Ok((courses, told))
    })?;
    let subjects: Vec<Subject> = courses.of.keys().copied().collect();
    let bulk = step("bulk transfer", || {
        let bulk = bulk::measure(&mut instrument, &context, &effort)?;
        let told = format!("{} pairs", bulk.values().map(|bulk| bulk.watched.len()).sum::<usize>());
        Ok((bulk, told))
    })?;
    let telling = step("from a deciding byte to its event", || {
        let telling = telling::measure(&mut instrument, &context)?;
        Ok((telling, "done".into()))
    })?;
    let startup = step("start among many connections", || {
        let startup = startup::measure(&mut instrument, &context, &effort)?;
        let told = format!("{} pairs", startup.ratios.len());
        Ok((startup, told))
    })?;
    let accounts = step("losses, names and memory", || {
        let accounts = loss::measure(&mut instrument, &context, &effort, &subjects)?;
        let told = format!("{} subjects", accounts.len());
        Ok((accounts, told))
    })?;
    Ok(Results { effort, courses, accounts, bulk, telling: Some(telling), startup })
}

fn measure_scale(manner: Manner) -> Result<()> {
    let machine = Machine::read();
    let (mut instrument, context) = ready()?;
    let mut all = step("ports, rules and peers", || {
        let policies = scale::policies(&mut instrument, &context)?;
        let told = format!("{} curves", policies.len());
        Ok((policies, told))
    })?;
    all.push(step("flows that are open at the same time", || {
        let flows = scale::flows(&mut instrument, &context, &[5_000, 25_000, 50_000])?;
        Ok((flows, "up to 100,000 flows".into()))
    })?);
    all.push(step("as many connections as the machine offers", || {
        let saturation = saturation::measure(&mut instrument, &context, 5, 60)?;
        Ok((saturation, "done".into()))
    })?);
    let (tables, values): (Vec<Table>, Vec<Value>) = all.into_iter().unzip();
    show("The last run of the scale", &machine, &tables, manner);
    let named: serde_json::Map<String, Value> =
        tables.iter().map(|table| table.title.clone()).zip(values).collect();
    save("scale", &machine, &named.into())
}

/// Builds what is needed; false if everything else was done by the same command as root.
fn prepare(manner: Manner) -> Result<bool> {
    if !manner.built {
        build_all()?;
        if !sh::is_root() {
            again_as_root()?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is measured and what it is measured with.
fn build_all() -> Result<()> {
    build::daemon(true)?;
    step("building the instrument and the floor", || {
        let mut cargo = sh::cargo();
        cargo.args([
            "build",
            "--release",
            "--package",
            "gdprport-bench",
            "--package",
            "gdprport-tests",
            "--bins",
        ]);
        sh::loud(&mut cargo)?;
        let object = setup::kernel_object(FLOOR)?;
        Ok(((), object.display().to_string()))
    })
}

/// The floor's kernel programs.
const FLOOR: &str = "gdprport-floor";

/// The same command, by sudo, with what was built.
fn again_as_root() -> Result<()> {
    let own = env::current_exe().context("cannot tell where this program is")?;
    let mut command = sh::as_root(own)?;
    sh::loud(command.args(env::args_os().skip(1)).arg("--built"))
}

/// Starts the instrument, with a folder for this run that it removes at the end.
fn ready() -> Result<(Instrument, Context)> {
    let target = sh::target_dir();
    let bin = |name: &str| target.join("release").join(name);
    let context = Context {
        gdprport: bin("gdprport"),
        bench: bin("gdprport-bench"),
        client: bin("client-once"),
        floor: target.join("kernel").join(setup::compile::TARGET).join("release").join(FLOOR),
        dir: env::temp_dir().join(format!("gdprport-bench-{}", process::id())),
    };
    let mut instrument = Instrument::start(&context.bench)?;
    instrument.undo(&["rm", "-rf", &context.dir.display().to_string()])?;
    fs::create_dir_all(&context.dir).with_context(|| format!("cannot make {}", context.dir.display()))?;
    Ok((instrument, context))
}

fn show(title: &str, machine: &Machine, tables: &[Table], manner: Manner) {
    let style = if manner.markdown { Style::Markdown } else { Style::Terminal };
    match style {
        Style::Markdown => println!("## {title}\n\n{}.\n", machine.line()),
        Style::Terminal => println!("{}\n", machine.line()),
    }
    for table in tables {
        print!("{}", table.render(style));
    }
}

/// Writes `target/bench/NAME.json`.
fn save(name: &str, machine: &Machine, results: &Value) -> Result<()> {
    let dir = sh::target_dir().join("bench");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join(format!("{name}.json"));
    let text = json!({ "machine": machine.json(), "results": results });
    fs::write(&path, format!("{text:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    note(format_args!("all values: {}", path.display()));
    Ok(())
}
