//! From changes to events, and events to the sinks.
//!
//! Belongs here: what is shown of a flow and a process, for all that leaves the daemon; which events a change makes, what a port suppresses, the envelope, the line. Does not belong here: how a
//! flow is written (`flow_event`), the events about listeners (`listener_event`), queues and destinations (`sink`).

use std::borrow::Cow;
use std::sync::Arc;

use gdprport_core::encode::Encoder;
use gdprport_core::event::{
    Agent, Body, FindingEvent, FlowEvent, FlowFindingEvent, FlowKind, Kind, PolicyRef, Port, Stamper,
};
use gdprport_core::flow::{Change, ChangeKind, Flow};
use gdprport_core::listener::Listener;
use gdprport_core::policy::{ActivePolicy, Emit, Policy, PortInfo, TlsDemand};
use gdprport_core::privacy::{Privacy, Shown};
use gdprport_core::shared::Shared;
use gdprport_core::suppress::{Decision, Suppressor, With};
use gdprport_core::verdict::Accepted;
use gdprport_core::volume::Beyond;
use ipnet::IpNet;
use jiff::Timestamp;

use super::flow_event::{flow_object, unproven};
use super::lost::OwnRuns;
use crate::host::clock::BootClock;
use crate::sink::evidence::EvidenceHandle;
use crate::sink::{Fanout, SinkStats};

/// A port as events name it, and what it sends.
#[derive(Debug, Clone)]
pub struct WatchedPort {
    /// As events name it.
    pub port: Shared<Port>,
    /// What it sends.
    emit: Emit,
    /// True if its flows have to be encrypted by TLS.
    pub(super) demands_tls: bool,
}

/// What was published so far: `received = published + suppressed`.
#[derive(Debug, Clone, Default)]
pub struct PublisherSnapshot {
    /// Events that there was an occasion for, counted where it is handed in, before anything decides about it.
    pub received: u64,
    /// Events that every sink was given, or will be with the next delivery.
    pub published: u64,
    /// The same by kind, in the order of [`Kind::ALL`].
    pub kinds: [u64; Kind::ALL.len()],
    /// Events left out because their port's `emit` asks for it.
    pub suppressed: u64,
    /// Each sink's counters.
    pub sinks: Vec<SinkStats>,
}

/// Makes events and passes them to the sinks.
#[derive(Debug)]
pub struct Publisher {
    fanout: Fanout,
    stamper: Stamper,
    encoder: Encoder,
    suppressor: Suppressor,
    clock: BootClock,
    own_runs: OwnRuns,
    received: u64,
    /// In the order of [`Policy::watched`].
    ports: Vec<WatchedPort>,
    policy: Option<PolicyRef>,
    /// How peers and persons are shown; `None`: as they are.
    shown: Option<Box<Shown>>,
    /// The evidence log, if one is kept.
    pub(super) evidence: Option<EvidenceHandle>,
}

impl Publisher {
    /// A publisher to these sinks that knows no policy yet.
    #[must_use]
    pub fn new(fanout: Fanout, stamper: Stamper, clock: BootClock) -> Self {
        Self {
            fanout,
            stamper,
            encoder: Encoder::default(),
            suppressor: Suppressor::default(),
            clock,
            own_runs: OwnRuns::default(),
            received: 0,
            ports: Vec::new(),
            policy: None,
            shown: None,
            evidence: None,
        }
    }

    /// Shows peers and persons in this way.
    #[must_use]
    pub fn with_privacy(self, privacy: Option<Arc<Privacy>>) -> Self {
        Self { shown: privacy.map(|privacy| Box::new(Shown::new(privacy))), ..self }
    }

    /// Tells this log what the sinks do not: policies, and the sums of its checkpoints.
    #[must_use]
    pub(in crate::app) fn with_evidence(self, evidence: Option<EvidenceHandle>) -> Self {
        Self { evidence, ..self }
    }

    /// How peers and persons are shown; `None`: as they are.
    #[must_use]
    pub fn privacy(&self) -> Option<&Arc<Privacy>> {
        self.shown.as_deref().map(Shown::privacy)
    }

    /// Makes of a flow what leaves the daemon, in whatever form.
    pub fn show(&mut self, flow: &mut Flow) {
        if let Some(shown) = &mut self.shown {
            shown.flow(flow);
        }
    }

    /// Of a network of peers what leaves the daemon.
    #[must_use]
    pub fn shown_network(&self, network: IpNet) -> IpNet {
        self.privacy().map_or(network, |privacy| privacy.network(network))
    }

    /// The same of one that stays in its table.
    pub fn shown<'f>(&mut self, flow: &'f Flow) -> Cow<'f, Flow> {
        let Some(shown) = &mut self.shown else { return Cow::Borrowed(flow) };
        let mut flow = flow.clone();
        shown.flow(&mut flow);
        Cow::Owned(flow)
    }

    /// Of a listener what leaves the daemon. Its address is this host's own.
    pub fn shown_listener<'l>(&mut self, listener: &'l Listener) -> Cow<'l, Listener> {
        let Some(shown) = &mut self.shown else { return Cow::Borrowed(listener) };
        let process = listener.process.as_ref().map(|process| shown.process(process));
        Cow::Owned(Listener { process, ..listener.clone() })
    }

    /// Takes over the ports of a policy.
    pub fn set_policy(&mut self, policy: &Policy) {
        self.ports = policy.watched().map(watched).collect();
        self.policy = reference(policy);
    }

    /// The clock that turns boottime into times of events.
    #[must_use]
    pub const fn clock(&self) -> &BootClock {
        &self.clock
    }

    /// The wall clock may have been set.
    pub const fn set_clock(&mut self, clock: BootClock) {
        self.clock = clock;
    }

    /// The port at this place of [`Policy::watched`], of the policy that was set last.
    #[must_use]
    pub fn port(&self, index: usize) -> Option<WatchedPort> {
        self.ports.get(index).cloned()
    }

    /// The port that a listener belongs to.
    #[must_use]
    pub fn port_numbered(&self, number: u16, policy: &ActivePolicy) -> Option<WatchedPort> {
        self.port(policy.port(number)?.index)
    }

    /// Sends what happened to a flow, as it is shown, and the violation if it is a new one.
    /// `name`: the peer's, by the policy. `accepted`: the exceptions that accept its violation. `beyond`: the volume of its rule.
    pub fn flow(
        &mut self,
        change: Change,
        name: Option<Arc<str>>,
        port: WatchedPort,
        (accepted, beyond): (Option<Shared<Accepted>>, Option<Beyond>),
        now: Timestamp,
    ) {
        let is_known = beyond.as_ref().is_some_and(|beyond| beyond.known);
        let new_violation = change.is_new_violation() && !is_known;
        let Change { kind, flow, .. } = change;
        let of = match kind {
            ChangeKind::Opened => FlowKind::Open,
            ChangeKind::Updated => FlowKind::Update,
            ChangeKind::PostureKnown => FlowKind::Posture,
            ChangeKind::Failed => FlowKind::Fail,
            ChangeKind::Closed => FlowKind::Close,
            // Only counted: a table that is full, or a policy without a busy port, would send as many events at once.
            ChangeKind::Removed(_) => return,
        };
        // Without a policy nothing is declared, and a violation for every flow would only say so again.
        let violates = new_violation && self.policy.is_some();
        let (emit, demands_tls) = (port.emit, port.demands_tls);
        let mut event = self.event_of(flow, name, port.port, accepted, now);
        event.volume = beyond.map(|beyond| beyond.volume);
        let ends_unproven = kind == ChangeKind::Closed && demands_tls;
        let finding = ends_unproven.then(|| unproven(&event)).flatten();
        let with = With { violation: violates, finding: finding.is_some() };
        self.received += 1 + u64::from(with.count());
        match self.suppressor.offer(of, with, &event, emit, now) {
            Decision::Pass => self.line(of, &event, now),
            Decision::SuppressFlow => {}
            Decision::SuppressAll => return,
        }
        if violates {
            self.line(FlowKind::Violation, &event, now);
        }
        if let Some(finding) = finding {
            let found = FindingEvent::Flow(FlowFindingEvent { finding, flow: event });
            self.stamp(Body::Finding(Box::new(found)), now);
        }
    }

    /// What is known of a flow, as it is shown, as an event has it.
    pub(super) fn event_of(
        &self,
        flow: Flow,
        name: Option<Arc<str>>,
        port: Shared<Port>,
        accepted: Option<Shared<Accepted>>,
        now: Timestamp,
    ) -> FlowEvent {
        FlowEvent {
            port,
            flow: flow_object(&flow, name, &self.clock, now),
            process: flow.process,
            peer_process: flow.peer_process,
            posture: flow.posture,
            verdict: flow.verdict,
            accepted,
            overload: None,
            volume: None,
            policy: self.policy.clone(),
        }
    }

    /// Sends the violation of a flow that stands for others, whatever its port sends.
    pub(super) fn flow_violates(&mut self, event: &FlowEvent, now: Timestamp) {
        self.received += 1;
        self.line(FlowKind::Violation, event, now);
    }

    /// Sends an event that is not about a single flow.
    pub fn send(&mut self, body: Body, now: Timestamp) {
        self.received += 1;
        self.stamp(body, now);
    }

    /// Sends the summaries whose period is over.
    pub fn summaries(&mut self, now: Timestamp) {
        for body in self.suppressor.due(now) {
            self.send(body, now);
        }
    }

    /// Sends all summaries, at the end.
    pub fn flush(&mut self, now: Timestamp) {
        for body in self.suppressor.flush(now) {
            self.send(body, now);
        }
    }

    /// Sends each sink that works again, and no other, the sums of what it lost; at the end whether it works or not.
    pub fn send_lost(&mut self, now: Timestamp, ending: bool) {
        let Self { fanout, stamper, encoder, own_runs, .. } = self;
        own_runs.send_lost(fanout, (stamper, encoder), now, ending);
    }

    /// Since when the oldest summary is being counted.
    #[must_use]
    pub fn counting_since(&self) -> Option<Timestamp> {
        self.suppressor.counting_since()
    }

    /// The sinks.
    #[must_use]
    pub const fn fanout(&self) -> &Fanout {
        &self.fanout
    }

    /// The sinks, to add a follower or to drop those that left.
    #[must_use]
    pub const fn fanout_mut(&mut self) -> &mut Fanout {
        &mut self.fanout
    }

    /// Gives the sinks back, for the shutdown; followers' streams end.
    #[must_use]
    pub fn into_fanout(mut self) -> Fanout {
        self.fanout.drop_followers();
        self.fanout
    }

    /// What was published so far.
    #[must_use]
    pub fn snapshot(&self) -> PublisherSnapshot {
        PublisherSnapshot {
            received: self.received,
            published: self.fanout.published(),
            kinds: self.fanout.published_by_kind(),
            suppressed: self.suppressor.suppressed(),
            sinks: self.fanout.stats(),
        }
    }

    /// This run, as events name it.
    #[must_use]
    pub fn agent(&self) -> &Agent {
        self.stamper.agent()
    }

    /// The policy as events refer to it.
    #[must_use]
    pub fn policy(&self) -> Option<PolicyRef> {
        self.policy.clone()
    }

    fn line(&mut self, kind: FlowKind, event: &FlowEvent, now: Timestamp) {
        if self.fanout.wants_events() {
            return self.stamp(kind.body(event.clone()), now);
        }
        let Self { stamper, encoder, fanout, .. } = self;
        fanout.publish_line(kind, |line| encoder.flow(stamper.head(now), kind, event, line));
    }

    fn stamp(&mut self, body: Body, now: Timestamp) {
        let Self { stamper, encoder, fanout, .. } = self;
        fanout.publish(stamper.stamp(now, body), |event, line| encoder.native(event, line));
    }

    /// Hands what was published to the sinks: once for all that the loop found to do.
    pub fn deliver(&mut self) {
        self.fanout.deliver();
    }
}

fn reference(policy: &Policy) -> Option<PolicyRef> {
    (!policy.is_catalog_only()).then(|| PolicyRef { digest: policy.digest().into() })
}

fn watched(info: &PortInfo) -> WatchedPort {
    WatchedPort {
        port: Shared::new(Port {
            name: Arc::clone(&info.name),
            number: info.number,
            protocol: info.protocol.clone(),
        }),
        emit: info.emit,
        demands_tls: matches!(info.tls, TlsDemand::AtLeast(_)),
    }
}
