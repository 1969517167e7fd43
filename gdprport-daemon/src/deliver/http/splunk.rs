//! Splunk's HTTP Event Collector: one JSON object for each event, and codes in its answers.
//!
//! Without `ack` an answer says that Splunk has the events, not that they are indexed; with it, a request is done once Splunk says
//! that it is indexed (Splunk Enterprise, "HTTP Event Collector indexer acknowledgment").

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::answer::Answer;
use super::attempts::{Attempts, Verdict, deliver};
use super::client::{Receiver, Request, Scheme};
use super::json;
use super::words::Words;
use crate::deliver::{Failure, Limits, Message, Sending, Transport};
use gdprport_core::delivery::{HttpUrl, SplunkSettings};

/// Splunk's own `max_content_length` was 1 MB for long (limits.conf, `[http_input]`); the wrapping is a fifth of a small event.
const LIMITS: Limits = Limits { events: 500, bytes: 700 << 10 };

/// Between two questions whether a request is indexed, at first and at most: one that is indexed at once does not hold up the
/// next ones, and one that takes long is not asked about all the time.
const POLL: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

/// A collector.
#[derive(Debug)]
pub(crate) struct Splunk {
    receiver: Receiver,
    events: HttpUrl,
    acks: HttpUrl,
    settings: SplunkSettings,
    /// What acknowledgements are counted in, anew for each run.
    channel: String,
    said: Option<String>,
}

impl Splunk {
    /// For the collector of these settings.
    pub(crate) fn new(settings: SplunkSettings) -> Self {
        let url = &settings.http.url;
        Self {
            events: url.endpoint("/services/collector/event"),
            acks: url.endpoint("/services/collector/ack"),
            receiver: Receiver::new(settings.http.clone(), Scheme::Splunk),
            settings,
            channel: uuid::Uuid::now_v7().to_string(),
            said: None,
        }
    }

    fn request(&self, body: Bytes) -> Request {
        let mut headers = HeaderMap::new();
        if self.settings.ack {
            headers.insert(CHANNEL, HeaderValue::from_str(&self.channel).expect("a UUID is ASCII"));
        }
        Request { content_type: "application/json", headers, body }
    }

    /// Waits until Splunk says that a request is indexed. It answers `false` for what it has not indexed yet and for what it does
    /// not know, so the wait is bounded and what is unknown is sent again.
    async fn indexed(&mut self, ack: u64) -> Result<(), Failure> {
        let (begun, [mut pause, most]) = (Instant::now(), POLL);
        loop {
            let body = format!("{{\"acks\":[{ack}]}}").into();
            let answer = self.receiver.post(&self.acks.clone(), self.request(body)).await?;
            let words = self.receiver.words();
            match judge_ack(&answer, ack, &words)? {
                true => return Ok(()),
                false if begun.elapsed() >= self.settings.ack_timeout => {
                    let what = format!(
                        "has not indexed the events within {} (`ack_timeout`): they are sent again with the same id",
                        humantime::format_duration(self.settings.ack_timeout)
                    );
                    return Err(words.failure(&what));
                }
                false => {
                    tokio::time::sleep(pause.min(self.settings.ack_timeout)).await;
                    pause = most.min(pause * 2);
                }
            }
        }
    }
}

impl Transport for Splunk {
    fn send<'a>(&'a mut self, batch: &'a [Message]) -> Sending<'a> {
        let wait = if self.settings.ack { self.settings.ack_timeout } else { Duration::ZERO };
        let limit = self.receiver.timeout() + wait;
        Box::pin(deliver(self, batch, limit))
    }

    fn limits(&self) -> Limits {
        LIMITS
    }

    fn answer(&self) -> Option<String> {
        self.said.clone()
    }
}

impl Attempts for Splunk {
    fn words(&self) -> Arc<Words> {
        self.receiver.words()
    }

    fn proven(&mut self) -> &mut bool {
        &mut self.receiver.proven
    }

    async fn attempt(&mut self, part: &[Message]) -> Verdict {
        let request = self.request(body(part, &self.settings));
        let answer = match self.receiver.post(&self.events.clone(), request).await {
            Ok(answer) => answer,
            Err(failure) => return Verdict::Failed(failure),
        };
        let words = self.receiver.words();
        self.said = Some(answer.summary(&words));
        match judge(&answer, self.settings.ack, &words) {
            Meant::Verdict(verdict) => verdict,
            Meant::Ack(ack) => match self.indexed(ack).await {
                Ok(()) => Verdict::Done(Vec::new()),
                Err(failure) => Verdict::Failed(failure),
            },
        }
    }
}

fn body(part: &[Message], settings: &SplunkSettings) -> Bytes {
    let mut body = Vec::with_capacity(part.iter().map(|message| message.record.len() + 256).sum());
    // The same for every event.
    let mut fixed = Vec::new();
    let keys = [
        ("source", Some(&settings.source)),
        ("sourcetype", Some(&settings.sourcetype)),
        ("index", settings.index.as_ref()),
    ];
    for (key, value) in keys {
        if let Some(value) = value {
            fixed.extend_from_slice(format!(",\"{key}\":").as_bytes());
            json::string(&mut fixed, value);
        }
    }
    for Message { event, record } in part {
        body.extend_from_slice(b"{\"time\":");
        let micros = event.time.as_microsecond();
        body.extend_from_slice(
            format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000)).as_bytes(),
        );
        body.extend_from_slice(b",\"host\":");
        json::string(&mut body, &event.host.name);
        body.extend_from_slice(&fixed);
        body.extend_from_slice(b",\"event\":");
        json::object_or_string(&mut body, record);
        body.push(b'}');
    }
    body.into()
}

/// What an answer to events means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    Verdict(Verdict),
    /// They are done once this is acknowledged.
    Ack(u64),
}

#[derive(Deserialize)]
struct Hec {
    code: i64,
    #[serde(rename = "invalid-event-number")]
    invalid: Option<u64>,
    #[serde(rename = "ackId")]
    ack: Option<u64>,
}

/// What an answer means. Codes: Splunk, "Troubleshoot HTTP Event Collector", possible error codes.
pub(crate) fn judge(answer: &Answer, ack: bool, words: &Words) -> Meant {
    let failed = |failure| Meant::Verdict(Verdict::Failed(failure));
    let hec: Option<Hec> = serde_json::from_slice(&answer.body).ok();
    let said = words.said(&answer.body);
    let failure =
        |what: &str| failed(Failure { after: answer.after, ..words.failure(&format!("{what}{said}")) });
    match hec {
        None if answer.is_success() => {
            failure("answered with something that is not Splunk's: is `url` the one of a collector?")
        }
        // 17: healthy; 24 and 26 in an answer of 200: taken, and the queue is nearly full.
        Some(Hec { code: 0 | 24 | 26, ack: id, .. }) if answer.is_success() => match (ack, id) {
            (true, Some(id)) => Meant::Ack(id),
            (true, None) => failure(
                "gave no acknowledgement id: switch acknowledgement on for this token, or set `ack = false`",
            ),
            (false, _) => Meant::Verdict(Verdict::Done(Vec::new())),
        },
        Some(Hec { code: 1..=4 | 16 | 21 | 22, .. }) => {
            failure(&format!("refuses the token: look at {}", words.keys))
        }
        Some(Hec { code: 7, .. }) => {
            failure("refuses the index: look at `index`, and at the indexes that the token may use")
        }
        Some(Hec { code: 10 | 11, .. }) => failure("acknowledges what this token sends: set `ack = true`"),
        Some(Hec { code: 14, .. }) => {
            failure("has acknowledgement switched off for this token: set `ack = false`")
        }
        Some(Hec { code: 6 | 12 | 13 | 15, invalid, .. }) => {
            let why = words.sentence(&format!("refused ({}){said}", answer.status));
            let at = invalid.and_then(|at| usize::try_from(at).ok());
            Meant::Verdict(Verdict::Rejected { at, why, sure: false })
        }
        Some(Hec { code: 9 | 18..=20 | 23..=27, .. }) => failure(&format!("is busy ({})", answer.status)),
        _ if answer.is_success() => failure("answered with a code that is not known"),
        _ => failed(answer.failure(words)),
    }
}

#[derive(Deserialize)]
struct Acks {
    acks: std::collections::BTreeMap<String, bool>,
}

/// Whether an answer says that a request is indexed.
pub(crate) fn judge_ack(answer: &Answer, ack: u64, words: &Words) -> Result<bool, Failure> {
    if !answer.is_success() {
        return Err(match judge(answer, true, words) {
            Meant::Verdict(Verdict::Failed(failure)) => failure,
            _ => answer.failure(words),
        });
    }
    let acks: Option<Acks> = serde_json::from_slice(&answer.body).ok();
    let known = acks.and_then(|acks| acks.acks.get(&ack.to_string()).copied());
    known.ok_or_else(|| words.failure("answered the question for an acknowledgement with something else"))
}
