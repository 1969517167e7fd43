//! Flows and connects that were found by looking, and ends of which no record tells.

use super::*;

/// A flow that was there before.
fn found(cookie: u64) -> Found {
    Found {
        cookie,
        direction: Direction::In,
        local: endpoint(NEAR),
        peer: endpoint(FAR),
        process: Some(Arc::new(process(1, Attribution::Snapshot))),
        netns_cookie: 1,
        progress: Progress { bytes_sent: Some(3), ..Progress::default() },
        before: false,
    }
}

#[test]
fn a_found_flow_is_adopted_once_and_its_end_is_marked_as_not_seen() {
    let mut bench = Bench::new(8);
    for _ in 0..2 {
        bench.table.adopt(found(5), 10, &mut bench.world, &mut bench.out);
    }
    assert_eq!(kinds(&bench.out), [ChangeKind::Opened]);
    assert!(bench.out[0].flow.found);
    bench.out.clear();
    bench.table.vanished(5, 99, &mut bench.world, &mut bench.out);
    assert_eq!((bench.out[0].kind, bench.out[0].flow.outcome), (ChangeKind::Closed, Outcome::Lost));
    assert_eq!(bench.out[0].flow.bytes_sent, Some(3));
    assert_eq!(bench.table.counters().end_missed, 1);
}

#[test]
fn a_found_flow_is_older_than_the_daemon_only_where_no_opening_can_have_been_lost() {
    for (before, why) in [(true, "opened before watching"), (false, "its beginning was not seen")] {
        let mut bench = Bench::new(8);
        let of = Found { before, ..found(5) };
        bench.table.adopt(of, 10, &mut bench.world, &mut bench.out);
        assert_eq!(bench.out[0].flow.posture.as_deref(), Some(&Posture::unknown(why)));
    }
}

#[test]
fn a_farewell_ends_a_found_flow_once_with_its_last_bytes() {
    let mut bench = Bench::new(8);
    bench.table.adopt(found(5), 10, &mut bench.world, &mut bench.out);
    bench.out.clear();
    let last = Progress { bytes_received: Some(7), ..Progress::default() };
    for _ in 0..2 {
        bench.table.farewell(5, (last, Outcome::Closed), 99, &mut bench.world, &mut bench.out);
    }
    assert_eq!(kinds(&bench.out), [ChangeKind::Closed]);
    let flow = &bench.out[0].flow;
    assert_eq!((flow.outcome, flow.ended_ns), (Outcome::Closed, Some(99)));
    assert_eq!((flow.bytes_sent, flow.bytes_received), (Some(3), Some(7)));
    assert_eq!(bench.table.counters().end_missed, 0);
}

/// A connect of process 1 that was under way before.
fn attempt(cookie: u64) -> Found {
    Found {
        direction: Direction::Out,
        local: endpoint("10.0.0.1:40000"),
        peer: endpoint("192.0.2.9:5432"),
        ..found(cookie)
    }
}

#[test]
fn a_connect_under_way_is_no_flow_until_it_is_answered_and_then_has_the_owner_that_was_found() {
    let mut bench = Bench::new(8);
    bench.table.attempt(attempt(5));
    assert!(bench.table.is_empty() && bench.table.is_attempt(5));
    let to = "192.0.2.9:5432";
    let out = bench.take(Record::Connected(event(5, 10, SocketRole::None, 0, "10.0.0.1:40000", to)));
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((1, Attribution::Snapshot)));
    assert!(!bench.table.is_attempt(5));
    bench.table.attempt(attempt(5));
    assert!(!bench.table.is_attempt(5), "it is a flow by now");
}

#[test]
fn a_connect_under_way_that_fails_is_told_as_failed_and_only_once() {
    let mut bench = Bench::new(8);
    let last = LastCounts { segments: 3, retransmits: 2, ..LastCounts::default() };
    bench.table.attempt(attempt(5));
    for _ in 0..2 {
        bench.table.attempt_ended(5, &last, 99, &mut bench.world, &mut bench.out);
    }
    assert_eq!(kinds(&bench.out), [ChangeKind::Failed]);
    let flow = &bench.out[0].flow;
    assert_eq!((flow.outcome, flow.ended_ns, flow.opened_ns), (Outcome::TimedOut, Some(99), None));
    assert_eq!(pid(flow.process.as_ref()), Some((1, Attribution::Snapshot)));

    bench.out.clear();
    bench.table.attempt(attempt(6));
    let record = event(6, 20, SocketRole::None, 0, "10.0.0.1:40000", "192.0.2.9:5432");
    assert_eq!(kinds(&bench.take(Record::Ended(record, ending(Outcome::Refused)))), [ChangeKind::Failed]);
    bench.table.attempt_ended(6, &last, 99, &mut bench.world, &mut bench.out);
    assert!(bench.out.is_empty());
}

#[test]
fn a_connect_under_way_whose_answer_was_lost_is_opened_and_closed() {
    let mut bench = Bench::new(8);
    bench.table.attempt(attempt(5));
    let last =
        LastCounts { segments: 9, answered: true, bytes_acked: 9, payload_sent: 7, ..LastCounts::default() };
    bench.table.attempt_ended(5, &last, 99, &mut bench.world, &mut bench.out);
    assert_eq!(kinds(&bench.out), [ChangeKind::Opened, ChangeKind::Closed]);
    assert_eq!(bench.out[1].flow.bytes_sent, Some(7));
}

#[test]
fn an_end_without_a_role_is_counted_as_the_end_that_the_table_knows() {
    for (direction, sent) in [(Direction::Out, 9), (Direction::In, 10)] {
        let mut bench = Bench::new(8);
        bench.table.adopt(Found { direction, ..found(5) }, 10, &mut bench.world, &mut bench.out);
        bench.out.clear();
        let unknown = Ending { bytes_received: None, ..ending(Outcome::Closed) };
        let out = bench.take(Record::Ended(event(5, 20, SocketRole::None, 0, NEAR, FAR), unknown));
        assert_eq!((out[0].flow.bytes_sent, out[0].flow.bytes_received), (Some(sent), None));
    }
}

#[test]
fn in_whatever_way_a_flow_ends_its_encryption_is_told_or_said_to_be_unknown() {
    type Way = fn(&mut Bench) -> Vec<Change>;
    let begin: Way = |bench| bench.take(Record::Arrived(event(5, 10, SocketRole::Bound, 1, NEAR, FAR)));
    let end: Way = |bench| {
        bench.take(Record::Ended(event(5, 20, SocketRole::Bound, 1, NEAR, FAR), ending(Outcome::Closed)))
    };
    let speak: Way =
        |bench| bench.take(Record::Payload { cookie: 5, sent: false, offset: 0, bytes: b"\x16\x03\x01" });
    let gone: Way = |bench| {
        bench.table.vanished(5, 99, &mut bench.world, &mut bench.out);
        std::mem::take(&mut bench.out)
    };
    let farewell: Way = |bench| {
        let last = (Progress::default(), Outcome::Closed);
        bench.table.farewell(5, last, 99, &mut bench.world, &mut bench.out);
        std::mem::take(&mut bench.out)
    };
    let adopt: Way = |bench| {
        bench.table.adopt(found(5), 10, &mut bench.world, &mut bench.out);
        std::mem::take(&mut bench.out)
    };
    let accept: Way = |bench| bench.take(Record::Accepted(event(5, 11, SocketRole::Accepted, 1, NEAR, FAR)));
    let evict: Way =
        |bench| bench.take(Record::Arrived(event(6, 12, SocketRole::Bound, 1, NEAR, "192.0.2.9:40001")));
    let unseen = "its beginning was not seen";
    let silent = "no payload was captured";
    let ways: [(&str, &[Way], &str); 10] = [
        ("seen from begin to end", &[begin, end], silent),
        ("its end was lost", &[begin, gone], silent),
        ("its cookie came again", &[begin, begin], silent),
        ("the kernel gave notice", &[begin, farewell], silent),
        ("it had begun to speak and vanished", &[begin, speak, gone], "unknown"),
        ("its beginning was lost", &[end], unseen),
        ("its beginning was lost, its accept was not", &[accept, end], unseen),
        ("it was evicted", &[begin, evict, end], unseen),
        ("it was found", &[adopt, end], unseen),
        ("it was found and the kernel gave notice", &[adopt, farewell], unseen),
    ];
    for (what, steps, why) in ways {
        let mut bench = Bench::new(1);
        let changes: Vec<Change> = steps.iter().flat_map(|step| step(&mut bench)).collect();
        let closed: Vec<_> = changes
            .iter()
            .filter(|change| change.kind == ChangeKind::Closed && change.flow.cookie == 5)
            .collect();
        let [closed] = closed[..] else { panic!("{what}: not one end in {changes:?}") };
        let posture = closed.flow.posture.as_deref().unwrap_or_else(|| panic!("{what}: no word"));
        assert_eq!(posture.state, crate::model::PostureState::Unknown, "{what}");
        assert!(why == "unknown" || posture.evidence == why, "{what}: {}", posture.evidence);
    }
}
