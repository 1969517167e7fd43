//! The tally: takes what happens, and gives it back added up.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;

use super::covered::Covered;
use super::entries::Entries;
use super::interned::Interned;
use super::open::OpenFlows;
use super::row::hour_of;
use super::rows::Rows;
use crate::flow::{Change, ChangeKind, Flow, Removal};
use crate::ledger::{Batch, Counts, Entry, ListenerDelta, ListenerEvent, PortKey, VerdictKey};
use crate::listener::Listener;
use crate::overload::OverloadCounts;
use crate::privacy::Truncate;

/// Names of ports and digests of policies that are kept, bytes. One policy has at most 65,536 ports.
const PORTS_BYTES: usize = 32 << 20;

/// Listeners that opened, closed or were judged between two drains, at most: four times as many as are remembered. A
/// reload judges each of them once.
const LISTENERS: usize = 65_536;

/// Bounds of a tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TallyLimits {
    /// Rows that are added up between two drains, each for a port, direction, identity, peer, verdict, posture and hour.
    /// Each takes about 400 bytes. A batch is drained every second; in one second a host does not talk with more peers,
    /// and if the ledger cannot be written for long, those of an hour fit for most.
    pub rows: usize,
    /// Open flows; as many as the flow table holds.
    pub flows: usize,
}

impl Default for TallyLimits {
    fn default() -> Self {
        Self { rows: 65_536, flows: 131_072 }
    }
}

/// Adds up what happens until it is drained. What finds no room is counted as lost, of its port and together.
#[derive(Debug)]
pub struct Tally {
    rows: Rows,
    open: OpenFlows,
    covered: Covered,
    listeners: Vec<ListenerDelta>,
    entries: Entries,
    /// Those that are watched, in the order of [`Policy::watched`](crate::policy::Policy::watched).
    ports: Vec<Arc<PortKey>>,
    policy: Option<Arc<str>>,
    known_ports: Interned<PortKey>,
    known_policies: Interned<str>,
    lost: u64,
}

impl Tally {
    /// The tally of a run that began at this boottime in ns.
    #[must_use]
    pub fn new(limits: TallyLimits, began_ns: u64) -> Self {
        Self {
            rows: Rows::new(limits.rows),
            open: OpenFlows::new(limits.flows, began_ns),
            covered: Covered::default(),
            listeners: Vec::new(),
            entries: Entries::default(),
            ports: Vec::new(),
            policy: None,
            known_ports: Interned::new(PORTS_BYTES),
            known_policies: Interned::new(PORTS_BYTES),
            lost: 0,
        }
    }

    /// Of the addresses of peers that it is given there is only so much (`None`: all): its rows have their networks.
    #[must_use]
    pub fn truncated(mut self, left: Option<Truncate>) -> Self {
        self.rows.truncated(left);
        self
    }

    /// From now on flows are judged by this policy (`None`: the catalog), which watches these ports.
    pub fn set_policy(&mut self, digest: Option<&Arc<str>>, ports: impl IntoIterator<Item = PortKey>) {
        self.covered.pass_on(&self.ports, None);
        self.rows.forget_glances();
        // One that finds no room among those that are kept is merely not the same as an equal one of another policy.
        let Self { known_ports, known_policies, .. } = self;
        self.ports = ports
            .into_iter()
            .map(|port| {
                let port = Arc::new(port);
                let bytes = size_of::<PortKey>() + port.name.len();
                known_ports.intern(Arc::clone(&port), bytes).unwrap_or(port)
            })
            .collect();
        let interned = |digest: &Arc<str>| {
            let bytes = digest.len();
            known_policies.intern(Arc::clone(digest), bytes).unwrap_or_else(|| Arc::clone(digest))
        };
        self.policy = digest.map(interned);
    }

    /// Takes what happened to a flow, which is shown as it is to leave the daemon. `now`: the time of the event about it.
    #[inline]
    pub fn flow(&mut self, change: &Change, now: Timestamp) {
        let Change { kind, flow, .. } = change;
        let ends = match kind {
            ChangeKind::Opened | ChangeKind::Updated | ChangeKind::PostureKnown => false,
            ChangeKind::Failed | ChangeKind::Closed => true,
            ChangeKind::Removed(why) => return self.removed(flow, *why, now),
        };
        let Self { rows, open, ports, policy, .. } = self;
        // Nothing is reported of a port that is not watched.
        let Some((place, port)) = flow.port_index.and_then(|index| Some((index, ports.get(index)?))) else {
            if ends {
                open.ended(flow);
            }
            return;
        };
        let Some(row) = rows.row(flow, (place, port), policy.as_ref(), now) else {
            return self.find_no_room(*kind, flow, place, now);
        };
        let mut ended;
        let standing = if ends {
            ended = open.ended(flow);
            Some(&mut ended)
        } else if *kind == ChangeKind::Opened {
            open.opened(flow)
        } else {
            open.get_mut(flow.cookie)
        };
        let Some(counts) = rows.counts(row) else { return };
        match kind {
            ChangeKind::Opened => counts.opened += 1,
            ChangeKind::Closed => counts.closed += 1,
            ChangeKind::Failed => counts.failed += 1,
            ChangeKind::Updated | ChangeKind::PostureKnown | ChangeKind::Removed(_) => {}
        }
        let Some(standing) = standing else { return };
        let (sent, received) = standing.advance(flow);
        counts.bytes_sent = counts.bytes_sent.saturating_add(sent);
        counts.bytes_received = counts.bytes_received.saturating_add(received);
        if !rows.stand(&mut standing.place, row, now) {
            self.lose(place, now);
        }
    }

    /// Takes connections that were counted together, as they are shown. `flow`: one of them, of which counts what they have
    /// in common; their peers are in `peer`. Flows that a full table forgot are lost for the day's rows, as each of them is.
    pub fn summed(&mut self, flow: &Flow, peer: IpNet, counts: &OverloadCounts, now: Timestamp) {
        let OverloadCounts { opened, closed, failed, bytes_sent, bytes_received, .. } = *counts;
        if [opened, closed, failed, bytes_sent, bytes_received] == [0; 5] {
            return;
        }
        let Self { rows, ports, policy, .. } = self;
        let Some((place, port)) = flow.port_index.and_then(|index| Some((index, ports.get(index)?))) else {
            return;
        };
        let Some(row) = rows.row_within(flow, peer, port, policy.as_ref(), now) else {
            let all = counts.began().max(closed).max(1);
            self.lost = self.lost.saturating_add(all - 1);
            return self.lose(place, now);
        };
        let flows = counts.began();
        row.counts.add(&Counts { flows, moved: 0, opened, closed, failed, bytes_sent, bytes_received });
    }

    /// A flow of the table, as it is shown, still stands where it stood; to be called for each when a day begins, so that it shows in every
    /// day in which it was open. One that was not reported yet is passed over.
    pub fn still_open(&mut self, flow: &Flow, now: Timestamp) {
        let Self { rows, open, ports, policy, .. } = self;
        let Some((place, port)) = flow.port_index.and_then(|index| Some((index, ports.get(index)?))) else {
            return;
        };
        let Some(standing) = open.get_mut(flow.cookie) else { return };
        let row = rows.row(flow, (place, port), policy.as_ref(), now);
        if !row.is_some_and(|row| rows.stand(&mut standing.place, row, now)) {
            self.lose(place, now);
        }
    }

    /// Takes what happened to a listener, as it is shown; `port` is its place among those that are watched.
    pub fn listener(&mut self, listener: &Listener, port: usize, event: ListenerEvent, now: Timestamp) {
        let Some(key) = self.ports.get(port) else { return };
        let room = self.listeners.len() < LISTENERS;
        let identity = self.rows.identity(listener.process.as_ref());
        let verdict = self.rows.verdict(VerdictKey::from(&listener.verdict));
        match (identity, verdict) {
            (Some(identity), Some(verdict)) if room => self.listeners.push(ListenerDelta {
                port: Arc::clone(key),
                local: listener.local,
                identity,
                verdict,
                event,
                at: now,
            }),
            _ => self.lose(port, now),
        }
    }

    /// All ports were watched for this long up to `now`, by a clock that nobody sets.
    pub fn watched(&mut self, elapsed: Duration, now: Timestamp) {
        self.covered.watched(elapsed, now);
        self.covered.pass_on(&self.ports, Some(hour_of(now)));
    }

    /// Takes what is rare.
    pub fn enter(&mut self, entry: Entry) {
        self.lost += u64::from(!self.entries.push(entry));
    }

    /// How much found no room since it was made. It is reported as a gap by whoever reports gaps.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Takes all that came together. `all`: the time too that was watched and is otherwise passed on in pieces.
    #[must_use]
    pub fn drain(&mut self, all: bool, now: Timestamp) -> Batch {
        if all {
            self.covered.pass_on(&self.ports, None);
        }
        let drained = self.rows.drain();
        for (hour, port, flows) in drained.began {
            self.covered.began(hour, &port, flows);
        }
        let batch = Batch {
            until: now,
            edges: drained.edges,
            listeners: std::mem::take(&mut self.listeners),
            coverage: self.covered.drain(),
            volume: drained.volume,
            entries: self.entries.take(),
        };
        if self.known_ports.is_half_full() || self.known_policies.is_half_full() {
            self.forget_old_ports();
        }
        batch
    }

    /// Forgets ports and digests of earlier policies; nothing that was not drained names them.
    fn forget_old_ports(&mut self) {
        self.known_ports.clear();
        self.known_policies.clear();
        let ports: Vec<PortKey> = self.ports.iter().map(|port| PortKey::clone(port)).collect();
        let policy = self.policy.take();
        self.rows.forget();
        self.set_policy(policy.as_ref(), ports);
    }

    fn removed(&mut self, flow: &Flow, why: Removal, now: Timestamp) {
        self.open.removed(flow);
        if let (Removal::TableFull, Some(index)) = (why, flow.port_index)
            && let Some(port) = self.ports.get(index)
        {
            self.covered.lost(hour_of(now), port);
        }
    }

    /// A change whose row finds no room. Its bytes are counted with the next one that does.
    #[cold]
    fn find_no_room(&mut self, kind: ChangeKind, flow: &Flow, place: usize, now: Timestamp) {
        match kind {
            ChangeKind::Opened => drop(self.open.opened(flow).map(|_| ())),
            ChangeKind::Failed | ChangeKind::Closed => drop(self.open.ended(flow)),
            ChangeKind::Updated | ChangeKind::PostureKnown | ChangeKind::Removed(_) => {}
        }
        self.lose(place, now);
    }

    fn lose(&mut self, place: usize, now: Timestamp) {
        self.lost += 1;
        if let Some(port) = self.ports.get(place) {
            self.covered.lost(hour_of(now), port);
        }
    }
}
