//! What the ledger has: hours of ports, and days of one group.

use std::collections::BTreeMap;

use gdprport_core::ledger::{Counts, CoverageHours, Edge, HourlyLedger};
use gdprport_core::top::RowKey;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

/// Hours of a day.
const HOURS: usize = 24;

/// The last 24 hours, the present one last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ui::top) struct Day {
    /// Connections of each hour; `None`: the port was not watched in it, or nothing is written of it yet.
    pub hours: Vec<Option<u64>>,
}

impl Day {
    /// Of a port, at this time.
    pub(in crate::ui::top) fn of_port(ledger: &HourlyLedger, name: &str, now: Timestamp) -> Self {
        let present = now.as_second().div_euclid(3_600);
        let mut hours = vec![None; HOURS];
        let place = |hour: Timestamp| {
            let back = present - hour.as_second().div_euclid(3_600);
            usize::try_from(back).ok().and_then(|back| HOURS.checked_sub(back + 1))
        };
        let of_port = ledger.coverage.iter().filter(|of| &*of.port.name == name && of.watched_s > 0);
        for hour in of_port.flat_map(CoverageHours::each) {
            if let Some(place) = place(hour) {
                hours[place].get_or_insert(0);
            }
        }
        for volume in ledger.volume.iter().filter(|volume| &*volume.port.name == name) {
            if let Some(place) = place(volume.hour) {
                *hours[place].get_or_insert(0) += volume.flows;
            }
        }
        Self { hours }
    }
}

/// What the ledger has of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui::top) struct History {
    /// Since when it was looked through; later if the ledger began later.
    pub since: Timestamp,
    /// Its days with their sums, the latest first.
    pub days: Vec<(Date, Counts)>,
    /// The first observation of these.
    pub first: Option<Timestamp>,
    /// True if there were more rows than were looked through.
    pub cut: bool,
}

impl History {
    /// Rows of the ledger that are looked through for one group.
    pub(in crate::ui::top) const ROWS: u32 = 20_000;
    /// How far back.
    pub(in crate::ui::top) const DAYS: SignedDuration = SignedDuration::from_hours(14 * 24);

    /// Adds up the rows of a group.
    pub(in crate::ui::top) fn of(edges: &[Edge], key: &RowKey, since: Timestamp) -> Self {
        let mut days: BTreeMap<Date, Counts> = BTreeMap::new();
        let mut first = None;
        let is_of = |edge: &&Edge| {
            edge.key.port.number == key.number
                && edge.key.port.name == key.name
                && edge.key.direction == key.direction
                // A network that addresses were rolled up to may hold others, too.
                && edge.key.peer.addr() == key.peer
                && edge.key.peer.prefix_len() == edge.key.peer.max_prefix_len()
                && *edge.key.identity == key.identity
        };
        for edge in edges.iter().filter(is_of) {
            days.entry(edge.day).or_default().add(&edge.counts);
            first = Some(first.map_or(edge.first, |first: Timestamp| first.min(edge.first)));
        }
        let cut = edges.len() >= Self::ROWS as usize;
        Self { since, days: days.into_iter().rev().collect(), first, cut }
    }
}
