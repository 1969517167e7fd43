//! What an event says: one variant per kind, each with exactly the data of its kind.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::{
    AppliedPolicy, Cookie, Coverage, DaemonStart, DaemonStop, Flow, FlowSummary, Severity, wire_verdict,
};
use crate::model::{Endpoint, Posture, Process};
use crate::verdict::{ReasonId, Verdict};

/// The port that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Port {
    /// The name of its declaration, or of the catalog's entry.
    pub name: Arc<str>,
    /// The TCP port.
    pub number: u16,
    /// The application protocol, `null` if not declared.
    pub protocol: Option<Arc<str>>,
}

/// The policy that a verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PolicyRef {
    /// `sha256:` and the digest of the policy as it was read.
    pub digest: Arc<str>,
}

/// A flow, who talks, and what the policy says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlowEvent {
    /// The port.
    pub port: Arc<Port>,
    /// The connection.
    pub flow: Flow,
    /// The owner of the local end; `null` if not known.
    pub process: Option<Arc<Process>>,
    /// The owner of the other end, where that is on this host too and known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_process: Option<Arc<Process>>,
    /// What was seen of the encryption; absent while it is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posture: Option<Arc<Posture>>,
    /// What the policy says.
    #[serde(with = "wire_verdict")]
    #[schemars(with = "wire_verdict::Wire")]
    pub verdict: Arc<Verdict>,
    /// The policy in force; `null` if there is none and the catalog applies.
    pub policy: Option<PolicyRef>,
}

/// Why something that should be proven is not. The identifiers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FindingId {
    /// A flow ended on a port whose policy demands TLS, and its encryption was never told.
    PostureUnknown,
    /// A flow ended on a port whose policy demands TLS, and it was encrypted by something else, which has no version of
    /// TLS to compare.
    PostureNotTls,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The stable identifier.
    pub id: FindingId,
    /// The same in words.
    pub detail: String,
}

/// A finding about a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingEvent {
    /// What was found.
    pub finding: Finding,
    /// The flow it is about.
    #[serde(flatten)]
    pub flow: FlowEvent,
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listener {
    /// Where it is bound; an unspecified address means all.
    pub local: Endpoint,
    /// Its cookie.
    pub cookie: Cookie,
}

/// A listener, who opened it, and what the policy says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListenerEvent {
    /// The port.
    pub port: Arc<Port>,
    /// The socket.
    pub listener: Listener,
    /// Who opened it; `null` if not known.
    pub process: Option<Arc<Process>>,
    /// What the policy says.
    #[serde(with = "wire_verdict")]
    #[schemars(with = "wire_verdict::Wire")]
    pub verdict: Verdict,
    /// The policy in force; `null` if there is none and the catalog applies.
    pub policy: Option<PolicyRef>,
}

/// What a `violation` is about: `flow` or `listener` is present, never both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Violation {
    /// A flow that no rule allows.
    Flow(FlowEvent),
    /// A listener that is not declared, or bound where it is not declared to be.
    Listener(ListenerEvent),
}

/// Coverage of all watched ports, or of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CoverageEvent {
    /// The port; absent if it is about all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Arc<Port>>,
    /// The books.
    pub coverage: Coverage,
}

/// A policy came into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyEvent {
    /// The policy.
    pub policy: AppliedPolicy,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident($data:ty) = $text:literal,)+) => {
        /// What an event says. On the wire `kind` names the variant and the data's fields stand beside it.
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

            /// The word in `kind`.
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
    /// The encryption of a connection was told, or more of it.
    FlowPosture(FlowEvent) = "flow.posture",
    /// Flow events that were counted instead of sent.
    FlowSummary(FlowSummary) = "flow.summary",
    /// Something is not as declared.
    Violation(Violation) = "violation",
    /// Something that could not be proven, and should be.
    Finding(FindingEvent) = "finding",
    /// A socket began to listen.
    ListenerOpen(ListenerEvent) = "listener.open",
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
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The kinds that tell of a single flow what is known of it, and nothing else.
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
    /// Which kind it is among all.
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

impl FlowEvent {
    /// How much an event about it matters, as [`Body::severity`] says.
    #[must_use]
    pub fn severity(&self) -> Severity {
        judge(&self.verdict, self.policy.is_none())
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
            Self::Finding(finding) => Some(&finding.flow),
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
            Self::ListenerOpen(listener) | Self::ListenerClose(listener) => Some(listener),
            Self::Violation(violation) => match &**violation {
                Violation::Listener(listener) => Some(listener),
                Violation::Flow(_) => None,
            },
            _ => None,
        }
    }

    /// The port that it is about, if it is about one.
    #[must_use]
    pub fn port(&self) -> Option<&Arc<Port>> {
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

    /// What the policy says of the flow or listener that it is about.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        self.flow().map(|flow| &*flow.verdict).or_else(|| self.listener().map(|listener| &listener.verdict))
    }

    /// How much it matters. The one place that decides it:
    ///
    /// | severity | when |
    /// |---|---|
    /// | `high` | a violation with reason `undeclared-peer`, `undeclared-process`, `plaintext`, `tls-refused` or `exposed-listener` |
    /// | `medium` | a violation with any other reason; a `coverage` event that tells of a loss |
    /// | `low` | a violation while no policy is in force (the catalog only suspects); an undecided verdict; a `policy.applied` with warnings; a `daemon.start` with missing hooks; `daemon.stop` |
    /// | `info` | everything else |
    ///
    /// Every event with a violation verdict has its severity, whatever its kind: the close of a forbidden flow
    /// matters as much as its opening.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::FlowSummary(_) => Severity::Info,
            Self::Finding(_) => Severity::Medium,
            Self::Coverage(event) if event.coverage.lost() > 0 || !event.coverage.gaps.is_empty() => {
                Severity::Medium
            }
            Self::Coverage(_) => Severity::Info,
            Self::PolicyApplied(event) if !event.policy.warnings.is_empty() => Severity::Low,
            Self::PolicyApplied(_) => Severity::Info,
            Self::DaemonStart(event) if event.daemon.hooks.iter().any(|hook| !hook.attached) => Severity::Low,
            Self::DaemonStart(_) => Severity::Info,
            Self::DaemonStop(_) => Severity::Low,
            _ => self.judged().map_or(Severity::Info, |(verdict, policy)| judge(verdict, policy.is_none())),
        }
    }

    fn judged(&self) -> Option<(&Verdict, Option<&PolicyRef>)> {
        let flow = self.flow().map(|flow| (&*flow.verdict, flow.policy.as_ref()));
        flow.or_else(|| self.listener().map(|listener| (&listener.verdict, listener.policy.as_ref())))
    }
}

fn judge(verdict: &Verdict, catalog_only: bool) -> Severity {
    match verdict {
        Verdict::Declared { .. } => Severity::Info,
        Verdict::Undecided { .. } => Severity::Low,
        Verdict::Violation { .. } if catalog_only => Severity::Low,
        Verdict::Violation { reasons, .. } => {
            reasons.iter().map(|reason| weight(reason.id)).max().unwrap_or(Severity::Medium)
        }
    }
}

const fn weight(reason: ReasonId) -> Severity {
    match reason {
        ReasonId::UndeclaredPeer
        | ReasonId::UndeclaredProcess
        | ReasonId::Plaintext
        | ReasonId::TlsRefused
        | ReasonId::ExposedListener => Severity::High,
        ReasonId::UndeclaredPort
        | ReasonId::UndeclaredDirection
        | ReasonId::WeakTls
        | ReasonId::RuleExpired
        | ReasonId::UndeclaredListener => Severity::Medium,
    }
}
