//! The pairs: rounds with a monitor between rounds without any, all subjects in turn, again and again. A ratio compares
//! a round with the two that were measured right before and after it, so that what changes slowly on the machine
//! changes nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::context::Context;
use super::effort::Effort;
use super::instrument::Instrument;
use super::stats::{Pair, Spread};
use super::subject::{Running, Subject, UNWATCHED, WATCHED};
use crate::step::note;

/// Parts of a round, watched and unwatched port in turn.
const PARTS: u32 = 4;

/// How long is waited for other people's monitors to go away, before a round is measured with them.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long after the last connection a monitor may still be at work on it.
const DRAIN: Duration = Duration::from_millis(200);

/// How a subject did.
#[derive(Debug, Default)]
pub struct Course {
    /// Connections to the watched port.
    pub watched: Vec<Pair>,
    /// Connections to the unwatched port.
    pub unwatched: Vec<Pair>,
    /// Time in its BPF programs per connection, of each cycle; ns. Empty if it has none.
    pub kernel: Vec<f64>,
    /// CPU time of its processes per connection, of each cycle; ns.
    pub cpu: Vec<f64>,
    /// The last cycle's programs.
    pub programs: Vec<Program>,
    /// The same on the unwatched port, of the product.
    pub programs_unwatched: Vec<Program>,
}

/// What one BPF program does for a connection.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name, at most 15 characters.
    pub name: String,
    /// How often it runs.
    pub runs: f64,
    /// How long it runs each time.
    pub ns: f64,
}

/// All subjects, and those that were skipped and why.
#[derive(Debug, Default)]
pub struct Courses {
    /// What was measured.
    pub of: BTreeMap<Subject, Course>,
    /// What was not.
    pub skipped: BTreeMap<Subject, String>,
    /// p50 of a connection without any monitor, of each round; ns.
    pub alone: Vec<f64>,
}

/// A round: medians of the parts' p50 on both ports, and whether nobody else watched.
#[derive(Debug, Clone, Copy)]
struct Round {
    watched: f64,
    unwatched: f64,
    clean: bool,
}

/// Goes through all subjects as often as the effort says.
///
/// # Errors
/// The instrument is gone, or the machine could not be put back. A subject that does not work here is skipped.
pub fn measure(instrument: &mut Instrument, context: &Context, effort: &Effort) -> Result<Courses> {
    let mut courses = Courses::default();
    // auditing has effects that outlast it, so it has its cycles after everybody else's.
    let (last, first): (Vec<_>, Vec<_>) = Subject::ALL.into_iter().partition(|s| *s == Subject::Auditd);
    for group in [first, last] {
        let mut before = round(instrument, effort, &[])?;
        for cycle in 0..effort.cycles {
            for subject in &group {
                if courses.skipped.contains_key(subject) {
                    continue;
                }
                let running = match subject.start(instrument, context) {
                    Ok(running) => running,
                    Err(reason) if cycle == 0 => {
                        note(format_args!("{} skipped: {reason:#}", subject.name()));
                        courses.skipped.insert(*subject, format!("{reason:#}"));
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let with = round(instrument, effort, &running.pids)?;
                let course = courses.of.entry(*subject).or_default();
                let cost_watched = cost(instrument, effort, &running, WATCHED)?;
                course.cpu.push(cost_watched.cpu);
                // Those without BPF programs are not compared by their time.
                if cost_watched.kernel > 0.0 {
                    course.kernel.push(cost_watched.kernel);
                }
                course.programs = cost_watched.programs;
                if *subject == Subject::Gdprport {
                    course.programs_unwatched = cost(instrument, effort, &running, UNWATCHED)?.programs;
                }
                running.stop(instrument)?;
                let after = round(instrument, effort, &[])?;
                courses.alone.push(after.watched);
                let clean = before.clean && with.clean && after.clean;
                let ratio = |of: fn(&Round) -> f64| of(&with) / ((of(&before) + of(&after)) / 2.0);
                course.watched.push(Pair { ratio: ratio(|round| round.watched), clean });
                course.unwatched.push(Pair { ratio: ratio(|round| round.unwatched), clean });
                before = after;
            }
        }
    }
    Ok(courses)
}

/// Connections to both ports in turn.
fn round(instrument: &mut Instrument, effort: &Effort, own: &[u32]) -> Result<Round> {
    let alone_before = alone(instrument, own, PATIENCE)?;
    let (mut watched, mut unwatched) = (Vec::new(), Vec::new());
    for _ in 0..PARTS {
        watched.push(instrument.sequential(WATCHED, effort.round / PARTS)?);
        unwatched.push(instrument.sequential(UNWATCHED, effort.round / PARTS)?);
    }
    let clean = alone_before && alone(instrument, own, Duration::ZERO)?;
    let median = |values: &[f64]| Spread::of(values).map_or(f64::NAN, |spread| spread.median);
    Ok(Round { watched: median(&watched), unwatched: median(&unwatched), clean })
}

/// Waits until no BPF programs are loaded but those of `own`; false if that takes too long.
pub fn alone(instrument: &mut Instrument, own: &[u32], patience: Duration) -> Result<bool> {
    let begun = Instant::now();
    loop {
        if instrument.programs(own)?.iter().all(|program| program.held) {
            return Ok(true);
        }
        if begun.elapsed() >= patience {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What a connection costs.
struct Cost {
    /// In all BPF programs; ns.
    kernel: f64,
    /// In the monitor's processes; ns.
    cpu: f64,
    /// By program.
    programs: Vec<Program>,
}

/// Has the kernel measure the programs while connections are made to `port`.
fn cost(instrument: &mut Instrument, effort: &Effort, running: &Running, port: u16) -> Result<Cost> {
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
