//! From what happened to events on their way out.
//!
//! Belongs here: the mapping of changes to event bodies, the port's `emit`, the envelope, the followers.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::listeners::Listener;
use crate::control::handle::Follower;
use crate::host::clock::BootClock;
use crate::sink::Fanout;
use gdprport_core::emit::{Decision, Emitter, Mode};
use gdprport_core::event::{
    Body, Cookie, Finding, FindingEvent, FindingId, Flow as FlowObject, FlowEvent, FlowKind,
    Listener as ListenerObject, ListenerEvent, Peer, PolicyRef, Port, Stamper, Violation,
};
use gdprport_core::flow::{Change, ChangeKind, Flow};
use gdprport_core::model::PostureState;
use gdprport_core::policy::{Emit, Names, Policy, PortInfo, TlsDemand};
use gdprport_core::verdict::Verdict;

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
    /// Events that there was an occasion for, counted where it is handed in, before anything decides about it.
    received: u64,
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
            received: 0,
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
    pub fn flow(&mut self, change: Change, port: Watched, names: &Names, clock: &BootClock, now: Timestamp) {
        let new_violation = change.is_new_violation();
        let Change { kind, flow, .. } = change;
        let of = match kind {
            ChangeKind::Opened => FlowKind::Open,
            ChangeKind::Updated => FlowKind::Update,
            ChangeKind::PostureKnown => FlowKind::Posture,
            ChangeKind::Failed => FlowKind::Fail,
            ChangeKind::Closed => FlowKind::Close,
            // Only counted: a table that is full, or a policy without a busy port, would send as many events at once.
            ChangeKind::Forgotten(_) => return,
        };
        // Without a policy nothing is declared, and a violation for every flow would only say so again.
        let violates = new_violation && self.policy.is_some();
        self.received += 1 + u64::from(violates);
        let Watched { port, mode, demands_tls } = port;
        let event = FlowEvent {
            port,
            flow: object(&flow, names, clock, now),
            process: flow.process,
            peer_process: flow.peer_process,
            posture: flow.posture,
            verdict: flow.verdict,
            policy: self.policy.clone(),
        };
        self.offer(of, &event, mode, now);
        if violates {
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
        self.received += 1;
        self.stamp(body, now);
    }

    /// Sends the summaries whose period is over.
    pub fn summaries(&mut self, now: Timestamp) {
        for body in self.emitter.due(now) {
            self.send(body, now);
        }
    }

    /// Sends all summaries, at the end.
    pub fn flush(&mut self, now: Timestamp) {
        for body in self.emitter.flush(now) {
            self.send(body, now);
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

    /// How many events there was an occasion for: `received = published + suppressed`, which nothing but the paths
    /// between the three places makes true.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// How many events were left out because their port's `emit` asks for it.
    #[must_use]
    pub const fn suppressed(&self) -> u64 {
        self.emitter.suppressed()
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
    const UNKNOWN: (FindingId, &str) = (FindingId::PostureUnknown, "how it was encrypted is not known");
    let ((id, what), why) = match event.posture.as_deref() {
        None => (UNKNOWN, "nothing was seen"),
        Some(posture) => {
            let found = match posture.state {
                PostureState::Unknown => UNKNOWN,
                // Upgraded to some TLS: whether to the one demanded was not seen.
                PostureState::StarttlsUpgraded if posture.version.is_none() => UNKNOWN,
                PostureState::EncryptedOther => (
                    FindingId::PostureNotTls,
                    "it was encrypted by something else than the TLS that is demanded",
                ),
                _ => return None,
            };
            (found, &*posture.evidence)
        }
    };
    let detail = format!("the flow ended and {what}: {why}");
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

/// The `flow` object of an event at `now`.
fn object(flow: &Flow, names: &Names, clock: &BootClock, now: Timestamp) -> FlowObject {
    let opened = flow.opened_ns.map(|ns| clock.timestamp(ns));
    let duration_ms = flow.opened_ns.zip(opened).map(|(from_ns, from)| match flow.ended_ns {
        Some(to_ns) => to_ns.saturating_sub(from_ns) / 1_000_000,
        None => u64::try_from(now.duration_since(from).as_millis()).unwrap_or(0),
    });
    FlowObject {
        id: flow.id,
        cookie: Cookie(flow.cookie),
        direction: flow.direction,
        local: flow.local,
        peer: Peer { ip: flow.peer.ip, port: flow.peer.port, name: names.at(flow.peer.ip).first().cloned() },
        opened,
        duration_ms,
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
    use gdprport_core::community_id::CommunityId;
    use gdprport_core::event::samples;
    use gdprport_core::model::{Direction, Endpoint, Outcome, Posture, TlsVersion};
    use gdprport_core::policy::Resolution;

    const SECOND: u64 = 1_000_000_000;

    fn flow() -> Flow {
        let endpoint = |ip: &str, port| Endpoint::new(ip.parse().expect("address"), port);
        let (local, peer) = (endpoint("10.1.2.3", 48_212), endpoint("203.0.113.7", 5432));
        Flow {
            id: CommunityId::tcp(local, peer),
            cookie: 1,
            direction: Direction::Out,
            local,
            peer,
            opened_ns: Some(10 * SECOND),
            ended_ns: None,
            process: None,
            peer_process: None,
            posture: None,
            verdict: Arc::new(Verdict::Declared { rule: "any".into() }),
            outcome: Outcome::Established,
            bytes_sent: None,
            bytes_received: None,
            rtt_us: None,
            retransmits: None,
            netns_cookie: 0,
            found: false,
        }
    }

    #[test]
    fn a_flow_lasts_until_its_event_or_its_end_and_its_age_is_only_told_where_its_opening_is_known() {
        let clock = BootClock::booted_at(samples::now());
        let at = |flow: &Flow, second| {
            object(flow, &Names::default(), &clock, clock.timestamp(second * SECOND)).duration_ms
        };
        assert_eq!(at(&flow(), 12), Some(2_000));
        assert_eq!(at(&flow(), 9), Some(0), "the time of a batch may be before that of its last record");
        assert_eq!(at(&Flow { ended_ns: Some(11 * SECOND), ..flow() }, 12), Some(1_000));
        assert_eq!(at(&Flow { opened_ns: None, ..flow() }, 12), None);
    }

    #[test]
    fn a_peer_has_the_name_by_which_the_policy_knows_its_address() {
        let clock = BootClock::booted_at(samples::now());
        let resolved = |ip: &str| Resolution::Resolved(vec![ip.parse().expect("address")]);
        let names = Names::new([
            ("other.example".into(), resolved("203.0.113.8")),
            ("db.example".into(), resolved("203.0.113.7")),
        ]);
        let named = |names: &Names| object(&flow(), names, &clock, samples::now()).peer.name;
        assert_eq!(named(&names).as_deref(), Some("db.example"));
        assert_eq!(named(&Names::default()), None);
    }

    fn found(posture: Option<Posture>, undecided: bool) -> Option<FindingId> {
        let mut event = samples::declared(Outcome::Closed);
        event.posture = posture.map(Arc::new);
        if undecided {
            event.verdict = Arc::new(Verdict::Undecided { missing: Vec::new(), nearest: None });
        }
        unproven(event).map(|event| event.finding.id)
    }

    #[test]
    fn a_flow_that_ends_undecided_for_its_encryption_is_found_whatever_is_missing() {
        let of = |state| found(Some(Posture::new(state, "seen")), true);
        assert_eq!(of(PostureState::Unknown), Some(FindingId::PostureUnknown));
        assert_eq!(of(PostureState::StarttlsUpgraded), Some(FindingId::PostureUnknown));
        assert_eq!(of(PostureState::EncryptedOther), Some(FindingId::PostureNotTls));
        let upgraded = Posture::new(PostureState::StarttlsUpgraded, "seen");
        assert_eq!(found(Some(Posture { version: Some(TlsVersion::Tls13), ..upgraded }), true), None);
        assert_eq!(of(PostureState::Tls13), None, "what is undecided is something else");
        assert_eq!(found(Some(Posture::unknown("seen")), false), None);
        assert_eq!(found(None, true), Some(FindingId::PostureUnknown), "nothing was seen");
    }
}
