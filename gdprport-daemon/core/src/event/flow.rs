//! The `flow` object of an event: one TCP connection seen from one end on this host.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::time;
use crate::community_id::CommunityId;
use crate::model::{Direction, Endpoint, Nat, Outcome};

/// A socket cookie: the kernel's own number of a socket, unique per boot and network namespace
/// (`SO_COOKIE`, socket(7)). On the wire: hexadecimal, lower case, without prefix, since JSON numbers end at 2⁵³.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie(pub u64);

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

impl Serialize for Cookie {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cookie {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(de::Error::custom)
    }
}

impl JsonSchema for Cookie {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cookie".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The kernel's socket cookie, hexadecimal: unique per boot.",
            "type": "string",
            "pattern": "^[0-9a-f]{1,16}$",
        })
    }
}

/// The other end of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Peer {
    /// The peer's address, never an IPv4-mapped IPv6 address.
    pub ip: IpAddr,
    /// The peer's TCP port.
    pub port: u16,
    /// The name by which the policy knows the address, where it names it. Never looked up in reverse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
}

/// One TCP connection seen from one end on this host. A loopback connection is two flows with the same `id`
/// and different cookies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flow {
    /// Community ID of the connection.
    pub id: CommunityId,
    /// Cookie of the local socket; of a connection that arrived and was denied, its listener's.
    pub cookie: Cookie,
    /// Which end this host's socket is.
    pub direction: Direction,
    /// The local end.
    pub local: Endpoint,
    /// The other end.
    pub peer: Peer,
    /// What the address translation of this host makes of the connection; absent if it is not translated here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<Nat>,
    /// When the connection was established, or the failed attempt was made; `null` if that was before the
    /// daemon watched.
    #[serde(with = "time::option")]
    #[schemars(schema_with = "time::option::schema")]
    pub opened: Option<Timestamp>,
    /// Milliseconds from `opened` to this event; `null` where `opened` is.
    pub duration_ms: Option<u64>,
    /// Bytes of payload that the peer has acknowledged; `null` while not known.
    pub bytes_sent: Option<u64>,
    /// Bytes of payload received; `null` while not known.
    pub bytes_received: Option<u64>,
    /// The kernel's smoothed round-trip time in microseconds; `null` while not known.
    pub rtt_us: Option<u32>,
    /// Segments sent again; `null` while not known.
    pub retransmits: Option<u32>,
    /// How the connection began or ended, as far as it has.
    pub outcome: Outcome,
    /// `true`: the kernel would have denied the connection, did the port not have `mode = "warn"`. Absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub would_deny: bool,
}
