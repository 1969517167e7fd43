//! Splunk's HTTP Event Collector: one JSON object for each event, and codes in its answers.
//!
//! Without `ack` an answer says that Splunk has the events, not that they are indexed; with it, a request is done once Splunk says
//! that it is indexed (Splunk Enterprise, "HTTP Event Collector indexer acknowledgment").

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::answer::Answer;
use super::attempts::{Attempts, Taken};
use super::client::{Receiver, Request, Scheme};
use super::json;
use super::verdict::Verdict;
use super::words::Words;
use crate::deliver::{Failure, Limits, Message};
use gdprport_core::delivery::{HttpUrl, SplunkSettings};

/// Requests that are sent before Splunk is asked about them: it takes seconds to acknowledge one, and about as long for several.
const UNACKNOWLEDGED: usize = 6;

/// Between two questions whether requests are indexed, at first and at most: what is indexed at once does not hold up the next
/// batch, and what takes long is not asked about all the time.
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
        }
    }

    fn request(&self, body: Bytes) -> Request {
        let mut headers = HeaderMap::new();
        if self.settings.ack {
            headers.insert(CHANNEL, HeaderValue::from_str(&self.channel).expect("a UUID is ASCII"));
        }
        Request { content_type: "application/json", headers, body }
    }

    /// Asks once about all of them, and takes out those that are indexed.
    async fn ask(&mut self, taken: &mut Vec<Taken>) -> Result<(), Failure> {
        let acks: Vec<_> = taken.iter().map(|taken| taken.ack.to_string()).collect();
        let body = format!("{{\"acks\":[{}]}}", acks.join(",")).into();
        let answer = self.receiver.post(&self.acks.clone(), self.request(body)).await?;
        judge_acks(&answer, taken, self.receiver.words())
    }
}

impl Attempts for Splunk {
    /// Splunk's own `max_content_length` was 1 MB for long (limits.conf, `[http_input]`); the wrapping is a fifth of a small event.
    const LIMITS: Limits = Limits { events: 500, bytes: 700 << 10 };

    fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    fn receiver_mut(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// What waits for an acknowledgement is held in memory, so it is bounded.
    fn requests(&self) -> usize {
        if self.settings.ack { UNACKNOWLEDGED } else { 1 }
    }

    fn within(&self) -> Duration {
        self.receiver.timeout() + if self.settings.ack { self.settings.ack_timeout } else { Duration::ZERO }
    }

    async fn attempt(&mut self, part: &[Message]) -> Verdict {
        let (request, ack) = (self.request(body(part, &self.settings)), self.settings.ack);
        let judge = |answer: &Answer, words: &Words| (judge(answer, ack, words), answer.summary(words));
        self.receiver.ask(&self.events, request, judge).await
    }

    /// Splunk answers `false` for what it has not indexed yet and for what it does not know, so the wait is bounded and what is
    /// unknown is sent again.
    async fn acknowledged(&mut self, mut taken: Vec<Taken>) -> Result<(), (usize, Failure)> {
        let (begun, [mut pause, most]) = (Instant::now(), POLL);
        while let Some(first) = taken.first().map(|taken| taken.from) {
            if let Err(failure) = self.ask(&mut taken).await {
                return Err((taken.first().map_or(first, |taken| taken.from), failure));
            }
            let Some(first) = taken.first() else { break };
            if begun.elapsed() >= self.settings.ack_timeout {
                let what = format!(
                    "has not indexed the events within {} (`ack_timeout`): they are sent again with the same id",
                    humantime::format_duration(self.settings.ack_timeout)
                );
                return Err((first.from, self.receiver.words().failure(&what)));
            }
            tokio::time::sleep(pause.min(self.settings.ack_timeout)).await;
            pause = most.min(pause * 2);
        }
        Ok(())
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

#[derive(Deserialize)]
struct Hec {
    code: i64,
    #[serde(rename = "invalid-event-number")]
    invalid: Option<u64>,
    #[serde(rename = "ackId")]
    ack: Option<u64>,
}

/// What an answer means. Codes: Splunk, "Troubleshoot HTTP Event Collector", possible error codes.
pub(crate) fn judge(answer: &Answer, ack: bool, words: &Words) -> Verdict {
    let hec: Option<Hec> = serde_json::from_slice(&answer.body).ok();
    let said = words.said(&answer.body);
    let failure = |what: &str| {
        Verdict::Failed(Failure { after: answer.after, ..words.failure(&format!("{what}{said}")) })
    };
    match hec {
        None if answer.is_success() => {
            failure("answered with something that is not Splunk's: is `url` the one of a collector?")
        }
        // 17: healthy; 24 and 26 in an answer of 200: taken, and the queue is nearly full.
        Some(Hec { code: 0 | 24 | 26, ack: id, .. }) if answer.is_success() => match (ack, id) {
            (true, Some(id)) => Verdict::Taken(id),
            (true, None) => failure(
                "gave no acknowledgement id: switch acknowledgement on for this token, or set `ack = false`",
            ),
            (false, _) => Verdict::Done(Vec::new()),
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
            Verdict::Rejected { at, why, sure: false }
        }
        Some(Hec { code: 9 | 18..=20 | 23..=27, .. }) => failure(&format!("is busy ({})", answer.status)),
        _ if answer.is_success() => failure("answered with a code that is not known"),
        _ => Verdict::Failed(answer.failure(words)),
    }
}

#[derive(Deserialize)]
struct Acks {
    acks: std::collections::BTreeMap<String, bool>,
}

/// Takes out what an answer says is indexed.
///
/// # Errors
/// It does not answer the question about all of them.
pub(crate) fn judge_acks(answer: &Answer, taken: &mut Vec<Taken>, words: &Words) -> Result<(), Failure> {
    if !answer.is_success() {
        return Err(match judge(answer, true, words) {
            Verdict::Failed(failure) => failure,
            _ => answer.failure(words),
        });
    }
    let acks: Option<Acks> = serde_json::from_slice(&answer.body).ok();
    let acks = acks.map(|acks| acks.acks).unwrap_or_default();
    let of = |taken: &Taken| acks.get(&taken.ack.to_string()).copied();
    let all = taken.iter().all(|taken| of(taken).is_some());
    // It says so once.
    taken.retain(|taken| of(taken) != Some(true));
    let what = "answered the question for an acknowledgement with something else";
    all.then_some(()).ok_or_else(|| words.failure(what))
}
