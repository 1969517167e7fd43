//! The pairs: rounds with a monitor between rounds without any, all subjects in turn, again and again. A ratio compares
//! a round with the two that were measured right before and after it, so that what changes slowly on the machine
//! changes nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::effort::Effort;
use super::instrument::Instrument;
use super::stats::{Pair, Spread};
use super::subject::{Context, Running, Subject, UNWATCHED, WATCHED};
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
    /// The last cycle's programs: name, runs per connection, ns per run.
    pub programs: Vec<(String, f64, f64)>,
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
                count(instrument, effort, &running, course)?;
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

/// What a connection costs in the kernel's BPF programs, and in the monitor's processes.
fn count(instrument: &mut Instrument, effort: &Effort, running: &Running, course: &mut Course) -> Result<()> {
    instrument.stats(true)?;
    let programs_before = instrument.programs(&running.pids)?;
    let cpu_before = instrument.cpu(&running.pids)?;
    instrument.sequential(WATCHED, effort.counted)?;
    let programs_after = instrument.programs(&running.pids)?;
    std::thread::sleep(DRAIN);
    let cpu = instrument.cpu(&running.pids)? - cpu_before;
    instrument.stats(false)?;
    let connections = f64::from(effort.counted);
    course.cpu.push(cpu / connections);
    let mut kernel = 0.0;
    course.programs.clear();
    for after in programs_after.iter().filter(|program| program.held) {
        let Some(before) = programs_before.iter().find(|before| before.id == after.id) else { continue };
        let (ns, runs) = (after.run_ns - before.run_ns, after.runs - before.runs);
        kernel += ns / connections;
        if runs > 0.0 {
            course.programs.push((after.name.clone(), runs / connections, ns / runs));
        }
    }
    if kernel > 0.0 {
        course.kernel.push(kernel);
    }
    Ok(())
}
