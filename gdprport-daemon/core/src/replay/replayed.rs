//! Rows put together by what was said then and what would be said now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::change::{Change, Now};
use super::judge::{Alike, Judge, Judged};
use crate::found::{Found, Map};
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

#[derive(Debug, Default)]
struct Sum {
    peers: BTreeSet<IpNet>,
    encryption: BTreeMap<PostureState, u64>,
    volume: Volume,
    span: Option<(Timestamp, Timestamp)>,
    days: BTreeSet<Date>,
    rows: Vec<i64>,
}

/// What is judged once: rows of other days, verdicts, policies, and of peers that the policy does not tell apart, have the same.
type Asked = (u16, Direction, *const Identity, Alike, *const PostureKey, bool);

/// What is put together without a look at it: the judgement by its number.
type Short = (*const PortKey, Direction, *const Identity, *const VerdictKey, usize);

/// Judges rows of the ledger, each with its number.
#[must_use]
pub fn replay<'e>(rows: impl IntoIterator<Item = (i64, &'e Edge)>, judge: &Judge) -> Replay {
    let (mut known, mut judgements): (Map<Asked, usize>, Vec<Judged>) = (Map::default(), Vec::new());
    let mut sums: Found<Short, Key, Sum> = Found::new();
    let mut passing = 0;
    for (number, edge) in rows {
        let key = &edge.key;
        if edge.counts.is_passed_through() {
            passing += 1;
            continue;
        }
        let was_undecided = matches!(*key.verdict, VerdictKey::Undecided { .. });
        let (port, identity) = (Arc::as_ptr(&key.port), Arc::as_ptr(&key.identity));
        let (verdict, posture) = (Arc::as_ptr(&key.verdict), Arc::as_ptr(&key.posture));
        let asked = (key.port.number, key.direction, identity, judge.alike(key.peer), posture, was_undecided);
        let at = *known.entry(asked).or_insert_with(|| {
            judgements.push(judge.judge(key));
            judgements.len() - 1
        });
        let judged = &judgements[at];
        let sum = sums.at((port, key.direction, identity, verdict, at), || {
            (
                Arc::clone(&key.port),
                key.direction,
                Arc::clone(&key.identity),
                (*key.verdict).clone(),
                judged.now.clone(),
                judged.missing.clone(),
            )
        });
        sum.add(number, edge);
    }
    let mut groups: Vec<Group> = sums.in_order().filter_map(Group::of).collect();
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
    fn add(&mut self, number: i64, edge: &Edge) {
        let counts = &edge.counts;
        let flows = counts.standing();
        self.peers.insert(edge.key.peer);
        let state = self.encryption.entry(edge.key.posture.state).or_default();
        *state = state.saturating_add(flows);
        let volume =
            Volume { flows, failed: counts.failed, sent: counts.bytes_sent, received: counts.bytes_received };
        self.volume.add(&volume);
        let span = self.span.get_or_insert((edge.first, edge.last));
        *span = (span.0.min(edge.first), span.1.max(edge.last));
        self.days.insert(edge.day);
        self.rows.push(number);
    }
}

impl Group {
    /// `None`: it has no row.
    fn of(((port, direction, process, then, now, missing), mut sum): (Key, Sum)) -> Option<Self> {
        let (first, last) = sum.span?;
        sum.rows.sort_unstable();
        sum.rows.dedup();
        Some(Self {
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
                first,
                last,
                days: u32::try_from(sum.days.len()).unwrap_or(u32::MAX),
                rows: Rows(sum.rows),
            },
        })
    }
}
