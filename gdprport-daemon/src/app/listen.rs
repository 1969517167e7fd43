//! Listening sockets as the loop sees them: told when they open, close, or come to violate the policy.

use jiff::Timestamp;

use super::daemon::Daemon;
use super::listeners::Listener;
use gdprport_core::decode::SocketEvent;
use gdprport_core::flow::Context as _;
use gdprport_core::verdict::Verdict;

impl Daemon {
    /// Takes in that a socket began to listen.
    pub(super) fn listening(&mut self, event: &SocketEvent, now: Timestamp) {
        let process = self.judge(now).who(&event.owner);
        let verdict = self.in_force.policy.evaluate_listener(event.local, process.as_deref());
        let listener = Listener {
            cookie: event.cookie,
            local: event.local,
            process,
            verdict,
            opened_ns: Some(event.time_ns),
            netns_cookie: event.owner.netns_cookie,
            found: false,
        };
        self.listener_opened(listener, now);
    }

    /// Reports and remembers a listener, unless it is known.
    pub(super) fn listener_opened(&mut self, listener: Listener, now: Timestamp) {
        let Some(port) = self.publisher.port_numbered(listener.local.port, &self.in_force.policy) else {
            self.books.unwatched_listeners += 1;
            return;
        };
        if self.listeners.contains(listener.cookie) {
            return;
        }
        if matches!(listener.verdict, Verdict::Violation { .. }) {
            self.books.port(port.port.number, &port.port.name).violation(&listener.verdict);
        }
        self.publisher.listener_opened(&listener, &port, now);
        self.listeners.insert(listener);
    }

    /// Reports that a listener is gone, if it was known.
    pub(super) fn listener_ended(&mut self, cookie: u64, now: Timestamp) {
        let Some(listener) = self.listeners.remove(cookie) else { return };
        if let Some(port) = self.publisher.port_numbered(listener.local.port, &self.in_force.policy) {
            self.publisher.listener_closed(&listener, &port, now);
        }
    }

    /// Judges every listener anew.
    pub(super) fn rejudge_listeners(&mut self, now: Timestamp) {
        let policy = &self.in_force.policy;
        let mut changed = Vec::new();
        for listener in self.listeners.iter_mut() {
            let verdict = policy.evaluate_listener(listener.local, listener.process.as_deref());
            if listener.verdict != verdict {
                listener.verdict = verdict;
                changed.push(listener.clone());
            }
        }
        for listener in changed {
            if let Some(port) = self.publisher.port_numbered(listener.local.port, policy)
                && matches!(listener.verdict, Verdict::Violation { .. })
            {
                self.books.port(port.port.number, &port.port.name).violation(&listener.verdict);
                self.publisher.listener_violates(&listener, &port, now);
            }
        }
    }
}
