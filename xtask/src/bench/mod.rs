//! `bench`: the budgets of the product, measured against no monitor, a floor and its peers.
//!
//! Belongs here: the command line, choosing the part to run, and preparing it. Times are measured here and nowhere
//! else; no test depends on one. The load itself is made by the package `gdprport-bench`.

mod account;
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
mod database;
mod deliver;
mod effort;
mod enforce;
mod evidence;
mod identities;
mod instrument;
mod ledger;
mod loss;
mod machine;
mod memory;
mod output;
mod product;
mod report;
mod report_latency;
mod reports;
mod saturation;
mod scale;
mod scan;
mod session;
mod startup;
mod stats;
mod subject;
mod table;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::build;
use crate::setup::apt;
use crate::step::{note, step};
use budgets::{Budget, Results};
use context::Context;
use effort::Effort;
use identities::Size;
use instrument::Instrument;
use machine::Machine;
use session::{RunOptions, build_instrument, prepare, ready, save, show};
use subject::Subject;
use table::Table;

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
    /// A database under load, with its port watched: transactions per second beside no monitor; six minutes
    Database(DatabaseOptions),
    /// Who is counted where more connects than can be described: a minute and a half
    Overload(JudgedOptions),
    /// What deciding connects in the kernel costs beside observing them, with 10 and 100,000 rules: two minutes
    Enforce(JudgedOptions),
    /// Many ports, rules, flows and connections: what grows with them, and what fails first
    Scale(JudgedOptions),
    /// The ledger: flows a second, size, questions; and scans of a busy host
    Ledger(RunOptions),
    /// Reports and proposals of a big ledger: CPU time and memory of each command. Needs no root
    Reports(RunOptions),
    /// The evidence log: what an entry costs, and how long a million take to be verified. Needs no root
    Evidence(JudgedOptions),
    /// The deliverer's transports: events a second, side by side with JSON lines over HTTP. Needs no root
    Deliver(DeliverOptions),
}

#[derive(Debug, Clone, Copy, clap::Args)]
struct DeliverOptions {
    /// How often each receiver is sent to
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    #[command(flatten)]
    run: RunOptions,
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

/// A part with budgets.
#[derive(Debug, Clone, Copy, clap::Args)]
struct JudgedOptions {
    /// End with status 1 if a budget is missed
    #[arg(long)]
    check_budgets: bool,
    #[command(flatten)]
    run: RunOptions,
}

#[derive(Debug, Clone, Copy, clap::Args)]
struct DatabaseOptions {
    /// More rounds
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    run: RunOptions,
}

#[derive(Debug, Clone, clap::Args)]
struct Budgets {
    /// Fewer rounds, a quarter of an hour in all (the default)
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
        Some(Part::Database(options)) => {
            if prepare(options.run)? {
                measure_database(*options)?;
            }
            Ok(())
        }
        Some(Part::Overload(options)) => {
            if prepare(options.run)? {
                measure_overload(*options)?;
            }
            Ok(())
        }
        Some(Part::Enforce(options)) => {
            if prepare(options.run)? {
                measure_enforce(*options)?;
            }
            Ok(())
        }
        Some(Part::Scale(options)) => {
            if prepare(options.run)? {
                measure_scale(*options)?;
            }
            Ok(())
        }
        Some(Part::Deliver(options)) => measure_deliver(*options),
        Some(Part::Reports(options)) => measure_reports(*options),
        Some(Part::Evidence(options)) => measure_evidence(*options),
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
            let packages = [Subject::packages(), vec![database::PACKAGE]].concat();
            let missing = apt::missing(&packages)?;
            if !missing.is_empty() {
                apt::install(&missing)?;
            }
            Ok(((), format!("{} of {} were missing", missing.len(), packages.len())))
        })?;
    }
    if !prepare(options.run)? {
        return Ok(());
    }
    let effort = effort(options.full, options.run);
    let machine = Machine::read();
    note(machine.line());
    let results = measure(effort, options.run)?;
    let budgets = results.budgets();
    let tables = [
        database::table(&results.database),
        report::budgets(&budgets),
        report::subjects(&results),
        report::programs(&results),
    ];
    show("The last run", &machine, &tables, options.run);
    save("budgets", &machine, &report::json(&results, &budgets))?;
    if options.full {
        measure_scale(JudgedOptions { check_budgets: options.check_budgets, run: options.run })?;
    }
    if options.check_budgets { check_budgets(&budgets) } else { Ok(()) }
}

fn effort(full: bool, options: RunOptions) -> Effort {
    match (options.tiny, full) {
        (true, _) => Effort::TRY,
        (false, true) => Effort::FULL,
        (false, false) => Effort::QUICK,
    }
}

fn check_budgets(budgets: &[Budget]) -> Result<()> {
    let missed: Vec<&str> =
        budgets.iter().filter(|budget| budget.met() == Some(false)).map(|budget| budget.what).collect();
    if !missed.is_empty() {
        bail!("{} of {} budgets are missed: {}", missed.len(), budgets.len(), missed.join("; "));
    }
    Ok(())
}

fn measure(effort: Effort, options: RunOptions) -> Result<Results> {
    let (mut instrument, context) = ready(options)?;
    let database = step(DATABASE, || {
        let database = database::measure(&mut instrument, &context, &effort)?;
        let summary = format!("{} subjects", database.of.len());
        Ok((database, summary))
    })?;
    let pair_runs = step("pairs: with and without each monitor in turn", || {
        let pair_runs = cycles::measure(&mut instrument, &context, &effort)?;
        let summary = format!("{} subjects, {} skipped", pair_runs.of.len(), pair_runs.skipped.len());
        Ok((pair_runs, summary))
    })?;
    let subjects: Vec<Subject> = pair_runs.of.keys().copied().collect();
    let bulk = step("bulk transfer", || {
        let bulk = bulk::measure(&mut instrument, &context, &effort)?;
        let summary = format!("{} pairs", bulk.values().map(|bulk| bulk.lo.watched.len()).sum::<usize>());
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
    Ok(Results {
        effort,
        database,
        pair_runs,
        completeness,
        bulk,
        report_latency: Some(report_latency),
        startup,
    })
}

/// What is measured in that step.
const DATABASE: &str = "a database under load, with and without each monitor in turn";

fn measure_database(options: DatabaseOptions) -> Result<()> {
    let machine = Machine::read();
    let (mut instrument, context) = ready(options.run)?;
    let database = step(DATABASE, || {
        let database = database::measure(&mut instrument, &context, &effort(options.full, options.run))?;
        let summary = format!("{} subjects", database.of.len());
        Ok((database, summary))
    })?;
    show("The last run of the database", &machine, &[database::table(&database)], options.run);
    save("database", &machine, &database::json(&database))
}

fn measure_overload(options: JudgedOptions) -> Result<()> {
    let machine = Machine::read();
    let (mut instrument, context) = ready(options.run)?;
    let outcome = overload(&mut instrument, &context, options.run)?;
    let budgets = identities::budgets(&outcome);
    let tables = [report::budgets(&budgets), identities::table(&outcome)];
    show("The last run of an overload", &machine, &tables, options.run);
    save("overload", &machine, &identities::json(&outcome))?;
    if options.check_budgets { check_budgets(&budgets) } else { Ok(()) }
}

fn overload(
    instrument: &mut Instrument,
    context: &Context,
    options: RunOptions,
) -> Result<identities::Outcome> {
    step("who is counted where more connects than can be described", || {
        let size = if options.tiny { Size::TRY } else { Size::STORM };
        let outcome = identities::measure(instrument, context, size)?;
        Ok((outcome, "done".into()))
    })
}

fn measure_enforce(options: JudgedOptions) -> Result<()> {
    let budgets = enforce::measure(options.run)?;
    if options.check_budgets { check_budgets(&budgets) } else { Ok(()) }
}

fn measure_scale(options: JudgedOptions) -> Result<()> {
    let machine = Machine::read();
    let (mut instrument, context) = ready(options.run)?;
    let tiny = options.run.tiny;
    let mut all = Vec::new();
    // A hundred thousand rules are too many for a debug build.
    if !tiny {
        all = step("ports, rules and peers", || {
            let policies = scale::policies(&mut instrument, &context)?;
            let summary = format!("{} curves", policies.len());
            Ok((policies, summary))
        })?;
    }
    all.push(step("flows that are open at the same time", || {
        let sizes: &[u32] = if tiny { &[100, 200] } else { &[5_000, 25_000, 50_000] };
        let flows = scale::flows(&mut instrument, &context, sizes)?;
        Ok((flows, format!("up to {} connections", sizes.last().copied().unwrap_or_default())))
    })?);
    all.push(step("as many connections as the machine offers", || {
        let (seconds, long) = if tiny { (1, 2) } else { (5, 60) };
        let saturation = saturation::measure(&mut instrument, &context, seconds, long)?;
        Ok((saturation, "done".into()))
    })?);
    let outcome = overload(&mut instrument, &context, options.run)?;
    all.push((identities::table(&outcome), identities::json(&outcome)));
    let budgets = identities::budgets(&outcome);
    let (mut tables, values): (Vec<Table>, Vec<Value>) = all.into_iter().unzip();
    let named: serde_json::Map<String, Value> =
        tables.iter().map(|table| table.title.clone()).zip(values).collect();
    tables.insert(0, report::budgets(&budgets));
    show("The last run of the scale", &machine, &tables, options.run);
    save("scale", &machine, &named.into())?;
    if options.check_budgets { check_budgets(&budgets) } else { Ok(()) }
}

fn measure_cpu(options: CpuOptions) -> Result<()> {
    let machine = Machine::read();
    let (mut instrument, context) = ready(options.run)?;
    let pair_runs = step("CPU time: by default, with every event, and bpftrace in turn", || {
        let pair_runs = cpu::measure(&mut instrument, &context, options.cycles)?;
        Ok((pair_runs, format!("{} cycles", options.cycles)))
    })?;
    let budgets = cpu::budgets(&pair_runs);
    show("The last run of the CPU time", &machine, &[report::budgets(&budgets)], options.run);
    save("cpu", &machine, &cpu::json(&pair_runs))?;
    if options.check_budgets { check_budgets(&budgets) } else { Ok(()) }
}

fn measure_deliver(options: DeliverOptions) -> Result<()> {
    let bench = build_instrument(options.run)?;
    let machine = Machine::read();
    let (rounds, events) = if options.run.tiny { (1, 8_000) } else { (options.rounds, 50_000) };
    let results = deliver::measure(&bench, rounds, events)?;
    show("The last run of delivery", &machine, &[deliver::table(&results)], options.run);
    save("deliver", &machine, &deliver::json(&results))
}

fn measure_reports(options: RunOptions) -> Result<()> {
    let gdprport = build::daemon(!options.tiny)?;
    let bench = build_instrument(options)?;
    let machine = Machine::read();
    let size = if options.tiny { reports::Size::TRY } else { reports::Size::BIG };
    let results = reports::measure(&gdprport, &bench, size)?;
    show("The last run of reports", &machine, &[reports::table(&results)], options);
    save("reports", &machine, &reports::json(&results))
}

fn measure_evidence(options: JudgedOptions) -> Result<()> {
    let budgets = evidence::measure(options.run)?;
    if options.check_budgets { check_budgets(&budgets) } else { Ok(()) }
}

fn measure_ledger(options: RunOptions) -> Result<()> {
    let machine = Machine::read();
    let (mut instrument, context) = ready(options)?;
    let results = ledger::measure(&mut instrument, &context)?;
    let tables = [report::budgets(&ledger::budgets(&results)), ledger::table(&results)];
    show("The last run of the ledger", &machine, &tables, options);
    save("ledger", &machine, &ledger::json(&results))
}
