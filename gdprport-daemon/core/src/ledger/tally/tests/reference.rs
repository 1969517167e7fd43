//! The same sums, counted in the plainest way: everything by value, nothing bounded, nothing forgotten.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::flow::{Change, ChangeKind, Flow, Removal};
use crate::ledger::{Batch, Counts, EdgeKey, Identity, PortKey, PostureKey, VerdictKey};
use crate::model::{Direction, Nat};

type VolumeKey = (Timestamp, PortKey, Direction, Option<Arc<str>>);

/// What was counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) rows: HashMap<(Date, EdgeKey), Counts>,
    /// Flows that began, bytes sent and received, by hour, port, direction and rule.
    pub(super) volume: BTreeMap<VolumeKey, [u64; 3]>,
    /// Seen and lost.
    pub(super) coverage: BTreeMap<(Timestamp, PortKey), [u64; 2]>,
}

impl Sums {
    /// Adds a batch; each key stands in it once.
    pub(super) fn add(&mut self, batch: Batch) {
        let mut keys = std::collections::HashSet::new();
        for edge in batch.edges {
            assert!(keys.insert((edge.day, edge.key.clone())), "{:?} twice", edge.key);
            self.rows.entry((edge.day, edge.key)).or_default().add(&edge.counts);
        }
        let mut keys = std::collections::HashSet::new();
        for volume in batch.volume {
            let key = (volume.hour, PortKey::clone(&volume.port), volume.direction, volume.rule);
            assert!(keys.insert(key.clone()), "{key:?} twice");
            let sums = self.volume.entry(key).or_default();
            for (sum, new) in sums.iter_mut().zip([volume.flows, volume.bytes_sent, volume.bytes_received]) {
                *sum += new;
            }
        }
        let mut keys = std::collections::HashSet::new();
        for coverage in batch.coverage {
            let key = (coverage.hour, PortKey::clone(&coverage.port));
            assert!(keys.insert(key.clone()), "{key:?} twice");
            let sums = self.coverage.entry(key).or_default();
            sums[0] += coverage.seen;
            sums[1] += coverage.lost;
        }
    }

    /// Without what nothing happened in.
    pub(super) fn without_nothing(mut self) -> Self {
        self.rows.retain(|_, counts| *counts != Counts::default());
        self.volume.retain(|_, sums| *sums != [0; 3]);
        self.coverage.retain(|_, sums| *sums != [0; 2]);
        self
    }
}

/// The bytes of a flow as events show them, of one run.
#[derive(Debug, Default)]
struct Bytes {
    first: Option<u64>,
    most: Option<u64>,
}

impl Bytes {
    fn counted(&self, from_first: bool) -> u64 {
        self.most.unwrap_or(0) - if from_first { self.first.unwrap_or(0) } else { 0 }
    }
}

/// Counts one change after the other.
#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) sums: Sums,
    /// Of each run and flow: bytes sent and received; whether they count from the first that was known.
    bytes: HashMap<(u32, u64), ([Bytes; 2], bool)>,
    /// Of flows that ended; a cookie that comes again is another flow's.
    ended: [u64; 2],
    standing: HashMap<(u32, u64), (Date, EdgeKey)>,
    pub(super) events: [u64; 3],
    /// How many flows left a row for good: they ended, or went on to another day. Those in `standing` come to that.
    stayed: HashMap<(Date, EdgeKey), u64>,
    /// Flows by day; a cookie that comes again is another flow.
    flows: HashSet<(Date, (u32, u64), u64)>,
    came: HashMap<(u32, u64), u64>,
    /// Whether a flow went to a day before.
    pub(super) went_back: bool,
}

impl Reference {
    /// Takes a change of a run that began at `began_ns`.
    pub(super) fn flow(
        &mut self,
        run: (u32, u64),
        change: &Change,
        (policy, ports): (Option<&Arc<str>>, &[PortKey]),
        now: Timestamp,
    ) {
        let Change { kind, flow, .. } = change;
        let cookie = (run.0, flow.cookie);
        let Some(port) = flow.port_index.and_then(|index| ports.get(index)) else {
            if matches!(kind, ChangeKind::Closed | ChangeKind::Failed) {
                self.end(cookie);
            }
            return;
        };
        if *kind == ChangeKind::Opened && !flow.found {
            self.end(cookie);
        }
        let hour = Timestamp::from_second(now.as_second().div_euclid(3_600) * 3_600).expect("in range");
        let day = TimeZone::UTC.to_datetime(now).date();
        let coverage = self.sums.coverage.entry((hour, port.clone())).or_default();
        if let ChangeKind::Removed(why) = kind {
            coverage[1] += u64::from(*why == Removal::TableFull);
            return;
        }
        let key = key(flow, port, policy);
        let (bytes, from_first) = self.bytes.entry(cookie).or_insert_with(|| {
            let seen = *kind == ChangeKind::Opened && !flow.found;
            let alone = *kind != ChangeKind::Opened && flow.opened_ns.is_some_and(|ns| ns >= run.1);
            (<[Bytes; 2]>::default(), !seen && !alone)
        });
        let added = [(0, flow.bytes_sent), (1, flow.bytes_received)].map(|(which, count)| {
            let Some(count) = count else { return 0 };
            let bytes = &mut bytes[which];
            let before = bytes.most.unwrap_or(if *from_first { count } else { 0 });
            bytes.first.get_or_insert(count);
            bytes.most = Some(before.max(count));
            before.max(count) - before
        });
        let row = (day, key);
        let counts = self.sums.rows.entry(row.clone()).or_default();
        counts.bytes_sent += added[0];
        counts.bytes_received += added[1];
        let (opened, closed, failed) = match kind {
            ChangeKind::Opened => (1, 0, 0),
            ChangeKind::Closed => (0, 1, 0),
            ChangeKind::Failed => (0, 0, 1),
            _ => (0, 0, 0),
        };
        counts.opened += opened;
        counts.closed += closed;
        counts.failed += failed;
        for (sum, new) in self.events.iter_mut().zip([opened, closed, failed]) {
            *sum += new;
        }
        coverage[0] += opened + failed;
        let known = self.standing.get(&cookie);
        if known != Some(&row) {
            counts.flows += 1;
            match known {
                Some(known) if known.0 == day => {
                    self.sums.rows.entry(known.clone()).or_default().moved += 1;
                }
                Some(known) => {
                    self.went_back |= known.0 > day;
                    *self.stayed.entry(known.clone()).or_default() += 1;
                }
                None => *self.came.entry(cookie).or_default() += 1,
            }
        }
        self.flows.insert((day, cookie, self.came[&cookie]));
        let volume = self
            .sums
            .volume
            .entry((
                hour,
                port.clone(),
                flow.direction,
                VerdictKey::from(&*flow.verdict).volume_of().cloned(),
            ))
            .or_default();
        for (sum, new) in volume.iter_mut().zip([opened + failed, added[0], added[1]]) {
            *sum += new;
        }
        self.standing.insert(cookie, row);
        if closed + failed > 0 {
            self.end(cookie);
        }
    }

    /// How many flows stand in each row for good.
    pub(super) fn stayed(&self) -> HashMap<(Date, EdgeKey), u64> {
        let mut stayed = self.stayed.clone();
        self.standing.values().for_each(|row| *stayed.entry(row.clone()).or_default() += 1);
        stayed
    }

    /// How many flows there were on each day.
    pub(super) fn by_day(&self) -> BTreeMap<Date, u64> {
        let mut days = BTreeMap::new();
        self.flows.iter().for_each(|(day, ..)| *days.entry(*day).or_default() += 1);
        days
    }

    fn end(&mut self, cookie: (u32, u64)) {
        if let Some(row) = self.standing.remove(&cookie) {
            *self.stayed.entry(row).or_default() += 1;
        }
        if let Some((bytes, from_first)) = self.bytes.remove(&cookie) {
            for (sum, bytes) in self.ended.iter_mut().zip(bytes) {
                *sum += bytes.counted(from_first);
            }
        }
    }

    /// What all flows sent and received, as the last events of each show it, less what it had when it was found.
    pub(super) fn bytes(&self) -> [u64; 2] {
        let open = |which: usize| {
            let flows = self.bytes.values();
            flows.map(|(bytes, from_first)| bytes[which].counted(*from_first)).sum::<u64>()
        };
        [self.ended[0] + open(0), self.ended[1] + open(1)]
    }
}

fn key(flow: &Flow, port: &PortKey, policy: Option<&Arc<str>>) -> EdgeKey {
    let client = match (&flow.nat, flow.direction) {
        (Some(Nat::Translated(nat)), Direction::In) => nat.peer.map(|peer| peer.ip),
        _ => None,
    };
    EdgeKey {
        port: Arc::new(port.clone()),
        direction: flow.direction,
        identity: Arc::new(Identity::of(flow.process.as_deref())),
        peer: IpNet::from(client.unwrap_or(flow.peer.ip)),
        verdict: Arc::new(VerdictKey::from(&*flow.verdict)),
        posture: Arc::new(PostureKey::of(flow.posture.as_deref())),
        policy: policy.cloned(),
    }
}
