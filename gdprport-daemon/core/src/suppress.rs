//! Which events a port sends one by one, and which it only counts, so that a busy pool does not flood a SIEM.
//!
//! Belongs here: the decision, the counts that make it add up, and the summaries. Does not belong here: where
//! events go (`sink`).
//!
//! Only `flow.open`, `flow.fail`, `flow.close`, `flow.update` and `flow.posture` can be suppressed, and of these only
//! what the policy allows, or cannot decide yet where a summary counts it: an event with a violation verdict always
//! passes, and an undecided flow is reported by its close or a summary at the latest. Decide before the event gets its
//! envelope (`event::Stamper`), so that a suppressed event leaves no gap in `seq`.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::event::{Body, FlowEvent, FlowKind, FlowSummary, Group, PolicyRef, Port, Summary};
use crate::policy::Emit;
use crate::shared::Shared;
use crate::verdict::Verdict;

/// Groups kept per declaration and policy: a pool of a hundred peers and a few programs fits; an address scan does
/// not, and is counted in the one group for the rest.
const MAX_GROUPS_PER_PORT: usize = 256;

/// Groups kept over all ports: about 200 bytes each, hence below 1 MB for any number of ports.
const MAX_GROUPS: usize = 4096;

/// What to do with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Send it.
    Pass,
    /// Do not: it is counted as suppressed, and in a summary where the port's `emit` asks for one.
    Suppress,
}

/// Decides event by event and keeps the counts.
#[derive(Debug, Default)]
pub struct Suppressor {
    windows: BTreeMap<WindowKey, Window>,
    groups: usize,
    suppressed: u64,
}

/// A declaration, by number and name: a number may be served here by one declaration and be a remote service by
/// another, each with a period and roles of its own. Verdicts of different policies are not added up either.
type WindowKey = (u16, Arc<str>, Option<PolicyRef>);

#[derive(Debug)]
struct Window {
    port: Shared<Port>,
    from: Timestamp,
    every: SignedDuration,
    groups: BTreeMap<Group, Tally>,
    rest: Option<Tally>,
}

#[derive(Debug, Clone, Copy)]
struct Tally {
    opened: u64,
    closed: u64,
    failed: u64,
    updated: u64,
    bytes_sent: u64,
    bytes_received: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Suppressor {
    /// Decides about an event of a flow that happened at `time` on a port with this `emit`, and counts it if it is
    /// suppressed.
    pub fn offer(&mut self, kind: FlowKind, flow: &FlowEvent, emit: Emit, time: Timestamp) -> Decision {
        let loud = kind == FlowKind::Violation || matches!(*flow.verdict, Verdict::Violation { .. });
        let decision = match emit {
            _ if loud => Decision::Pass,
            Emit::Every => Decision::Pass,
            Emit::Violations => match *flow.verdict {
                Verdict::Declared { .. } => Decision::Suppress,
                // The encryption of a flow is not known when it opens; a later event reports it.
                Verdict::Undecided { .. } if kind == FlowKind::Open && flow.posture.is_none() => {
                    Decision::Suppress
                }
                // Unknown is never compliant: it must not be silent like a declared flow.
                Verdict::Undecided { .. } | Verdict::Violation { .. } => Decision::Pass,
            },
            Emit::Summary { every } => {
                self.sum_up(kind, flow, every, time);
                Decision::Suppress
            }
        };
        self.suppressed += u64::from(decision == Decision::Suppress);
        decision
    }

    /// The summaries whose period is over at `now`, each exactly once. Send them as they are, without offering them.
    pub fn due(&mut self, now: Timestamp) -> Vec<Body> {
        let due: Vec<WindowKey> = self
            .windows
            .iter()
            .filter(|(_, window)| {
                let elapsed = now.duration_since(window.from);
                // A clock that was set back by more than a period must not hold the counts until it is there again.
                elapsed >= window.every || elapsed < -window.every
            })
            .map(|(key, _)| key.clone())
            .collect();
        self.close(&due, now)
    }

    /// All summaries, whether their period is over or not: at the end of the daemon.
    pub fn flush(&mut self, now: Timestamp) -> Vec<Body> {
        let all: Vec<WindowKey> = self.windows.keys().cloned().collect();
        self.close(&all, now)
    }

    /// Begin of the oldest summary's period; `None` while there is nothing to sum up.
    #[must_use]
    pub fn counting_since(&self) -> Option<Timestamp> {
        self.windows.values().map(|window| window.from).min()
    }

    /// When the next summary is due; `None` while there is nothing to sum up.
    #[cfg(test)]
    fn next_due(&self) -> Option<Timestamp> {
        self.windows
            .values()
            .map(|window| window.from.checked_add(window.every).unwrap_or(Timestamp::MAX))
            .min()
    }

    /// How many events were suppressed.
    #[must_use]
    pub const fn suppressed(&self) -> u64 {
        self.suppressed
    }

    fn sum_up(&mut self, kind: FlowKind, flow: &FlowEvent, every: Duration, time: Timestamp) {
        let key = (flow.port.number, Arc::clone(&flow.port.name), flow.policy.clone());
        let window = self.windows.entry(key).or_insert_with(|| Window {
            port: Shared::clone(&flow.port),
            from: time,
            every: SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX),
            groups: BTreeMap::new(),
            rest: None,
        });
        let room = self.groups < MAX_GROUPS && window.groups.len() < MAX_GROUPS_PER_PORT;
        let tally = match window.groups.entry(group(flow)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) if room => {
                self.groups += 1;
                new.insert(Tally::new(time))
            }
            Entry::Vacant(_) => window.rest.get_or_insert_with(|| Tally::new(time)),
        };
        tally.add(kind, flow, time);
    }

    fn close(&mut self, keys: &[WindowKey], now: Timestamp) -> Vec<Body> {
        let mut summaries = Vec::new();
        for key in keys {
            let Some(window) = self.windows.remove(key) else { continue };
            self.groups -= window.groups.len();
            let groups = window.groups.into_iter().map(|(group, tally)| (Some(group), tally));
            for (group, tally) in groups.chain(window.rest.map(|tally| (None, tally))) {
                summaries.push(Body::FlowSummary(Box::new(FlowSummary {
                    port: Shared::clone(&window.port),
                    summary: tally.summary(group, window.from, now),
                    policy: key.2.clone(),
                })));
            }
        }
        summaries
    }
}

fn group(event: &FlowEvent) -> Group {
    let process = event.process.as_deref();
    Group {
        direction: event.flow.direction,
        rule: match &*event.verdict {
            Verdict::Declared { rule } => Some(Arc::clone(rule)),
            Verdict::Undecided { .. } | Verdict::Violation { .. } => None,
        },
        peer_ip: event.flow.peer.ip,
        exe: process.and_then(|process| process.exe.clone()),
        unit: process.and_then(|process| process.unit.clone()),
        user: process.and_then(|process| process.user.clone()),
    }
}

impl Tally {
    const fn new(time: Timestamp) -> Self {
        Self {
            opened: 0,
            closed: 0,
            failed: 0,
            updated: 0,
            bytes_sent: 0,
            bytes_received: 0,
            first: time,
            last: time,
        }
    }

    fn add(&mut self, kind: FlowKind, event: &FlowEvent, time: Timestamp) {
        match kind {
            FlowKind::Open => self.opened += 1,
            FlowKind::Fail => self.failed += 1,
            FlowKind::Close => {
                self.closed += 1;
                // Only here: the counts of an update are those of the flow so far and would be added twice.
                self.bytes_sent = self.bytes_sent.saturating_add(event.flow.bytes_sent.unwrap_or(0));
                self.bytes_received =
                    self.bytes_received.saturating_add(event.flow.bytes_received.unwrap_or(0));
            }
            FlowKind::Update | FlowKind::Posture | FlowKind::Violation => self.updated += 1,
        }
        self.first = self.first.min(time);
        self.last = self.last.max(time);
    }

    const fn summary(&self, group: Option<Group>, from: Timestamp, to: Timestamp) -> Summary {
        Summary {
            from,
            to,
            group,
            events: self.opened + self.closed + self.failed + self.updated,
            opened: self.opened,
            closed: self.closed,
            failed: self.failed,
            updated: self.updated,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            first: self.first,
            last: self.last,
        }
    }
}
