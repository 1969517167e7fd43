//! Which hours of a series are unusual, put together to what is one episode.

use super::baseline::{Before, Comparison};
use super::hour::Hour;
use super::rule::Rule;
use super::series::{Moved, Watched};

/// What is said of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// There is too little to compare with, at least until this hour.
    Learning(Hour),
    /// These episodes were unusual, the oldest first.
    Judged(Vec<Episode>),
}

/// Unusual hours that are one episode: those within a day of the first. They are compared with what was before the first, so that
/// what lasts is not usual because it has begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// The first hour. It stays the same from audit to audit.
    pub begin: Hour,
    /// Every unusual hour and measure, the oldest first.
    pub unusual: Vec<Unusual>,
}

/// An unusual hour of one measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Unusual {
    /// The hour.
    pub hour: Hour,
    /// Which of the measures, by its place.
    pub measure: usize,
    /// What it was compared with.
    pub comparison: Comparison,
}

/// Judges the hours from one on that are over. `begin`: since when the series can have moved anything, as far as is known: before
/// that nothing is a sample. `measures`: each with the least of it that is unusual.
///
/// An hour that was watched in part is no sample, and is judged all the same: what was seen of it is the least that it moved.
#[must_use]
pub fn judge(
    rule: &Rule,
    watched: &Watched,
    begin: Hour,
    measures: &[(&Moved, u64)],
    since: Hour,
) -> Judgement {
    let (begin, end) = (begin.max(watched.first()), watched.end());
    let from = |to: Hour| begin.max(to.plus(-rule.window));
    let least = rule.samples[2];
    let learnt = begin.plus(rule.learning);
    let last = end.plus(-1);
    let samples =
        |to: Hour| (0..to.since(from(to))).filter(|at| watched.is_whole(from(to).plus(*at))).count();
    let lacking = least.saturating_sub(samples(last));
    if last < learnt || lacking > 0 {
        let watching = end.plus(i64::try_from(lacking).unwrap_or(i64::MAX));
        return Judgement::Learning(watching.max(learnt));
    }
    let mut episodes: Vec<Episode> = Vec::new();
    let mut hour = since.max(learnt);
    while hour < end {
        let open = episodes.last_mut().filter(|episode| hour.since(episode.begin) < rule.episode);
        let to = open.as_ref().map_or(hour, |episode| episode.begin);
        let mut unusual: Vec<Unusual> = Vec::new();
        for (measure, (moved, least)) in measures.iter().enumerate() {
            let before = Before { rule, watched, moved, from: from(to), to };
            if let Some(comparison) = before.compare(hour, *least) {
                unusual.push(Unusual { hour, measure, comparison });
            }
        }
        match open {
            _ if unusual.is_empty() => {}
            Some(episode) => episode.unusual.append(&mut unusual),
            None => episodes.push(Episode { begin: hour, unusual }),
        }
        hour = hour.plus(1);
    }
    Judgement::Judged(episodes)
}
