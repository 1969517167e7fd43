//! What tests of transports share: events with ids of their own, and a sender that does not give up.

use std::collections::BTreeSet;
use std::time::Duration;

use gdprport_core::encode::Encoding;
use gdprport_core::event::{Kind, samples};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{Message, Transport};

/// So many events, each with another id.
pub(super) fn messages(count: usize) -> Vec<Message> {
    let sample = samples::event(Kind::FlowOpen);
    let make = |seq: usize| {
        let mut event = sample.clone();
        event.id = Uuid::now_v7();
        event.seq = seq as u64;
        let mut record = Vec::new();
        Encoding::Native.write(&event, &mut record);
        Message { event, record: record.into() }
    };
    (1..=count).map(make).collect()
}

/// The ids of events.
pub(super) fn ids(messages: &[Message]) -> BTreeSet<String> {
    messages.iter().map(|message| message.event.id.to_string()).collect()
}

/// Sends all of them as the deliverer would, and calls `between` with what is done so far before each batch. Returns the
/// failures on the way.
pub(super) async fn deliver(
    transport: &mut dyn Transport,
    messages: &[Message],
    batch: usize,
    mut between: impl FnMut(usize),
) -> Vec<String> {
    let start = Instant::now();
    let (mut done, mut failures) = (0, Vec::new());
    while done < messages.len() {
        between(done);
        let end = messages.len().min(done + batch);
        let outcome = transport.send(&messages[done..end]).await;
        assert!(outcome.done <= end - done);
        assert_eq!(outcome.failure.is_none(), outcome.done == end - done, "{outcome:?}");
        assert_eq!(outcome.refused, Vec::new());
        done += outcome.done;
        if let Some(failure) = outcome.failure {
            assert!(!failure.why.is_empty() && !failure.why.contains('\n'), "{failure:?}");
            failures.push(failure.why);
            sleep(Duration::from_millis(20)).await;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it does not come to an end: {failures:?}");
    }
    failures
}
