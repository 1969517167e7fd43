//! The events about listeners: what opened, closed, was denied, or is not as declared.

use gdprport_core::event::{Body, Cookie, Listener as ListenerObject, ListenerEvent, Violation};
use gdprport_core::listener::Listener;
use gdprport_core::shared::Shared;
use gdprport_core::verdict::{Accepted, Verdict};
use jiff::Timestamp;

use super::publish::{Publisher, WatchedPort};

impl Publisher {
    /// Sends that a listener opened.
    pub fn listener_opened(
        &mut self,
        listener: &Listener,
        port: &WatchedPort,
        accepted: Option<Shared<Accepted>>,
        now: Timestamp,
    ) {
        let event = self.listener_event(listener, port, accepted.clone());
        self.send(Body::ListenerOpen(Box::new(event)), now);
        if matches!(listener.verdict, Verdict::Violation { .. }) {
            self.listener_violates(listener, port, accepted, now);
        }
    }

    /// Sends that one was denied, and the violation if it is the first time of its kind. `repeated`: how often it was since the last.
    pub(super) fn listener_denied(
        &mut self,
        listener: &Listener,
        port: &WatchedPort,
        accepted: Option<Shared<Accepted>>,
        repeated: u64,
        now: Timestamp,
    ) {
        let mut event = self.listener_event(listener, port, accepted);
        (event.listener.denied, event.listener.repeated) = (true, repeated);
        let violates = matches!(listener.verdict, Verdict::Violation { .. }) && repeated == 0;
        self.send(Body::ListenerFail(Box::new(event.clone())), now);
        if violates && self.policy().is_some() {
            self.send(Body::Violation(Box::new(Violation::Listener(event))), now);
        }
    }

    /// Sends that a listener closed.
    pub fn listener_closed(
        &mut self,
        listener: &Listener,
        port: &WatchedPort,
        accepted: Option<Shared<Accepted>>,
        now: Timestamp,
    ) {
        let event = self.listener_event(listener, port, accepted);
        self.send(Body::ListenerClose(Box::new(event)), now);
    }

    /// Sends that a listener that was open violates the policy now.
    pub fn listener_violates(
        &mut self,
        listener: &Listener,
        port: &WatchedPort,
        accepted: Option<Shared<Accepted>>,
        now: Timestamp,
    ) {
        if self.policy().is_some() {
            let event = self.listener_event(listener, port, accepted);
            self.send(Body::Violation(Box::new(Violation::Listener(event))), now);
        }
    }

    fn listener_event(
        &mut self,
        listener: &Listener,
        port: &WatchedPort,
        accepted: Option<Shared<Accepted>>,
    ) -> ListenerEvent {
        let listener = self.shown_listener(listener);
        ListenerEvent {
            port: port.port.clone(),
            listener: ListenerObject {
                would_deny: listener.would_deny,
                ..ListenerObject::new(listener.local, Cookie(listener.cookie))
            },
            process: listener.process.clone(),
            verdict: listener.verdict.clone(),
            accepted,
            policy: self.policy(),
        }
    }
}
