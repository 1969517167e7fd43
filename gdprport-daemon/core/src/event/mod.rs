//! The events that leave the daemon: schema `gdprport.event/1`. Reference for readers: `docs/events.md`.
//!
//! Belongs here: the types of every kind, their one JSON form, the JSON Schema made from them. Does not belong
//! here: which of them a port wants (`suppress`), their bytes (`encode`), where they go (`sink`).

mod audit_finding;
mod body;
mod checkpoint;
mod coverage;
mod envelope;
mod flow;
mod flow_event;
mod lifecycle;
mod listener;
mod overload;
mod refs;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod samples;
mod schema;
mod severity;
mod sink;
mod stamp;
mod summary;
pub(crate) mod time;
mod version;
mod volume;
pub(crate) mod wire_verdict;

pub use audit_finding::{AuditFinding, AuditFindingEvent};
pub use body::{Body, FindingEvent, FlowKind, Kind, Violation};
pub use checkpoint::{EvidenceCheckpoint, SignedCheckpoint};
pub use coverage::{Bound, ByReason, Coverage, CoverageEvent, Gap, KernelCounts, OverloadSeen, SinkCounts};
pub use envelope::{Agent, Event, Host};
pub use flow::{Cookie, Flow, Peer};
pub use flow_event::{Finding, FindingId, FlowEvent, FlowFindingEvent};
pub use lifecycle::{
    AppliedPolicy, DaemonEnd, DaemonInfo, DaemonStart, DaemonStop, Hook, PolicyEvent, PreviousDaemon,
};
pub use listener::{Listener, ListenerEvent};
pub use overload::{CountedBy, Overload, OverloadWhy, StandsFor};
pub use refs::{PolicyRef, Port};
pub use schema::json_schema;
pub use severity::{Severity, gravest};
pub use sink::{SinkLost, SinkRef, SinkTest};
pub use stamp::{Head, Stamper};
pub use summary::{Because, Coarse, FlowSummary, GaveUp, Group, GroupPosture, Summary, SummedUp};
pub use volume::RuleVolume;
