//! Plain HTTP, and what the shared client does on bad days.

use std::time::{Duration, Instant};

use gdprport_tests::receivers::{Fake, Mood, Plain, Reply};
use rstest::rstest;

use super::super::Ndjson;
use super::super::testing::{batch, fails, ids, secret, send, settings};
use crate::deliver::Outcome;
use gdprport_core::delivery::{Auth, HttpSettings, HttpUrl, Proxy};

fn fake() -> (Fake, Ndjson) {
    let fake = Fake::start(Plain::default());
    let transport = Ndjson::new(settings(&fake.url()));
    (fake, transport)
}

#[test]
fn events_arrive_in_order_over_one_connection() {
    let (fake, mut http) = fake();
    let batch = batch(300);
    // One runtime, as the deliverer has: a connection belongs to it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for part in batch.chunks(100) {
        let outcome = runtime.block_on(crate::deliver::Transport::send(&mut http, part));
        assert_eq!(outcome, Outcome::all(100));
    }
    assert_eq!(fake.ids(), ids(&batch));
    assert_eq!(fake.connections(), 1);
}

#[test]
fn an_event_that_is_refused_holds_up_no_other() {
    let batch = batch(40);
    let refused = [3, 17, 18, 39].map(|index| batch[index].event.id.to_string());
    let fake = Fake::start(Plain { refused: refused.into(), ..Plain::default() });
    let outcome = send(&mut Ndjson::new(settings(&fake.url())), &batch);
    assert_eq!(outcome.done, 40);
    assert_eq!(outcome.refused.iter().map(|refused| refused.index).collect::<Vec<_>>(), [3, 17, 18, 39]);
    assert_eq!(outcome.refused[0].why, "refused (400); it said: an event that nobody wants");
    assert_eq!(fake.distinct().len(), 36);
}

/// A receiver that refuses everything is set up wrongly: nothing is given up.
#[test]
fn a_receiver_that_refuses_everything_costs_no_event() {
    let (fake, mut http) = fake();
    fake.always(Mood::Answer(Reply::text(400, "no such tenant")));
    let why = fails(&mut http, &batch(40));
    assert!(
        why.ends_with(
            "refuses every event, so it may be the settings: refused (400); it said: no such tenant"
        ),
        "{why}"
    );
    fake.always(Mood::Well);
    assert_eq!(send(&mut http, &batch(40)), Outcome::all(40));
}

/// On a quiet host events come alone: one is given up only by a receiver that has taken another.
#[test]
fn an_event_alone_is_given_up_only_if_settings_are_right() {
    let batch = batch(3);
    let refused = [batch[0].event.id.to_string(), batch[2].event.id.to_string()];
    let fake = Fake::start(Plain { refused: refused.into(), ..Plain::default() });
    let mut http = Ndjson::new(settings(&fake.url()));
    assert!(fails(&mut http, &batch[..1]).contains("it may be the settings"));
    let outcome = send(&mut http, &batch[..2]);
    assert_eq!((outcome.done, outcome.refused.len()), (2, 1), "with another it is clear whose fault it is");
    let outcome = send(&mut http, &batch[2..]);
    assert_eq!((outcome.done, outcome.refused.len()), (1, 1));
}

#[rstest]
#[case::down(Mood::Close, "gave no answer")]
#[case::garbage(Mood::Garbage, "gave no answer")]
#[case::mid_answer(Mood::CloseMidAnswer, "began an answer (200) and then the connection ended")]
#[case::huge(Mood::Huge, "answered 200 with more than 1048576 bytes")]
#[case::slow(Mood::SlowByTheByte, "did not answer within 2s")]
#[case::redirect(
    Mood::Answer(Reply::text(307, "").with("Location", "http://198.51.100.1/evil?key=1")),
    "redirects to http://198.51.100.1/evil (307), which is not followed"
)]
#[case::fault(Mood::Answer(Reply::text(500, "oh\r\nno")), "has a fault of its own (500); it said: oh  no")]
fn a_bad_day_is_one_sentence_and_ends(#[case] mood: Mood, #[case] sentence: &str) {
    let (fake, mut http) = fake();
    let batch = batch(5);
    fake.always(mood);
    let begun = Instant::now();
    let why = fails(&mut http, &batch);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(why.starts_with(&fake.url()) && why.contains(sentence), "{why}");
    fake.always(Mood::Well);
    assert_eq!(send(&mut http, &batch), Outcome::all(5));
    assert_eq!(fake.distinct().len(), 5);
}

#[test]
fn a_receiver_may_ask_for_a_pause_or_for_less() {
    let (fake, mut http) = fake();
    let busy = Reply::text(429, "slow down").with("Retry-After", "7");
    fake.next([Mood::Answer(busy), Mood::Answer(Reply::text(413, ""))]);
    let failure = send(&mut http, &batch(5)).failure.expect("busy");
    assert_eq!((failure.after, failure.too_large), (Some(Duration::from_secs(7)), false));
    let failure = send(&mut http, &batch(5)).failure.expect("too large");
    assert_eq!((failure.after, failure.too_large), (None, true));
}

#[test]
fn a_receiver_that_was_away_gets_everything_when_it_is_back() {
    let (mut fake, mut http) = fake();
    let batch = batch(20);
    assert_eq!(send(&mut http, &batch[..10]), Outcome::all(10));
    fake.kill();
    let why = fails(&mut http, &batch[10..]);
    assert!(why.contains("refuses connections: nothing listens there"), "{why}");
    fake.restart();
    assert_eq!(send(&mut http, &batch[10..]), Outcome::all(10));
    assert_eq!(fake.ids(), ids(&batch));
}

#[test]
fn a_name_that_does_not_resolve_is_named_as_the_cause() {
    let why = fails(&mut Ndjson::new(settings("http://nobody.invalid:9/")), &batch(1));
    assert!(why.starts_with("http://nobody.invalid:9/ has a name that cannot be resolved"), "{why}");
}

#[test]
fn a_secret_is_sent_and_read_anew_once_it_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let fake = Fake::start(Plain { authorization: Some("Bearer n3w-token".to_owned()), ..Plain::default() });
    let auth = Auth::Token(secret(&dir, "0ld-token"));
    let mut http = Ndjson::new(HttpSettings { auth, ..settings(&fake.url()) });
    let why = fails(&mut http, &batch(3));
    assert!(why.contains("does not know who this is (401): look at the sink's `token`"), "{why}");
    assert!(why.contains("Bearer ***") && !why.contains("0ld"), "{why}");
    secret(&dir, "n3w-token");
    assert_eq!(send(&mut http, &batch(3)), Outcome::all(3));
    assert!(!format!("{http:?}").contains("n3w"), "{http:?}");
}

#[test]
fn a_user_and_password_are_sent_as_rfc_7617_says() {
    let dir = tempfile::tempdir().expect("a directory");
    let basic = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned();
    let fake = Fake::start(Plain { authorization: Some(basic), ..Plain::default() });
    let auth = Auth::Basic { user: "Aladdin".into(), password: secret(&dir, "open sesame") };
    assert_eq!(
        send(&mut Ndjson::new(HttpSettings { auth, ..settings(&fake.url()) }), &batch(3)),
        Outcome::all(3)
    );
}

/// The proxy is a fake itself: it sees the whole address in the request line.
#[test]
fn a_proxy_is_used_only_where_one_is_written() {
    let proxy = Fake::start(Plain::default());
    let through = Proxy::At { url: HttpUrl::parse(&proxy.url()).expect("an address"), credentials: None };
    let target = "http://siem.invalid/x";
    let mut http = Ndjson::new(HttpSettings { proxy: through, ..settings(target) });
    assert_eq!(send(&mut http, &batch(3)), Outcome::all(3));
    assert_eq!(proxy.requests()[0].0, target);
}
