//! The daemon's CPU time alone: as it is by default and with every event, beside bpftrace. A minute or two, without rounds
//! in which nothing is loaded, for CPU time is compared between monitors of one cycle.

use anyhow::Result;
use serde_json::{Value, json};

use super::budgets::{Budget, cpu};
use super::context::Context;
use super::cycles::{PairRuns, cost};
use super::effort::Effort;
use super::instrument::Instrument;
use super::subject::{Subject, WATCHED};
use crate::step::note;

/// Those that are measured, in turn.
const SUBJECTS: [Subject; 3] = [Subject::Gdprport, Subject::Every, Subject::Bpftrace];

/// Measures them in turn, `cycles` times.
///
/// # Errors
/// The instrument is gone, or a monitor that worked does not start any more.
pub(crate) fn measure(instrument: &mut Instrument, context: &Context, cycles: u32) -> Result<PairRuns> {
    let effort = Effort { cycles, counted: 5_000, ..Effort::QUICK };
    let mut pair_runs = PairRuns::default();
    for cycle in 0..effort.cycles {
        for subject in SUBJECTS {
            if pair_runs.skipped.contains_key(&subject) {
                continue;
            }
            let running = match subject.start(instrument, context) {
                Ok(running) => running,
                Err(reason) if cycle == 0 => {
                    note(format_args!("{} skipped: {reason:#}", subject.name()));
                    pair_runs.skipped.insert(subject, format!("{reason:#}"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            // What is done once: caches fill, and a busy group goes over to sums.
            instrument.sequential(WATCHED, effort.round)?;
            let cost = cost(instrument, &effort, &running, WATCHED)?;
            running.stop(instrument)?;
            pair_runs.of.entry(subject).or_default().cpu.push(cost.cpu);
        }
    }
    Ok(pair_runs)
}

/// The same budgets as in the table of all.
pub(crate) fn budgets(pair_runs: &PairRuns) -> Vec<Budget> {
    cpu(pair_runs).into()
}

/// Raw values; ns a connection.
pub(crate) fn json(pair_runs: &PairRuns) -> Value {
    let of = pair_runs.of.iter().map(|(subject, pair_run)| (subject.name().to_owned(), json!(pair_run.cpu)));
    json!({ "cpu_ns": of.collect::<serde_json::Map<String, Value>>() })
}
