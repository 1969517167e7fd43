//! `bench`: the budgets of the product, measured against no monitor, a floor and its peers.
//!
//! Belongs here: the command line, choosing the part to run, and preparing it. Times are measured here and nowhere
//! else; no test depends on one. The load itself is made by the package `gdprport-bench`.

mod audit;
mod baseline;
mod budgets;
mod bulk;
mod check;
mod check_kernel;
mod context;
mod cpu;
mod cycles;
mod daemon;
mod effort;
mod instrument;
mod ledger;
mod loss;
mod machine;
mod output;
mod report;
mod report_latency;
mod saturation;
mod scale;
mod scan;
mod startup;
mod stats;
mod subject;
mod table;

use std::env;
use std::fs;
use std::process;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::setup::{self, apt};
use crate::step::{note, step};
use crate::{build, sh};
use budgets::{Budget, Results};
use context::Context;
use effort::Effort;
use instrument::Instrument;
use machine::Machine;
use subject::Subject;
use table::{Style, Table};

/// The arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
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
    /// The daemon's CPU for a connection, by default and with every event, beside bpftrace: a minute or two
    Cpu(CpuOptions),
    /// Many ports, rules, flows and connections: what grows with them, and what fails first
    Scale(RunOptions),
    /// The ledger: flows a second, size, questions; and scans of a busy host
    Ledger(RunOptions),
}

#[derive(Debug, Clone, Copy, clap::Args)]
struct CpuOptions {
    /// How often each is started and measured
    #[arg(long, default_value_t = Effort::QUICK.cycles, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    cycles: u32,
    /// End with status 1 if the budget is missed
    #[arg(long)]
    check_budgets: bool,
    #[command(flatten)]
    run: RunOptions,
}

/// How results are printed and what is already built.
#[derive(Debug, Clone, Copy, clap::Args)]
struct RunOptions {
    /// Print Markdown, as in docs/performance.md
    #[arg(long)]
    markdown: bool,
    /// Everything is built; for the part that sudo runs
    #[arg(long, hide = true)]
    built: bool,
}

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
    run: RunOptions,
}

/// Runs the part that was asked for.
///
/// # Errors
/// Something could not be built or measured, or with `--check-budgets` a budget is missed.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.part {
        None => measure_budgets(&options.budgets),
        Some(Part::Check(options)) => check::run(options),
        Some(Part::Cpu(options)) => {
            if prepare(options.run)? {
                measure_cpu(*options)?;
            }
            Ok(())
        }
        Some(Part::Scale(options)) => {
            if prepare(*options)? {
                measure_scale(*options)?;
            }
            Ok(())
        }
        Some(Part::Ledger(options)) => {
            if prepare(*options)? {
                measure_ledger(*options)?;
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
    if !prepare(options.run)? {
        return Ok(());
    }
    let effort = if options.full { Effort::FULL } else { Effort::QUICK };
    let machine = Machine::read();
    note(machine.line());
    let results = measure(effort)?;
    let budgets = results.budgets();
    let tables = [report::budgets(&budgets), report::subjects(&results), report::programs(&results)];
    show("The last run", &machine, &tables, options.run);
    save("budgets", &machine, &report::json(&results, &budgets))?;
    if options.full {
        measure_scale(options.run)?;
    }
    if options.check_budgets { check_budgets(&budgets) } else { Ok(()) }
}

fn check_budgets(budgets: &[Budget]) -> Result<()> {
    let missed: Vec<&str> =
        budgets.iter().filter(|budget| budget.met() == Some(false)).map(|budget| budget.what).collect();
    if !missed.is_empty() {
        bail!("{} of {} budgets are missed: {}", missed.len(), budgets.len(), missed.join("; "));
    }
    Ok(())
}

fn measure(effort: Effort) -> Result<Results> {
    let (mut instrument, context) = ready()?;
    let pair_runs = step("pairs: with and without each monitor in turn", || {
        let pair_runs = cycles::measure(&mut instrument, &context, &effort)?;
        let summary = format!("{} subjects, {} skipped", pair_runs.of.len(), pair_runs.skipped.len());
        Ok((pair_runs, summary))
    })?;
    let subjects: Vec<Subject> = pair_runs.of.keys().copied().collect();
    let bulk = step("bulk transfer", || {
        let bulk = bulk::measure(&mut instrument, &context, &effort)?;
        let summary = format!("{} pairs", bulk.values().map(|bulk| bulk.watched.len()).sum::<usize>());
        Ok((bulk, summary))
    })?;
    let report_latency = step("from a deciding byte to its event", || {
        let report_latency = report_latency::measure(&mut instrument, &context)?;
        Ok((report_latency, "done".into()))
    })?;
    let startup = step("start among many connections", || {
        let startup = startup::measure(&mut instrument, &context, &effort)?;
        let summary = format!("{} pairs", startup.ratios.len());
        Ok((startup, summary))
    })?;
    let completeness = step("losses, names and memory", || {
        let completeness = loss::measure(&mut instrument, &context, &effort, &subjects)?;
        let summary = format!("{} subjects", completeness.len());
        Ok((completeness, summary))
    })?;
    Ok(Results { effort, pair_runs, completeness, bulk, report_latency: Some(report_latency), startup })
}

fn measure_scale(options: RunOptions) -> Result<()> {
    let machine = Machine::read();
    let (mut instrument, context) = ready()?;
    let mut all = step("ports, rules and peers", || {
        let policies = scale::policies(&mut instrument, &context)?;
        let summary = format!("{} curves", policies.len());
        Ok((policies, summary))
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
    show("The last run of the scale", &machine, &tables, options);
    let named: serde_json::Map<String, Value> =
        tables.iter().map(|table| table.title.clone()).zip(values).collect();
    save("scale", &machine, &named.into())
}

fn measure_cpu(options: CpuOptions) -> Result<()> {
    let machine = Machine::read();
    let (mut instrument, context) = ready()?;
    let pair_runs = step("CPU time: by default, with every event, and bpftrace in turn", || {
        let pair_runs = cpu::measure(&mut instrument, &context, options.cycles)?;
        Ok((pair_runs, format!("{} cycles", options.cycles)))
    })?;
    let budgets = cpu::budgets(&pair_runs);
    show("The last run of the CPU time", &machine, &[report::budgets(&budgets)], options.run);
    save("cpu", &machine, &cpu::json(&pair_runs))?;
    if options.check_budgets { check_budgets(&budgets) } else { Ok(()) }
}

fn measure_ledger(options: RunOptions) -> Result<()> {
    let machine = Machine::read();
    let (mut instrument, context) = ready()?;
    let results = ledger::measure(&mut instrument, &context)?;
    let tables = [report::budgets(&ledger::budgets(&results)), ledger::table(&results)];
    show("The last run of the ledger", &machine, &tables, options);
    save("ledger", &machine, &ledger::json(&results))
}

/// Builds what is needed; returns false if this command ran again as root and is done.
fn prepare(options: RunOptions) -> Result<bool> {
    if !options.built {
        build_all()?;
        if !sh::is_root() {
            again_as_root()?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// Builds the product, the instrument and the floor.
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

/// Runs the same command through sudo, without building again.
fn again_as_root() -> Result<()> {
    let own = env::current_exe().context("cannot find this program's path")?;
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

fn show(title: &str, machine: &Machine, tables: &[Table], options: RunOptions) {
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
fn save(name: &str, machine: &Machine, results: &Value) -> Result<()> {
    let dir = sh::target_dir().join("bench");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join(format!("{name}.json"));
    let text = json!({ "machine": machine.json(), "results": results });
    fs::write(&path, format!("{text:#}\n")).with_context(|| format!("cannot write {}", path.display()))?;
    note(format_args!("all values: {}", path.display()));
    Ok(())
}
