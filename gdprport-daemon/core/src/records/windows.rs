//! What rules with a `volume` have moved in each of its windows, by the hours of the ledger.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;

use super::model::{MostMoved, WatchedHours};
use super::timeline::each_once;
use crate::event::Bound;
use crate::ledger::{CoverageHours, GapRow, HourlyLedger, Observed, VolumeHour};
use crate::policy::{DeclaredPort, VolumeLimit};

/// Begin and end of a window.
type Span = (Timestamp, Timestamp);

/// What the rules with a limit have moved in which hour.
#[derive(Debug, Default)]
pub(super) struct Windows {
    hours: HashMap<(Arc<str>, Arc<str>), BTreeMap<Timestamp, u64>>,
    gaps: Vec<Span>,
}

impl Windows {
    pub(super) fn of(ports: &[DeclaredPort], observed: Option<&Observed>) -> Self {
        let limited: HashSet<(&str, &str)> = ports
            .iter()
            .flat_map(|port| port.rules.iter().map(move |rule| (&*port.name, rule)))
            .filter(|(_, rule)| rule.volume.is_some())
            .map(|(port, rule)| (port, &*rule.role))
            .collect();
        let (Some(observed), false) = (observed, limited.is_empty()) else { return Self::default() };
        let mut hours: HashMap<_, BTreeMap<Timestamp, u64>> = HashMap::new();
        for of in observed.volume.iter().filter(|of| of.port.declared) {
            let rule = of.rule.as_ref().filter(|rule| limited.contains(&(&*of.port.name, &***rule)));
            let Some(rule) = rule else { continue };
            let hours = hours.entry((Arc::clone(&of.port.name), Arc::clone(rule))).or_default();
            let sum = hours.entry(of.hour).or_default();
            *sum = sum.saturating_add(bytes(of));
        }
        Self { hours, gaps: gaps(&observed.gaps) }
    }

    /// The most that a rule has moved in one window that began before `to`; `None`: it moved nothing. `watched` has the hours
    /// in which its port was watched, each once.
    pub(super) fn most(
        &self,
        (port, role): (&Arc<str>, &Arc<str>),
        limit: VolumeLimit,
        watched: &[WatchedHours],
        to: Timestamp,
    ) -> Option<MostMoved> {
        let hours = self.hours.get(&(Arc::clone(port), Arc::clone(role)))?;
        let hours = hours.iter().map(|(hour, bytes)| (*hour, *bytes));
        most(hours, limit, &|span| span.1 <= to && is_whole(span, watched, &self.gaps))
    }
}

/// The most that a rule of a declaration has moved in one of its windows that have a part of this day (UTC); `None`: it moved
/// nothing then. The ledger's hours are of all of these windows, at most a week around the day.
#[must_use]
pub fn most_around(
    day: Date,
    (port, role): (&str, &str),
    limit: VolumeLimit,
    ledger: &HourlyLedger,
) -> Option<MostMoved> {
    let begin = |day: Date| Offset::UTC.to_timestamp(day.to_datetime(Time::midnight())).ok();
    let (from, to) = (begin(day)?, begin(day.tomorrow().ok()?)?);
    let touches = |hour: Timestamp| {
        let (begin, end) = limit.per.around(hour);
        begin < to && end > from
    };
    let of_rule = |of: &&VolumeHour| {
        of.port.declared && &*of.port.name == port && of.rule.as_deref() == Some(role) && touches(of.hour)
    };
    let of_port = |of: &&CoverageHours| of.port.declared && &*of.port.name == port;
    let watched = each_once(ledger.coverage.iter().filter(of_port).map(WatchedHours::from).collect());
    let gaps = gaps(&ledger.gaps);
    let hours = ledger.volume.iter().filter(of_rule).map(|of| (of.hour, bytes(of)));
    most(hours, limit, &|span| span.1 <= ledger.to && is_whole(span, &watched, &gaps))
}

const fn bytes(of: &VolumeHour) -> u64 {
    of.bytes_sent.saturating_add(of.bytes_received)
}

/// Begin and end of what is lost.
fn gaps(gaps: &[GapRow]) -> Vec<Span> {
    gaps.iter().filter(|gap| !gap.is_of_a_sink()).map(|gap| (gap.from, gap.to)).collect()
}

fn most(
    hours: impl Iterator<Item = (Timestamp, u64)>,
    limit: VolumeLimit,
    is_whole: &dyn Fn(Span) -> bool,
) -> Option<MostMoved> {
    let mut sums: BTreeMap<Span, u64> = BTreeMap::new();
    for (hour, bytes) in hours.filter(|(_, bytes)| *bytes > 0) {
        let sum = sums.entry(limit.per.around(hour)).or_default();
        *sum = sum.saturating_add(bytes);
    }
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let windows = number(sums.len());
    let beyond = number(sums.values().filter(|bytes| **bytes > limit.max).count());
    // Of several with the same sum the first.
    let larger = |most: (Span, u64), next: (Span, u64)| if next.1 > most.1 { next } else { most };
    let (span, bytes) = sums.into_iter().reduce(larger)?;
    let bound = (!is_whole(span)).then_some(Bound::AtLeast);
    Some(MostMoved { bytes, bound, from: span.0, to: span.1, windows, beyond })
}

/// Whether all of a window was watched and nothing of it is known to be lost. Windows are of whole hours.
fn is_whole((from, to): Span, watched: &[WatchedHours], gaps: &[Span]) -> bool {
    let hour = |at: Timestamp| at.as_second().div_euclid(CoverageHours::HOUR_S);
    let (first, end) = (hour(from), hour(to));
    let within = |of: &WatchedHours| {
        let of_end = of.first.saturating_add(of.hours.into());
        of_end.min(end).saturating_sub(of.first.max(first)).max(0)
    };
    let whole = watched.iter().filter(|of| of.seconds >= CoverageHours::WHOLE_S);
    whole.map(within).sum::<i64>() == end - first
        && !gaps.iter().any(|(begin, end)| *begin < to && *end > from)
}
