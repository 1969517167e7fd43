//! OpenTelemetry's protocol.

use gdprport_tests::need;
use gdprport_tests::receivers::{Fake, Mood, Otlp as FakeOtlp, Reply, Rotel};
use gdprport_tests::wait::until;
use rstest::rstest;

use super::super::Otlp;
use super::super::testing::{batch, fails, ids, send, settings};
use crate::deliver::Outcome;
use gdprport_core::delivery::OtlpSettings;

fn otlp(url: &str) -> Otlp {
    Otlp::new(OtlpSettings { http: settings(url) })
}

#[test]
fn a_collector_gets_every_kind_of_event() {
    let fake = Fake::start(FakeOtlp::default());
    let batch = batch(40);
    assert_eq!(send(&mut otlp(&fake.url()), &batch), Outcome::all(40));
    assert_eq!(fake.ids(), ids(&batch));
}

#[test]
fn a_partial_success_is_counted_and_never_sent_again() {
    let fake = Fake::start(FakeOtlp { rejected: 2 });
    let outcome = send(&mut otlp(&fake.url()), &batch(10));
    assert_eq!((outcome.done, outcome.refused.len()), (10, 2));
    assert_eq!(
        outcome.refused[0].why,
        "one of 2 that the collector refused of 10, without saying which; it said: too much"
    );
    assert_eq!(fake.requests().len(), 1);
}

#[rstest]
#[case(429, Some(3), "asks for a pause")]
#[case(502, None, "not available now")]
#[case(503, Some(3), "not available now")]
#[case(504, None, "not available now")]
fn what_may_be_repeated_is_repeated_when_it_is_asked_for(
    #[case] status: u16,
    #[case] after: Option<u64>,
    #[case] why: &str,
) {
    let fake = Fake::start(FakeOtlp::default());
    let mut reply = Reply::text(status, "");
    if let Some(after) = after {
        reply = reply.with("Retry-After", &after.to_string());
    }
    fake.next([Mood::Answer(reply)]);
    let mut otlp = otlp(&fake.url());
    let failure = send(&mut otlp, &batch(3)).failure.expect("it was refused");
    assert_eq!(failure.after.map(|after| after.as_secs()), after);
    assert!(failure.why.contains(why), "{}", failure.why);
    assert_eq!(send(&mut otlp, &batch(3)), Outcome::all(3));
}

/// 413 is not repeated as it is: the deliverer sends less. 400 says that the data is bad: each record has its own answer.
#[test]
fn what_is_bad_is_not_repeated() {
    let fake = Fake::start(FakeOtlp::default());
    let mut otlp = otlp(&fake.url());
    fake.next([Mood::Answer(Reply::text(413, ""))]);
    assert!(send(&mut otlp, &batch(4)).failure.expect("too large").too_large);
    // A google.rpc.Status with the message "bad".
    let bad = Reply { status: 400, headers: Vec::new(), body: b"\x08\x03\x12\x03bad".to_vec() };
    fake.always(Mood::Answer(bad));
    let outcome = send(&mut otlp, &batch(4));
    assert_eq!((outcome.done, outcome.refused.len()), (4, 4));
    assert_eq!(outcome.refused[0].why, "refused (400); it said: bad");
}

#[rstest]
#[case::json(Reply::json(200, &serde_json::json!({ "partialSuccess": { "rejectedLogRecords": "1", "errorMessage": "x" } })), Some(1))]
#[case::empty_json(Reply::json(200, &serde_json::json!({})), Some(0))]
#[case::empty(Reply { status: 200, headers: Vec::new(), body: Vec::new() }, Some(0))]
#[case::page(Reply::text(200, "<html></html>"), None)]
fn answers_in_other_forms_are_understood(#[case] reply: Reply, #[case] refused: Option<usize>) {
    let fake = Fake::start(FakeOtlp::default());
    fake.next([Mood::TakeAndAnswer(reply)]);
    match refused {
        Some(refused) => assert_eq!(send(&mut otlp(&fake.url()), &batch(3)).refused.len(), refused),
        None => assert!(fails(&mut otlp(&fake.url()), &batch(3)).contains("look at `url`")),
    }
}

/// A real collector; it forwards what it took to the fake.
#[test]
fn a_real_collector_takes_every_kind_and_comes_back() {
    let mut rotel = need!(Rotel::start());
    let mut otlp = otlp(&rotel.url());
    let batch = batch(60);
    assert_eq!(send(&mut otlp, &batch[..40]), Outcome::all(40));
    let arrived =
        |rotel: &Rotel, count| until("they are forwarded", || rotel.behind.distinct().len() == count);
    arrived(&rotel, 40);
    rotel.kill();
    assert!(fails(&mut otlp, &batch[40..]).contains("refuses connections"));
    rotel.restart();
    assert_eq!(send(&mut otlp, &batch[40..]), Outcome::all(20));
    arrived(&rotel, 60);
    assert_eq!(rotel.behind.distinct(), ids(&batch).into_iter().collect());
}
