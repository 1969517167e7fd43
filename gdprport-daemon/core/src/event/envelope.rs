//! The envelope that all events share: identity, sequence, time, severity and origin.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use super::body::Body;
use super::severity::Severity;
use super::time;
use super::version::SchemaName;
use crate::privacy::Applied;
use crate::shared::Shared;

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
    #[schemars(schema_with = "uuid_schema")]
    pub run: Uuid,
    /// What stands in this event instead of addresses of peers and names of persons; absent: they are true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Applied>,
}

/// One event: the envelope that all kinds share, and its data.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(title = "gdprport event", extend("$id" = "urn:gdprport:event:1"))]
pub struct Event {
    pub(super) schema: SchemaName,
    /// UUIDv7, unique: the key by which a receiver recognises an event that it already has.
    #[schemars(schema_with = "uuid_schema")]
    pub id: Uuid,
    /// Counts the events of one run from 1, without a gap: a gap at a receiver is a loss on the way there.
    pub seq: u64,
    /// When the daemon processed it.
    #[serde(with = "time")]
    #[schemars(schema_with = "time::schema")]
    pub time: Timestamp,
    pub(super) severity: Severity,
    /// The host it happened on.
    pub host: Shared<Host>,
    /// The program that made it.
    pub agent: Shared<Agent>,
    /// Its data.
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

/// By hand only for the order of the fields: in a raw line, kind and severity stand early.
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

/// A UUID in its text form (RFC 9562 §4).
fn uuid_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "uuid" })
}
