//! The `overload` objects: connections that are known by their sums, because there was no room to describe each.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where there was no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OverloadWhy {
    /// The ring buffer between the kernel programs and the daemon was nearly full: the kernel programs counted.
    KernelOverload,
    /// The flow table was full: its oldest flows were described as open, and are counted from then on.
    FlowTableFull,
    /// A sink has lost these events after they were made, and works again: this is in its own stream only.
    SinkLost,
}

impl OverloadWhy {
    /// The identifier used in events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KernelOverload => "kernel-overload",
            Self::FlowTableFull => "flow-table-full",
            Self::SinkLost => "sink-lost",
        }
    }
}

/// By what connections were counted together where there was no room, from fine to coarse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CountedBy {
    /// Port, direction, process and the peer's address.
    Peer,
    /// Port, direction, process and the peer's network.
    Network,
    /// Port, direction and version of addresses.
    Port,
}

impl CountedBy {
    /// The identifier used in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Network => "network",
            Self::Port => "port",
        }
    }
}

/// Of a summary: why its connections were counted and not described, and what is known of them besides. Of each of them
/// it is not known how it was encrypted, how long it took and which process of the executable it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overload {
    /// Where there was no room.
    pub why: OverloadWhy,
    /// With `sink-lost`: the sink in whose stream this stands, as in the `reason` of a gap: `file`, `stdout`, `journald`, `spool`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<Arc<str>>,
    /// With `sink-lost`: why it lost them, as in the `reason` of a gap: `queue-full`, `io-error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Arc<str>>,
    /// By what they were counted together, at the coarsest.
    pub counted_by: CountedBy,
    /// How many groups were added up; with `sink-lost`, how many events.
    pub groups: u64,
    /// Of `failed`, connects that this host did not let out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub denied: u64,
    /// Of the connections that ended, those of which it is not known whether `bytes_received` has one byte too many for each.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fin_unknown: u64,
    /// Ends of connections that were described when they opened, and of which only the end was counted; they are not in
    /// `closed`. Each is reported by a `flow.close`: with the outcome `lost` once its socket is found to be gone, or as the
    /// kernel's notice of its end has it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ends_of_described: u64,
    /// What those had sent; not in `bytes_sent`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub described_bytes_sent: u64,
    /// What those had received; not in `bytes_received`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub described_bytes_received: u64,
    /// Flows that left the full flow table, open as they were; each was described when it opened.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub evicted: u64,
}

/// Of a `violation`: it is one of connections that were counted and not described, and stands for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StandsFor {
    /// Where there was no room.
    pub why: OverloadWhy,
    /// How many connections in violation it stands for, itself among them; with `sink-lost`, how many `violation` events.
    pub connections: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}
