//! The events that leave the daemon: schema `gdprport.event/1`. Reference for readers: `docs/events.md`.
//!
//! Belongs here: the types of every kind, their one JSON form, the JSON Schema made from them. Does not belong
//! here: which of them a port wants (`emit`), where they go (`out`).

mod body;
mod coverage;
pub mod encode;
mod flow;
mod lifecycle;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod samples;
mod schema;
mod severity;
mod stamp;
mod summary;
mod time;
mod wire_verdict;

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

pub use body::{
    Body, CoverageEvent, Finding, FindingEvent, FindingId, FlowEvent, FlowKind, Kind, Listener,
    ListenerEvent, PolicyEvent, PolicyRef, Port, Violation,
};
pub use coverage::{Bound, ByReason, Coverage, Gap, KernelCounts, SinkCounts};
pub use encode::Encoder;
pub use flow::{Cookie, Flow, Peer};
pub use lifecycle::{AppliedPolicy, DaemonEnd, DaemonInfo, DaemonStart, DaemonStop, Hook, PreviousDaemon};
pub use schema::{SCHEMA, json_schema};
pub use severity::Severity;
pub use stamp::{Head, Stamper};
pub use summary::{FlowSummary, Group, Summary};

use schema::SchemaName;

/// The host that an event happened on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Its name, as `uname -n` prints it.
    pub name: Arc<str>,
    /// The random id of this boot (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: Arc<str>,
}

/// The program that made an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// The version of gdprport.
    pub version: Arc<str>,
    /// The id of this run of the daemon, a UUIDv7: `seq` counts within it.
    #[schemars(schema_with = "schema::uuid")]
    pub run: Uuid,
}

/// One event: the envelope that all kinds share, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(title = "gdprport event", extend("$id" = "urn:gdprport:event:1"))]
pub struct Event {
    schema: SchemaName,
    /// UUIDv7, unique: the key by which a receiver recognises an event that it already has.
    #[schemars(schema_with = "schema::uuid")]
    pub id: Uuid,
    /// Counts the events of one run from 1, without a gap: a gap at a receiver is a loss on the way there.
    pub seq: u64,
    /// When the daemon took it in.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub time: Timestamp,
    severity: Severity,
    /// The host it happened on.
    pub host: Arc<Host>,
    /// The program that made it.
    pub agent: Arc<Agent>,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
}

impl Event {
    /// How much it matters; decided by [`Body::severity`].
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }
}

/// By hand only for the order of the fields: who reads a raw line meets kind and severity early.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            schema: SchemaName,
            id: &'a Uuid,
            seq: u64,
            #[serde(with = "time")]
            time: Timestamp,
            kind: &'static str,
            severity: Severity,
            host: &'a Host,
            agent: &'a Agent,
            #[serde(flatten)]
            body: &'a Body,
        }
        Wire {
            schema: self.schema,
            id: &self.id,
            seq: self.seq,
            time: self.time,
            kind: self.body.kind().as_str(),
            severity: self.severity,
            host: &self.host,
            agent: &self.agent,
            body: &self.body,
        }
        .serialize(serializer)
    }
}
