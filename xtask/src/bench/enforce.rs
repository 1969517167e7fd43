//! What deciding connects costs: the kernel's time for a connection with `mode = "enforce"` beside the same policy that only observes.
//!
//! Belongs here: the policies, the rounds, the budget and the table. Both run in turn, so that slow changes of the machine cancel out.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::budgets::{Bar, Budget};
use super::context::Context;
use super::daemon::Daemon;
use super::instrument::Instrument;
use super::machine::Machine;
use super::report;
use super::scale::{grouped, with_rules};
use super::session::{RunOptions, ready, save, show};
use super::stats::Spread;
use super::subject::WATCHED;
use super::table::Table;
use crate::step::step;

/// Rules of the port, each with a peer and a program of its own, of a run and of one that only shows whether it works.
const SIZES: (&[u32], &[u32]) = (&[10, 100_000], &[10]);

/// Daemons of each kind.
const ROUNDS: (usize, usize) = (9, 2);

/// Connections of a round; the first are not counted.
const ROUND: u32 = 5_000;
const WARM: u32 = 500;

/// The kernel's time for a connection; ns.
#[derive(Debug, Clone, PartialEq)]
struct Cost {
    rules: u32,
    observe: Vec<f64>,
    enforce: Vec<f64>,
}

impl Cost {
    /// What each round took more than the one beside it; µs.
    fn more(&self) -> Option<Spread> {
        let pairs = self.observe.iter().zip(&self.enforce);
        Spread::of(&pairs.map(|(observe, enforce)| (enforce - observe) / 1e3).collect::<Vec<_>>())
    }
}

/// Files with a port of this mode. All of its rules but one are for other peers and programs.
fn policy(rules: u32, mode: &str, client: &str) -> Vec<String> {
    let port = format!(
        "version = 1\n\n[[port]]\nname = \"bench\"\nport = {WATCHED}\nmode = \"{mode}\"\n\
         \n[[port.allow]]\nrole = \"serving\"\ndirection = \"in\"\npeers = [\"any\"]\n\
         \n[[port.allow]]\nrole = \"calling\"\ndirection = \"out\"\npeers = [\"127.0.0.0/8\"]\nprocess = {{ exe = \"{client}\" }}\n"
    );
    with_rules(port, rules, "out", |number| {
        format!("process = {{ exe = \"/opt/app{}/bin/app\" }}\n", number % 1_000)
    })
}

/// Measures, shows and saves. Returns the budgets.
///
/// # Errors
/// The instrument failed, or the daemon does not start.
pub(crate) fn measure(options: RunOptions) -> Result<Vec<Budget>> {
    let machine = Machine::read();
    let (mut instrument, context) = ready(options)?;
    let costs = step("connects that are decided, and the same that are only observed", || {
        let costs = in_turn(&mut instrument, &context, options.tiny)?;
        Ok((costs, "done".into()))
    })?;
    let budgets = budgets(&costs);
    show("The last run of deciding", &machine, &[report::budgets(&budgets), table(&costs)], options);
    save("enforce", &machine, &json(&costs))?;
    Ok(budgets)
}

/// Both kinds in turn, for each number of rules.
fn in_turn(instrument: &mut Instrument, context: &Context, tiny: bool) -> Result<Vec<Cost>> {
    let (sizes, rounds) = if tiny { (SIZES.1, ROUNDS.1) } else { (SIZES.0, ROUNDS.0) };
    let client = context.bench.canonicalize().context("the instrument is there")?.display().to_string();
    let mut costs = Vec::new();
    for rules in sizes {
        let mut cost = Cost { rules: *rules, observe: Vec::new(), enforce: Vec::new() };
        for _ in 0..rounds {
            for mode in ["observe", "enforce"] {
                let mut files: Vec<PathBuf> = Vec::new();
                for (number, text) in policy(*rules, mode, &client).iter().enumerate() {
                    files.push(context.write(&format!("enforce-{number}.toml"), text)?);
                }
                let took = round(instrument, context, &files)?;
                if mode == "enforce" { cost.enforce.push(took) } else { cost.observe.push(took) }
            }
        }
        costs.push(cost);
    }
    Ok(costs)
}

/// The time in the daemon's programs for a connection; ns.
fn round(instrument: &mut Instrument, context: &Context, files: &[PathBuf]) -> Result<f64> {
    let daemon = Daemon::start(instrument, context, files)?;
    instrument.sequential(WATCHED, WARM)?;
    instrument.stats(true)?;
    let before = instrument.programs(&[daemon.pid])?;
    instrument.sequential(WATCHED, ROUND)?;
    let after = instrument.programs(&[daemon.pid])?;
    instrument.stats(false)?;
    daemon.stop(instrument)?;
    let of = |id| before.iter().find(|before| before.id == id).map_or(0.0, |before| before.run_ns);
    let held = after.iter().filter(|program| program.held);
    Ok(held.map(|program| program.run_ns - of(program.id)).sum::<f64>() / f64::from(ROUND))
}

fn budgets(costs: &[Cost]) -> Vec<Budget> {
    let budget = |cost: &Cost| Budget {
        what: if cost.rules > 10 { "deciding a connect, of many rules" } else { "deciding a connect" },
        unit: "µs",
        bar: Bar::AtMost(0.3),
        measured: cost.more(),
        left_out: 0,
        beside: format!("{} rules", grouped(u64::from(cost.rules))),
    };
    costs.iter().map(budget).collect()
}

fn table(costs: &[Cost]) -> Table {
    let columns = ["rules", "observing", "enforcing", "more", "quartiles"];
    let mut table = Table::new("The kernel's time for a connection", &columns);
    for cost in costs {
        let median = |values: &[f64]| Spread::of(values).map_or(f64::NAN, |spread| spread.median / 1e3);
        let Some(Spread { low, median: more, high, count }) = cost.more() else { continue };
        table.rows.push(vec![
            grouped(u64::from(cost.rules)),
            format!("{:.2} µs", median(&cost.observe)),
            format!("{:.2} µs", median(&cost.enforce)),
            format!("{more:.2} µs"),
            format!("{low:.2}–{high:.2} of {count}"),
        ]);
    }
    table.note = "All programs of both ends together, as the kernel measures them (`bpf_stats_enabled`), for a connection that a rule \
                  allows by the program's path. Each rule names a peer and a program."
        .to_owned();
    table
}

fn json(costs: &[Cost]) -> Value {
    costs
        .iter()
        .map(|cost| json!({ "rules": cost.rules, "observe_ns": cost.observe, "enforce_ns": cost.enforce }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_enforcing_takes_more_is_compared_round_by_round() {
        let cost = Cost {
            rules: 10,
            observe: vec![1_000.0, 2_000.0, 3_000.0],
            enforce: vec![1_200.0, 2_100.0, 3_400.0],
        };
        assert_eq!(cost.more().map(|spread| spread.median), Some(0.2));
        assert_eq!(budgets(&[cost])[0].met(), Some(true));
    }

    #[test]
    fn a_policy_has_as_many_rules_as_asked_for() {
        let files = policy(50_000, "enforce", "/bench");
        let rules: usize = files.iter().map(|text| text.matches("direction = \"out\"").count()).sum();
        assert_eq!((files.len(), rules), (4, 50_000));
    }
}
