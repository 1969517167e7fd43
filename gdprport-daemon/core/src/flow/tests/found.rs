//! Flows and connects that were found on the host, and ends that no record reports.

use super::*;
use crate::shared::Shared;

/// A flow that predates the daemon.
fn found(cookie: u64) -> FoundFlow {
    FoundFlow {
        cookie,
        direction: Direction::In,
        local: endpoint(NEAR),
        peer: endpoint(FAR),
        process: Some(Shared::new(process(1, Attribution::Snapshot))),
        netns_cookie: 1,
        progress: Progress { bytes_sent: Some(3), ..Progress::default() },
        predates_daemon: false,
    }
}

/// Its outcome is `Lost`, and the end counts as missed.
#[test]
fn a_found_flow_is_adopted_once_and_its_unseen_end_is_lost() {
    let mut fixture = Fixture::new(8);
    for _ in 0..2 {
        fixture.table.adopt(found(5), 10, &mut fixture.world, &mut fixture.out);
    }
    assert_eq!(kinds(&fixture.out), [ChangeKind::Opened]);
    assert!(fixture.out[0].flow.found);
    fixture.out.clear();
    fixture.table.closed_unseen(5, 99, &mut fixture.world, &mut fixture.out);
    assert_eq!((fixture.out[0].kind, fixture.out[0].flow.outcome), (ChangeKind::Closed, Outcome::Lost));
    assert_eq!(fixture.out[0].flow.bytes_sent, Some(3));
    assert_eq!(fixture.table.counters().end_missed, 1);
}

#[test]
fn a_found_flow_predates_the_daemon_only_if_no_opening_was_lost() {
    for (predates_daemon, why) in [(true, "opened before watching"), (false, "its beginning was not seen")] {
        let mut fixture = Fixture::new(8);
        let of = FoundFlow { predates_daemon, ..found(5) };
        fixture.table.adopt(of, 10, &mut fixture.world, &mut fixture.out);
        assert_eq!(fixture.out[0].flow.posture.as_deref(), Some(&Posture::unknown(why)));
    }
}

#[test]
fn a_destroy_notice_ends_a_found_flow_once_with_its_last_bytes() {
    let mut fixture = Fixture::new(8);
    fixture.table.adopt(found(5), 10, &mut fixture.world, &mut fixture.out);
    fixture.out.clear();
    let last = Progress { bytes_received: Some(7), ..Progress::default() };
    for _ in 0..2 {
        fixture.table.closed_by_notice(5, (last, Outcome::Closed), 99, &mut fixture.world, &mut fixture.out);
    }
    assert_eq!(kinds(&fixture.out), [ChangeKind::Closed]);
    let flow = &fixture.out[0].flow;
    assert_eq!((flow.outcome, flow.ended_ns), (Outcome::Closed, Some(99)));
    assert_eq!((flow.bytes_sent, flow.bytes_received), (Some(3), Some(7)));
    assert_eq!(fixture.table.counters().end_missed, 0);
}

/// A connect of process 1 that was under way when the host was listed.
fn connecting(cookie: u64) -> FoundFlow {
    FoundFlow {
        direction: Direction::Out,
        local: endpoint("10.0.0.1:40000"),
        peer: endpoint("192.0.2.9:5432"),
        ..found(cookie)
    }
}

/// It then has the owner that was found with it.
#[test]
fn a_connect_under_way_becomes_a_flow_when_it_is_answered() {
    let mut fixture = Fixture::new(8);
    fixture.table.add_connecting(connecting(5));
    assert!(fixture.table.is_empty() && fixture.table.is_connecting(5));
    let to = "192.0.2.9:5432";
    let out =
        fixture.ingest(ConnectionRecord::Connected(event(5, 10, SocketRole::None, 0, "10.0.0.1:40000", to)));
    assert_eq!(kinds(&out), [ChangeKind::Opened]);
    assert_eq!(pid(out[0].flow.process.as_ref()), Some((1, Attribution::Snapshot)));
    assert!(!fixture.table.is_connecting(5));
    fixture.table.add_connecting(connecting(5));
    assert!(!fixture.table.is_connecting(5), "it is a flow by now");
}

#[test]
fn a_connect_under_way_that_fails_is_reported_once_as_failed() {
    let mut fixture = Fixture::new(8);
    let last = LastCounts { segments: 3, retransmits: 2, ..LastCounts::default() };
    fixture.table.add_connecting(connecting(5));
    for _ in 0..2 {
        fixture.table.connect_ended(5, &last, 99, &mut fixture.world, &mut fixture.out);
    }
    assert_eq!(kinds(&fixture.out), [ChangeKind::Failed]);
    let flow = &fixture.out[0].flow;
    assert_eq!((flow.outcome, flow.ended_ns, flow.opened_ns), (Outcome::TimedOut, Some(99), None));
    assert_eq!(pid(flow.process.as_ref()), Some((1, Attribution::Snapshot)));

    fixture.out.clear();
    fixture.table.add_connecting(connecting(6));
    let record = event(6, 20, SocketRole::None, 0, "10.0.0.1:40000", "192.0.2.9:5432");
    assert_eq!(
        kinds(&fixture.ingest(ConnectionRecord::Failed(record, ending(Outcome::Refused)))),
        [ChangeKind::Failed]
    );
    fixture.table.connect_ended(6, &last, 99, &mut fixture.world, &mut fixture.out);
    assert!(fixture.out.is_empty());
}

#[test]
fn a_connect_whose_answer_was_lost_is_opened_and_closed() {
    let mut fixture = Fixture::new(8);
    fixture.table.add_connecting(connecting(5));
    let last =
        LastCounts { segments: 9, answered: true, bytes_acked: 9, payload_sent: 7, ..LastCounts::default() };
    fixture.table.connect_ended(5, &last, 99, &mut fixture.world, &mut fixture.out);
    assert_eq!(kinds(&fixture.out), [ChangeKind::Opened, ChangeKind::Closed]);
    assert_eq!(fixture.out[1].flow.bytes_sent, Some(7));
}

#[test]
fn an_end_without_a_role_has_the_direction_in_the_table() {
    for (direction, sent) in [(Direction::Out, 9), (Direction::In, 10)] {
        let mut fixture = Fixture::new(8);
        fixture.table.adopt(FoundFlow { direction, ..found(5) }, 10, &mut fixture.world, &mut fixture.out);
        fixture.out.clear();
        let unknown = ConnectionEnd { bytes_received: None, ..ending(Outcome::Closed) };
        let out =
            fixture.ingest(ConnectionRecord::Ended(event(5, 20, SocketRole::None, 0, NEAR, FAR), unknown));
        assert_eq!((out[0].flow.bytes_sent, out[0].flow.bytes_received), (Some(sent), None));
    }
}

#[test]
fn every_kind_of_end_reports_a_posture_if_only_unknown() {
    type Step = fn(&mut Fixture) -> Vec<Change>;
    let begin: Step = |fixture| fixture.ingest(arrived(5, 10, 1));
    let end: Step = |fixture| {
        fixture.ingest(ConnectionRecord::Ended(
            event(5, 20, SocketRole::Bound, 1, NEAR, FAR),
            ending(Outcome::Closed),
        ))
    };
    let speak: Step = |fixture| {
        fixture.ingest(ConnectionRecord::Payload {
            cookie: 5,
            sent: false,
            offset: 0,
            bytes: b"\x16\x03\x01",
        })
    };
    let gone: Step = |fixture| {
        fixture.table.closed_unseen(5, 99, &mut fixture.world, &mut fixture.out);
        std::mem::take(&mut fixture.out)
    };
    let notice: Step = |fixture| {
        let last = (Progress::default(), Outcome::Closed);
        fixture.table.closed_by_notice(5, last, 99, &mut fixture.world, &mut fixture.out);
        std::mem::take(&mut fixture.out)
    };
    let adopt: Step = |fixture| {
        fixture.table.adopt(found(5), 10, &mut fixture.world, &mut fixture.out);
        std::mem::take(&mut fixture.out)
    };
    let accept: Step = |fixture| fixture.ingest(accepted(5, 11, 1));
    let evict: Step = |fixture| {
        fixture.ingest(ConnectionRecord::Arrived(event(6, 12, SocketRole::Bound, 1, NEAR, "192.0.2.9:40001")))
    };
    let unseen = "its beginning was not seen";
    let silent = "no payload was captured";
    let lives: [(&str, &[Step], &str); 10] = [
        ("seen from begin to end", &[begin, end], silent),
        ("its end was lost", &[begin, gone], silent),
        ("its cookie came again", &[begin, begin], silent),
        ("the kernel sent a destroy notification", &[begin, notice], silent),
        ("it had begun to speak and vanished", &[begin, speak, gone], "unknown"),
        ("its beginning was lost", &[end], unseen),
        ("its beginning was lost, its accept was not", &[accept, end], unseen),
        ("it was evicted", &[begin, evict, end], unseen),
        ("it was found", &[adopt, end], unseen),
        ("it was found and the kernel sent a notification", &[adopt, notice], unseen),
    ];
    for (what, steps, why) in lives {
        let mut fixture = Fixture::new(1);
        let changes: Vec<Change> = steps.iter().flat_map(|step| step(&mut fixture)).collect();
        let closed: Vec<_> = changes
            .iter()
            .filter(|change| change.kind == ChangeKind::Closed && change.flow.cookie == 5)
            .collect();
        let [closed] = closed[..] else { panic!("{what}: not one end in {changes:?}") };
        let posture = closed.flow.posture.as_deref().unwrap_or_else(|| panic!("{what}: no posture"));
        assert_eq!(posture.state, crate::model::PostureState::Unknown, "{what}");
        assert!(why == "unknown" || posture.evidence == why, "{what}: {}", posture.evidence);
    }
}
