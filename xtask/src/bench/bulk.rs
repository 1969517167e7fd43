//! Throughput: the time of a MiB through a watched port, and through an unwatched one, relative to no monitor.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::context::Context;
use super::cycles::alone;
use super::effort::Effort;
use super::instrument::{Instrument, number};
use super::stats::Pair;
use super::subject::{Subject, UNWATCHED, WATCHED};

/// Throughput with the subjects that read packets.
pub(crate) type Bulk = BTreeMap<Subject, Throughput>;

/// Throughput of each pair relative to no monitor, in the slower direction.
#[derive(Debug, Default)]
pub(crate) struct Throughput {
    pub(crate) watched: Vec<Pair>,
    pub(crate) unwatched: Vec<Pair>,
}

/// Time of one MiB: watched up, watched down, unwatched up, unwatched down; ns.
type Times = [f64; 4];

/// Measures the product and its hooks; the others do not read packets.
pub(crate) fn measure(instrument: &mut Instrument, context: &Context, effort: &Effort) -> Result<Bulk> {
    let mut bulk = Bulk::default();
    let (mut before, mut clean_before) = round(instrument, effort, &[])?;
    for _ in 0..effort.bulk_pairs {
        for subject in [Subject::Gdprport, Subject::Hooks] {
            let running = subject.start(instrument, context)?;
            let (with, clean_with) = round(instrument, effort, &running.pids)?;
            running.stop(instrument)?;
            let (after, clean_after) = round(instrument, effort, &[])?;
            let clean = clean_before && clean_with && clean_after;
            let throughput = |at: usize| f64::midpoint(before[at], after[at]) / with[at];
            let pairs = bulk.entry(subject).or_default();
            pairs.watched.push(Pair { ratio: throughput(0).min(throughput(1)), clean });
            pairs.unwatched.push(Pair { ratio: throughput(2).min(throughput(3)), clean });
            (before, clean_before) = (after, clean_after);
        }
    }
    Ok(bulk)
}

fn round(instrument: &mut Instrument, effort: &Effort, own: &[u32]) -> Result<(Times, bool)> {
    let quiet = alone(instrument, own, Duration::from_secs(2))?;
    let mut times = [0.0; 4];
    for (at, (port, up)) in
        [(WATCHED, true), (WATCHED, false), (UNWATCHED, true), (UNWATCHED, false)].into_iter().enumerate()
    {
        let order = json!({ "do": "bulk", "port": port, "blocks": effort.mebibytes, "up": up });
        times[at] = number(&instrument.ask(&order)?, "p50")?;
    }
    Ok((times, quiet && alone(instrument, own, Duration::ZERO)?))
}
