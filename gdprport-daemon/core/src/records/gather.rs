//! From the policy and the ledger to a record: every row of the period stands in one activity, and there in one counterpart,
//! one process and one state of encryption.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;

use super::model::{
    About, Activity, Capacity, CoverageOf, MostMoved, Records, RuleUse, Seen, Timeline, Use, WatchedHours,
};
use super::sums::sums;
use super::timeline::{Bytes, each_once, timeline, watched_s};
use super::windows::Windows;
use crate::ledger::{Edge, Observed, PortKey};
use crate::policy::{DeclaredPort, Outline, TlsDemand, VolumeLimit};

/// What the ledger has of a period.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// All but the flows.
    pub observed: &'a Observed,
    /// The rows, each with its number.
    pub rows: &'a [(i64, Edge)],
}

/// Which activity a row belongs to: the declaration of that name, or the service by that name that is not declared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Of {
    name: Arc<str>,
    is_declared: bool,
}

impl Of {
    /// By what was said of the flow when it was seen. That the policy declares the port now does not make it declared then.
    fn port(port: &PortKey) -> Self {
        Self { name: Arc::clone(&port.name), is_declared: port.declared }
    }
}

/// Gathers a record. `country` says in which country an address is, where somebody asked for that.
#[must_use]
pub fn gather(
    about: About,
    policy: Option<&Outline>,
    past: Option<Past<'_>>,
    country: &dyn Fn(&IpNet) -> Option<Arc<str>>,
) -> Records {
    let (observed, rows) = past.map_or((None, &[][..]), |past| (Some(past.observed), past.rows));
    // In order: a service may have been seen under one name both declared and not, and which comes first must not be chance.
    let mut of: BTreeMap<Of, Vec<&(i64, Edge)>> = BTreeMap::new();
    // Rows share their ports: each is looked at once.
    let mut by_port: HashMap<*const PortKey, Vec<&(i64, Edge)>, foldhash::fast::RandomState> =
        HashMap::default();
    for row in rows {
        by_port.entry(Arc::as_ptr(&row.1.key.port)).or_default().push(row);
    }
    for rows in by_port.into_values() {
        let Some((_, edge)) = rows.first() else { continue };
        of.entry(Of::port(&edge.key.port)).or_default().extend(rows);
    }
    // By number of row, whichever port came first.
    of.values_mut().for_each(|rows| rows.sort_by_key(|(number, _)| *number));
    let ports = policy.map_or(&[][..], |policy| &policy.ports);
    let period = Period::of(observed, ports, &about);
    let mut activities = Vec::with_capacity(ports.len());
    for port in ports {
        let key = Of { name: Arc::clone(&port.name), is_declared: true };
        let rows = of.remove(&key).unwrap_or_default();
        activities.push(declared(port, &rows, &period, country));
    }
    let mut undeclared: Vec<Activity> =
        of.into_iter().map(|(key, rows)| not_declared(&key, &rows, &period, country)).collect();
    undeclared.sort_by(|a, b| {
        let first = |activity: &Activity| activity.numbers.first().map(|range| *range.start());
        (first(a), &a.name).cmp(&(first(b), &b.name))
    });
    Records {
        about,
        controller: policy.and_then(|policy| policy.controller.clone()),
        activities,
        undeclared,
        sets: policy.map_or_else(Vec::new, |policy| policy.sets.clone()),
        gaps: observed.map_or_else(Vec::new, |observed| {
            observed.gaps.iter().filter(|gap| !gap.is_of_a_sink()).cloned().collect()
        }),
        notes: observed.map_or_else(Vec::new, |observed| observed.notes.clone()),
    }
}

fn seconds(about: &About) -> u64 {
    u64::try_from(about.to.as_second().saturating_sub(about.asked.as_second())).unwrap_or(0)
}

fn declared(
    port: &DeclaredPort,
    rows: &[&(i64, Edge)],
    period: &Period,
    country: &dyn Fn(&IpNet) -> Option<Arc<str>>,
) -> Activity {
    let key = Of { name: Arc::clone(&port.name), is_declared: true };
    let SeenOf { seen, mut by_rule, timeline } = seen(rows, &key, period, country);
    let for_others = port.record.as_ref().and_then(|record| record.on_behalf_of.clone());
    Activity {
        name: Arc::clone(&port.name),
        is_declared: true,
        numbers: port.numbers.clone(),
        protocol: port.protocol.map(|service| service.name.into()),
        site: Some(port.site.clone()),
        tls: port.tls.clone(),
        capacity: for_others
            .filter(|others| !others.is_empty())
            .map_or(Capacity::Controller, Capacity::Processor),
        declared: port.record.clone(),
        rules: port
            .rules
            .iter()
            .map(|rule| RuleUse {
                rule: rule.clone(),
                used: by_rule.remove(&rule.role),
                most: rule.volume.and_then(|limit| period.most(&key, &rule.role, limit)),
            })
            .collect(),
        seen,
        coverage: period.coverage(&key),
        timeline,
    }
}

fn not_declared(
    key: &Of,
    rows: &[&(i64, Edge)],
    period: &Period,
    country: &dyn Fn(&IpNet) -> Option<Arc<str>>,
) -> Activity {
    let numbers: BTreeSet<u16> = rows.iter().map(|(_, edge)| edge.key.port.number).collect();
    let SeenOf { seen, timeline, .. } = seen(rows, key, period, country);
    let known = numbers.iter().find_map(|number| crate::catalog::by_port(*number));
    Activity {
        name: Arc::clone(&key.name),
        is_declared: false,
        numbers: numbers.into_iter().map(|number| number..=number).collect(),
        protocol: known.map(|service| service.name.into()),
        site: None,
        tls: TlsDemand::None,
        capacity: Capacity::Controller,
        declared: None,
        rules: Vec::new(),
        seen,
        coverage: period.coverage(key),
        timeline,
    }
}

/// What was observed.
struct SeenOf {
    seen: Option<Seen>,
    /// What came by each rule.
    by_rule: BTreeMap<Arc<str>, Use>,
    timeline: Timeline,
}

fn seen(
    rows: &[&(i64, Edge)],
    of: &Of,
    period: &Period,
    country: &dyn Fn(&IpNet) -> Option<Arc<str>>,
) -> SeenOf {
    let none = Hours::default();
    let hours = period.hours.get(of).unwrap_or(&none);
    let timeline = timeline(rows.iter().map(|(number, edge)| (*number, edge)), &hours.bytes, &hours.watched);
    let (seen, by_rule) = sums(rows, country);
    SeenOf { seen, by_rule, timeline }
}

/// What was watched, and what was moved, in which hour.
#[derive(Debug, Default)]
struct Hours {
    /// Ascending, each hour once.
    watched: Vec<WatchedHours>,
    bytes: Bytes,
    lost: u64,
}

/// What was watched when, and how long the period is.
struct Period {
    hours: HashMap<Of, Hours, foldhash::fast::RandomState>,
    windows: Windows,
    length_s: u64,
    to: Timestamp,
}

impl Period {
    fn of(observed: Option<&Observed>, ports: &[DeclaredPort], about: &About) -> Self {
        let mut hours: HashMap<Of, Hours, _> = HashMap::default();
        for watched in observed.iter().flat_map(|observed| &observed.coverage) {
            let of = hours.entry(Of::port(&watched.port)).or_default();
            of.watched.push(WatchedHours::from(watched));
            of.lost = of.lost.saturating_add(watched.lost);
        }
        for hour in observed.iter().flat_map(|observed| &observed.volume) {
            let bytes = hours.entry(Of::port(&hour.port)).or_default().bytes.entry(hour.hour).or_default();
            bytes.0 = bytes.0.saturating_add(hour.bytes_sent);
            bytes.1 = bytes.1.saturating_add(hour.bytes_received);
        }
        hours.values_mut().for_each(|of| of.watched = each_once(std::mem::take(&mut of.watched)));
        Self { hours, windows: Windows::of(ports, observed), length_s: seconds(about), to: about.to }
    }

    fn most(&self, of: &Of, role: &Arc<str>, limit: VolumeLimit) -> Option<MostMoved> {
        let watched = self.hours.get(of).map_or(&[][..], |hours| &hours.watched);
        self.windows.most((&of.name, role), limit, watched, self.to)
    }

    fn coverage(&self, of: &Of) -> CoverageOf {
        let Self { hours, length_s: period_s, .. } = self;
        let (watched_s, lost) = hours.get(of).map_or((0, 0), |hours| (watched_s(&hours.watched), hours.lost));
        // The hours in which the period begins and ends may reach beyond it.
        CoverageOf { watched_s: watched_s.min(*period_s), period_s: *period_s, lost }
    }
}
