//! What undecided flows may take together.

use super::*;
use crate::model::PostureState;

/// A mail server's greeting, and a client that says nothing of substance.
const GREETING: &[u8] = b"220 mx.example.org ESMTP\r\n";

impl Bench {
    fn within(bytes: usize) -> Self {
        let mut bench = Self::new(1_000);
        bench.table.limits.undecided_bytes = bytes;
        bench
    }

    fn accept(&mut self, cookie: u64) {
        self.take(Record::Arrived(event(cookie, 10, SocketRole::Bound, 1, NEAR, FAR)));
        self.take(Record::Accepted(event(cookie, 11, SocketRole::Accepted, 1, NEAR, FAR)));
    }

    fn payload(&mut self, cookie: u64, sent: bool, offset: usize, bytes: &[u8]) -> Vec<Change> {
        let offset = u32::try_from(offset).expect("small");
        let out = self.take(Record::Payload { cookie, sent, offset, bytes });
        assert!(self.table.undecided_fit());
        out
    }

    /// Keeps a session open without saying anything that decides.
    fn dawdle(&mut self, cookie: u64) {
        self.payload(cookie, true, 0, GREETING);
        let said = b"NOOP\r\n".repeat(10);
        for round in 0..4 {
            self.payload(cookie, false, round * 600, &said);
        }
    }

    fn end(&mut self, cookie: u64) -> Change {
        let event = event(cookie, 20, SocketRole::Accepted, 1, NEAR, FAR);
        self.take(Record::Ended(event, ending(Outcome::Closed))).pop().expect("a close")
    }
}

fn posture(change: &Change) -> (PostureState, &str) {
    let posture = change.flow.posture.as_ref().expect("told at the end");
    (posture.state, &posture.evidence)
}

#[test]
fn undecided_flows_that_stay_open_take_no_more_than_the_budget_and_the_oldest_give_way() {
    let mut bench = Bench::within(16 << 10);
    for cookie in 1..=200 {
        bench.accept(cookie);
        bench.dawdle(cookie);
    }
    let given_up = bench.table.counters().given_up;
    assert!((100..200).contains(&given_up), "{given_up}");
    assert_eq!((bench.table.len(), bench.table.counters().evicted), (200, 0), "the flows stay");
    let oldest = bench.end(1);
    assert_eq!(posture(&oldest), (PostureState::Unknown, "too many undecided at once"));
    let newest = bench.end(200);
    assert_ne!(posture(&newest).1, "too many undecided at once");
    for cookie in 2..200 {
        bench.end(cookie);
    }
    assert!(bench.table.undecided_fit());
    assert_eq!(bench.table.counters().given_up, given_up, "who ends gives back what it took");
    bench.accept(900);
    bench.dawdle(900);
    assert_eq!(bench.table.counters().given_up, given_up);
}

#[test]
fn a_flow_that_gave_way_is_not_followed_any_further() {
    let mut bench = Bench::within(1 << 10);
    bench.accept(1);
    bench.payload(1, true, 0, GREETING);
    bench.accept(2);
    bench.payload(2, true, 0, &GREETING.repeat(40));
    assert!(bench.table.counters().given_up > 0);
    assert_eq!(bench.payload(1, false, 0, b"MAIL FROM:<a@example.org>\r\n"), []);
    assert_eq!(posture(&bench.end(1)), (PostureState::Unknown, "too many undecided at once"));
}

#[test]
fn flows_that_are_decided_take_nothing() {
    let mut bench = Bench::within(2 << 10);
    for cookie in 1..=100 {
        bench.accept(cookie);
        bench.payload(cookie, false, 0, b"GET / HTTP/1.1\r\n");
    }
    assert_eq!(bench.table.counters().given_up, 0);
    assert_eq!(posture(&bench.end(1)).0, PostureState::Plaintext);
}
