//! Rows of one activity added up in four ways at once: by counterpart, process, state of encryption and rule.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;

use super::model::{Counterpart, Outcomes, Posed, ProcessOf, Rows, Seen, Shares, Use, Volume, Where, Zone};
use crate::found::{Found, Map};
use crate::ledger::{Edge, Identity, VerdictKey};
use crate::model::{Direction, PostureState, TlsVersion};
use crate::verdict::ReasonId;

/// What makes two rows the same counterpart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Other {
    direction: Direction,
    net: IpNet,
    rule: Option<Arc<str>>,
    outcome: &'static str,
    reasons: Vec<ReasonId>,
}

impl Other {
    fn of(edge: &Edge) -> Self {
        let reasons = match &*edge.key.verdict {
            VerdictKey::Violation { reasons, .. } => reasons.clone(),
            VerdictKey::Declared { .. } | VerdictKey::Undecided { .. } => Vec::new(),
        };
        Self {
            direction: edge.key.direction,
            net: edge.key.peer,
            rule: edge.key.verdict.rule().cloned(),
            outcome: edge.key.verdict.outcome(),
            reasons,
        }
    }
}

/// With whom, on which port.
type With = (u16, Direction, IpNet);

fn with(edge: &Edge) -> With {
    (edge.key.port.number, edge.key.direction, edge.key.peer)
}

/// State and version of TLS.
type Encryption = (PostureState, Option<TlsVersion>);

/// Numbers of rows with flows and bytes.
#[derive(Debug, Default)]
struct Share {
    flows: u64,
    bytes: u64,
    rows: Vec<i64>,
}

/// What becomes a [`Use`].
#[derive(Debug, Default)]
struct Much {
    volume: Volume,
    span: Option<(Timestamp, Timestamp)>,
    /// As they came.
    days: Vec<Date>,
    rows: Vec<i64>,
}

/// The same by encryption: of the few that there are each once.
#[derive(Debug, Default)]
struct Sum {
    much: Much,
    shares: Vec<(Encryption, Share)>,
}

/// A counterpart with the processes at this end, as they came.
#[derive(Debug, Default)]
struct WithProcesses {
    sum: Sum,
    processes: Vec<Arc<Identity>>,
}

/// What was observed in these rows, and of it what came by each rule. `None`: nothing was.
pub(super) fn sums(
    rows: &[&(i64, Edge)],
    country: &dyn Fn(&IpNet) -> Option<Arc<str>>,
) -> (Option<Seen>, BTreeMap<Arc<str>, Use>) {
    let mut sums = Sums {
        all: Sum::default(),
        counterparts: Found::new(),
        processes: Found::new(),
        rules: BTreeMap::new(),
        outcomes: Outcomes::default(),
    };
    let settled = settled(rows);
    for (number, edge) in rows.iter().copied() {
        sums.add(*number, edge, &settled);
    }
    sums.finish(country)
}

/// The sums.
#[derive(Debug)]
struct Sums {
    all: Sum,
    counterparts: Found<(Direction, IpNet, *const VerdictKey), Other, WithProcesses>,
    processes: Found<(Direction, *const Identity), (Direction, Arc<Identity>), Much>,
    rules: BTreeMap<Arc<str>, Much>,
    outcomes: Outcomes,
}

impl Sums {
    fn add(&mut self, number: i64, edge: &Edge, settled: &Map<With, Option<Other>>) {
        let volume = Volume::of(edge);
        let key = &edge.key;
        // Of connections that all went on, a row has the beginning, and no connection: it is shown with the rest of them.
        let went_on = edge.counts.is_passed_through();
        let rest = went_on.then(|| settled.get(&with(edge)).cloned().flatten()).flatten();
        let (outcome, rule) = match &rest {
            Some(other) => (other.outcome, other.rule.as_ref()),
            None => (key.verdict.outcome(), key.verdict.rule()),
        };
        let flows = self.outcomes.of_mut(outcome);
        *flows = flows.saturating_add(volume.flows);
        if let Some(rule) = rule {
            match self.rules.get_mut(rule) {
                Some(sum) => sum.add(number, edge, &volume),
                None => self.rules.entry(Arc::clone(rule)).or_default().add(number, edge, &volume),
            }
        }
        self.all.add(number, edge, &volume);
        let counterpart = match rest {
            Some(other) => self.counterparts.of(other),
            None => {
                let address = (key.direction, key.peer, Arc::as_ptr(&key.verdict));
                self.counterparts.at(address, || Other::of(edge))
            }
        };
        counterpart.sum.add(number, edge, &volume);
        let processes = &mut counterpart.processes;
        if !processes.last().is_some_and(|last| Arc::ptr_eq(last, &key.identity)) {
            processes.push(Arc::clone(&key.identity));
        }
        let address = (key.direction, Arc::as_ptr(&key.identity));
        let process = self.processes.at(address, || (key.direction, Arc::clone(&key.identity)));
        process.add(number, edge, &volume);
    }

    fn finish(self, country: &dyn Fn(&IpNet) -> Option<Arc<str>>) -> (Option<Seen>, BTreeMap<Arc<str>, Use>) {
        let Self { all, counterparts, processes, rules, outcomes } = self;
        let Some((all, shares)) = all.used() else { return (None, BTreeMap::new()) };
        let mut counterparts: Vec<Counterpart> = counterparts
            .in_order()
            .filter_map(|(other, WithProcesses { sum, mut processes })| {
                let (used, shares) = sum.used()?;
                processes.sort_unstable();
                processes.dedup();
                processes.shrink_to_fit();
                Some(Counterpart {
                    at: Where { net: other.net, zone: Zone::of(&other.net), country: country(&other.net) },
                    direction: other.direction,
                    rule: other.rule,
                    outcome: other.outcome,
                    reasons: other.reasons.iter().map(|reason| reason.as_str()).collect(),
                    processes,
                    shares,
                    used,
                })
            })
            .collect();
        counterparts.sort_by_key(|other| most(&other.used));
        let mut processes: Vec<ProcessOf> = processes
            .in_order()
            .filter_map(|((direction, identity), much)| {
                Some(ProcessOf { identity, direction, used: much.used()? })
            })
            .collect();
        processes.sort_by_key(|process| most(&process.used));
        let rules = rules.into_iter().filter_map(|(role, much)| Some((role, much.used()?))).collect();
        (Some(Seen { all, counterparts, processes, shares, outcomes }), rules)
    }
}

/// Where connections with somebody stand for good, if that is one place: of those of whom a row has only the beginning.
fn settled(rows: &[&(i64, Edge)]) -> Map<With, Option<Other>> {
    let went_on = rows.iter().filter(|(_, edge)| edge.counts.is_passed_through());
    let asked: HashSet<With, foldhash::fast::RandomState> = went_on.map(|(_, edge)| with(edge)).collect();
    let mut settled: Map<With, Option<Other>> = Map::default();
    if asked.is_empty() {
        return settled;
    }
    let stay = rows.iter().map(|(_, edge)| edge).filter(|edge| !edge.counts.is_passed_through());
    for edge in stay.filter(|edge| asked.contains(&with(edge))) {
        let other = Other::of(edge);
        settled
            .entry(with(edge))
            .and_modify(|known| *known = known.take().filter(|known| *known == other))
            .or_insert(Some(other));
    }
    settled
}

/// Most bytes first, then most connections; the rest stays in its order.
fn most(used: &Use) -> std::cmp::Reverse<(u64, u64)> {
    std::cmp::Reverse((used.volume.bytes(), used.volume.flows))
}

fn shares(mut shares: Vec<(Encryption, Share)>) -> Shares {
    shares.sort_unstable_by_key(|(encryption, _)| *encryption);
    let mut posed: Vec<Posed> = shares
        .into_iter()
        .map(|((state, version), Share { flows, bytes, rows })| Posed {
            state,
            version,
            flows,
            bytes,
            rows: numbers(rows),
        })
        .collect();
    posed.sort_by_key(|posed| std::cmp::Reverse((posed.flows, posed.bytes)));
    Shares(posed)
}

fn numbers(mut rows: Vec<i64>) -> Rows {
    rows.sort_unstable();
    rows.dedup();
    rows.shrink_to_fit();
    Rows(rows)
}

impl Sum {
    fn add(&mut self, number: i64, edge: &Edge, volume: &Volume) {
        self.much.add(number, edge, volume);
        let encryption = (edge.key.posture.state, edge.key.posture.version);
        let known = self.shares.iter().position(|(known, _)| *known == encryption);
        let at = known.unwrap_or_else(|| {
            self.shares.push((encryption, Share::default()));
            self.shares.len() - 1
        });
        let share = &mut self.shares[at].1;
        share.flows = share.flows.saturating_add(volume.flows);
        share.bytes = share.bytes.saturating_add(volume.bytes());
        share.rows.push(number);
    }

    /// `None`: there was no row.
    fn used(self) -> Option<(Use, Shares)> {
        Some((self.much.used()?, shares(self.shares)))
    }
}

impl Much {
    fn add(&mut self, number: i64, edge: &Edge, volume: &Volume) {
        self.volume.add(volume);
        // The clock may have been set back meanwhile.
        let (first, last) = (edge.first.min(edge.last), edge.first.max(edge.last));
        let span = self.span.get_or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
        if self.days.last() != Some(&edge.day) {
            self.days.push(edge.day);
        }
        self.rows.push(number);
    }

    /// `None`: there was no row.
    fn used(mut self) -> Option<Use> {
        let (first, last) = self.span?;
        self.days.sort_unstable();
        self.days.dedup();
        Some(Use {
            volume: self.volume,
            first,
            last,
            days: u32::try_from(self.days.len()).unwrap_or(u32::MAX),
            rows: numbers(self.rows),
        })
    }
}
