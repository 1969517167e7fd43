//! The objects of `sink.lost` and `sink.test`: what the deliverer reports of a way to a receiver, in that sink's own stream.
//!
//! These events are the deliverer's, not the daemon's: `agent.run` is the run of one sink's worker, and `seq` counts within it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::coverage::Gap;

/// Events that a receiver does not get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SinkLost {
    /// The sink in whose stream this stands.
    pub sink: SinkRef,
    /// How many events are missing between the one before and the one behind, since when and why.
    pub gap: Gap,
}

/// Somebody tests whether events arrive: there is nothing else in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SinkTest {
    /// The sink that is tested.
    pub sink: SinkRef,
}

/// A sink of the deliverer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SinkRef {
    /// Its name in `gdprport.toml`.
    pub name: Arc<str>,
    /// The kind of receiver, as `syslog`.
    #[serde(rename = "type")]
    pub transport: Arc<str>,
}
