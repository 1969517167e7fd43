//! The memory that undecided flows may take together.

use super::*;
use crate::model::PostureState;

/// A mail server's greeting, and a client that sends nothing of substance.
const GREETING: &[u8] = b"220 mx.example.org ESMTP\r\n";

impl Fixture {
    fn within(bytes: usize) -> Self {
        let mut fixture = Self::new(1_000);
        fixture.table.limits.undecided_bytes = bytes;
        fixture
    }

    fn accept(&mut self, cookie: u64) {
        self.ingest(arrived(cookie, 10, 1));
        self.ingest(accepted(cookie, 11, 1));
    }

    fn payload(&mut self, cookie: u64, sent: bool, offset: usize, bytes: &[u8]) -> Vec<Change> {
        let offset = u32::try_from(offset).expect("small");
        let out = self.ingest(ConnectionRecord::Payload { cookie, sent, offset, bytes });
        assert!(self.table.undecided_fit());
        out
    }

    /// Keeps a session open without sending anything that decides.
    fn dawdle(&mut self, cookie: u64) {
        self.payload(cookie, true, 0, GREETING);
        let noise = b"NOOP\r\n".repeat(10);
        for round in 0..4 {
            self.payload(cookie, false, round * 600, &noise);
        }
    }

    fn end(&mut self, cookie: u64) -> Change {
        let event = event(cookie, 20, SocketRole::Accepted, 1, NEAR, FAR);
        self.ingest(ConnectionRecord::Ended(event, ending(Outcome::Closed))).pop().expect("a close")
    }
}

fn posture(change: &Change) -> (PostureState, &str) {
    let posture = change.flow.posture.as_ref().expect("known at the end");
    (posture.state, &posture.evidence)
}

#[test]
fn undecided_flows_stay_within_the_budget_the_oldest_give_way() {
    let mut fixture = Fixture::within(16 << 10);
    for cookie in 1..=200 {
        fixture.accept(cookie);
        fixture.dawdle(cookie);
    }
    let given_up = fixture.table.counters().given_up;
    assert!((100..200).contains(&given_up), "{given_up}");
    assert_eq!((fixture.table.len(), fixture.table.counters().evicted), (200, 0), "the flows stay");
    let oldest = fixture.end(1);
    assert_eq!(posture(&oldest), (PostureState::Unknown, "too many undecided at once"));
    let newest = fixture.end(200);
    assert_ne!(posture(&newest).1, "too many undecided at once");
    for cookie in 2..200 {
        fixture.end(cookie);
    }
    assert!(fixture.table.undecided_fit());
    assert_eq!(fixture.table.counters().given_up, given_up, "a flow that ends frees what it took");
    fixture.accept(900);
    fixture.dawdle(900);
    assert_eq!(fixture.table.counters().given_up, given_up);
}

#[test]
fn a_flow_that_gave_way_is_not_followed_any_further() {
    let mut fixture = Fixture::within(1 << 10);
    fixture.accept(1);
    fixture.payload(1, true, 0, GREETING);
    fixture.accept(2);
    fixture.payload(2, true, 0, &GREETING.repeat(40));
    assert!(fixture.table.counters().given_up > 0);
    assert_eq!(fixture.payload(1, false, 0, b"MAIL FROM:<a@example.org>\r\n"), []);
    assert_eq!(posture(&fixture.end(1)), (PostureState::Unknown, "too many undecided at once"));
}

#[test]
fn flows_that_are_decided_take_nothing() {
    let mut fixture = Fixture::within(2 << 10);
    for cookie in 1..=100 {
        fixture.accept(cookie);
        fixture.payload(cookie, false, 0, b"GET / HTTP/1.1\r\n\r\n");
    }
    assert_eq!(fixture.table.counters().given_up, 0);
    assert_eq!(posture(&fixture.end(1)).0, PostureState::Plaintext);
}

/// A look whether the port is open. What was counted and not captured is not nothing.
#[test]
fn a_flow_that_had_no_data_is_not_unknown() {
    for (acked, bytes_received, outcome, expected) in [
        (0, Some(0), Outcome::Closed, PostureState::NoData),
        (0, Some(0), Outcome::Reset, PostureState::NoData),
        (1, Some(0), Outcome::Closed, PostureState::Unknown),
        (0, Some(1), Outcome::Closed, PostureState::Unknown),
        (0, None, Outcome::Closed, PostureState::Unknown),
    ] {
        let mut fixture = Fixture::new(10);
        fixture.accept(1);
        let end = ConnectionEnd { acked, bytes_received, ..ending(outcome) };
        let event = event(1, 20, SocketRole::Accepted, 1, NEAR, FAR);
        let closed = fixture.ingest(ConnectionRecord::Ended(event, end)).pop().expect("a close");
        assert_eq!(posture(&closed).0, expected, "{acked} {bytes_received:?} {outcome:?}");
    }
    let mut fixture = Fixture::new(10);
    fixture.accept(1);
    fixture.payload(1, false, 0, b"\x16");
    let end = ConnectionEnd { acked: 0, bytes_received: Some(0), ..ending(Outcome::Reset) };
    let event = event(1, 20, SocketRole::Accepted, 1, NEAR, FAR);
    let closed = fixture.ingest(ConnectionRecord::Ended(event, end)).pop().expect("a close");
    assert_eq!(posture(&closed).0, PostureState::Unknown, "what was captured was sent");
}
