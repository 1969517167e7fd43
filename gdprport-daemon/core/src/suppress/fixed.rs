//! `emit = { summary = … }`: one summary per group and period, whether much happens or little.
//!
//! Never of a violation, which always passes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::decision::With;
use super::tally::Tally;
use crate::event::{Body, FlowEvent, FlowKind, FlowSummary, Group, PolicyRef, Port, Summary};
use crate::shared::Shared;
use crate::verdict::Verdict;

/// Groups kept per declaration and policy: a pool of a hundred peers and a few programs fits; an address scan does
/// not, and is counted in the one group for the rest.
pub(super) const MAX_GROUPS_PER_PORT: usize = 256;

/// Groups kept over all ports: about 200 bytes each, hence below 1 MB for any number of ports.
pub(super) const MAX_GROUPS: usize = 4096;

/// The counts of all ports.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    windows: BTreeMap<WindowKey, Window>,
    groups: usize,
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

impl Fixed {
    /// Counts an event.
    pub(super) fn add(&mut self, kind: FlowKind, flow: &FlowEvent, every: Duration, time: Timestamp) {
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
        tally.add(kind, With::default(), flow, time);
    }

    /// Those whose period is over.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Body> {
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

    /// All.
    pub(super) fn flush(&mut self, now: Timestamp) -> Vec<Body> {
        let all: Vec<WindowKey> = self.windows.keys().cloned().collect();
        self.close(&all, now)
    }

    /// Begin of the oldest period.
    pub(super) fn counting_since(&self) -> Option<Timestamp> {
        self.windows.values().map(|window| window.from).min()
    }

    /// When the next one is due; `None` while there is nothing to sum up.
    #[cfg(test)]
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.windows
            .values()
            .map(|window| window.from.checked_add(window.every).unwrap_or(Timestamp::MAX))
            .min()
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
                    summary: Summary { group, ..tally.summary(window.from, now) },
                    verdict: None,
                    accepted: None,
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
        rule: match &*event.verdict {
            Verdict::Declared { rule } => Some(Arc::clone(rule)),
            Verdict::Undecided { .. } | Verdict::Violation { .. } => None,
        },
        exe: process.and_then(|process| process.exe.clone()),
        unit: process.and_then(|process| process.unit.clone()),
        user: process.and_then(|process| process.user.clone()),
        ..Group::of_peer(event.flow.direction, event.flow.peer.ip)
    }
}
