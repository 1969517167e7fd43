//! The pairs: rounds with a monitor between rounds without any, all subjects in turn, repeatedly. A ratio compares a round
//! with the two right before and after it, so that slow changes of the machine cancel out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::context::Context;
use super::effort::Effort;
use super::instrument::{Instrument, Route};
use super::stats::{Pair, Pairs, Spread};
use super::subject::{Running, Subject, UNWATCHED, WATCHED};
use crate::step::note;

/// Parts of a round, watched and unwatched port in turn.
const PARTS: u32 = 4;

/// How long to wait for other monitors to go away before measuring a round with them.
const QUIET_TIMEOUT: Duration = Duration::from_secs(2);

/// How long after the last connection a monitor may still be processing it.
const DRAIN: Duration = Duration::from_millis(200);

/// The measurements of one subject.
#[derive(Debug, Default)]
pub(crate) struct PairRun {
    /// Connections on loopback.
    pub(crate) lo: Pairs,
    /// Connections over a veth pair.
    pub(crate) veth: Pairs,
    /// Time in its BPF programs per connection, of each cycle; ns. Empty if it has none.
    pub(crate) kernel: Vec<f64>,
    /// CPU time of its processes per connection, of each cycle; ns.
    pub(crate) cpu: Vec<f64>,
    /// The last cycle's programs.
    pub(crate) programs: Vec<Program>,
    /// The same on the unwatched port, of the product.
    pub(crate) programs_unwatched: Vec<Program>,
}

/// Run count and time of one BPF program per connection.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Its name, at most 15 characters.
    pub(crate) name: String,
    pub(crate) runs: f64,
    /// How long it runs each time.
    pub(crate) ns: f64,
}

/// All subjects, and those that were skipped and why.
#[derive(Debug, Default)]
pub(crate) struct PairRuns {
    pub(crate) of: BTreeMap<Subject, PairRun>,
    pub(crate) skipped: BTreeMap<Subject, String>,
    /// p50 of a connection on loopback without any monitor, of each round; ns.
    pub(crate) alone: Vec<f64>,
    /// The same over a veth pair.
    pub(crate) alone_veth: Vec<f64>,
}

impl PairRun {
    /// The pairs of this route.
    pub(crate) fn by(&self, route: Route) -> &Pairs {
        match route {
            Route::Lo => &self.lo,
            Route::Veth => &self.veth,
        }
    }
}

/// A round: medians of the parts' p50 on both ports, and whether no other monitor was loaded.
#[derive(Debug, Clone, Copy)]
struct Round {
    lo: Medians,
    veth: Medians,
    clean: bool,
}

#[derive(Debug, Clone, Copy)]
struct Medians {
    watched: f64,
    unwatched: f64,
}

/// Measures all subjects in turn, `effort.cycles` times.
///
/// # Errors
/// The instrument is gone, or the machine could not be put back. A subject that does not work here is skipped.
pub(crate) fn measure(instrument: &mut Instrument, context: &Context, effort: &Effort) -> Result<PairRuns> {
    let mut pair_runs = PairRuns::default();
    // Auditing has effects that outlast it, so its cycles come last.
    let (last, first): (Vec<_>, Vec<_>) = Subject::ALL.into_iter().partition(|s| *s == Subject::Auditd);
    for group in [first, last] {
        let mut before = round(instrument, effort, &[])?;
        for cycle in 0..effort.cycles {
            for subject in &group {
                if pair_runs.skipped.contains_key(subject) {
                    continue;
                }
                let running = match subject.start(instrument, context) {
                    Ok(running) => running,
                    Err(reason) if cycle == 0 => {
                        note(format_args!("{} skipped: {reason:#}", subject.name()));
                        pair_runs.skipped.insert(*subject, format!("{reason:#}"));
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let with = round(instrument, effort, &running.pids)?;
                let pair_run = pair_runs.of.entry(*subject).or_default();
                let cost_watched = cost(instrument, effort, &running, WATCHED)?;
                pair_run.cpu.push(cost_watched.cpu);
                // Monitors without BPF programs are not compared by kernel time.
                if cost_watched.kernel > 0.0 {
                    pair_run.kernel.push(cost_watched.kernel);
                }
                pair_run.programs = cost_watched.programs;
                if *subject == Subject::Gdprport {
                    pair_run.programs_unwatched = cost(instrument, effort, &running, UNWATCHED)?.programs;
                }
                running.stop(instrument)?;
                let after = round(instrument, effort, &[])?;
                pair_runs.alone.push(after.lo.watched);
                pair_runs.alone_veth.push(after.veth.watched);
                let clean = before.clean && with.clean && after.clean;
                let pair = |of: fn(&Round) -> f64| Pair {
                    ratio: of(&with) / f64::midpoint(of(&before), of(&after)),
                    clean,
                };
                pair_run.lo.watched.push(pair(|round| round.lo.watched));
                pair_run.lo.unwatched.push(pair(|round| round.lo.unwatched));
                pair_run.veth.watched.push(pair(|round| round.veth.watched));
                pair_run.veth.unwatched.push(pair(|round| round.veth.unwatched));
                before = after;
            }
        }
    }
    Ok(pair_runs)
}

/// Connections to both ports in turn, by both routes.
fn round(instrument: &mut Instrument, effort: &Effort, own: &[u32]) -> Result<Round> {
    let alone_before = alone(instrument, own, QUIET_TIMEOUT)?;
    let lo = medians(instrument, effort, Route::Lo)?;
    let veth = medians(instrument, effort, Route::Veth)?;
    let clean = alone_before && alone(instrument, own, Duration::ZERO)?;
    Ok(Round { lo, veth, clean })
}

fn medians(instrument: &mut Instrument, effort: &Effort, route: Route) -> Result<Medians> {
    let (mut watched, mut unwatched) = (Vec::new(), Vec::new());
    for _ in 0..PARTS {
        watched.push(instrument.sequential_by(route, WATCHED, effort.round / PARTS)?);
        unwatched.push(instrument.sequential_by(route, UNWATCHED, effort.round / PARTS)?);
    }
    let median = |values: &[f64]| Spread::of(values).map_or(f64::NAN, |spread| spread.median);
    Ok(Medians { watched: median(&watched), unwatched: median(&unwatched) })
}

/// Waits until no BPF programs are loaded but those of `own`; false if that takes too long.
pub(crate) fn alone(instrument: &mut Instrument, own: &[u32], timeout: Duration) -> Result<bool> {
    let begun = Instant::now();
    loop {
        if instrument.programs(own)?.iter().all(|program| program.held) {
            return Ok(true);
        }
        if begun.elapsed() >= timeout {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What connections cost, each.
pub(crate) struct Cost {
    /// In all BPF programs; ns.
    kernel: f64,
    /// In the monitor's processes; ns.
    pub(crate) cpu: f64,
    programs: Vec<Program>,
}

/// Measures the programs in the kernel while connections are made to `port`.
pub(crate) fn cost(
    instrument: &mut Instrument,
    effort: &Effort,
    running: &Running,
    port: u16,
) -> Result<Cost> {
    instrument.stats(true)?;
    let programs_before = instrument.programs(&running.pids)?;
    let cpu_before = instrument.cpu(&running.pids)?;
    instrument.sequential(port, effort.counted)?;
    let programs_after = instrument.programs(&running.pids)?;
    std::thread::sleep(DRAIN);
    let cpu = instrument.cpu(&running.pids)? - cpu_before;
    instrument.stats(false)?;
    let connections = f64::from(effort.counted);
    let mut cost = Cost { kernel: 0.0, cpu: cpu / connections, programs: Vec::new() };
    for after in programs_after.into_iter().filter(|program| program.held) {
        let Some(before) = programs_before.iter().find(|before| before.id == after.id) else { continue };
        let (ns, runs) = (after.run_ns - before.run_ns, after.runs - before.runs);
        cost.kernel += ns / connections;
        if runs > 0.0 {
            cost.programs.push(Program { name: after.name, runs: runs / connections, ns: ns / runs });
        }
    }
    Ok(cost)
}
