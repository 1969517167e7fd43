//! `sink test`: one marked event to a receiver, over a connection of its own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gdprport_core::delivery::Sink;
use gdprport_core::event::Host;
use jiff::Timestamp;
use tokio::time::timeout;

use super::lost::Maker;
use super::receiver::transport;
use super::{Message, Outcome};
use crate::control::api::TestReply;

/// Sends one `sink.test` and says what came of it. It takes at most `within`, and touches neither cursor nor spool.
pub(crate) async fn probe(sink: &Sink, host: &Host, within: Duration) -> TestReply {
    let event = Maker::new(sink, host).test(Timestamp::now());
    let mut record = Vec::new();
    sink.encoding.write(&event, &mut record);
    let (id, kind) = (event.id, event.body.kind().to_string());
    let batch = [Message { event, record: Bytes::from(record) }];
    let begun = Instant::now();
    let mut answer = None;
    let outcome = match transport(&sink.target) {
        Err(why) => Outcome::failed(why),
        Ok(mut transport) => {
            let outcome = timeout(within, transport.send(&batch)).await.unwrap_or_else(|_| {
                Outcome::failed(format!(
                    "{} did not answer within {} s",
                    sink.target.place(),
                    within.as_secs()
                ))
            });
            answer = transport.answer();
            outcome
        }
    };
    let why = match (outcome.refused.into_iter().next(), outcome.failure) {
        (Some(refused), _) => Some(format!("the receiver refused the event: {}", refused.why)),
        (None, Some(failure)) => Some(failure.why),
        (None, None) => None,
    };
    TestReply {
        name: sink.name.to_string(),
        transport: sink.target.kind().to_string(),
        place: sink.target.place(),
        encoding: sink.encoding.as_str().to_owned(),
        id,
        kind,
        arrived: why.is_none(),
        answer,
        why,
        took_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
