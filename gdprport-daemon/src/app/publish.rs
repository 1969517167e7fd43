//! From what happened to events on their way out.
//!
//! Belongs here: the mapping of changes to event bodies, the port's `emit`, the envelope, the followers.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::listeners::Listener;
use crate::control::handle::Follower;
use crate::core::community_id::CommunityId;
use crate::core::emit::{Decision, Emitter, Mode};
use crate::core::event::{
    Body, Cookie, Finding, FindingEvent, FindingId, Flow as FlowObject, FlowEvent,
    Listener as ListenerObject, ListenerEvent, Peer, PolicyRef, Port, Stamper, Violation,
};
use crate::core::flow::{Change, ChangeKind, Flow};
use crate::core::model::PostureState;
use crate::core::policy::{Emit, Names, Policy, PortInfo, TlsDemand};
use crate::core::verdict::Verdict;
use crate::host::clock::BootClock;
use crate::out::Fanout;

/// A port as events name it, and what it sends.
#[derive(Debug, Clone)]
pub struct Watched {
    /// As events name it.
    pub port: Arc<Port>,
    /// What it sends.
    pub mode: Mode,
    /// True if its flows have to be encrypted by TLS.
    pub demands_tls: bool,
}

/// The way out of everything that happened.
#[derive(Debug)]
pub struct Publisher {
    fanout: Fanout,
    stamper: Stamper,
    emitter: Emitter,
    followers: Vec<Follower>,
    ports: HashMap<(u16, Arc<str>), Watched>,
    policy: Option<PolicyRef>,
}

impl Publisher {
    /// A publisher to these sinks that knows no policy yet.
    #[must_use]
    pub fn new(fanout: Fanout, stamper: Stamper) -> Self {
        Self {
            fanout,
            stamper,
            emitter: Emitter::default(),
            followers: Vec::new(),
            ports: HashMap::new(),
            policy: None,
        }
    }

    /// Takes over the ports of a policy.
    pub fn apply(&mut self, policy: &Policy) {
        self.ports =
            policy.watched().map(|info| ((info.number, Arc::clone(&info.name)), watched(info))).collect();
        self.policy = reference(policy);
    }

    /// The port that a flow belongs to.
    pub fn port_of(&self, flow: &Flow, policy: &Policy, names: &Names) -> Option<Watched> {
        let info = policy.port_of(&flow.facts(), names)?;
        self.ports.get(&(info.number, Arc::clone(&info.name))).cloned()
    }

    /// The port that a listener belongs to.
    pub fn port_numbered(&self, number: u16, policy: &Policy) -> Option<Watched> {
        let info = policy.port(number)?;
        self.ports.get(&(info.number, Arc::clone(&info.name))).cloned()
    }

    /// Sends what happened to a flow, and the violation if it is a new one.
    pub fn flow(&mut self, change: Change, port: &Watched, clock: &BootClock, now: Timestamp) {
        let Change { kind, flow, new_violation, .. } = change;
        let event = FlowEvent {
            port: Arc::clone(&port.port),
            flow: object(&flow, clock),
            process: flow.process,
            peer_process: flow.peer_process,
            posture: flow.posture.clone(),
            verdict: (*flow.verdict).clone(),
            policy: self.policy.clone(),
        };
        // Without a policy nothing is declared, and a violation for every flow would only say so again.
        let violation = (new_violation && self.policy.is_some()).then(|| event.clone());
        let finding = if kind == ChangeKind::Closed && port.demands_tls { unproven(&event) } else { None };
        let body = Box::new(event);
        let body = match kind {
            ChangeKind::Opened => Body::FlowOpen(body),
            ChangeKind::Updated => Body::FlowUpdate(body),
            ChangeKind::PostureKnown => Body::FlowPosture(body),
            ChangeKind::Failed => Body::FlowFail(body),
            ChangeKind::Closed => Body::FlowClose(body),
        };
        self.offer(body, port.mode, now);
        if let Some(event) = violation {
            self.offer(Body::Violation(Box::new(Violation::Flow(event))), port.mode, now);
        }
        if let Some(finding) = finding {
            self.offer(Body::Finding(Box::new(finding)), port.mode, now);
        }
    }

    /// Sends that a listener opened.
    pub fn listener_opened(&mut self, listener: &Listener, port: &Watched, now: Timestamp) {
        let event = self.listener_event(listener, port);
        self.offer(Body::ListenerOpen(Box::new(event)), port.mode, now);
        if matches!(listener.verdict, Verdict::Violation { .. }) {
            self.listener_violates(listener, port, now);
        }
    }

    /// Sends that a listener closed.
    pub fn listener_closed(&mut self, listener: &Listener, port: &Watched, now: Timestamp) {
        let event = self.listener_event(listener, port);
        self.offer(Body::ListenerClose(Box::new(event)), port.mode, now);
    }

    /// Sends that a listener that was open violates the policy now.
    pub fn listener_violates(&mut self, listener: &Listener, port: &Watched, now: Timestamp) {
        if self.policy.is_some() {
            let event = self.listener_event(listener, port);
            self.offer(Body::Violation(Box::new(Violation::Listener(event))), port.mode, now);
        }
    }

    fn listener_event(&self, listener: &Listener, port: &Watched) -> ListenerEvent {
        ListenerEvent {
            port: Arc::clone(&port.port),
            listener: ListenerObject { local: listener.local, cookie: Cookie(listener.cookie) },
            process: listener.process.clone(),
            verdict: listener.verdict.clone(),
            policy: self.policy.clone(),
        }
    }

    /// Sends an event that is not about a single flow.
    pub fn send(&mut self, body: Body, now: Timestamp) {
        self.offer(body, Mode::Every, now);
    }

    /// Sends the summaries whose period is over.
    pub fn summaries(&mut self, now: Timestamp) {
        for body in self.emitter.due(now) {
            self.stamp(body, now);
        }
    }

    /// Sends all summaries, at the end.
    pub fn flush(&mut self, now: Timestamp) {
        for body in self.emitter.flush(now) {
            self.stamp(body, now);
        }
    }

    /// Since when the oldest summary is being counted.
    #[must_use]
    pub fn counting_since(&self) -> Option<Timestamp> {
        self.emitter.counting_since()
    }

    /// From now on this follower gets every event.
    pub fn follow(&mut self, follower: Follower) {
        self.followers.push(follower);
    }

    /// Forgets followers that went away while nothing happened.
    pub fn forget_gone(&mut self) {
        self.followers.retain(|follower| !follower.is_gone());
    }

    /// The sinks.
    #[must_use]
    pub const fn fanout(&self) -> &Fanout {
        &self.fanout
    }

    /// Gives the sinks back, for the shutdown; followers' streams end.
    #[must_use]
    pub fn into_fanout(self) -> Fanout {
        self.fanout
    }

    /// What was offered, passed and left out.
    #[must_use]
    pub const fn counts(&self) -> crate::core::emit::Counts {
        self.emitter.counts()
    }

    /// The policy as events refer to it.
    #[must_use]
    pub fn policy(&self) -> Option<PolicyRef> {
        self.policy.clone()
    }

    fn offer(&mut self, body: Body, mode: Mode, now: Timestamp) {
        match self.emitter.offer(&body, mode, now) {
            Decision::Pass => self.stamp(body, now),
            Decision::Suppress => {}
        }
    }

    fn stamp(&mut self, body: Body, now: Timestamp) {
        let published = self.fanout.publish(self.stamper.stamp(now, body));
        if !self.followers.is_empty() {
            let line = published.native();
            self.followers.retain_mut(|follower| follower.offer(line));
        }
    }
}

/// What is left to find when a flow has ended whose encryption the policy demands and nobody saw: unknown is
/// not compliant.
fn unproven(event: &FlowEvent) -> Option<FindingEvent> {
    let posture = event.posture.as_ref().filter(|posture| match posture.state {
        PostureState::Unknown => true,
        // Upgraded to some TLS: whether to the one demanded was not seen.
        PostureState::StarttlsUpgraded => posture.version.is_none(),
        _ => false,
    })?;
    matches!(event.verdict, Verdict::Undecided { .. }).then(|| FindingEvent {
        finding: Finding {
            id: FindingId::PostureUnknown,
            detail: format!("the flow ended and how it was encrypted is not known: {}", posture.evidence),
        },
        flow: event.clone(),
    })
}

fn reference(policy: &Policy) -> Option<PolicyRef> {
    (!policy.is_catalog_only()).then(|| PolicyRef { digest: policy.digest().into() })
}

fn watched(info: &PortInfo) -> Watched {
    Watched {
        port: Arc::new(Port {
            name: Arc::clone(&info.name),
            number: info.number,
            protocol: info.protocol.clone(),
        }),
        demands_tls: matches!(info.tls, TlsDemand::AtLeast(_)),
        mode: match info.emit {
            Emit::Every => Mode::Every,
            Emit::Violations => Mode::Violations,
            Emit::Summary { every } => Mode::Summary { every },
        },
    }
}

/// The `flow` object of an event.
#[must_use]
pub fn object(flow: &Flow, clock: &BootClock) -> FlowObject {
    let duration_ns = flow.opened_ns.zip(flow.ended_ns).map(|(from, to)| to.saturating_sub(from));
    FlowObject {
        id: CommunityId::tcp(flow.local, flow.peer),
        cookie: Cookie(flow.cookie),
        direction: flow.direction,
        local: flow.local,
        peer: Peer { ip: flow.peer.ip, port: flow.peer.port, name: None },
        opened: flow.opened_ns.map(|ns| clock.timestamp(ns)),
        duration_ms: duration_ns.map(|ns| ns / 1_000_000),
        bytes_sent: flow.bytes_sent,
        bytes_received: flow.bytes_received,
        rtt_us: flow.rtt_us,
        retransmits: flow.retransmits,
        outcome: flow.outcome,
    }
}
