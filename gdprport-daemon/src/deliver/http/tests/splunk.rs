//! Splunk's HTTP Event Collector.

use std::time::Duration;

use gdprport_tests::receivers::{Fake, Hec, Mood, Reply};
use rstest::rstest;

use super::super::Splunk;
use super::super::testing::{batch, fails, ids, secret, send, settings};
use crate::deliver::{Message, Outcome, Transport as _};
use gdprport_core::delivery::{Auth, HttpSettings, SplunkSettings};

const TOKEN: &str = "b0221cd8-c4b4-465a-9a3c-273e3a75aa29";

/// A sink with this token, before it is changed.
fn sink(fake: &Fake, dir: &tempfile::TempDir, token: &str) -> SplunkSettings {
    SplunkSettings {
        http: HttpSettings { auth: Auth::Token(secret(dir, token)), ..settings(&fake.url()) },
        index: None,
        sourcetype: "gdprport:event".to_owned(),
        source: "gdprport".to_owned(),
        ack: false,
        ack_timeout: Duration::from_secs(3),
    }
}

struct Case {
    fake: Fake,
    dir: tempfile::TempDir,
}

impl Case {
    fn new(hec: Hec) -> Self {
        Self { fake: Fake::start(hec), dir: tempfile::tempdir().expect("a directory") }
    }

    fn splunk(&self, change: impl FnOnce(&mut SplunkSettings)) -> Splunk {
        let mut settings = sink(&self.fake, &self.dir, TOKEN);
        change(&mut settings);
        Splunk::new(settings)
    }
}

#[test]
fn splunk_gets_one_object_for_each_event() {
    let case = Case::new(Hec { indexes: ["pii".to_owned()].into(), ..Hec::new(TOKEN) });
    let batch = batch(30);
    let mut splunk = case.splunk(|settings| settings.index = Some("pii".to_owned()));
    assert_eq!(send(&mut splunk, &batch), Outcome::all(30));
    assert_eq!(case.fake.ids(), ids(&batch));
}

/// CEF is no JSON and goes as a string.
#[test]
fn a_record_that_is_no_json_is_an_event_all_the_same() {
    let case = Case::new(Hec::new(TOKEN));
    let event = Message { record: "CEF:0|gdprport|\"|".into(), ..batch(1).remove(0) };
    assert_eq!(send(&mut case.splunk(|_| ()), &[event]), Outcome::all(1));
}

#[test]
fn an_event_that_splunk_cannot_read_holds_up_no_other() {
    let batch = batch(20);
    let refused = [0, 7, 19].map(|index| batch[index].event.id.to_string());
    let case = Case::new(Hec { refused: refused.into(), ..Hec::new(TOKEN) });
    let outcome = send(&mut case.splunk(|_| ()), &batch);
    assert_eq!((outcome.done, outcome.refused.len()), (20, 3));
    assert_eq!(outcome.refused.iter().map(|refused| refused.index).collect::<Vec<_>>(), [0, 7, 19]);
    assert!(outcome.refused[1].why.contains("Invalid data format"), "{outcome:?}");
    assert_eq!(case.fake.distinct().len(), 17);
}

#[rstest]
#[case::token(|settings: &mut SplunkSettings| settings.http.auth = Auth::None, "refuses the token: look at `token`")]
#[case::index(|settings: &mut SplunkSettings| settings.index = Some("x".to_owned()), "refuses the index: look at `index`")]
#[case::ack(|settings: &mut SplunkSettings| settings.ack = true, "gave no acknowledgement id")]
#[case::url(|settings: &mut SplunkSettings| settings.http.url = settings.http.url.endpoint("/x"), "look at `url`")]
fn a_wrong_setting_of_splunk_is_named(#[case] wrong: fn(&mut SplunkSettings), #[case] sentence: &str) {
    let case = Case::new(Hec::new(TOKEN));
    let why = fails(&mut case.splunk(wrong), &batch(3));
    assert!(why.contains(sentence) && !why.contains(TOKEN), "{why}");
}

#[test]
fn a_wrong_token_is_said_and_not_shown() {
    let case = Case::new(Hec::new("another"));
    let why = fails(&mut case.splunk(|_| ()), &batch(3));
    assert!(
        why.contains("refuses the token: look at the sink's `token`; it said: {\"text\":\"Invalid token\""),
        "{why}"
    );
}

#[test]
fn with_ack_events_are_done_once_splunk_has_indexed_them() {
    let case = Case::new(Hec { ack: Some(2), ..Hec::new(TOKEN) });
    let batch = batch(10);
    let why = fails(&mut case.splunk(|_| ()), &batch);
    assert!(why.contains("acknowledges what this token sends: set `ack = true`"), "{why}");
    assert_eq!(send(&mut case.splunk(acknowledging), &batch), Outcome::all(10));
    assert_eq!(case.fake.ids(), ids(&batch));
}

/// Paths of the requests, in short.
fn asked(fake: &Fake) -> String {
    fake.requests().iter().map(|(path, ..)| if path.ends_with("/ack") { 'a' } else { 'e' }).collect()
}

fn acknowledging(settings: &mut SplunkSettings) {
    settings.ack = true;
}

#[test]
fn requests_are_sent_before_splunk_is_asked_about_all() {
    let case = Case::new(Hec { ack: Some(2), ..Hec::new(TOKEN) });
    let mut splunk = case.splunk(acknowledging);
    assert_eq!(splunk.limits().events, 3_000);
    let batch = batch(1_400);
    assert_eq!(send(&mut splunk, &batch), Outcome::all(1_400));
    assert_eq!((asked(&case.fake).as_str(), case.fake.ids()), ("eeeaa", ids(&batch)));
    assert_eq!(case.splunk(|_| ()).limits().events, 500, "without it there is nothing to wait for");
}

/// The third of four requests is not indexed: what lies before it is done, also the refused event there; all behind it comes again.
#[test]
fn what_lies_before_an_unindexed_request_is_done() {
    let batch = batch(2_000);
    let refused = [7, 1_700].map(|index| batch[index].event.id.to_string());
    // Five requests, as the first is sent in two parts.
    let case = Case::new(Hec { ack: Some(1), lost: [3].into(), refused: refused.into(), ..Hec::new(TOKEN) });
    let outcome = send(
        &mut case.splunk(|settings| {
            settings.ack = true;
            settings.ack_timeout = Duration::from_millis(300);
        }),
        &batch,
    );
    assert_eq!(outcome.done, 1_000, "{outcome:?}");
    assert_eq!(outcome.refused.iter().map(|refused| refused.index).collect::<Vec<_>>(), [7]);
    assert!(outcome.failure.is_some_and(|failure| failure.why.contains("has not indexed the events")));
    let done: Vec<_> =
        ids(&batch[..1_000]).into_iter().enumerate().filter(|(at, _)| *at != 7).map(|(_, id)| id).collect();
    assert_eq!(case.fake.ids()[..999], done);
}

/// What was taken before a failure is still asked about.
#[test]
fn a_failure_in_between_loses_no_acknowledgement() {
    let case = Case::new(Hec { ack: Some(2), ..Hec::new(TOKEN) });
    let busy = Reply::text(503, "{\"text\":\"Server is busy\",\"code\":9}").with("Retry-After", "5");
    case.fake.next([Mood::Well, Mood::Well, Mood::Answer(busy)]);
    let outcome = send(&mut case.splunk(acknowledging), &batch(1_400));
    assert_eq!(outcome.done, 1_000, "{outcome:?}");
    let failure = outcome.failure.expect("the third was not taken");
    assert_eq!((failure.why.contains("is busy"), failure.after), (true, Some(Duration::from_secs(5))));
}

#[test]
fn one_of_several_requests_that_is_too_large_is_halved() {
    let case = Case::new(Hec { ack: Some(1), ..Hec::new(TOKEN) });
    case.fake.next([Mood::Well, Mood::Answer(Reply::text(413, ""))]);
    let batch = batch(1_400);
    assert_eq!(send(&mut case.splunk(acknowledging), &batch), Outcome::all(1_400));
    assert_eq!((asked(&case.fake).as_str(), case.fake.ids()), ("eeeeea", ids(&batch)));
}

/// Splunk answers `false` for ever for a request that it lost in a restart.
#[test]
fn what_splunk_never_indexes_is_sent_again() {
    let mut case = Case::new(Hec { ack: Some(usize::MAX), ..Hec::new(TOKEN) });
    let mut splunk = case.splunk(|settings| {
        settings.ack = true;
        settings.ack_timeout = Duration::from_secs(1);
    });
    let why = fails(&mut splunk, &batch(10));
    assert!(
        why.contains("has not indexed the events within 1s (`ack_timeout`): they are sent again"),
        "{why}"
    );
    case.fake.kill();
    case.fake.restart();
    assert!(fails(&mut splunk, &batch(10)).contains("ack_timeout"));
    assert_eq!(case.fake.ids(), Vec::<String>::new());
}

#[rstest]
#[case::busy(Reply::text(503, "{\"text\":\"Server is busy\",\"code\":9}").with("Retry-After", "5"), "is busy (503)", Some(5))]
#[case::success_with_an_error(
    Reply::text(200, "{\"text\":\"Internal\",\"code\":8}"),
    "a code that is not known",
    None
)]
#[case::a_page(Reply::text(200, "<html>Sign in</html>"), "something that is not Splunk's", None)]
fn an_answer_that_is_no_success_delivers_nothing(
    #[case] reply: Reply,
    #[case] sentence: &str,
    #[case] after: Option<u64>,
) {
    let case = Case::new(Hec::new(TOKEN));
    let mut splunk = case.splunk(|_| ());
    case.fake.next([Mood::Answer(reply)]);
    let failure = send(&mut splunk, &batch(3)).failure.expect("it was refused");
    assert!(failure.why.contains(sentence), "{}", failure.why);
    assert_eq!(failure.after.map(|after| after.as_secs()), after);
    assert_eq!(send(&mut splunk, &batch(3)), Outcome::all(3));
}
