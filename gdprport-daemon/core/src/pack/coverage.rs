//! How well each port was watched in a period.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::ledger::{CoverageHours, Observed, PortKey};

/// Seconds of an hour.
const HOUR_S: u64 = 3_600;

/// How well one port was watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortCoverage {
    /// The port.
    pub port: Arc<PortKey>,
    /// Seconds for which it was watched.
    pub watched_s: u64,
    /// Seconds of the period.
    pub period_s: u64,
    /// Connections and failed attempts that began and were seen.
    pub seen: u64,
    /// Occasions that are known to be of this port and were lost.
    pub lost: u64,
    /// Begin of the first hour in which it was watched.
    pub first: Timestamp,
    /// Begin of the last.
    pub last: Timestamp,
}

/// One entry for each port of which the ledger has an hour, by number and name. `asked`: begin of the period, which may be before
/// the ledger's.
#[must_use]
pub fn coverage(observed: &Observed, asked: Timestamp) -> Vec<PortCoverage> {
    let period_s = u64::try_from(observed.to.as_second().saturating_sub(asked.as_second())).unwrap_or(0);
    let mut ports: BTreeMap<(u16, &str, bool), PortCoverage> = BTreeMap::new();
    for hour in &observed.coverage {
        let port = &hour.port;
        let of = ports.entry((port.number, &*port.name, port.declared)).or_insert_with(|| PortCoverage {
            port: Arc::clone(port),
            watched_s: 0,
            period_s,
            seen: 0,
            lost: 0,
            first: hour.hour,
            last: hour.last(),
        });
        of.watched_s = of.watched_s.saturating_add(seconds(hour).saturating_mul(hour.hours.into()));
        of.seen = of.seen.saturating_add(hour.seen);
        of.lost = of.lost.saturating_add(hour.lost);
        (of.first, of.last) = (of.first.min(hour.hour), of.last.max(hour.last()));
    }
    let mut ports: Vec<PortCoverage> = ports.into_values().collect();
    // The hours in which the period begins and ends may reach beyond it.
    ports.iter_mut().for_each(|port| port.watched_s = port.watched_s.min(period_s));
    ports
}

/// Seconds of the period for which any port was watched: in each hour the one that was watched longest counts.
#[must_use]
pub fn watched_s(hours: &[CoverageHours]) -> u64 {
    // Ports are watched together: most of them in the same hours, for as long.
    let alike: BTreeSet<(Timestamp, u32, u64)> =
        hours.iter().map(|of| (of.hour, of.hours, seconds(of))).collect();
    let mut by_hour: BTreeMap<i64, u64> = BTreeMap::new();
    for (first, hours, seconds) in alike {
        let first = first.as_second().div_euclid(HOUR_S.cast_signed());
        for hour in (first..).take(hours as usize) {
            let watched = by_hour.entry(hour).or_default();
            *watched = (*watched).max(seconds);
        }
    }
    by_hour.into_values().sum()
}

fn seconds(hour: &CoverageHours) -> u64 {
    u64::from(hour.watched_s).min(HOUR_S)
}
