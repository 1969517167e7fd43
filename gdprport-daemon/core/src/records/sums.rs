//! Rows of one activity added up in four ways at once: by counterpart, process, state of encryption and rule.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;

use super::model::{Counterpart, Outcomes, Posed, ProcessOf, Rows, Seen, Shares, Use, Volume, Where, Zone};
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
struct Sum {
    volume: Volume,
    span: Option<(Timestamp, Timestamp)>,
    days: BTreeSet<Date>,
    rows: Vec<i64>,
    shares: BTreeMap<Encryption, Share>,
    processes: BTreeSet<Arc<Identity>>,
}

/// The sums.
#[derive(Debug)]
pub(super) struct Sums {
    all: Sum,
    counterparts: BTreeMap<Other, Sum>,
    processes: BTreeMap<(Direction, Arc<Identity>), Sum>,
    rules: BTreeMap<Arc<str>, Sum>,
    outcomes: Outcomes,
    /// Where connections with somebody stand for good, if that is one place.
    settled: HashMap<With, Option<Other>, foldhash::fast::RandomState>,
}

impl Sums {
    pub(super) fn new<'e>(rows: impl IntoIterator<Item = &'e Edge>) -> Self {
        let mut settled: HashMap<_, Option<Other>, _> = HashMap::default();
        for edge in rows.into_iter().filter(|edge| !edge.counts.is_passed_through()) {
            let other = Other::of(edge);
            settled
                .entry(with(edge))
                .and_modify(|known| *known = known.take().filter(|known| *known == other))
                .or_insert(Some(other));
        }
        Self {
            all: Sum::default(),
            counterparts: BTreeMap::new(),
            processes: BTreeMap::new(),
            rules: BTreeMap::new(),
            outcomes: Outcomes::default(),
            settled,
        }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, number: i64, edge: &Edge) {
        let flows = edge.counts.standing();
        // Of connections that all went on, a row has the beginning, and no connection: it is shown with the rest of them.
        let went_on = edge.counts.is_passed_through();
        let rest = went_on.then(|| self.settled.get(&with(edge)).cloned().flatten()).flatten();
        let other = rest.unwrap_or_else(|| Other::of(edge));
        let outcome = self.outcomes.of_mut(other.outcome);
        *outcome = outcome.saturating_add(flows);
        if let Some(rule) = &other.rule {
            self.rules.entry(Arc::clone(rule)).or_default().add(number, edge);
        }
        self.all.add(number, edge);
        self.counterparts.entry(other).or_default().add(number, edge);
        let process = (edge.key.direction, Arc::clone(&edge.key.identity));
        self.processes.entry(process).or_default().add(number, edge);
    }

    /// What was observed, and of it what came by each rule. `None`: nothing was.
    pub(super) fn finish(
        self,
        country: &dyn Fn(&IpNet) -> Option<Arc<str>>,
    ) -> (Option<Seen>, BTreeMap<Arc<str>, Use>) {
        let Self { all, counterparts, processes, rules, outcomes, .. } = self;
        let shares = shares(&all.shares);
        let Some(all) = all.used() else { return (None, BTreeMap::new()) };
        let mut counterparts: Vec<Counterpart> = counterparts
            .into_iter()
            .filter_map(|(other, sum)| {
                let processes = sum.processes.iter().cloned().collect();
                let shares = self::shares(&sum.shares);
                Some(Counterpart {
                    at: Where { net: other.net, zone: Zone::of(&other.net), country: country(&other.net) },
                    direction: other.direction,
                    rule: other.rule,
                    outcome: other.outcome,
                    reasons: other.reasons.iter().map(|reason| reason.as_str()).collect(),
                    processes,
                    shares,
                    used: sum.used()?,
                })
            })
            .collect();
        counterparts.sort_by_key(|other| most(&other.used));
        let mut processes: Vec<ProcessOf> = processes
            .into_iter()
            .filter_map(|((direction, identity), sum)| {
                Some(ProcessOf { identity, direction, used: sum.used()? })
            })
            .collect();
        processes.sort_by_key(|process| most(&process.used));
        let rules = rules.into_iter().filter_map(|(role, sum)| Some((role, sum.used()?))).collect();
        (Some(Seen { all, counterparts, processes, shares, outcomes }), rules)
    }
}

/// Most bytes first, then most connections; the rest stays in its order.
fn most(used: &Use) -> std::cmp::Reverse<(u64, u64)> {
    std::cmp::Reverse((used.volume.bytes(), used.volume.flows))
}

fn shares(shares: &BTreeMap<Encryption, Share>) -> Shares {
    let mut posed: Vec<Posed> = shares
        .iter()
        .map(|((state, version), share)| {
            let Share { flows, bytes, rows } = share;
            Posed {
                state: *state,
                version: *version,
                flows: *flows,
                bytes: *bytes,
                rows: numbers(rows.clone()),
            }
        })
        .collect();
    posed.sort_by_key(|posed| std::cmp::Reverse((posed.flows, posed.bytes)));
    Shares(posed)
}

fn numbers(mut rows: Vec<i64>) -> Rows {
    rows.sort_unstable();
    rows.dedup();
    Rows(rows)
}

impl Sum {
    fn add(&mut self, number: i64, edge: &Edge) {
        let volume = Volume::of(edge);
        let flows = volume.flows;
        self.volume.add(&volume);
        // The clock may have been set back meanwhile.
        let (first, last) = (edge.first.min(edge.last), edge.first.max(edge.last));
        let span = self.span.get_or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
        self.days.insert(edge.day);
        self.rows.push(number);
        self.processes.insert(Arc::clone(&edge.key.identity));
        let share = self.shares.entry((edge.key.posture.state, edge.key.posture.version)).or_default();
        share.flows = share.flows.saturating_add(flows);
        share.bytes = share.bytes.saturating_add(volume.bytes());
        share.rows.push(number);
    }

    /// `None`: there was no row.
    fn used(self) -> Option<Use> {
        let (first, last) = self.span?;
        Some(Use {
            volume: self.volume,
            first,
            last,
            days: u32::try_from(self.days.len()).unwrap_or(u32::MAX),
            rows: numbers(self.rows),
        })
    }
}
