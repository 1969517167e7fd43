//! A receiver over HTTP that answers anything, without a network.

use std::sync::LazyLock;
use std::time::Duration;

use super::answer::Answer;
use super::attempts::{Attempts, Taken};
use super::client::{Receiver, Scheme};
use super::verdict::Verdict;
use super::{elastic, loki, ndjson, otlp, splunk};
use crate::deliver::{Failure, Limits, Message, Outcome, Transport as _};
use gdprport_core::delivery::{Auth, HttpSettings, HttpUrl, Proxy, TlsSettings};
use gdprport_core::event::{Agent, Body, DaemonEnd, DaemonStop, Host, Stamper};
use gdprport_core::text::is_control_or_bidi;

/// How many kinds of receivers there are.
pub(crate) const RECEIVERS: usize = 8;

const SECRET: &str = "s3cr3t-t0ken";

/// A receiver that gives the same answer to every request.
struct Same {
    which: usize,
    answer: Answer,
    receiver: Receiver,
    asked: usize,
}

impl Attempts for Same {
    /// Smaller than some batches.
    const LIMITS: Limits = Limits { events: 5, bytes: usize::MAX };

    fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    fn receiver_mut(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    async fn attempt(&mut self, part: &[Message]) -> Verdict {
        self.asked += 1;
        let (answer, words) = (&self.answer, self.receiver.words());
        match self.which {
            0 => ndjson::judge(answer, words),
            which @ 1..=2 => splunk::judge(answer, which == 2, words),
            3 => Verdict::Taken(0),
            4 => elastic::judge(answer, part.len(), words),
            5 => loki::judge(answer, words),
            _ => otlp::judge(answer, part.len(), words).0,
        }
    }

    /// Asks once, as there is always the same answer.
    async fn acknowledged(&mut self, mut taken: Vec<Taken>) -> Result<(), (usize, Failure)> {
        let Some(first) = taken.first().map(|taken| taken.from) else { return Ok(()) };
        let words = self.receiver.words();
        let judged = splunk::judge_acks(&self.answer, &mut taken, words);
        let failure = match (judged, taken.is_empty()) {
            (Ok(()), true) => return Ok(()),
            (Ok(()), false) => words.failure("has not indexed it"),
            (Err(failure), _) => failure,
        };
        Err((taken.first().map_or(first, |taken| taken.from), failure))
    }
}

/// What becomes of so many events when the receiver of this kind answers every request so.
pub(crate) fn answer(which: usize, status: u16, length: usize, body: &[u8]) {
    static EVENT: LazyLock<Message> = LazyLock::new(event);
    let content_type = if which == 6 { "application/x-protobuf" } else { "application/json" };
    let answer = Answer {
        status,
        content_type: content_type.to_owned(),
        location: Some(String::from_utf8_lossy(body).into_owned()),
        body: body.to_vec(),
        ..Answer::default()
    };
    let settings = HttpSettings {
        url: HttpUrl::parse("https://siem.example").expect("an address"),
        tls: TlsSettings::default(),
        proxy: Proxy::None,
        auth: Auth::None,
        headers: Vec::new(),
        timeout: Duration::from_secs(600),
        connect_timeout: Duration::from_secs(600),
    };
    let receiver = Receiver::new(settings, Scheme::Bearer).hiding(vec![SECRET.to_owned()]);
    let mut same = Same { which, answer, receiver, asked: 0 };
    let batch = vec![EVENT.clone(); length];
    let outcome = futures_util::FutureExt::now_or_never(same.send(&batch));
    let outcome = outcome.expect("nothing waits");
    keeps_the_contract(&outcome, length, &[SECRET]);
    // Halves of halves, and no request twice.
    assert!(same.asked < 4 * length, "{} requests for {length} events", same.asked);
}

fn event() -> Message {
    let host = Host { name: "db".into(), boot_id: "b".into() };
    let agent = Agent { version: "0".into(), run: uuid::Uuid::from_u128(7), privacy: None };
    let stop = DaemonEnd { pid: 1, reason: "x".to_owned(), uptime_ms: 1, kept: false };
    let body = Body::DaemonStop(Box::new(DaemonStop { daemon: stop }));
    let event = Stamper::new(host, agent).stamp(jiff::Timestamp::UNIX_EPOCH, body);
    Message { event, record: "{}".into() }
}

/// Asserts what `Outcome` promises.
#[track_caller]
pub(crate) fn keeps_the_contract(outcome: &Outcome, length: usize, secrets: &[&str]) {
    let Outcome { done, refused, failure } = outcome;
    assert!(*done <= length, "{outcome:?}");
    assert_eq!(failure.is_none(), *done == length, "{outcome:?}");
    assert!(refused.is_sorted_by(|a, b| a.index < b.index), "{outcome:?}");
    assert!(refused.iter().all(|refused| refused.index < *done), "{outcome:?}");
    for why in refused.iter().map(|refused| &refused.why).chain(failure.as_ref().map(|failure| &failure.why))
    {
        assert!(!why.is_empty() && why.chars().count() <= 500, "{why}");
        assert!(!why.contains(is_control_or_bidi), "{why:?}");
        assert!(!secrets.iter().any(|secret| why.contains(secret)), "{why}");
    }
}
