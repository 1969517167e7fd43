//! Loki's push API.

use gdprport_tests::receivers::{Fake, Loki as FakeLoki, Mood, Reply};
use rstest::rstest;

use super::super::Loki;
use super::super::testing::{batch, fails, ids, send, settings};
use crate::deliver::{Message, Outcome};
use gdprport_core::delivery::LokiSettings;
use gdprport_core::event::samples;

fn loki(fake: &Fake) -> Loki {
    Loki::new(LokiSettings { http: settings(&fake.url()), tenant: None, structured_metadata: true })
}

#[test]
fn loki_gets_streams_by_host_and_severity() {
    let fake = Fake::start(FakeLoki { tenant: Some("acme".to_owned()), ..FakeLoki::default() });
    let batch = batch(40);
    let with = LokiSettings {
        http: settings(&fake.url()),
        tenant: Some("acme".to_owned()),
        structured_metadata: true,
    };
    assert_eq!(send(&mut Loki::new(with), &batch), Outcome::all(40));
    assert_eq!(fake.distinct(), ids(&batch).into_iter().collect());
    let why = fails(&mut loki(&fake), &batch);
    assert!(why.contains("asks for a tenant: set `tenant`"), "{why}");
}

/// A day before the receiver's bound, the samples' time after it.
fn old(message: &Message) -> Message {
    let mut message = message.clone();
    message.event.time = samples::time("2026-01-01T00:00:00Z");
    message
}

#[test]
fn entries_that_loki_finds_too_old_or_long_are_counted_and_left() {
    let mut batch = batch(20);
    for index in [0, 1, 11] {
        batch[index] = old(&batch[index]);
    }
    batch[5].record = vec![b'x'; 300 << 10].into();
    let oldest = samples::time("2026-02-01T00:00:00Z").as_nanosecond();
    let fake = Fake::start(FakeLoki { oldest, ..FakeLoki::default() });
    let outcome = send(&mut loki(&fake), &batch);
    assert_eq!(outcome.done, 20);
    assert_eq!(outcome.refused.iter().map(|refused| refused.index).collect::<Vec<_>>(), [0, 1, 5, 11]);
    assert!(outcome.refused[0].why.contains("timestamp too old"), "{outcome:?}");
    assert!(outcome.refused[2].why.contains("max entry size"), "{outcome:?}");
    assert_eq!(fake.ids().len(), 16, "what was sent again is there once");
}

/// A week's backlog of which Loki takes nothing ends, however long it is.
#[test]
fn a_backlog_that_is_too_old_ends() {
    let fake = Fake::start(FakeLoki { oldest: i128::MAX, ..FakeLoki::default() });
    let outcome = send(&mut loki(&fake), &batch(30));
    assert_eq!((outcome.done, outcome.refused.len()), (30, 30));
}

#[rstest]
#[case::metadata(
    Reply::text(400, "stream '{}' includes structured metadata, but this feature is disallowed."),
    "set `structured_metadata = false`"
)]
#[case::page(Reply::text(200, "<html></html>"), "something that is not Loki's: look at `url`")]
#[case::rate(Reply::text(429, "Ingestion rate limit exceeded"), "asks for a pause (429)")]
#[case::unknown(Reply::text(400, "no ring"), "refuses every event, so it may be the settings")]
fn what_is_not_an_entrys_fault_costs_none(#[case] reply: Reply, #[case] sentence: &str) {
    let fake = Fake::start(FakeLoki::default());
    fake.always(Mood::Answer(reply));
    let why = fails(&mut loki(&fake), &batch(10));
    assert!(why.contains(sentence), "{why}");
}

#[test]
fn structured_metadata_can_be_left_out() {
    let fake = Fake::start(FakeLoki { plain: true, ..FakeLoki::default() });
    let batch = batch(10);
    assert!(fails(&mut loki(&fake), &batch).contains("structured_metadata"));
    let without = LokiSettings { http: settings(&fake.url()), tenant: None, structured_metadata: false };
    assert_eq!(send(&mut Loki::new(without), &batch), Outcome::all(10));
    assert_eq!(fake.distinct(), ids(&batch).into_iter().collect());
}
