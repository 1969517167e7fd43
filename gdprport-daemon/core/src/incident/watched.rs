//! What was watched of a time, and above all what was not.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::asked::AskedPort;
use crate::ledger::Observed;

/// Seconds of an hour.
const HOUR_S: i64 = 3_600;

/// Watched time is stored in pieces of ten seconds: what is missing of an hour by less is no time of its own.
const PIECE_S: i64 = 11;

/// Times that are listed at most; the rest is counted. A year of single hours is a daemon that hardly ran.
const MOST: usize = 1_000;

/// What was watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Watched {
    /// Seconds of the time.
    pub period_s: u64,
    /// Seconds of it for which the port was watched, by whole hours at both ends.
    pub watched_s: u64,
    /// When it was not, oldest first.
    pub not: Vec<Unwatched>,
    /// Such times that are not listed.
    pub more: usize,
    /// Occasions that are known to be of this port and were lost.
    pub lost: u64,
}

/// A time in which the port was not watched, or not all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unwatched {
    /// Its begin.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// Its end.
    #[schemars(with = "String")]
    pub to: Timestamp,
    /// Seconds of it that were watched all the same; which is not known.
    pub watched_s: u64,
    /// Whether the ledger had not begun.
    pub before_ledger: bool,
}

/// What was watched of a port from one moment to another. `observed`: what the ledger has of that time; `None`: there is none.
pub(super) fn watched(
    port: &AskedPort,
    from: Timestamp,
    to: Timestamp,
    observed: Option<&Observed>,
) -> Watched {
    let period_s = seconds(from, to);
    let Some(observed) = observed else {
        let all = Unwatched { from, to, watched_s: 0, before_ledger: true };
        return Watched { period_s, not: vec![all], ..Watched::default() };
    };
    let mut hours: BTreeMap<i64, u64> = BTreeMap::new();
    let mut found = Watched { period_s, ..Watched::default() };
    for of in observed.coverage.iter().filter(|of| port.is(&of.port)) {
        for hour in of.each() {
            let watched = hours.entry(hour.as_second().div_euclid(HOUR_S)).or_default();
            *watched = (*watched).max(u64::from(of.watched_s).min(HOUR_S.unsigned_abs()));
        }
        found.lost = found.lost.saturating_add(of.lost);
    }
    found.watched_s = hours.values().sum::<u64>().min(period_s);
    let begin = observed.from.max(from).min(to);
    if begin > from {
        found.not.push(Unwatched { from, to: begin, watched_s: 0, before_ledger: true });
    }
    let mut at = begin;
    let mut before = begin.as_second().div_euclid(HOUR_S);
    // Only hours that have something are visited: a time may be as long as somebody writes.
    for (hour, watched_s) in hours {
        if hour > before {
            let until = moment(hour).min(to);
            found.unwatched(at, until, 0);
            at = until.max(at);
        }
        let end = moment(hour.saturating_add(1)).min(to).max(at);
        let asked = seconds(at, end);
        if watched_s.saturating_add(PIECE_S.unsigned_abs()) < asked {
            found.unwatched(at, end, watched_s);
        }
        (at, before) = (end, hour.saturating_add(1));
    }
    found.unwatched(at, to, 0);
    found.more = found.not.len().saturating_sub(MOST);
    found.not.truncate(MOST);
    found
}

impl Watched {
    fn unwatched(&mut self, from: Timestamp, to: Timestamp, watched_s: u64) {
        if to.duration_since(from) < SignedDuration::from_secs(PIECE_S) {
            return;
        }
        match self.not.last_mut() {
            Some(last) if last.to == from && last.watched_s == 0 && watched_s == 0 && !last.before_ledger => {
                last.to = to;
            }
            _ => self.not.push(Unwatched { from, to, watched_s, before_ledger: false }),
        }
    }
}

fn moment(hour: i64) -> Timestamp {
    Timestamp::from_second(hour.saturating_mul(HOUR_S)).unwrap_or(Timestamp::MAX)
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_second().saturating_sub(from.as_second())).unwrap_or(0)
}
