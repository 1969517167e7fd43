//! What counts as departed while the host is being listed.

use super::*;

impl Bench {
    fn arrive(&mut self, cookie: u64) {
        let peer = format!("192.0.2.9:{}", 40_000 + cookie);
        self.take(ConnectionRecord::Arrived(event(cookie, 10, SocketRole::Bound, 1, NEAR, &peer)));
    }

    fn ended(&mut self, cookie: u64, role: SocketRole, outcome: Outcome) {
        self.take(ConnectionRecord::Ended(event(cookie, 20, role, 1, NEAR, FAR), ending(outcome)));
    }

    fn departed(&self) -> Vec<u64> {
        (1..10).filter(|cookie| self.table.departed(*cookie)).collect()
    }
}

#[test]
fn recorded_ends_depart_known_or_not_unless_without_owner() {
    let mut bench = Bench::new(8);
    bench.ended(1, SocketRole::Accepted, Outcome::Closed);
    bench.table.begin_listing();
    for cookie in [2, 3] {
        bench.arrive(cookie);
    }
    bench.ended(2, SocketRole::Bound, Outcome::Closed);
    bench.ended(3, SocketRole::None, Outcome::Closed);
    bench.ended(4, SocketRole::Accepted, Outcome::Reset);
    bench.ended(5, SocketRole::None, Outcome::Closed);
    bench.ended(6, SocketRole::Connected, Outcome::Refused);
    assert_eq!(bench.departed(), [2, 4, 6]);
    bench.table.end_listing();
    assert!(bench.departed().is_empty() && !bench.table.is_listing());
}

#[test]
fn ends_without_a_record_do_not_depart() {
    let mut bench = Bench::new(8);
    bench.table.begin_listing();
    for cookie in 1..=3 {
        bench.arrive(cookie);
    }
    bench.table.closed_unseen(1, 20, &mut bench.world, &mut bench.out);
    let last = (Progress::default(), Outcome::Closed);
    bench.table.closed_by_notice(2, last, 20, &mut bench.world, &mut bench.out);
    bench.table.discard(3);
    assert!(bench.table.is_empty() && bench.departed().is_empty());
}

#[test]
fn removed_flows_depart() {
    let mut bench = Bench::new(2);
    bench.table.begin_listing();
    for cookie in 1..=3 {
        bench.arrive(cookie);
    }
    assert_eq!(bench.departed(), [1], "the table was full");
    bench.table.retain(|flow| flow.cookie != 2, &mut bench.out);
    assert_eq!(bench.departed(), [1, 2], "its port is no longer watched");
}
