//! What the table holds at most, what has to leave it, and when flows are due.

use super::*;

#[test]
fn the_table_is_bounded_and_what_goes_is_the_oldest_and_counted() {
    let mut fixture = Fixture::new(2);
    for cookie in 1..=3 {
        let local = format!("10.0.0.1:{}", 40_000 + cookie);
        let record = event(cookie, cookie, SocketRole::Connected, 1, &local, "192.0.2.9:5432");
        fixture.ingest(ConnectionRecord::Connected(record));
    }
    assert_eq!((fixture.table.len(), fixture.table.counters().evicted), (2, 1));
    assert!(fixture.table.get(1).is_none() && fixture.table.get(3).is_some());
}

#[test]
fn a_flow_evicted_before_it_settled_is_reported_first() {
    let mut fixture = Fixture::new(1);
    assert!(fixture.ingest(arrived(1, 1, 1)).is_empty());
    let out =
        fixture.ingest(ConnectionRecord::Arrived(event(2, 2, SocketRole::Bound, 1, NEAR, "192.0.2.9:40001")));
    assert_eq!(kinds(&out), [ChangeKind::Opened, ChangeKind::Removed(Removal::TableFull)]);
    assert_eq!((out[0].flow.cookie, out[1].flow.cookie), (1, 1));
    assert_eq!(fixture.table.counters().evicted, 1);
}

#[test]
fn a_flow_evicted_before_its_accept_drives_out_no_other() {
    let mut fixture = Fixture::new(1);
    fixture.ingest(arrived(1, 1, 1));
    fixture.ingest(ConnectionRecord::Arrived(event(2, 2, SocketRole::Bound, 1, NEAR, "192.0.2.9:40001")));
    assert!(fixture.ingest(accepted(3, 1, 1)).is_empty());
    assert!(fixture.table.get(2).is_some());
    assert_eq!(fixture.table.counters().evicted, 1);
}

#[test]
fn removal_of_flows_on_unwatched_ports_is_reported() {
    let mut fixture = Fixture::new(2);
    fixture.ingest(arrived(1, 1, 1));
    fixture.out.clear();
    assert_eq!(fixture.table.retain(|_| false, &mut fixture.out), 1);
    assert_eq!(kinds(&fixture.out), [ChangeKind::Opened, ChangeKind::Removed(Removal::Unwatched)]);
    assert!(fixture.table.is_empty());
}

#[test]
fn queues_do_not_grow_with_flows_that_ended() {
    let mut fixture = Fixture::new(100);
    for cookie in 1..20_000 {
        fixture.ingest(arrived(cookie, cookie, 1));
        fixture.ingest(ConnectionRecord::Ended(
            event(cookie, cookie, SocketRole::Bound, 1, NEAR, FAR),
            ending(Outcome::Closed),
        ));
    }
    let mut due = fixture.table.due_updates(u64::MAX);
    assert!(due.is_empty(), "{due:?}");
    fixture.ingest(arrived(30_000, 1, 1));
    due = fixture.table.due_updates(UPDATE + 1);
    assert_eq!(due, [30_000]);
}

#[test]
fn long_lived_flows_come_up_again_and_again() {
    let mut fixture = Fixture::new(8);
    let record = event(1, 10, SocketRole::Connected, 1, "10.0.0.1:40000", "192.0.2.9:5432");
    fixture.ingest(ConnectionRecord::Connected(record));
    assert!(fixture.table.due_updates(10 + UPDATE - 1).is_empty());
    assert_eq!(fixture.table.due_updates(10 + UPDATE), [1]);
    assert_eq!(fixture.table.due_updates(10 + 2 * UPDATE), [1]);
}

#[test]
fn the_last_possible_time_does_no_harm() {
    let mut fixture = Fixture::new(4);
    fixture.ingest(arrived(1, u64::MAX, 1));
    assert_eq!(fixture.table.next_settle(), Some(u64::MAX));
    assert_eq!(fixture.table.due_updates(u64::MAX), [1]);
}
