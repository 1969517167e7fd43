//! Plain HTTP: a POST of JSON lines. Every 2xx means that all of them are delivered.

use bytes::Bytes;
use reqwest::header::HeaderMap;

use super::answer::Answer;
use super::attempts::Attempts;
use super::client::{Receiver, Request, Scheme};
use super::verdict::Verdict;
use super::words::Words;
use crate::deliver::{Limits, Message};
use gdprport_core::delivery::{HttpSettings, HttpUrl};

/// A receiver of JSON lines.
#[derive(Debug)]
pub(crate) struct Ndjson {
    receiver: Receiver,
    url: HttpUrl,
}

impl Ndjson {
    /// For the receiver of these settings.
    pub(crate) fn new(settings: HttpSettings) -> Self {
        let url = settings.url.clone();
        Self { receiver: Receiver::new(settings, Scheme::Bearer), url }
    }
}

impl Attempts for Ndjson {
    /// Events and bytes of a request: what common receivers take without settings of their own (nginx: 1 MiB).
    const LIMITS: Limits = Limits { events: 1_000, bytes: 900 << 10 };

    fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    fn receiver_mut(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    async fn attempt(&mut self, part: &[Message]) -> Verdict {
        let request =
            Request { content_type: "application/x-ndjson", headers: HeaderMap::new(), body: lines(part) };
        let judge = |answer: &Answer, words: &Words| (judge(answer, words), answer.summary(words));
        self.receiver.ask(&self.url, request, judge).await
    }
}

/// Each record, and a line feed behind it.
fn lines(part: &[Message]) -> Bytes {
    let mut body = Vec::with_capacity(part.iter().map(|message| message.record.len() + 1).sum());
    for message in part {
        body.extend_from_slice(&message.record);
        body.push(b'\n');
    }
    body.into()
}

/// What an answer means. 400 and 422 say that an event is not what the receiver wants.
pub(crate) fn judge(answer: &Answer, words: &Words) -> Verdict {
    match answer.status {
        200..=299 => Verdict::Done(Vec::new()),
        400 | 422 => {
            let why = words.sentence(&format!("refused ({}){}", answer.status, words.said(&answer.body)));
            Verdict::Rejected { at: None, why, sure: false }
        }
        _ => Verdict::Failed(answer.failure(words)),
    }
}
