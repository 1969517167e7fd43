//! What deciding costs: the kernel's time for a connect with `mode = "enforce"` beside the same policy that only observes. The same of
//! all programs shows what is decided when the connection arrives, which on loopback is the same one.
//!
//! Belongs here: the policies, the rounds, the budget and the table. Both run in turn, so that slow changes of the machine cancel out.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::budgets::{Bar, Budget};
use super::context::Context;
use super::daemon::Daemon;
use super::instrument::{Instrument, Program};
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

/// The programs of a connect, of which one runs.
const CONNECT: [&str; 2] = ["gp_connect4", "gp_connect6"];

/// The kernel's time for a connection; ns.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Took {
    /// In the program of its connect.
    connect: f64,
    /// In all programs, of both ends.
    all: f64,
}

/// One of both.
type Part = fn(&Took) -> f64;

/// What connections took.
#[derive(Debug, Clone, PartialEq)]
struct Cost {
    rules: u32,
    observe: Vec<Took>,
    enforce: Vec<Took>,
}

impl Cost {
    /// What each round took more than the one beside it; µs.
    fn more(&self, of: impl Fn(&Took) -> f64) -> Option<Spread> {
        let pairs = self.observe.iter().zip(&self.enforce);
        Spread::of(&pairs.map(|(observe, enforce)| (of(enforce) - of(observe)) / 1e3).collect::<Vec<_>>())
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

/// The time in the daemon's programs for a connection.
fn round(instrument: &mut Instrument, context: &Context, files: &[PathBuf]) -> Result<Took> {
    let daemon = Daemon::start(instrument, context, files)?;
    instrument.sequential(WATCHED, WARM)?;
    instrument.stats(true)?;
    let before = instrument.programs(&[daemon.pid])?;
    instrument.sequential(WATCHED, ROUND)?;
    let after = instrument.programs(&[daemon.pid])?;
    instrument.stats(false)?;
    daemon.stop(instrument)?;
    let of = |id| before.iter().find(|before| before.id == id).map_or(0.0, |before| before.run_ns);
    let took = |counts: &dyn Fn(&Program) -> bool| {
        let held = after.iter().filter(|program| program.held && counts(program));
        held.map(|program| program.run_ns - of(program.id)).sum::<f64>() / f64::from(ROUND)
    };
    let connect = took(&|program| CONNECT.contains(&program.name.as_str()));
    if connect == 0.0 {
        bail!("no program of a connect ran: none is attached");
    }
    Ok(Took { connect, all: took(&|_| true) })
}

fn budgets(costs: &[Cost]) -> Vec<Budget> {
    let budget = |cost: &Cost| Budget {
        what: if cost.rules > 10 { "deciding a connect, of many rules" } else { "deciding a connect" },
        unit: "µs",
        bar: Bar::AtMost(0.3),
        measured: cost.more(|took| took.connect),
        left_out: 0,
        beside: format!("{} rules", grouped(u64::from(cost.rules))),
    };
    costs.iter().map(budget).collect()
}

fn table(costs: &[Cost]) -> Table {
    let columns = ["rules", "of", "observing", "enforcing", "more", "quartiles"];
    let mut table = Table::new("The kernel's time for a connection", &columns);
    let parts: [(&str, Part); 2] = [("its connect", |took| took.connect), ("all programs", |took| took.all)];
    for (cost, (name, of)) in costs.iter().flat_map(|cost| parts.map(|part| (cost, part))) {
        let median = |rounds: &[Took]| {
            let values: Vec<f64> = rounds.iter().map(of).collect();
            Spread::of(&values).map_or(f64::NAN, |spread| spread.median / 1e3)
        };
        let Some(Spread { low, median: more, high, count }) = cost.more(of) else { continue };
        table.rows.push(vec![
            grouped(u64::from(cost.rules)),
            name.to_owned(),
            format!("{:.2} µs", median(&cost.observe)),
            format!("{:.2} µs", median(&cost.enforce)),
            format!("{more:.2} µs"),
            format!("{low:.2}–{high:.2} of {count}"),
        ]);
    }
    table.note = "As the kernel measures it (`bpf_stats_enabled`), for a connection that rules allow: its connect by the program's path, its \
                  arrival for everybody. The connection is on loopback, so that all programs are those of both ends, and the arrival is \
                  decided at its SYN and when it is established. Each further rule names a peer and a program."
        .to_owned();
    table
}

fn json(costs: &[Cost]) -> Value {
    let rounds = |rounds: &[Took]| -> Value {
        rounds.iter().map(|took| json!({ "connect_ns": took.connect, "all_ns": took.all })).collect()
    };
    costs
        .iter()
        .map(|cost| json!({ "rules": cost.rules, "observe": rounds(&cost.observe), "enforce": rounds(&cost.enforce) }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_enforcing_takes_more_is_compared_round_by_round() {
        let took = |all: &[f64]| all.iter().map(|all| Took { connect: all / 2.0, all: *all }).collect();
        let cost = Cost {
            rules: 10,
            observe: took(&[1_000.0, 2_000.0, 3_000.0]),
            enforce: took(&[1_200.0, 2_100.0, 3_400.0]),
        };
        assert_eq!(cost.more(|took| took.all).map(|spread| spread.median), Some(0.2));
        assert_eq!(budgets(std::slice::from_ref(&cost))[0].measured.map(|spread| spread.median), Some(0.1));
        assert_eq!(table(&[cost]).rows.len(), 2);
    }

    #[test]
    fn a_policy_has_as_many_rules_as_asked_for() {
        let files = policy(50_000, "enforce", "/bench");
        let rules: usize = files.iter().map(|text| text.matches("direction = \"out\"").count()).sum();
        assert_eq!((files.len(), rules), (4, 50_000));
    }
}
