//! Elasticsearch and OpenSearch: `_bulk` into a data stream, with the event's id as the document's, and errors item by item.

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::answer::Answer;
use super::attempts::Attempts;
use super::client::{Receiver, Request, Scheme};
use super::json;
use super::verdict::Verdict;
use super::words::Words;
use crate::deliver::{Failure, Limits, Message, Refused};
use gdprport_core::delivery::{ElasticSettings, HttpUrl};

/// A cluster.
#[derive(Debug)]
pub(crate) struct Elastic {
    receiver: Receiver,
    url: HttpUrl,
}

impl Elastic {
    /// For the cluster of these settings.
    pub(crate) fn new(settings: ElasticSettings) -> Self {
        let url = settings.http.url.endpoint(&format!("/{}/_bulk", settings.data_stream));
        Self { receiver: Receiver::new(settings.http, Scheme::ApiKey), url }
    }
}

impl Attempts for Elastic {
    /// A few MB are what Elastic calls a good size; an answer has 200 bytes for an event.
    const LIMITS: Limits = Limits { events: 2_000, bytes: 4 << 20 };

    fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    fn receiver_mut(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    async fn attempt(&mut self, part: &[Message]) -> Verdict {
        let request =
            Request { content_type: "application/x-ndjson", headers: HeaderMap::new(), body: body(part) };
        let judge = |answer: &Answer, words: &Words| {
            let verdict = judge(answer, part.len(), words);
            let said = match &verdict {
                // The answer has an item for each event.
                Verdict::Done(refused) => format!("{} ({} taken)", answer.status, part.len() - refused.len()),
                _ => answer.summary(words),
            };
            (verdict, said)
        };
        self.receiver.ask(&self.url, request, judge).await
    }
}

fn body(part: &[Message]) -> Bytes {
    let mut body = Vec::with_capacity(part.iter().map(|message| message.record.len() + 128).sum());
    for message in part {
        // A data stream takes nothing but `create`; with an id it refuses what it has already, with 409.
        body.extend_from_slice(format!("{{\"create\":{{\"_id\":\"{}\"}}}}\n", message.event.id).as_bytes());
        document(&mut body, message);
        body.push(b'\n');
    }
    body.into()
}

/// A data stream demands `@timestamp`: the record of another encoding than ECS gets it, and CEF becomes `message`.
fn document(out: &mut Vec<u8>, Message { event, record }: &Message) {
    if record.starts_with(b"{\"@timestamp\":") {
        out.extend_from_slice(record);
        return;
    }
    out.extend_from_slice(format!("{{\"@timestamp\":\"{}\",", event.time).as_bytes());
    match record.strip_prefix(b"{") {
        Some(rest) => out.extend_from_slice(rest),
        None => {
            out.extend_from_slice(b"\"message\":");
            json::string(out, &String::from_utf8_lossy(record));
            out.push(b'}');
        }
    }
}

#[derive(Deserialize)]
struct Bulk {
    #[serde(default)]
    errors: bool,
    items: Vec<Item>,
}

/// One action and what became of it; whatever it is called.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Item {
    Create(Status),
    Index(Status),
    Update(IgnoredAny),
    Delete(IgnoredAny),
}

#[derive(Deserialize)]
struct Status {
    status: u16,
    #[serde(default)]
    error: Option<serde_json::Value>,
}

/// What an answer to so many actions means. It may be 200 with errors inside: each item has its own status.
pub(crate) fn judge(answer: &Answer, length: usize, words: &Words) -> Verdict {
    if !answer.is_success() {
        return match answer.status {
            400 => {
                let why = words.sentence(&format!("refused (400){}", words.said(&answer.body)));
                Verdict::Rejected { at: None, why, sure: false }
            }
            _ => Verdict::Failed(answer.failure(words)),
        };
    }
    let bulk: Option<Bulk> = serde_json::from_slice(&answer.body).ok();
    let Some(bulk) = bulk.filter(|bulk| bulk.items.len() == length) else {
        let what = format!(
            "answered {length} events with something that is no answer of _bulk to them{}",
            words.said(&answer.body)
        );
        return Verdict::Failed(words.failure(&what));
    };
    let mut refused = Vec::new();
    for (index, item) in bulk.items.into_iter().enumerate() {
        let (Item::Create(item) | Item::Index(item)) = item else {
            return partly(index, refused, words.failure("answered for an action that was not asked for"));
        };
        match item.status {
            200..=299 if item.error.is_none() => {}
            // It has this id already: an earlier attempt arrived.
            409 => {}
            status => {
                let reason = reason(item.error.as_ref());
                let said = words.said(reason.as_bytes());
                match status {
                    400..=499 if !matches!(status, 401 | 403 | 404 | 408 | 429) => {
                        refused.push(Refused {
                            index,
                            why: words.sentence(&format!("refused ({status}){said}")),
                        });
                    }
                    401 | 403 => {
                        let what = format!(
                            "does not let this key create documents there ({status}): look at {} and its privileges{said}",
                            words.keys
                        );
                        return partly(index, refused, words.failure(&what));
                    }
                    404 => {
                        let what = format!(
                            "has no such data stream (404): look at `data_stream` and its index template{said}"
                        );
                        return partly(index, refused, words.failure(&what));
                    }
                    _ => {
                        let what = format!("could not take an event now ({status}){said}");
                        let failure = Failure { after: answer.after, ..words.failure(&what) };
                        return partly(index, refused, failure);
                    }
                }
            }
        }
    }
    let _ = bulk.errors;
    Verdict::Done(refused)
}

fn partly(done: usize, refused: Vec<Refused>, failure: Failure) -> Verdict {
    Verdict::Partly { done, refused, failure }
}

/// `type: reason`, with the cause where there is one: the reason alone often only says that parsing failed.
fn reason(error: Option<&serde_json::Value>) -> String {
    let Some(error) = error else { return String::new() };
    let part = |value: &serde_json::Value| {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        format!("{}: {}", text("type"), text("reason"))
    };
    match error {
        serde_json::Value::String(text) => text.clone(),
        error if error["caused_by"].is_object() => format!("{}; {}", part(error), part(&error["caused_by"])),
        error => part(error),
    }
}
