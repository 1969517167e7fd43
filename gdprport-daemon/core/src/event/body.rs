//! What an event reports: one variant per kind, each with exactly the data of its kind.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::audit_finding::AuditFindingEvent;
use super::checkpoint::EvidenceCheckpoint;
use super::coverage::CoverageEvent;
use super::flow_event::{FlowEvent, FlowFindingEvent};
use super::lifecycle::{DaemonStart, DaemonStop, PolicyEvent};
use super::listener::ListenerEvent;
use super::refs::Port;
use super::severity::Severity;
use super::sink::{SinkLost, SinkTest};
use super::summary::FlowSummary;
use crate::model::Process;
use crate::shared::Shared;
use crate::verdict::{Accepted, Verdict};

/// What a `violation` is about: `flow` or `listener` is present, never both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Violation {
    /// A flow that no rule allows.
    Flow(FlowEvent),
    /// A listener that is not declared, or bound where it is not declared to be.
    Listener(ListenerEvent),
}

/// What a `finding` is about: a flow, which is present, or what an audit judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FindingEvent {
    /// A flow of which something could not be proven.
    Flow(FlowFindingEvent),
    /// The policy or the host, by an audit.
    Audit(AuditFindingEvent),
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident($data:ty) = $text:literal,)+) => {
        /// The data of an event. On the wire `kind` names the variant and the data's fields stand beside it.
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
        #[serde(tag = "kind")]
        pub enum Body {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $kind(Box<$data>),)+
        }

        /// The kind of an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl Kind {
            /// Every kind, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The value of `kind`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $text,)+ }
            }
        }

        impl Body {
            /// The kind of the event.
            #[must_use]
            pub const fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)+ }
            }
        }

        /// Writes the fields of the data without `kind`, which the envelope writes.
        impl Serialize for Body {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$kind(data) => data.serialize(serializer),)+ }
            }
        }
    };
}

kinds! {
    /// A connection was established.
    FlowOpen(FlowEvent) = "flow.open",
    /// A connection could not be established.
    FlowFail(FlowEvent) = "flow.fail",
    /// A connection ended.
    FlowClose(FlowEvent) = "flow.close",
    /// A long-lived connection is still open; its counts so far.
    FlowUpdate(FlowEvent) = "flow.update",
    /// The encryption of a connection became known, or more of it.
    FlowPosture(FlowEvent) = "flow.posture",
    /// Flow events that were counted instead of sent.
    FlowSummary(FlowSummary) = "flow.summary",
    /// Something is not as declared.
    Violation(Violation) = "violation",
    /// Something that could not be proven, and should be; or what an audit found that it had not found before, or does not
    /// find any more.
    Finding(FindingEvent) = "finding",
    /// A socket began to listen.
    ListenerOpen(ListenerEvent) = "listener.open",
    /// A socket was not bound to a port, because the policy denied it.
    ListenerFail(ListenerEvent) = "listener.fail",
    /// A listening socket was closed.
    ListenerClose(ListenerEvent) = "listener.close",
    /// What was watched, delivered and lost.
    Coverage(CoverageEvent) = "coverage",
    /// A policy came into force.
    PolicyApplied(PolicyEvent) = "policy.applied",
    /// The daemon began to watch.
    DaemonStart(DaemonStart) = "daemon.start",
    /// The daemon stopped.
    DaemonStop(DaemonStop) = "daemon.stop",
    /// Events that this receiver does not get: they were lost between the spool and here.
    SinkLost(SinkLost) = "sink.lost",
    /// Somebody tests whether events arrive at this receiver.
    SinkTest(SinkTest) = "sink.test",
    /// What the evidence log is now, signed: kept elsewhere, it shows a later change of what it covers.
    EvidenceCheckpoint(EvidenceCheckpoint) = "evidence.checkpoint",
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The kinds that report what is known of a single flow, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowKind {
    /// `flow.open`
    Open,
    /// `flow.fail`
    Fail,
    /// `flow.close`
    Close,
    /// `flow.update`
    Update,
    /// `flow.posture`
    Posture,
    /// `violation` of a flow.
    Violation,
}

impl FlowKind {
    /// The kind among all kinds.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Open => Kind::FlowOpen,
            Self::Fail => Kind::FlowFail,
            Self::Close => Kind::FlowClose,
            Self::Update => Kind::FlowUpdate,
            Self::Posture => Kind::FlowPosture,
            Self::Violation => Kind::Violation,
        }
    }

    /// A body of this kind.
    #[must_use]
    pub fn body(self, flow: FlowEvent) -> Body {
        match self {
            Self::Open => Body::FlowOpen(Box::new(flow)),
            Self::Fail => Body::FlowFail(Box::new(flow)),
            Self::Close => Body::FlowClose(Box::new(flow)),
            Self::Update => Body::FlowUpdate(Box::new(flow)),
            Self::Posture => Body::FlowPosture(Box::new(flow)),
            Self::Violation => Body::Violation(Box::new(Violation::Flow(flow))),
        }
    }
}

impl Body {
    /// The flow and what is known of it, for the kinds that are about one.
    #[must_use]
    pub fn flow(&self) -> Option<&FlowEvent> {
        match self {
            Self::FlowOpen(flow)
            | Self::FlowFail(flow)
            | Self::FlowClose(flow)
            | Self::FlowUpdate(flow)
            | Self::FlowPosture(flow) => Some(flow),
            Self::Finding(finding) => match &**finding {
                FindingEvent::Flow(finding) => Some(&finding.flow),
                FindingEvent::Audit(_) => None,
            },
            Self::Violation(violation) => match &**violation {
                Violation::Flow(flow) => Some(flow),
                Violation::Listener(_) => None,
            },
            _ => None,
        }
    }

    /// The listener and what is known of it, for the kinds that are about one.
    #[must_use]
    pub fn listener(&self) -> Option<&ListenerEvent> {
        match self {
            Self::ListenerOpen(listener) | Self::ListenerFail(listener) | Self::ListenerClose(listener) => {
                Some(listener)
            }
            Self::Violation(violation) => match &**violation {
                Violation::Listener(listener) => Some(listener),
                Violation::Flow(_) => None,
            },
            _ => None,
        }
    }

    /// What an audit found.
    #[must_use]
    pub fn audited(&self) -> Option<&AuditFindingEvent> {
        match self {
            Self::Finding(finding) => match &**finding {
                FindingEvent::Audit(finding) => Some(finding),
                FindingEvent::Flow(_) => None,
            },
            _ => None,
        }
    }

    /// The port that it is about, if it is about one.
    #[must_use]
    pub fn port(&self) -> Option<&Shared<Port>> {
        match self {
            Self::FlowSummary(summary) => Some(&summary.port),
            Self::Coverage(coverage) => coverage.port.as_ref(),
            _ => {
                self.flow().map(|flow| &flow.port).or_else(|| self.listener().map(|listener| &listener.port))
            }
        }
    }

    /// The process at the local end or behind the listener, if known.
    #[must_use]
    pub fn process(&self) -> Option<&Process> {
        let process = self.flow().map(|flow| &flow.process);
        process.or_else(|| self.listener().map(|listener| &listener.process))?.as_deref()
    }

    /// The verdict on the flow or listener that it is about, or that flows of a summary have in common.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::FlowSummary(summary) => summary.verdict.as_deref(),
            _ => self
                .flow()
                .map(|flow| &*flow.verdict)
                .or_else(|| self.listener().map(|listener| &listener.verdict)),
        }
    }

    /// How much it matters. The one place that decides it:
    ///
    /// | severity | when |
    /// |---|---|
    /// | `high` | a violation with reason `undeclared-peer`, `undeclared-process`, `unattributable`, `plaintext`, `tls-refused`, `not-tls` or `exposed-listener` |
    /// | `medium` | a violation with any other reason; a `finding` about a flow; a `coverage` event that reports a loss; `sink.lost` |
    /// | `low` | a violation that exceptions of the policy accept; one while no policy is active (the catalog only suspects); an undecided verdict; a `policy.applied` with warnings; a `daemon.start` with missing hooks; `daemon.stop` |
    /// | `info` | everything else; a `finding` of an audit that is settled |
    ///
    /// A `finding` of an audit has the severity of what was found, at most `low` if an exception accepts it.
    ///
    /// Every event with a violation verdict has its severity, of any kind: the close of a forbidden flow matters as much
    /// as its opening.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::FlowSummary(summary) => summary.severity(),
            Self::Finding(finding) => match &**finding {
                FindingEvent::Flow(_) => Severity::Medium,
                FindingEvent::Audit(finding) => finding.severity(),
            },
            Self::Coverage(event) if event.coverage.lost() > 0 || !event.coverage.gaps.is_empty() => {
                Severity::Medium
            }
            Self::Coverage(_) => Severity::Info,
            Self::PolicyApplied(event) if !event.policy.warnings.is_empty() => Severity::Low,
            Self::PolicyApplied(_) => Severity::Info,
            Self::DaemonStart(event) if event.daemon.hooks.iter().any(|hook| !hook.attached) => Severity::Low,
            Self::DaemonStart(_) => Severity::Info,
            Self::DaemonStop(_) => Severity::Low,
            Self::SinkLost(_) => Severity::Medium,
            Self::SinkTest(_) | Self::EvidenceCheckpoint(_) => Severity::Info,
            _ => self.judged().unwrap_or(Severity::Info),
        }
    }

    fn judged(&self) -> Option<Severity> {
        let of_listener = |listener: &ListenerEvent| {
            let ListenerEvent { verdict, accepted, policy, .. } = listener;
            Severity::of_verdict(verdict, accepted.is_some(), policy.is_none())
        };
        self.flow().map(FlowEvent::severity).or_else(|| self.listener().map(of_listener))
    }

    /// The exceptions that accept the violation that it is about.
    #[must_use]
    pub fn accepted(&self) -> Option<&Accepted> {
        if let Self::FlowSummary(summary) = self {
            return summary.accepted.as_deref();
        }
        let of_flow = self.flow().and_then(|flow| flow.accepted.as_deref());
        of_flow.or_else(|| self.listener().and_then(|listener| listener.accepted.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::event::samples;
    use crate::model::Outcome;
    use crate::verdict::{Reason, ReasonId};

    fn flow(reasons: &[ReasonId], policy: bool) -> FlowEvent {
        let reasons = reasons.iter().map(|&id| Reason { id, detail: String::new() }).collect();
        let mut flow = samples::forbidden();
        flow.verdict = Shared::new(Verdict::Violation { reasons, nearest: None });
        flow.policy = flow.policy.filter(|_| policy);
        flow
    }

    /// Without a policy its severity is low.
    #[rstest]
    #[case(&[ReasonId::UndeclaredPeer], Severity::High)]
    #[case(&[ReasonId::UndeclaredProcess], Severity::High)]
    #[case(&[ReasonId::Unattributable], Severity::High)]
    #[case(&[ReasonId::ExposedListener], Severity::High)]
    #[case(&[ReasonId::Plaintext], Severity::High)]
    #[case(&[ReasonId::TlsRefused], Severity::High)]
    #[case(&[ReasonId::NotTls], Severity::High)]
    #[case(&[ReasonId::WeakTls], Severity::Medium)]
    #[case(&[ReasonId::UndeclaredPort], Severity::Medium)]
    #[case(&[ReasonId::UndeclaredDirection], Severity::Medium)]
    #[case(&[ReasonId::RuleExpired], Severity::Medium)]
    #[case(&[ReasonId::UndeclaredListener], Severity::Medium)]
    #[case(&[ReasonId::UndeclaredPeer, ReasonId::RuleExpired], Severity::High)]
    fn a_violation_is_as_severe_as_its_worst_reason(
        #[case] reasons: &[ReasonId],
        #[case] expected: Severity,
    ) {
        let declared = flow(reasons, true);
        assert_eq!(Body::FlowClose(Box::new(declared.clone())).severity(), expected);
        assert_eq!(Body::Violation(Box::new(Violation::Flow(declared))).severity(), expected);
        let suspected = Body::Violation(Box::new(Violation::Flow(flow(reasons, false))));
        assert_eq!(suspected.severity(), Severity::Low);
    }

    #[test]
    fn a_finding_of_an_audit_is_as_severe_as_it_is_now() {
        use crate::audit::Change;
        let of = |change, accepted| {
            let change = samples::findings::change(change, accepted);
            let event = AuditFindingEvent::new(change, None);
            Body::Finding(Box::new(FindingEvent::Audit(event))).severity()
        };
        assert_eq!(of(Change::New, false), Severity::High);
        assert_eq!(of(Change::Settled, false), Severity::Info);
        assert_eq!(of(Change::Changed, true), Severity::Low, "somebody accepts it");
        assert_eq!(samples::body(Kind::Finding).severity(), Severity::Medium);
    }

    #[test]
    fn what_is_undecided_or_lost_is_never_info() {
        let undecided = Verdict::Undecided { missing: vec!["the owner".to_owned()], nearest: None };
        let open = FlowEvent { verdict: Shared::new(undecided), ..samples::declared(Outcome::Established) };
        assert_eq!(Body::FlowOpen(Box::new(open)).severity(), Severity::Low);
        assert_eq!(Body::Coverage(Box::new(samples::loss())).severity(), Severity::Medium);
        assert_eq!(samples::body(Kind::Coverage).severity(), Severity::Info);
        assert_eq!(samples::body(Kind::FlowOpen).severity(), Severity::Info);
    }
}
