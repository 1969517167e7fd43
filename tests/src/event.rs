//! One event as the daemon wrote it: the few fields that tests search by, and the rest on demand.

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

/// One line of the event stream.
#[derive(Debug, Clone)]
pub struct Event {
    line: String,
    head: Head,
    parsed: OnceLock<Value>,
}

/// What is read of every line at once; tens of thousands of events are searched by these.
#[derive(Debug, Clone, Deserialize)]
struct Head {
    id: String,
    seq: u64,
    kind: String,
    #[serde(default)]
    port: Option<HeadPort>,
    #[serde(default)]
    flow: Option<HeadFlow>,
}

#[derive(Debug, Clone, Deserialize)]
struct HeadPort {
    number: Option<u16>,
}

#[derive(Debug, Clone, Deserialize)]
struct HeadFlow {
    direction: String,
    local: HeadEnd,
    peer: HeadEnd,
}

#[derive(Debug, Clone, Deserialize)]
struct HeadEnd {
    port: u16,
}

impl Event {
    /// Reads one line.
    ///
    /// # Panics
    /// When it is not an event with an id, a sequence number and a kind: nothing else belongs into the stream.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        let head = serde_json::from_str(line).unwrap_or_else(|e| panic!("not an event ({e}): {line}"));
        Self { line: line.to_owned(), head, parsed: OnceLock::new() }
    }

    /// The line as written, without its newline.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Its kind, for example `flow.open`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.head.kind
    }

    /// Its unique id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.head.id
    }

    /// Its place in the stream.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.head.seq
    }

    /// The GDPR port that it is about, if any.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.head.port.as_ref().and_then(|p| p.number)
    }

    /// The local and the peer's port of its flow, if it is about a flow of this direction.
    #[must_use]
    pub fn ends(&self, direction: &str) -> Option<(u16, u16)> {
        self.head.flow.as_ref().filter(|f| f.direction == direction).map(|f| (f.local.port, f.peer.port))
    }

    /// Whether it is of this kind and about this port.
    #[must_use]
    pub fn is(&self, kind: &str, port: u16) -> bool {
        self.kind() == kind && self.port() == Some(port)
    }

    /// The complete event.
    ///
    /// # Panics
    /// Never: the line was read before.
    #[must_use]
    pub fn json(&self) -> &Value {
        self.parsed
            .get_or_init(|| serde_json::from_str(&self.line).expect("the line was read as JSON before"))
    }

    /// The value at a dotted path, for example `process.exe`; `null` if there is none.
    #[must_use]
    pub fn at(&self, path: &str) -> &Value {
        at(self.json(), path)
    }

    /// The text at a dotted path; empty if there is none.
    #[must_use]
    pub fn text(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or_default()
    }

    /// The number at a dotted path.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<u64> {
        self.at(path).as_u64()
    }

    /// The identifiers of the verdict's reasons.
    #[must_use]
    pub fn reasons(&self) -> Vec<&str> {
        let list = self.at("verdict.reasons").as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|reason| reason["id"].as_str()).collect()
    }

    /// What failed of the nearest rule.
    pub(crate) fn nearest_failed(&self) -> Vec<&str> {
        let list = self.at("verdict.nearest.failed").as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).collect()
    }
}

/// The value at a dotted path inside of `value`; `null` if there is none.
#[must_use]
pub fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |inner, key| &inner[key])
}
