//! Headers that a sink adds to every request: which it may, and what they say.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::SecretRef;
use crate::written::{Node, Read, Report, Text, schema};

/// The name of a header (RFC 9110 §5.1), in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeaderName(pub Arc<str>);

impl HeaderName {
    /// Reads one that a configuration may set.
    ///
    /// # Errors
    /// Why it may not.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let name = text.to_ascii_lowercase();
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || name.len() > 100 || !name.chars().all(is_token) {
            return Err("it is no name of a header");
        }
        if RESERVED.contains(&&*name) {
            return Err("this header is the transport's own");
        }
        Ok(Self(name.into()))
    }
}

/// Headers that the transports set themselves or that belong to one connection.
const RESERVED: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-splunk-request-channel",
];

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderText {
    /// This.
    Plain(Arc<str>),
    /// A secret.
    Secret(SecretRef),
}

schema!(HeaderText, schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": 1024 }));

impl Read for HeaderText {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        if text.starts_with("file:") || text.starts_with("credential:") {
            return SecretRef::read(node, report).map(Self::Secret);
        }
        if text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            return Some(Self::Plain(text.0.into()));
        }
        report.error(node.loc, "a header is written in ASCII", None);
        None
    }
}
