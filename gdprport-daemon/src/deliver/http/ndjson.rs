//! Plain HTTP: a POST of JSON lines. Every 2xx means that all of them are delivered.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::HeaderMap;

use super::answer::Answer;
use super::attempts::{Attempts, Verdict, deliver};
use super::client::{Receiver, Request, Scheme};
use super::words::Words;
use crate::deliver::{Limits, Message, Sending, Transport};
use gdprport_core::delivery::{HttpSettings, HttpUrl};

/// Events and bytes of a request: what common receivers take without settings of their own (nginx: 1 MiB).
const LIMITS: Limits = Limits { events: 1_000, bytes: 900 << 10 };

/// A receiver of JSON lines.
#[derive(Debug)]
pub(crate) struct Ndjson {
    receiver: Receiver,
    url: HttpUrl,
    said: Option<String>,
}

impl Ndjson {
    /// For the receiver of these settings.
    pub(crate) fn new(settings: HttpSettings) -> Self {
        let url = settings.url.clone();
        Self { receiver: Receiver::new(settings, Scheme::Bearer), url, said: None }
    }
}

impl Transport for Ndjson {
    fn send<'a>(&'a mut self, batch: &'a [Message]) -> Sending<'a> {
        let limit = self.receiver.timeout();
        Box::pin(deliver(self, batch, limit))
    }

    fn limits(&self) -> Limits {
        LIMITS
    }

    fn answer(&self) -> Option<String> {
        self.said.clone()
    }
}

impl Attempts for Ndjson {
    fn words(&self) -> Arc<Words> {
        self.receiver.words()
    }

    fn proven(&mut self) -> &mut bool {
        &mut self.receiver.proven
    }

    async fn attempt(&mut self, part: &[Message]) -> Verdict {
        let request =
            Request { content_type: "application/x-ndjson", headers: HeaderMap::new(), body: lines(part) };
        match self.receiver.post(&self.url, request).await {
            Ok(answer) => {
                let words = self.receiver.words();
                self.said = Some(answer.summary(&words));
                judge(&answer, &words)
            }
            Err(failure) => Verdict::Failed(failure),
        }
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
