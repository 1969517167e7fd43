//! Grafana Loki: its push API in JSON.
//!
//! Labels are host and severity only, as every combination of labels is a stream of its own; what else is worth searching by is
//! structured metadata. Loki drops an entry that it has already (same labels, time and line), so that what is sent twice is there
//! once.

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::answer::Answer;
use super::attempts::Attempts;
use super::client::{Receiver, Request, Scheme};
use super::json;
use super::verdict::Verdict;
use super::words::Words;
use crate::deliver::{Failure, Limits, Message};
use gdprport_core::delivery::{HttpUrl, LokiSettings};
use gdprport_core::event::{Event, Severity};

const TENANT: HeaderName = HeaderName::from_static("x-scope-orgid");

/// A Loki.
#[derive(Debug)]
pub(crate) struct Loki {
    receiver: Receiver,
    url: HttpUrl,
    tenant: Option<HeaderValue>,
    metadata: bool,
}

impl Loki {
    /// For the Loki of these settings.
    pub(crate) fn new(settings: LokiSettings) -> Self {
        let tenant = settings.tenant.as_deref();
        Self {
            url: settings.http.url.endpoint("/loki/api/v1/push"),
            receiver: Receiver::new(settings.http, Scheme::Bearer),
            tenant: tenant.map(|tenant| HeaderValue::from_str(tenant).expect("a tenant is ASCII")),
            metadata: settings.structured_metadata,
        }
    }
}

impl Attempts for Loki {
    /// A request is a message of gRPC inside Loki, of at most 4 MiB unless configured otherwise.
    const LIMITS: Limits = Limits { events: 1_000, bytes: 1 << 20 };

    fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    fn receiver_mut(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    async fn attempt(&mut self, part: &[Message]) -> Verdict {
        let tenant = self.tenant.iter().map(|tenant| (TENANT, tenant.clone()));
        let headers: HeaderMap = tenant.collect();
        let request = Request { content_type: "application/json", headers, body: body(part, self.metadata) };
        let judge = |answer: &Answer, words: &Words| (judge(answer, words), answer.summary(words));
        self.receiver.ask(&self.url, request, judge).await
    }
}

/// Entries by stream, each in the order of the batch.
fn body(part: &[Message], metadata: bool) -> Bytes {
    let mut streams: Vec<(&str, Severity, Vec<u8>)> = Vec::new();
    for message in part {
        let (host, severity) = (&*message.event.host.name, message.event.severity());
        let known = streams.iter().position(|(name, level, _)| *name == host && *level == severity);
        let stream = known.unwrap_or_else(|| {
            streams.push((host, severity, Vec::new()));
            streams.len() - 1
        });
        entry(&mut streams[stream].2, message, metadata);
    }
    let mut body = Vec::with_capacity(streams.iter().map(|(.., entries)| entries.len() + 128).sum());
    for (host, severity, entries) in streams {
        body.extend_from_slice(if body.is_empty() { b"{\"streams\":[" } else { b"," });
        body.extend_from_slice(b"{\"stream\":{\"host\":");
        json::string(&mut body, host);
        body.extend_from_slice(format!(",\"severity\":\"{severity}\"}},\"values\":[").as_bytes());
        body.extend_from_slice(&entries);
        body.extend_from_slice(b"]}");
    }
    body.extend_from_slice(b"]}");
    body.into()
}

fn entry(out: &mut Vec<u8>, Message { event, record }: &Message, metadata: bool) {
    if !out.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(format!("[\"{}\",", event.time.as_nanosecond()).as_bytes());
    json::string(out, &String::from_utf8_lossy(record));
    if metadata {
        out.extend_from_slice(b",{\"id\":");
        json::string(out, &event.id.to_string());
        for (key, value) in metadata_of(event) {
            out.extend_from_slice(format!(",\"{key}\":").as_bytes());
            json::string(out, &value);
        }
        out.push(b'}');
    }
    out.push(b']');
}

fn metadata_of(event: &Event) -> Vec<(&'static str, String)> {
    let body = &event.body;
    let mut pairs = vec![("kind", body.kind().as_str().to_owned())];
    if let Some(port) = body.port() {
        pairs.extend([("port", port.number.to_string()), ("port_name", port.name.to_string())]);
    }
    if let Some(exe) = body.process().and_then(|process| process.exe.as_deref()) {
        pairs.push(("exe", exe.to_owned()));
    }
    if let Some(verdict) = body.verdict() {
        pairs.push(("verdict", verdict.outcome().to_owned()));
    }
    pairs
}

/// Reasons that are an entry's own (Loki, pkg/validation: greater_than_max_sample_age, too_far_in_future, line_too_long,
/// structured_metadata_too_large, too_far_behind).
const OF_AN_ENTRY: [&str; 8] = [
    "timestamp too old",
    "timestamp too new",
    "max entry size",
    "entry too far behind",
    "entry out of order",
    "too large structured metadata",
    "structured metadata too large",
    "max line size",
];

/// What an answer means. Loki stores what is valid of a request that it answers with 400 because of the rest.
pub(crate) fn judge(answer: &Answer, words: &Words) -> Verdict {
    let text = String::from_utf8_lossy(&answer.body);
    let failed = |what: String| Verdict::Failed(Failure { after: answer.after, ..words.failure(&what) });
    let said = words.said(&answer.body);
    match answer.status {
        204 => Verdict::Done(Vec::new()),
        // What answers so in Loki's place and stores entries has nothing to say.
        200..=299 if answer.body.is_empty() => Verdict::Done(Vec::new()),
        200..=299 => failed(format!(
            "answered {} with something that is not Loki's: look at `url`{said}",
            answer.status
        )),
        400 | 401 if text.contains("no org id") => failed("asks for a tenant: set `tenant`".to_owned()),
        400 if text.contains("includes structured metadata, but this feature is disallowed") => failed(
            "has structured metadata switched off: set `structured_metadata = false`, or allow it there"
                .to_owned(),
        ),
        400 => {
            let sure = OF_AN_ENTRY.iter().any(|reason| text.contains(reason));
            let why = words.sentence(&format!("refused (400){said}"));
            Verdict::Rejected { at: None, why, sure }
        }
        _ => Verdict::Failed(answer.failure(words)),
    }
}
