//! Periods of `auto`: a minute at first, five of what is declared and stays busy, and at once where it is quiet again.

use proptest::prelude::*;

use super::{Decision, Suppressor, at, from_peer, offer, open, summaries, undecided};
use crate::event::{FlowEvent, FlowKind, FlowSummary, PolicyRef, samples};
use crate::policy::Emit;

const AUTO: Emit = Emit::Auto { most: 20 };

/// How many of so many events were left out.
fn burst(suppressor: &mut Suppressor, flow: &FlowEvent, events: u64, second: i64) -> u64 {
    let left_out = |_: &u64| offer(suppressor, FlowKind::Open, flow, AUTO, at(second)) != Decision::Pass;
    (0..events).filter(left_out).count() as u64
}

/// When each period ended, how many it counted, and whether it was the last one.
fn ends(sums: &[FlowSummary]) -> Vec<(i64, u64, bool)> {
    let end = |sum: &FlowSummary| {
        let second = sum.summary.to.duration_since(at(0)).as_secs();
        (second, sum.summary.events, sum.summary.auto.as_ref().is_some_and(|auto| auto.until.is_some()))
    };
    sums.iter().map(end).collect()
}

/// A hundred events a second of these minutes; what is due is asked for every second, as the daemon does.
fn busy(suppressor: &mut Suppressor, flow: &FlowEvent, seconds: std::ops::Range<i64>) -> Vec<FlowSummary> {
    let mut sums = Vec::new();
    for second in seconds {
        burst(suppressor, flow, 100, second);
        sums.extend(summaries(suppressor.due(at(second))));
    }
    sums
}

#[test]
fn what_is_declared_and_stays_busy_is_summed_up_by_five_minutes() {
    let mut suppressor = Suppressor::default();
    let sums = busy(&mut suppressor, &open(1), 0..3_601);
    let seconds: Vec<_> = ends(&sums).into_iter().map(|(second, ..)| second).collect();
    assert_eq!(
        seconds,
        [60, 120, 180, 240, 300, 600, 900, 1_200, 1_500, 1_800, 2_100, 2_400, 2_700, 3_000, 3_300, 3_600]
    );
    let last = sums.last().expect("some");
    assert_eq!((last.summary.from, last.summary.events), (at(3_300), 300 * 100));
    let summed: u64 = sums.iter().map(|sum| sum.summary.events).sum();
    assert_eq!(summed, suppressor.suppressed());
    assert_eq!(suppressor.counting_since(), None, "nothing waits");
}

#[test]
fn violations_and_undecided_flows_are_summed_up_every_minute() {
    for flow in [from_peer(samples::forbidden(), 1), undecided()] {
        let mut suppressor = Suppressor::default();
        let sums = busy(&mut suppressor, &flow, 0..3_601);
        assert_eq!(sums.len(), 60, "{}", flow.verdict.outcome());
    }
}

/// Not at the end of the period.
#[test]
fn a_quiet_minute_ends_a_long_period_at_once() {
    let mut suppressor = Suppressor::default();
    // The period that began with 600 has three busy minutes, and one with as much as goes back.
    busy(&mut suppressor, &open(1), 0..781);
    burst(&mut suppressor, &open(1), 10, 790);
    assert!(suppressor.due(at(839)).is_empty());
    let last = summaries(suppressor.due(at(840)));
    // The second that began with 780 belongs to the minute that it ends.
    let counted = 180 * 100 + 10;
    assert_eq!(ends(&last), [(840, counted, true)]);
    assert_eq!((last[0].summary.from, last[0].summary.last), (at(600), at(790)));
    assert_eq!(burst(&mut suppressor, &open(1), 20, 841), 0, "one by one again");
}

#[test]
fn an_orderly_end_sends_the_part_of_a_long_period() {
    let mut suppressor = Suppressor::default();
    busy(&mut suppressor, &open(1), 0..400);
    assert_eq!(suppressor.counting_since(), Some(at(300)), "what a kill would lose");
    assert_eq!(ends(&summaries(suppressor.flush(at(400)))), [(400, 99 * 100, true)]);
}

#[test]
fn a_clock_that_is_set_holds_no_long_period() {
    for hours in [-24, 24] {
        let mut suppressor = Suppressor::default();
        busy(&mut suppressor, &open(1), 0..400);
        let then = hours * 3_600;
        assert_eq!(summaries(suppressor.due(at(then))).len(), 1, "{hours}");
        let sums = busy(&mut suppressor, &open(1), then + 1..then + 302);
        assert!(sums.len() <= 5 && suppressor.suppressed() > 0, "{hours}: {}", sums.len());
        let first = sums.first().expect("in five minutes");
        assert!(first.summary.from >= at(then), "{hours}");
    }
}

/// After a reload nothing comes any more of what the policy before had judged.
#[test]
fn sums_of_the_policy_before_come_within_three_minutes() {
    let of_policy = |digest: &str| FlowEvent { policy: Some(PolicyRef { digest: digest.into() }), ..open(1) };
    for reload in 600..660 {
        let mut suppressor = Suppressor::default();
        busy(&mut suppressor, &of_policy("sha256:a"), 0..reload);
        let sums = busy(&mut suppressor, &of_policy("sha256:b"), reload..reload + 181);
        let of_a = |sum: &&FlowSummary| sum.policy == of_policy("sha256:a").policy;
        let last = sums.iter().rfind(of_a).expect("what it had counted");
        assert!(last.summary.auto.as_ref().expect("why").until.is_some(), "{reload}");
    }
}

proptest! {
    /// Of a group that goes over with second 0 and has so many events at the begin of each minute after that.
    #[test]
    fn periods_are_those_of_the_plainest_clock(
        minutes in prop::collection::vec(prop_oneof![1 => 0..11_u64, 9 => 11..70_u64], 1..40),
        is_declared: bool,
    ) {
        let flow = if is_declared { open(1) } else { from_peer(samples::forbidden(), 1) };
        let mut suppressor = Suppressor::default();
        let mut got = Vec::new();
        let (mut counted, mut expected, mut waited) = (burst(&mut suppressor, &flow, 100, 0), Vec::new(), 0);
        let mut of_minute = counted;
        for (passed, events) in (1_i64..).zip(minutes) {
            got.extend(summaries(suppressor.due(at(60 * passed))));
            waited += 1;
            let is_quiet = of_minute <= 10;
            let has_to_wait = is_declared && passed > 5 && waited < 5;
            if is_quiet || !has_to_wait {
                expected.push((60 * passed, counted, is_quiet));
                (counted, waited) = (0, 0);
            }
            if is_quiet {
                break;
            }
            of_minute = burst(&mut suppressor, &flow, events, 60 * passed + 1);
            prop_assert_eq!(of_minute, events, "it is not sent");
            counted += events;
        }
        prop_assert_eq!(ends(&got), expected);
        let rest: u64 = summaries(suppressor.flush(at(9_000))).iter().map(|sum| sum.summary.events).sum();
        prop_assert_eq!(got.iter().map(|sum| sum.summary.events).sum::<u64>() + rest, suppressor.suppressed());
    }
}
