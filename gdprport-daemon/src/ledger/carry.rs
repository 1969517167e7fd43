//! What a ledger that is begun anew has to know of the run that goes on: that it runs, by which policy, and what listens.

use std::collections::HashMap;
use std::sync::Arc;

use gdprport_core::ledger::{Batch, Entry, Identity, ListenerDelta, ListenerEvent, PortKey, VerdictKey};
use gdprport_core::model::Endpoint;
use jiff::Timestamp;

/// Kinds of open listeners that are remembered; what is beyond is missing in a ledger that is begun anew.
const LISTENERS: usize = 65_536;

type Key = (Arc<PortKey>, Endpoint, Arc<Identity>, Arc<VerdictKey>);

/// What was stored and goes on.
#[derive(Debug, Default)]
pub(super) struct Carry {
    began: Option<Entry>,
    policy: Option<Entry>,
    listeners: HashMap<Key, u32>,
}

impl Carry {
    /// A batch was stored.
    pub(super) fn stored(&mut self, batch: &Batch) {
        for entry in &batch.entries {
            match entry {
                Entry::Began { .. } => *self = Self { began: Some(entry.clone()), ..Self::default() },
                Entry::Ended { .. } => *self = Self::default(),
                Entry::Policy { .. } => self.policy = Some(entry.clone()),
                Entry::Gap(_) | Entry::Note(_) => {}
            }
        }
        for delta in &batch.listeners {
            let key = (
                Arc::clone(&delta.port),
                delta.local,
                Arc::clone(&delta.identity),
                Arc::clone(&delta.verdict),
            );
            match delta.event {
                ListenerEvent::Opened | ListenerEvent::Judged => {
                    if self.listeners.len() < LISTENERS || self.listeners.contains_key(&key) {
                        *self.listeners.entry(key).or_default() += 1;
                    }
                }
                ListenerEvent::Closed => {
                    if let Some(open) = self.listeners.get_mut(&key) {
                        *open = open.saturating_sub(1);
                        if *open == 0 {
                            self.listeners.remove(&key);
                        }
                    }
                }
            }
        }
    }

    /// What a new ledger begins with, as if it had begun now: nothing is claimed for the time before.
    pub(super) fn batch(&self, now: Timestamp) -> Batch {
        let entries = self.began.iter().chain(&self.policy).cloned().map(|entry| match entry {
            Entry::Began { run, version, boot_id, .. } => Entry::Began { run, version, boot_id, at: now },
            Entry::Policy { digest, sources, .. } => Entry::Policy { digest, sources, at: now },
            other => other,
        });
        let opened = |(port, local, identity, verdict): &Key| ListenerDelta {
            port: Arc::clone(port),
            local: *local,
            identity: Arc::clone(identity),
            verdict: Arc::clone(verdict),
            event: ListenerEvent::Opened,
            at: now,
        };
        let listeners = self
            .listeners
            .iter()
            .flat_map(|(key, open)| std::iter::repeat_n(key, *open as usize))
            .map(opened)
            .collect();
        Batch { until: now, entries: entries.collect(), listeners, ..Batch::default() }
    }
}
