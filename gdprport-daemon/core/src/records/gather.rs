//! From the policy and the ledger to a record: every row of the period stands in one activity, and there in one counterpart,
//! one process and one state of encryption.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ipnet::IpNet;

use super::model::{About, Activity, Capacity, CoverageOf, Records, RuleUse, Seen};
use super::sums::Sums;
use crate::ledger::{CoverageHour, Edge, Observed, PortKey};
use crate::policy::{DeclaredPort, Outline, TlsDemand};

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
    for row in rows {
        of.entry(Of::port(&row.1.key.port)).or_default().push(row);
    }
    let mut coverage: HashMap<Of, Vec<&CoverageHour>, foldhash::fast::RandomState> = HashMap::default();
    for hour in observed.map_or(&[][..], |observed| &observed.coverage) {
        coverage.entry(Of::port(&hour.port)).or_default().push(hour);
    }
    let period = Period { coverage, length_s: seconds(&about) };
    let ports = policy.map_or(&[][..], |policy| &policy.ports);
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
    period: &Period<'_>,
    country: &dyn Fn(&IpNet) -> Option<Arc<str>>,
) -> Activity {
    let (seen, mut by_rule) = seen(rows, country);
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
            .map(|rule| RuleUse { rule: rule.clone(), used: by_rule.remove(&rule.role) })
            .collect(),
        seen,
        coverage: period.coverage(&Of { name: Arc::clone(&port.name), is_declared: true }),
    }
}

fn not_declared(
    key: &Of,
    rows: &[&(i64, Edge)],
    period: &Period<'_>,
    country: &dyn Fn(&IpNet) -> Option<Arc<str>>,
) -> Activity {
    let numbers: BTreeSet<u16> = rows.iter().map(|(_, edge)| edge.key.port.number).collect();
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
        seen: seen(rows, country).0,
        coverage: period.coverage(key),
    }
}

/// What was observed, and of it what came by each rule.
fn seen(
    rows: &[&(i64, Edge)],
    country: &dyn Fn(&IpNet) -> Option<Arc<str>>,
) -> (Option<Seen>, BTreeMap<Arc<str>, super::model::Use>) {
    let mut sums = Sums::new(rows.iter().map(|(_, edge)| edge));
    for (number, edge) in rows {
        sums.add(*number, edge);
    }
    sums.finish(country)
}

/// What was watched when.
struct Period<'a> {
    /// The hours of each activity: looked up, not searched, as there may be thousands of ports and of hours.
    coverage: HashMap<Of, Vec<&'a CoverageHour>, foldhash::fast::RandomState>,
    length_s: u64,
}

impl Period<'_> {
    /// Of a declaration with many numbers the one that was watched longest in an hour counts, as a policy is watched as a
    /// whole.
    fn coverage(&self, of: &Of) -> CoverageOf {
        let mut hours: BTreeMap<jiff::Timestamp, u64> = BTreeMap::new();
        let mut lost: u64 = 0;
        for hour in self.coverage.get(of).into_iter().flatten() {
            let watched = hours.entry(hour.hour).or_default();
            *watched = (*watched).max(u64::from(hour.watched_s.min(3_600)));
            lost = lost.saturating_add(hour.lost);
        }
        // The hours in which the period begins and ends may reach beyond it.
        let watched_s = hours.into_values().sum::<u64>().min(self.length_s);
        CoverageOf { watched_s, period_s: self.length_s, lost }
    }
}
