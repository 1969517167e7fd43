//! From what happened to events on their way out.
//!
//! Belongs here: the mapping of changes to event bodies, the port's `emit`, the envelope, the followers.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::listeners::Listener;
use crate::control::handle::Follower;
use crate::core::emit::{Decision, Emitter, Mode};
use crate::core::event::{
    Body, Cookie, Finding, FindingEvent, FindingId, Flow as FlowObject, FlowEvent, FlowKind,
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
    /// In the order of [`Policy::watched`].
    ports: Vec<Watched>,
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
            ports: Vec::new(),
            policy: None,
        }
    }

    /// Takes over the ports of a policy.
    pub fn apply(&mut self, policy: &Policy) {
        self.ports = policy.watched().map(watched).collect();
        self.policy = reference(policy);
    }

    /// The port that a flow belongs to.
    pub fn port_of(&self, flow: &Flow, policy: &Policy, names: &Names) -> Option<Watched> {
        let info = policy.port_of(&flow.facts(), names)?;
        self.ports.get(info.index).cloned()
    }

    /// The port that a listener belongs to.
    pub fn port_numbered(&self, number: u16, policy: &Policy) -> Option<Watched> {
        let info = policy.port(number)?;
        self.ports.get(info.index).cloned()
    }

    /// Sends what happened to a flow, and the violation if it is a new one.
    pub fn flow(&mut self, change: Change, port: Watched, clock: &BootClock, now: Timestamp) {
        let Change { kind, flow, new_violation, .. } = change;
        let Watched { port, mode, demands_tls } = port;
        let event = FlowEvent {
            port,
            flow: object(&flow, clock),
            process: flow.process,
            peer_process: flow.peer_process,
            posture: flow.posture,
            verdict: flow.verdict,
            policy: self.policy.clone(),
        };
        let of = match kind {
            ChangeKind::Opened => FlowKind::Open,
            ChangeKind::Updated => FlowKind::Update,
            ChangeKind::PostureKnown => FlowKind::Posture,
            ChangeKind::Failed => FlowKind::Fail,
            ChangeKind::Closed => FlowKind::Close,
        };
        self.offer(of, &event, mode, now);
        // Without a policy nothing is declared, and a violation for every flow would only say so again.
        if new_violation && self.policy.is_some() {
            self.offer(FlowKind::Violation, &event, mode, now);
        }
        if kind == ChangeKind::Closed
            && demands_tls
            && let Some(finding) = unproven(event)
        {
            self.send(Body::Finding(Box::new(finding)), now);
        }
    }

    /// Sends that a listener opened.
    pub fn listener_opened(&mut self, listener: &Listener, port: &Watched, now: Timestamp) {
        let event = self.listener_event(listener, port);
        self.send(Body::ListenerOpen(Box::new(event)), now);
        if matches!(listener.verdict, Verdict::Violation { .. }) {
            self.listener_violates(listener, port, now);
        }
    }

    /// Sends that a listener closed.
    pub fn listener_closed(&mut self, listener: &Listener, port: &Watched, now: Timestamp) {
        let event = self.listener_event(listener, port);
        self.send(Body::ListenerClose(Box::new(event)), now);
    }

    /// Sends that a listener that was open violates the policy now.
    pub fn listener_violates(&mut self, listener: &Listener, port: &Watched, now: Timestamp) {
        if self.policy.is_some() {
            let event = self.listener_event(listener, port);
            self.send(Body::Violation(Box::new(Violation::Listener(event))), now);
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
        self.emitter.pass();
        self.stamp(body, now);
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

    fn offer(&mut self, kind: FlowKind, event: &FlowEvent, mode: Mode, now: Timestamp) {
        match self.emitter.offer(kind, event, mode, now) {
            Decision::Pass => {
                let line = self.fanout.publish_flow(&mut self.stamper, now, kind, event);
                follow(&mut self.followers, line);
            }
            Decision::Suppress => {}
        }
    }

    fn stamp(&mut self, body: Body, now: Timestamp) {
        let line = self.fanout.publish(self.stamper.stamp(now, body));
        follow(&mut self.followers, line);
    }

    /// Hands what was published to the sinks: once for all that the loop found to do.
    pub fn deliver(&mut self) {
        self.fanout.deliver();
    }
}

/// Offers a line to everybody who follows, and forgets who is gone.
fn follow(followers: &mut Vec<Follower>, line: &[u8]) {
    if !followers.is_empty() {
        let line = Bytes::copy_from_slice(line);
        followers.retain_mut(|follower| follower.offer(&line));
    }
}

/// What is left to find when a flow has ended whose encryption the policy demands and nobody saw, or of which it cannot
/// be said that it is what is demanded: unknown is not compliant.
fn unproven(event: FlowEvent) -> Option<FindingEvent> {
    let Verdict::Undecided { .. } = *event.verdict else { return None };
    let posture = event.posture.as_ref()?;
    let (id, what) = match posture.state {
        PostureState::Unknown => (FindingId::PostureUnknown, "how it was encrypted is not known"),
        // Upgraded to some TLS: whether to the one demanded was not seen.
        PostureState::StarttlsUpgraded if posture.version.is_none() => {
            (FindingId::PostureUnknown, "how it was encrypted is not known")
        }
        PostureState::EncryptedOther => {
            (FindingId::PostureNotTls, "it was encrypted by something else than the TLS that is demanded")
        }
        _ => return None,
    };
    let detail = format!("the flow ended and {what}: {}", posture.evidence);
    Some(FindingEvent { finding: Finding { id, detail }, flow: event })
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
        id: flow.id,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::samples;
    use crate::core::model::{Outcome, Posture, TlsVersion};

    fn found(posture: Posture, undecided: bool) -> Option<FindingId> {
        let mut event = samples::declared(Outcome::Closed);
        event.posture = Some(Arc::new(posture));
        if undecided {
            event.verdict = Arc::new(Verdict::Undecided { missing: Vec::new(), nearest: None });
        }
        unproven(event).map(|event| event.finding.id)
    }

    #[test]
    fn a_flow_that_ends_undecided_for_its_encryption_is_found_whatever_is_missing() {
        let of = |state| found(Posture::new(state, "seen"), true);
        assert_eq!(of(PostureState::Unknown), Some(FindingId::PostureUnknown));
        assert_eq!(of(PostureState::StarttlsUpgraded), Some(FindingId::PostureUnknown));
        assert_eq!(of(PostureState::EncryptedOther), Some(FindingId::PostureNotTls));
        let upgraded = Posture::new(PostureState::StarttlsUpgraded, "seen");
        assert_eq!(found(Posture { version: Some(TlsVersion::Tls13), ..upgraded }, true), None);
        assert_eq!(of(PostureState::Tls13), None, "what is undecided is something else");
        assert_eq!(found(Posture::unknown("seen"), false), None);
    }
}
