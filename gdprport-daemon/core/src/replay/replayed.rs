//! Rows put together by what was said then and what would be said now.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::change::{Change, Now};
use super::judge::{Judge, Judged};
use crate::ledger::{Edge, Identity, PortKey, PostureKey, VerdictKey};
use crate::model::{Direction, PostureState};
use crate::records::{Rows, Use, Volume};

/// The past, judged by another policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// Groups, those that change first, and of them those with the most connections.
    pub groups: Vec<Group>,
    /// Of each change how much, in the same order.
    pub totals: Vec<Total>,
    /// Rows that connections only passed through, before it was known whose they are or how encrypted: they are judged in the
    /// rows where they stand for good.
    pub passing: u64,
}

/// How much of one change there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Which.
    pub change: Change,
    /// Groups.
    pub groups: u64,
    /// How much.
    pub volume: Volume,
}

/// Flows of one port, direction and process with the same outcome then and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What would change.
    pub change: Change,
    /// The port, as it was called then.
    pub port: Arc<PortKey>,
    /// Which end this host is.
    pub direction: Direction,
    /// Who is at this end.
    pub process: Arc<Identity>,
    /// The other ends, ascending.
    pub peers: Vec<IpNet>,
    /// What was said.
    pub then: VerdictKey,
    /// What would be said.
    pub now: Now,
    /// What the ledger does not have to decide it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// How it was encrypted, as it was observed: connections by state.
    pub encryption: BTreeMap<PostureState, u64>,
    /// How much, when, and which rows.
    #[serde(flatten)]
    pub used: Use,
}

/// What groups are put together by.
type Key = (Arc<PortKey>, Direction, Arc<Identity>, VerdictKey, Now, Vec<String>);

#[derive(Debug)]
struct Sum {
    peers: BTreeSet<IpNet>,
    encryption: BTreeMap<PostureState, u64>,
    volume: Volume,
    first: Timestamp,
    last: Timestamp,
    days: BTreeSet<Date>,
    rows: Vec<i64>,
}

/// What is judged once: rows of other days, verdicts and policies have the same.
type Asked = (u16, Direction, Arc<Identity>, IpNet, Arc<PostureKey>, bool);

/// Judges rows of the ledger, each with its number.
#[must_use]
pub fn replay<'e>(rows: impl IntoIterator<Item = (i64, &'e Edge)>, judge: &Judge) -> Replay {
    let mut known: HashMap<Asked, Judged, foldhash::fast::RandomState> = HashMap::default();
    let mut sums: BTreeMap<Key, Sum> = BTreeMap::new();
    let mut passing = 0;
    for (number, edge) in rows {
        let key = &edge.key;
        if edge.counts.is_passed_through() {
            passing += 1;
            continue;
        }
        let was_undecided = matches!(*key.verdict, VerdictKey::Undecided { .. });
        let asked = (
            key.port.number,
            key.direction,
            Arc::clone(&key.identity),
            key.peer,
            Arc::clone(&key.posture),
            was_undecided,
        );
        let judged = known.entry(asked).or_insert_with(|| judge.judge(key));
        let group = (
            Arc::clone(&key.port),
            key.direction,
            Arc::clone(&key.identity),
            (*key.verdict).clone(),
            judged.now.clone(),
            judged.missing.clone(),
        );
        let sum = sums.entry(group).or_insert_with(|| Sum::at(edge));
        sum.add(number, edge);
    }
    let mut groups: Vec<Group> = sums.into_iter().map(Group::of).collect();
    groups.sort_by_key(|group| (group.change, std::cmp::Reverse(group.used.volume.flows)));
    Replay { totals: totals(&groups), groups, passing }
}

fn totals(groups: &[Group]) -> Vec<Total> {
    let mut totals: BTreeMap<Change, (u64, Volume)> = BTreeMap::new();
    for group in groups {
        let (count, volume) = totals.entry(group.change).or_default();
        *count += 1;
        volume.add(&group.used.volume);
    }
    totals.into_iter().map(|(change, (groups, volume))| Total { change, groups, volume }).collect()
}

impl Sum {
    fn at(edge: &Edge) -> Self {
        Self {
            peers: BTreeSet::new(),
            encryption: BTreeMap::new(),
            volume: Volume::default(),
            first: edge.first,
            last: edge.last,
            days: BTreeSet::new(),
            rows: Vec::new(),
        }
    }

    fn add(&mut self, number: i64, edge: &Edge) {
        let counts = &edge.counts;
        let flows = counts.standing();
        self.peers.insert(edge.key.peer);
        let state = self.encryption.entry(edge.key.posture.state).or_default();
        *state = state.saturating_add(flows);
        let volume =
            Volume { flows, failed: counts.failed, sent: counts.bytes_sent, received: counts.bytes_received };
        self.volume.add(&volume);
        self.first = self.first.min(edge.first);
        self.last = self.last.max(edge.last);
        self.days.insert(edge.day);
        self.rows.push(number);
    }
}

impl Group {
    fn of(((port, direction, process, then, now, missing), mut sum): (Key, Sum)) -> Self {
        sum.rows.sort_unstable();
        sum.rows.dedup();
        Self {
            change: Change::of(&then, &now),
            port,
            direction,
            process,
            peers: sum.peers.into_iter().collect(),
            then,
            now,
            missing,
            encryption: sum.encryption,
            used: Use {
                volume: sum.volume,
                first: sum.first,
                last: sum.last,
                days: u32::try_from(sum.days.len()).unwrap_or(u32::MAX),
                rows: Rows(sum.rows),
            },
        }
    }
}
