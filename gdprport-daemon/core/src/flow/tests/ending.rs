//! That a flow was ended for the policy is its outcome only if that was asked for, and the kernel's record shows it.

use super::*;

fn ended(aborted: bool) -> ConnectionRecord<'static> {
    let end = ConnectionEnd { aborted, ..ending(Outcome::Reset) };
    ConnectionRecord::Ended(event(1, 20, SocketRole::Accepted, 2, NEAR, FAR), end)
}

/// Its outcome, whether it was to be ended, that was given up, and the kernel shows an abort.
fn outcome(asked: bool, given_up: bool, aborted: bool) -> Outcome {
    let mut fixture = Fixture::new(8);
    fixture.ingest(arrived(1, 10, 1));
    assert_eq!(fixture.table.settled(1).map(|(flow, settled)| (flow.cookie, settled)), Some((1, false)));
    fixture.ingest(accepted(1, 11, 2));
    assert!(fixture.table.settled(1).is_some_and(|(_, settled)| settled));
    if asked {
        assert!(fixture.table.begin_ending(1));
        assert!(!fixture.table.begin_ending(1), "once is enough");
    }
    if given_up {
        fixture.table.give_up_ending(1);
    }
    let out = fixture.ingest(ended(aborted));
    assert_eq!(kinds(&out), [ChangeKind::Closed]);
    assert_eq!((out[0].flow.bytes_sent, out[0].flow.bytes_received), (Some(10), Some(20)));
    out[0].flow.outcome
}

#[test]
fn an_end_by_the_policy_is_proven_or_not_said() {
    assert_eq!(outcome(true, false, true), Outcome::EndedByPolicy);
    assert_eq!(outcome(true, false, false), Outcome::Reset, "it ended by itself before");
    assert_eq!(outcome(false, false, true), Outcome::Reset, "somebody else did it");
    assert_eq!(outcome(true, true, true), Outcome::Reset, "it could not be done");
}

/// No record comes of a socket that is older than the daemon, and its notice may be missed.
#[test]
fn an_end_that_no_record_shows_is_known_by_the_kernels_reply() {
    for (done, expected, missed) in [(true, Outcome::EndedByPolicy, 0), (false, Outcome::Lost, 1)] {
        let mut fixture = Fixture::new(8);
        fixture.ingest(accepted(1, 11, 2));
        assert!(fixture.table.begin_ending(1));
        if done {
            fixture.table.ended_as_asked(1, 30);
        }
        let Fixture { table, world, out } = &mut fixture;
        table.closed_unseen(1, 40, world, out);
        let close = out.last().expect("it has ended");
        assert_eq!((close.kind, close.flow.outcome), (ChangeKind::Closed, expected));
        assert_eq!(close.flow.ended_ns, Some(if done { 30 } else { 40 }));
        assert_eq!(table.counters().end_missed, missed);
    }
}

#[test]
fn a_flow_that_is_gone_is_not_to_be_ended() {
    let mut fixture = Fixture::new(8);
    assert!(!fixture.table.begin_ending(7) && fixture.table.settled(7).is_none());
    fixture.table.give_up_ending(7);
}
