//! Flows that may be translated: they wait for the answer, but no longer than for their owner.

use super::*;
use crate::model::{Nat, Translation};

impl Fixture {
    fn translating() -> Self {
        let mut fixture = Self::new(8);
        fixture.table.follow_translations(true);
        fixture
    }

    fn answer(&mut self, cookie: u64, nat: Option<Nat>) -> Vec<Change> {
        self.table.translated(cookie, nat, &mut self.world, &mut self.out);
        std::mem::take(&mut self.out)
    }

    fn give_up(&mut self, now_ns: u64) -> Vec<Change> {
        self.table.stop_waiting(now_ns, &mut self.out);
        std::mem::take(&mut self.out)
    }

    fn asked(&mut self) -> Vec<u64> {
        self.table.take_questions().iter().map(|question| question.cookie).collect()
    }
}

fn nat() -> Option<Nat> {
    let peer = Some(endpoint("203.0.113.7:40000"));
    Some(Nat::Translated(Box::new(Translation { peer, ..Translation::default() })))
}

fn connected(cookie: u64, time_ns: u64) -> ConnectionRecord<'static> {
    let (local, peer) = ("10.0.0.1:40000", "192.0.2.9:5432");
    ConnectionRecord::Connected(event(cookie, time_ns, SocketRole::Connected, 1, local, peer))
}

fn ended(cookie: u64) -> ConnectionRecord<'static> {
    ConnectionRecord::Ended(event(cookie, 20, SocketRole::Accepted, 2, NEAR, FAR), ending(Outcome::Closed))
}

#[test]
fn an_opening_shows_how_the_flow_is_translated() {
    let mut fixture = Fixture::translating();
    assert!(fixture.ingest(connected(1, 10)).is_empty());
    assert_eq!(fixture.asked(), [1]);
    let out = fixture.answer(1, nat());
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(out[0].flow.nat, nat());
    assert!(fixture.settle(10 + SETTLE).is_empty());
    // The answer may come before the acceptor.
    fixture.ingest(arrived(2, 10, 1));
    assert_eq!(fixture.asked(), [2]);
    assert!(fixture.answer(2, None).is_empty());
    let out = fixture.ingest(accepted(2, 11, 2));
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(out[0].flow.nat, None);
}

#[test]
fn a_late_answer_is_an_update() {
    let mut fixture = Fixture::translating();
    fixture.ingest(arrived(1, 10, 1));
    assert!(fixture.ingest(accepted(1, 11, 2)).is_empty());
    assert!(fixture.settle(10 + SETTLE).is_empty());
    assert!(
        fixture.give_up(1_000).is_empty(),
        "its time begins when it is asked about, however late that is"
    );
    assert_eq!(fixture.table.next_settle(), Some(1_000 + SETTLE));
    let out = fixture.give_up(1_000 + SETTLE);
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(out[0].flow.nat, Some(Nat::Pending));
    let out = fixture.answer(1, nat());
    assert_eq!((kinds(&out), &out[0].flow.nat), (vec![ChangeKind::Updated], &nat()));
    assert!(fixture.answer(1, None).is_empty(), "what is known is not asked");
}

#[test]
fn a_flow_that_ends_first_is_opened_and_closed_as_translated() {
    let mut fixture = Fixture::translating();
    fixture.ingest(arrived(1, 10, 1));
    fixture.ingest(accepted(1, 11, 2));
    assert!(fixture.ingest(ended(1)).is_empty());
    let out = fixture.answer(1, nat());
    assert_eq!(kinds(&out), [ChangeKind::Opened, ChangeKind::Closed]);
    assert_eq!(out[0].flow.outcome, Outcome::Established);
    assert_eq!(out[1].flow.outcome, Outcome::Closed);
    assert!(out.iter().all(|change| change.flow.nat == nat()));
    assert!(fixture.settle(u64::MAX).is_empty() && fixture.give_up(u64::MAX).is_empty());
}

#[test]
fn an_end_waits_for_an_answer_as_long_as_to_settle() {
    let mut fixture = Fixture::translating();
    fixture.ingest(arrived(1, 10, 1));
    fixture.ingest(ended(1));
    fixture.settle(10 + SETTLE);
    assert!(fixture.give_up(1_000).is_empty());
    assert!(fixture.give_up(1_000 + SETTLE - 1).is_empty());
    let out = fixture.give_up(1_000 + SETTLE);
    assert_eq!(kinds(&out), [ChangeKind::Opened, ChangeKind::Closed]);
    assert_eq!(out[1].flow.nat, Some(Nat::Unknown), "it will not be known any more");
    assert!(fixture.answer(1, nat()).is_empty());
}

#[test]
fn what_was_not_answered_is_asked_again_with_its_update() {
    let mut fixture = Fixture::translating();
    fixture.ingest(connected(1, 10));
    fixture.asked();
    assert_eq!(kinds(&fixture.answer(1, Some(Nat::Unknown))), [ChangeKind::Opened]);
    fixture.table.report_progress(1, Progress::default(), &mut fixture.world, &mut fixture.out);
    assert_eq!(fixture.asked(), [1]);
    fixture.out.clear();
    assert_eq!(kinds(&fixture.answer(1, nat())), [ChangeKind::Updated]);
}

#[test]
fn loopback_is_not_asked_about() {
    let mut fixture = Fixture::translating();
    fixture.ingest(ConnectionRecord::Connected(event(1, 10, SocketRole::Connected, 1, CLIENT, SERVER)));
    assert!(fixture.asked().is_empty());
    assert_eq!(fixture.table.get(1).expect("open").nat, None);
}
