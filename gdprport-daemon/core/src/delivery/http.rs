//! The keys of `type = "http"`.

use schemars::JsonSchema;

use super::secret::SecretRef;
use crate::written::{At, Loc, Node, Read, Report, TableReader, Text, tables};

tables! {
    /// A receiver of events over HTTP.
    "a sink of type http" => struct RawHttp as "Http" {
        required {
            /// Where events are posted.
            url: Text = "\"https://logs.example.org/ingest\"",
        }
        optional {
            /// The place of the token of `Authorization: Bearer`.
            token: SecretRef,
        }
        later {}
    }
}

/// How a receiver of events over HTTP is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where events are posted.
    pub url: String,
    /// The token of `Authorization: Bearer`.
    pub token: Option<SecretRef>,
}

impl HttpSettings {
    pub(super) fn of(raw: RawHttp, _: Loc, _: &mut Report<'_>) -> Option<Self> {
        Some(Self { url: raw.url?.value.0, token: raw.token.map(|at| at.value) })
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        self.url.clone()
    }
}
