//! Ends of flows whose opening was counted and not described.

use super::*;

fn closed(cookie: u64, grouped: bool) -> ConnectionRecord<'static> {
    let event = event(cookie, 20, SocketRole::Accepted, 1, NEAR, FAR);
    ConnectionRecord::Ended(event, ConnectionEnd { grouped, ..ending(Outcome::Closed) })
}

#[test]
fn the_end_of_a_flow_that_was_counted_is_counted_once() {
    let mut fixture = Fixture::new(10);
    assert!(fixture.ingest(closed(1, true)).is_empty(), "nothing is reported of it alone");
    let summed = fixture.table.take_summed();
    let [flow] = &summed[..] else { panic!("{summed:?}") };
    assert_eq!((flow.cookie, flow.bytes_sent, flow.bytes_received), (1, Some(10), Some(20)));
    assert_eq!((flow.direction, flow.port_index), (Direction::In, Some(0)));
    let posture = flow.posture.as_ref().expect("nothing was seen of it");
    assert_eq!(posture.state, crate::model::PostureState::Unknown);
    assert!(fixture.table.take_summed().is_empty());
    let counters = fixture.table.counters();
    assert_eq!((counters.opening_missed, counters.described_later), (0, 0));
}

/// It was found on the host meanwhile, and is described from then on.
#[test]
fn the_end_of_a_flow_that_was_found_is_reported() {
    let mut fixture = Fixture::new(10);
    fixture.ingest(arrived(1, 10, 1));
    fixture.ingest(accepted(1, 11, 1));
    let changes = fixture.ingest(closed(1, true));
    assert_eq!(changes.last().map(|change| change.kind), Some(ChangeKind::Closed));
    assert!(fixture.table.take_summed().is_empty());
    assert_eq!(fixture.table.counters().described_later, 1);
}

/// Nobody has asked how it is translated, so it is not known.
#[test]
fn a_counted_end_that_may_be_translated_has_no_known_peer() {
    let mut fixture = Fixture::new(10);
    fixture.table.follow_translations(true);
    fixture.ingest(closed(1, true));
    let summed = fixture.table.take_summed();
    assert_eq!(summed[0].nat, Some(crate::model::Nat::Unknown));
    assert!(fixture.table.take_questions().is_empty());
}
