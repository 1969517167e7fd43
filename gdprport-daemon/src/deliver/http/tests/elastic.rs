//! Elasticsearch's `_bulk`.

use gdprport_tests::receivers::{Bulk, Fake, Mood, Reply};
use rstest::rstest;

use super::super::Elastic;
use super::super::testing::{batch, fails, ids, message, secret, send, settings};
use crate::deliver::{Message, Outcome};
use gdprport_core::delivery::{Auth, ElasticSettings, HttpSettings};
use gdprport_core::encode::Encoding;
use gdprport_core::event::samples;

const STREAM: &str = "logs-gdprport.events-default";

fn elastic(fake: &Fake) -> Elastic {
    Elastic::new(ElasticSettings { http: settings(&fake.url()), data_stream: STREAM.to_owned() })
}

#[test]
fn a_data_stream_gets_each_event_under_its_id() {
    let dir = tempfile::tempdir().expect("a directory");
    let fake = Fake::start(Bulk { key: "a2V5".to_owned(), ..Bulk::new(STREAM) });
    let http = HttpSettings { auth: Auth::Token(secret(&dir, "a2V5")), ..settings(&fake.url()) };
    let mut elastic = Elastic::new(ElasticSettings { http, data_stream: STREAM.to_owned() });
    let batch = batch(30);
    assert_eq!(send(&mut elastic, &batch), Outcome::all(30));
    assert_eq!(fake.ids(), ids(&batch));
    let why = fails(&mut self::elastic(&fake), &batch);
    assert!(why.contains("does not know who this is (401): look at `token`"), "{why}");
}

/// The first answer is lost: 409 says that the event is there.
#[test]
fn what_is_sent_twice_is_there_once() {
    let fake = Fake::start(Bulk::new(STREAM));
    let batch = batch(10);
    fake.next([Mood::TakeAndClose]);
    fails(&mut elastic(&fake), &batch);
    assert_eq!(send(&mut elastic(&fake), &batch), Outcome::all(10));
    assert_eq!(fake.ids(), ids(&batch));
}

#[test]
fn two_hundred_may_have_errors_inside() {
    let batch = batch(20);
    let id = |index: usize| batch[index].event.id.to_string();
    let fake =
        Fake::start(Bulk { unmapped: [id(2), id(9)].into(), busy: [id(5)].into(), ..Bulk::new(STREAM) });
    let mut elastic = elastic(&fake);
    let outcome = send(&mut elastic, &batch);
    assert_eq!((outcome.done, outcome.refused.len()), (5, 1));
    assert_eq!(
        outcome.refused[0].why,
        "refused (400); it said: document_parsing_exception: [1:23] failed to parse field [port] of type [long]"
    );
    let why = outcome.failure.expect("a shard was busy").why;
    assert!(
        why.contains("could not take an event now (429); it said: es_rejected_execution_exception"),
        "{why}"
    );
    let outcome = send(&mut elastic, &batch[5..]);
    assert_eq!((outcome.done, outcome.refused.len()), (15, 1), "{outcome:?}");
    assert_eq!(fake.distinct().len(), 18);
    assert_eq!(fake.ids().len(), 18);
}

#[rstest]
#[case::privileges(403, "security_exception", "look at `token`, or `user` and `password`")]
#[case::template(404, "index_not_found_exception", "look at `data_stream`")]
#[case::fault(500, "internal", "could not take an event now (500)")]
fn what_concerns_every_item_costs_no_event(#[case] status: u16, #[case] kind: &str, #[case] sentence: &str) {
    let fake = Fake::start(Bulk { always: Some((status, kind.to_owned())), ..Bulk::new(STREAM) });
    let why = fails(&mut elastic(&fake), &batch(10));
    assert!(why.contains(sentence), "{why}");
}

#[rstest]
#[case::fewer("{\"errors\":false,\"items\":[]}")]
#[case::page("<html></html>")]
#[case::other(
    "{\"errors\":false,\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"status\":201}},{\"delete\":{\"status\":200}}]}"
)]
fn an_answer_that_does_not_fit_delivers_nothing_more(#[case] body: &str) {
    let fake = Fake::start(Bulk::new(STREAM));
    fake.next([Mood::Answer(Reply::text(200, body))]);
    let outcome = send(&mut elastic(&fake), &batch(3));
    assert!(outcome.done < 3, "{outcome:?}");
}

#[test]
fn a_record_of_any_encoding_is_a_document() {
    let fake = Fake::start(Bulk::new(STREAM));
    let mut batch = batch(2);
    batch[0] = Message { record: "CEF:0|gdprport|\"|".into(), ..batch[0].clone() };
    batch[1] = Message { record: "{\"@timestamp\":\"2026-11-29T13:00:00Z\"}".into(), ..batch[1].clone() };
    assert_eq!(send(&mut elastic(&fake), &batch), Outcome::all(2));
}

#[test]
fn every_encoding_is_taken_by_a_data_stream() {
    for &encoding in Encoding::ALL {
        let fake = Fake::start(Bulk::new(STREAM));
        let events: Vec<Message> =
            samples::events().into_iter().map(|event| message(event, encoding)).collect();
        assert_eq!(send(&mut elastic(&fake), &events), Outcome::all(events.len()), "{}", encoding.as_str());
        assert_eq!(fake.ids(), ids(&events));
    }
}
