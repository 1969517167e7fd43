//! Throughput: the time of a MiB through a watched port, and through an unwatched one, on loopback and over a veth pair,
//! relative to no monitor.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::context::Context;
use super::cycles::alone;
use super::effort::Effort;
use super::instrument::{Instrument, Route, number};
use super::stats::{Pair, Pairs};
use super::subject::{Subject, UNWATCHED, WATCHED};

/// Throughput with the subjects that read packets.
pub(crate) type Bulk = BTreeMap<Subject, Throughput>;

/// Throughput of each pair relative to no monitor, in the slower direction.
#[derive(Debug, Default)]
pub(crate) struct Throughput {
    pub(crate) lo: Pairs,
    pub(crate) veth: Pairs,
}

impl Throughput {
    /// The pairs of this route.
    pub(crate) fn by(&self, route: Route) -> &Pairs {
        match route {
            Route::Lo => &self.lo,
            Route::Veth => &self.veth,
        }
    }
}

/// Time of one MiB: watched up, watched down, unwatched up, unwatched down; ns.
type Times = [f64; 4];

/// The times of both routes, and whether no other monitor was loaded.
type Round = ([Times; 2], bool);

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
            let throughput = bulk.entry(subject).or_default();
            for (route, pairs) in [&mut throughput.lo, &mut throughput.veth].into_iter().enumerate() {
                let ratio = |at: usize| f64::midpoint(before[route][at], after[route][at]) / with[route][at];
                pairs.watched.push(Pair { ratio: ratio(0).min(ratio(1)), clean });
                pairs.unwatched.push(Pair { ratio: ratio(2).min(ratio(3)), clean });
            }
            (before, clean_before) = (after, clean_after);
        }
    }
    Ok(bulk)
}

fn round(instrument: &mut Instrument, effort: &Effort, own: &[u32]) -> Result<Round> {
    let quiet = alone(instrument, own, Duration::from_secs(2))?;
    let mut times = [[0.0; 4]; 2];
    for (times, route) in times.iter_mut().zip(Route::ALL) {
        let loads = [(WATCHED, true), (WATCHED, false), (UNWATCHED, true), (UNWATCHED, false)];
        for (time, (port, up)) in times.iter_mut().zip(loads) {
            let order = json!({
                "do": "bulk", "port": port, "blocks": effort.mebibytes, "up": up, "route": route.name(),
            });
            *time = number(&instrument.ask(&order)?, "p50")?;
        }
    }
    Ok((times, quiet && alone(instrument, own, Duration::ZERO)?))
}
