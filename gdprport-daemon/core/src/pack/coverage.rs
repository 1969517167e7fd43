//! How well each port was watched in a period.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::ledger::{CoverageHour, Observed, PortKey};

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
            last: hour.hour,
        });
        of.watched_s = of.watched_s.saturating_add(seconds(hour));
        of.seen = of.seen.saturating_add(hour.seen);
        of.lost = of.lost.saturating_add(hour.lost);
        (of.first, of.last) = (of.first.min(hour.hour), of.last.max(hour.hour));
    }
    let mut ports: Vec<PortCoverage> = ports.into_values().collect();
    // The hours in which the period begins and ends may reach beyond it.
    ports.iter_mut().for_each(|port| port.watched_s = port.watched_s.min(period_s));
    ports
}

/// Seconds of the period for which any port was watched: in each hour the one that was watched longest counts.
#[must_use]
pub fn watched_s(hours: &[CoverageHour]) -> u64 {
    let mut by_hour: BTreeMap<Timestamp, u64> = BTreeMap::new();
    for hour in hours {
        let watched = by_hour.entry(hour.hour).or_default();
        *watched = (*watched).max(seconds(hour));
    }
    by_hour.into_values().sum()
}

fn seconds(hour: &CoverageHour) -> u64 {
    u64::from(hour.watched_s).min(HOUR_S)
}
