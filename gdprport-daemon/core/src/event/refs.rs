//! What events of several kinds refer to: the port and the policy.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
