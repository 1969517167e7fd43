//! Hours with far more volume than those before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::volume_report::{Found, ID, Port, Series, report};
use crate::anomaly::{Hour, Judgement, Moved, Rule, Watched, judge};
use crate::audit::context::Context;
use crate::audit::wording;
use crate::ledger::{CoverageHours, HourlyLedger};

/// Days for which what was unusual is found: what is older was found by the audits of its time.
const FOUND_DAYS: i64 = 7;
/// Days that are judged: what began before the days that are found has to begin at the same hour in every audit.
const JUDGED_DAYS: i64 = 2 * FOUND_DAYS;
/// Days of the ledger that are read, whatever period an audit is asked for.
pub(in crate::audit) const READ_DAYS: i64 = Rule::DEFAULT.window / 24 + JUDGED_DAYS + 1;

/// `unusual-volume`: in an hour of the last seven days a rule of a port (or what no rule allowed) sent, received or had connections
/// far more than before ([`crate::anomaly`]). One finding for each rule and direction and begin of such an episode: hours within a
/// day are the same. It stays for seven days.
///
/// Evidence: the numbers that were compared. Severity: `medium`: it may be an export of everything, or a migration.
/// Not judged without a ledger; learning, and so not judged, where there are less than 21 days of it since the rule was declared, or
/// moved something for the first time.
pub(super) fn check(context: &mut Context<'_>) {
    let Some(ledger) = context.ledger(&[ID]).and(context.hours) else { return };
    let now = Hour::of(ledger.to.min(context.now));
    let watched = watched(ledger, now);
    let mut learning = BTreeSet::new();
    // Of a port of the catalog that moved nothing there is nothing to say.
    for (port, watched) in watched.iter().filter(|((_, declared), _)| *declared) {
        if let Judgement::Learning(until) = judge(&Rule::DEFAULT, watched, watched.first(), &[], now) {
            learning.insert((port.clone(), None, until));
        }
    }
    for (series, measures) in series(ledger, now) {
        let Some(watched) = watched.get(&series.port) else { continue };
        let begin = begin(context, &series, watched, &measures);
        let [sent, received, connections] = &measures;
        let Rule { least_bytes, least_connections, .. } = Rule::DEFAULT;
        let measures = [(sent, least_bytes), (received, least_bytes), (connections, least_connections)];
        match judge(&Rule::DEFAULT, watched, begin, &measures, now.plus(-24 * JUDGED_DAYS)) {
            Judgement::Learning(until) => {
                learning.insert((series.port.clone(), series.rule.clone(), until));
            }
            Judgement::Judged(episodes) => {
                let found = episodes.iter().filter(|episode| now.since(episode.begin) <= 24 * FOUND_DAYS);
                found.for_each(|episode| report(context, &Found { series: &series, watched, episode }));
            }
        }
    }
    not_judged(context, &learning);
}

fn not_judged(context: &mut Context<'_>, learning: &BTreeSet<(Port, Option<Arc<str>>, Hour)>) {
    // Of a port that is learning all rules are.
    let whole = |port: &Port| learning.iter().any(|(other, rule, _)| other == port && rule.is_none());
    let names = learning.iter().filter(|(port, rule, _)| rule.is_none() || !whole(port)).map(
        |(port, rule, until)| {
            let rule = rule.as_ref().map_or_else(String::new, |rule| format!("/{rule}"));
            format!("{}{rule} (until {} at least)", port.0, wording::day(until.begin()))
        },
    );
    let names: Vec<String> = names.collect();
    if !names.is_empty() {
        let why = format!(
            "learning: volume is compared with three weeks of watching, and there is less for {}",
            wording::some(names)
        );
        context.not_judged_of_some(ID, why);
    }
}

/// Since when it could have moved anything: since the rule is declared, or has moved something under another text.
fn begin(context: &Context<'_>, series: &Series, watched: &Watched, measures: &[Moved; 3]) -> Hour {
    let moved = measures.iter().filter_map(Moved::first).min().unwrap_or(watched.end());
    let Some(role) = &series.rule else { return watched.first() };
    let port = context.ports().iter().find(|port| series.port.1 && port.name == series.port.0);
    let declared = port.and_then(|port| Some((port, port.rules.iter().find(|rule| rule.role == *role)?)));
    let since = declared.and_then(|(port, rule)| context.rule_since(port, rule));
    since.map_or(moved, |since| Hour::of(since).plus(1).min(moved))
}

/// What each rule of each port has sent, received, and had as connections.
fn series(ledger: &HourlyLedger, now: Hour) -> BTreeMap<Series, [Moved; 3]> {
    let mut rows: BTreeMap<Series, [Vec<(Hour, u64)>; 3]> = BTreeMap::new();
    for row in &ledger.volume {
        let series = Series {
            port: (Arc::clone(&row.port.name), row.port.declared),
            rule: row.rule.clone(),
            direction: row.direction,
        };
        let hour = Hour::of(row.hour);
        let amounts = [row.bytes_sent, row.bytes_received, row.flows];
        let of = rows.entry(series).or_default();
        of.iter_mut().zip(amounts).for_each(|(of, amount)| of.push((hour, amount)));
    }
    rows.into_iter().map(|(series, rows)| (series, rows.map(|rows| Moved::new(rows, now)))).collect()
}

/// The hours in which each port was watched from begin to end, and nothing was lost.
fn watched(ledger: &HourlyLedger, now: Hour) -> BTreeMap<Port, Watched> {
    let lossy = lossy(ledger, now);
    let mut hours: BTreeMap<Port, BTreeMap<Hour, (u32, u64)>> = BTreeMap::new();
    for of in &ledger.coverage {
        // Of a declaration with many numbers the one that was watched longest counts, as a policy is watched as a whole.
        let port = hours.entry((Arc::clone(&of.port.name), of.port.declared)).or_default();
        for hour in of.each() {
            let (most, all) = port.entry(Hour::of(hour)).or_default();
            *most = (*most).max(of.watched_s);
            *all = all.saturating_add(of.lost);
        }
    }
    let whole = |hours: BTreeMap<Hour, (u32, u64)>| {
        let whole = hours.into_iter().filter(|(hour, (watched, lost))| {
            *watched >= CoverageHours::WHOLE_S && *lost == 0 && !lossy.contains(hour)
        });
        Watched::new(whole.map(|(hour, _)| hour).collect::<Vec<_>>(), now)
    };
    hours.into_iter().map(|(port, hours)| (port, whole(hours))).collect()
}

/// Hours that a loss touches.
fn lossy(ledger: &HourlyLedger, now: Hour) -> BTreeSet<Hour> {
    let first = Hour::of(ledger.from);
    let of = |from: Timestamp, to: Timestamp| {
        let (from, to) = (Hour::of(from).max(first), Hour::of(to).min(now));
        (0..=to.since(from)).map(move |hours| from.plus(hours))
    };
    ledger.gaps.iter().filter(|gap| !gap.is_of_a_sink()).flat_map(|gap| of(gap.from, gap.to)).collect()
}
