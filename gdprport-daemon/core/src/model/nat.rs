//! What address translation makes of a connection: the addresses that this end's socket does not see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::connection::Endpoint;

/// How far the address translation of a connection is known. Of one that is not translated by this host there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Nat {
    /// The kernel's connection tracking is being asked: the connection may be translated.
    Pending,
    /// It gave no answer that can be read, or one that does not fit: the connection may be translated.
    Unknown,
    /// It is translated.
    Translated(Box<Translation>),
}

/// The addresses of a translated connection, each only where it differs from what this end's socket has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Translation {
    /// The true other end: the client itself, or the server that the connection was sent on to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Endpoint>,
    /// Of an accepted connection, the address that the client called, as of a published port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Endpoint>,
    /// Of a connection that was made here, the address that the other end sees it come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Endpoint>,
}

impl Nat {
    /// What is translated, if that is known.
    #[must_use]
    pub fn translation(&self) -> Option<&Translation> {
        match self {
            Self::Translated(translation) => Some(translation),
            Self::Pending | Self::Unknown => None,
        }
    }

    /// True if the connection may be translated and it is not known how.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Pending | Self::Unknown)
    }
}
