//! What the inputs do to the table of listeners, and what of it is reported and counted.

use gdprport_core::decode::ListenerRecord;
use gdprport_core::flow::Context as _;
use gdprport_core::ledger::{ListenerEvent, Tally};
use gdprport_core::listener::Listener;
use gdprport_core::policy::{ActivePolicy, Policy, PortInfo};
use gdprport_core::verdict::Verdict;
use jiff::Timestamp;

use super::accepted;
use super::monitor::{Monitor, SeenListener};
use super::publish::Publisher;
use crate::host::process::TaskLookup;

impl<K: TaskLookup> Monitor<K> {
    /// Applies a record about a listener.
    pub(super) fn listener(&mut self, record: &ListenerRecord, now: Timestamp) {
        match record {
            ListenerRecord::Opened(event) => {
                let process = self.evidence.context(&self.active_policy, now).process_of(&event.owner);
                let netns_cookie = event.owner.netns_cookie;
                let (cookie, local, would_deny) = (event.cookie, event.local, event.would_deny);
                let listener = SeenListener { cookie, local, process, netns_cookie, would_deny };
                self.open_listener(listener, Some(event.time_ns), now);
            }
            ListenerRecord::Closed(event) => {
                let ended = self.listeners.ended(event.cookie);
                self.listener_closed(ended, now);
            }
            ListenerRecord::Denied(event) => self.bind_denied(event, now),
        }
    }

    /// Evaluates, reports and remembers a listener, unless it is known. `opened_ns`: when a record says that it began to
    /// listen; `None` if it was found without one.
    pub(super) fn open_listener(&mut self, listener: SeenListener, opened_ns: Option<u64>, now: Timestamp) {
        let SeenListener { cookie, local, process, netns_cookie, would_deny } = listener;
        let Some(port) = self.publisher.port_numbered(local.port, &self.active_policy) else {
            self.counters.unwatched_listeners += 1;
            return;
        };
        if self.listeners.contains(cookie) {
            return;
        }
        let verdict = self.active_policy.evaluate_listener(local, process.as_deref(), now);
        let found = opened_ns.is_none();
        let listener =
            Listener { cookie, local, process, verdict, opened_ns, netns_cookie, found, would_deny };
        let accepted = accepted::of_listener(&self.active_policy, &listener, now);
        if matches!(listener.verdict, Verdict::Violation { .. }) {
            let counters = self.counters.port(port.port.number, &port.port.name);
            counters.violation(&listener.verdict);
            counters.accepted(false, accepted.is_some());
        }
        self.publisher.listener_opened(&listener, &port, accepted, now);
        self.count_listener(&listener, ListenerEvent::Opened, now);
        if let Some(forgotten) = self.listeners.insert(listener) {
            // Its end will not be known.
            self.count_listener(&forgotten, ListenerEvent::Closed, now);
        }
    }

    /// Reports those that were known as closed.
    pub(super) fn close_listeners(&mut self, cookies: impl Iterator<Item = u64>, now: Timestamp) {
        for cookie in cookies {
            let removed = self.listeners.remove(cookie);
            self.listener_closed(removed, now);
        }
    }

    fn listener_closed(&mut self, listener: Option<Listener>, now: Timestamp) {
        if let Some(listener) = listener
            && let Some(port) = self.publisher.port_numbered(listener.local.port, &self.active_policy)
        {
            let accepted = accepted::of_listener(&self.active_policy, &listener, now);
            self.publisher.listener_closed(&listener, &port, accepted, now);
            self.count_listener(&listener, ListenerEvent::Closed, now);
        }
    }

    /// Judges every listener again and reports those that violate the policy in a new way. `names`: processes that had to
    /// go without names get them before.
    pub(super) fn judge_listeners(&mut self, names: bool, now: Timestamp) {
        let Self { listeners, evidence, active_policy, tally, publisher, .. } = self;
        let mut changed = Vec::new();
        for listener in listeners.iter_mut() {
            let lacking = listener.process.as_ref().filter(|process| names && process.lacks_names());
            let named = lacking.and_then(|process| evidence.context(active_policy, now).with_names(process));
            let verdict = match &named {
                Some(named) => active_policy.evaluate_listener(listener.local, Some(named), now),
                None => active_policy.evaluate_listener(listener.local, listener.process.as_deref(), now),
            };
            let judged = listener.verdict != verdict;
            if !judged && named.is_none() {
                continue;
            }
            count(tally.as_mut(), publisher, active_policy, listener, ListenerEvent::Closed, now);
            listener.verdict = verdict;
            listener.process = named.or(listener.process.take());
            count(tally.as_mut(), publisher, active_policy, listener, ListenerEvent::Judged, now);
            if judged {
                changed.push(listener.clone());
            }
        }
        for listener in changed {
            if let Some(port) = self.publisher.port_numbered(listener.local.port, &self.active_policy)
                && matches!(listener.verdict, Verdict::Violation { .. })
            {
                let accepted = accepted::of_listener(&self.active_policy, &listener, now);
                let counters = self.counters.port(port.port.number, &port.port.name);
                counters.violation(&listener.verdict);
                counters.accepted(false, accepted.is_some());
                self.publisher.listener_violates(&listener, &port, accepted, now);
            }
        }
    }

    /// Takes listeners out of the count that another policy does not watch, or knows by another name. Those that it knows
    /// are returned, to be counted again where they stand by it.
    pub(super) fn leave_ports(&mut self, next: &Policy, now: Timestamp) -> Vec<Listener> {
        let Self { listeners, active_policy, tally, publisher, .. } = self;
        let mut moved = Vec::new();
        if tally.is_none() {
            return moved;
        }
        let known_as = |port: &PortInfo| (port.name.clone(), port.declared);
        for listener in listeners.iter() {
            let number = listener.local.port;
            let after = next.port(number).map(known_as);
            if active_policy.port(number).map(known_as) != after {
                count(tally.as_mut(), publisher, active_policy, listener, ListenerEvent::Closed, now);
                if after.is_some() {
                    moved.push(listener.clone());
                }
            }
        }
        moved
    }

    /// Adds to the ledger what happened to a listener.
    pub(super) fn count_listener(&mut self, listener: &Listener, event: ListenerEvent, now: Timestamp) {
        count(self.tally.as_mut(), &mut self.publisher, &self.active_policy, listener, event, now);
    }
}

fn count(
    tally: Option<&mut Tally>,
    publisher: &mut Publisher,
    policy: &ActivePolicy,
    listener: &Listener,
    event: ListenerEvent,
    now: Timestamp,
) {
    if let (Some(tally), Some(port)) = (tally, policy.port(listener.local.port)) {
        tally.listener(&publisher.shown_listener(listener), port.index, event, now);
    }
}
