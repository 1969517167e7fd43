//! What counts as departed while the host is being listed.

use super::*;

impl Fixture {
    fn arrive(&mut self, cookie: u64) {
        let peer = format!("192.0.2.9:{}", 40_000 + cookie);
        self.ingest(ConnectionRecord::Arrived(event(cookie, 10, SocketRole::Bound, 1, NEAR, &peer)));
    }

    fn ended(&mut self, cookie: u64, role: SocketRole, outcome: Outcome) {
        let event = event(cookie, 20, role, 1, NEAR, FAR);
        self.ingest(match outcome {
            Outcome::Refused => ConnectionRecord::Failed(event, ending(outcome)),
            _ => ConnectionRecord::Ended(event, ending(outcome)),
        });
    }

    fn departed(&self) -> Vec<u64> {
        (1..10).filter(|cookie| self.table.departed(*cookie)).collect()
    }
}

#[test]
fn recorded_ends_depart_known_or_not_unless_without_owner() {
    let mut fixture = Fixture::new(8);
    fixture.ended(1, SocketRole::Accepted, Outcome::Closed);
    fixture.table.begin_listing();
    for cookie in [2, 3] {
        fixture.arrive(cookie);
    }
    fixture.ended(2, SocketRole::Bound, Outcome::Closed);
    fixture.ended(3, SocketRole::None, Outcome::Closed);
    fixture.ended(4, SocketRole::Accepted, Outcome::Reset);
    fixture.ended(5, SocketRole::None, Outcome::Closed);
    fixture.ended(6, SocketRole::Connected, Outcome::Refused);
    assert_eq!(fixture.departed(), [2, 4, 6]);
    fixture.table.end_listing();
    assert!(fixture.departed().is_empty());
}

#[test]
fn ends_without_a_record_do_not_depart() {
    let mut fixture = Fixture::new(8);
    fixture.table.begin_listing();
    for cookie in 1..=3 {
        fixture.arrive(cookie);
    }
    fixture.table.closed_unseen(1, 20, &mut fixture.world, &mut fixture.out);
    let last = (Progress::default(), Outcome::Closed);
    fixture.table.closed_by_notice(2, last, 20, &mut fixture.world, &mut fixture.out);
    fixture.table.discard(3);
    assert!(fixture.table.is_empty() && fixture.departed().is_empty());
}

#[test]
fn removed_flows_depart() {
    let mut fixture = Fixture::new(2);
    fixture.table.begin_listing();
    for cookie in 1..=3 {
        fixture.arrive(cookie);
    }
    assert_eq!(fixture.departed(), [1], "the table was full");
    fixture.table.retain(|flow| flow.cookie != 2, &mut fixture.out);
    assert_eq!(fixture.departed(), [1, 2], "its port is no longer watched");
}
