//! `auto` against the plainest count there is: every event is sent or in one summary, by group and in all.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Decision, KINDS, Suppressor, With, at, from_peer, offer, summaries, undecided};
use crate::event::{FlowEvent, FlowSummary, PolicyRef, Port, samples};
use crate::model::{Outcome, Posture, PostureState};
use crate::policy::Emit;
use crate::shared::Shared;

/// What is compared of a group: by texts, as a reader would.
type Named = String;

fn named(event: &FlowEvent) -> Named {
    let process = event.process.as_deref();
    format!(
        "{} {:?} {:?} {} {} {:?} {:?} {} {:?}",
        event.port.number,
        event.policy,
        event.flow.direction,
        event.flow.peer.ip,
        event.verdict.outcome(),
        event.verdict.reasons().iter().map(|reason| reason.id).collect::<Vec<_>>(),
        process.and_then(|process| process.exe.clone()),
        event.accepted.is_some(),
        event.posture.as_deref().map(|posture| posture.state),
    )
}

fn of_summary(sum: &FlowSummary) -> Option<Named> {
    let group = sum.summary.group.as_ref().filter(|group| group.peer_prefix.is_none())?;
    let verdict = sum.verdict.as_deref()?;
    Some(format!(
        "{} {:?} {:?} {} {} {:?} {:?} {} {:?}",
        sum.port.number,
        sum.policy,
        group.direction,
        group.peer_ip,
        verdict.outcome(),
        verdict.reasons().iter().map(|reason| reason.id).collect::<Vec<_>>(),
        group.exe,
        sum.accepted.is_some(),
        group.posture.map(|posture| posture.state),
    ))
}

/// Opened, closed, failed, updated, violations, findings, bytes sent and received.
type Sums = [u64; 8];

fn add(to: &mut Sums, other: &Sums) {
    to.iter_mut().zip(other).for_each(|(to, other)| *to += other);
}

fn sums_of(sum: &FlowSummary) -> Sums {
    let sum = &sum.summary;
    let sums = [
        sum.opened,
        sum.closed,
        sum.failed,
        sum.updated,
        sum.violations,
        sum.findings,
        sum.bytes_sent,
        sum.bytes_received,
    ];
    assert_eq!(sum.events, sums[..6].iter().sum::<u64>());
    sums
}

fn sums(kind: usize, with: With, flow: &FlowEvent) -> Sums {
    let closes = u64::from(kind == 2);
    [
        u64::from(kind == 0),
        closes,
        u64::from(kind == 1),
        u64::from(kind > 2),
        with.violation.into(),
        with.finding.into(),
        closes * flow.flow.bytes_sent.unwrap_or(0),
        closes * flow.flow.bytes_received.unwrap_or(0),
    ]
}

fn event(what: u16, peer: u16, ports: &[Shared<Port>]) -> FlowEvent {
    let mut flow = match what % 4 {
        0 | 1 => samples::declared(Outcome::Closed),
        2 => samples::forbidden(),
        _ => FlowEvent { process: samples::forbidden().process, ..undecided() },
    };
    flow = from_peer(flow, peer);
    flow.port = Shared::clone(&ports[usize::from(what >> 2 & 1)]);
    if what & 8 != 0 {
        samples::change_process(&mut flow, |process| process.exe = Some("/usr/bin/other".into()));
    }
    if what & 16 != 0 {
        flow.posture = Some(Shared::new(Posture::new(PostureState::Plaintext, "seen")));
    }
    if what & 32 != 0 && what % 4 == 2 {
        flow.accepted = Some(samples::exceptions::accepted());
    }
    let digest = if what & 64 != 0 { "sha256:a" } else { "sha256:b" };
    flow.policy = Some(PolicyRef { digest: digest.into() });
    (flow.flow.bytes_sent, flow.flow.bytes_received) = (Some(u64::from(what)), Some(u64::from(peer)));
    flow
}

/// What, who, how often, how much later, and whether summaries that are due are asked for.
type Step = (u16, u16, u8, i64, bool);

fn play(steps: &[Step], most: u32) -> Result<(), TestCaseError> {
    let port = |number| Shared::new(Port { name: "db".into(), number, protocol: None });
    let (ports, mut suppressor) = ([port(5432), port(3306)], Suppressor::default());
    let (mut clock, mut offered, mut sent) = (0, 0, 0);
    let mut expected: BTreeMap<Named, Sums> = BTreeMap::new();
    let mut met = BTreeSet::new();
    let mut got = Vec::new();
    for &(what, peer, times, step, asks) in steps {
        clock += step;
        let flow = event(what, peer, &ports);
        let kind = usize::from(what >> 7) % KINDS.len();
        let with = With { violation: what % 4 == 2 && what & 128 != 0, finding: what % 4 == 3 && kind == 2 };
        for _ in 0..times {
            let events = 1 + u64::from(with.count());
            offered += events;
            let is_first = met.insert(named(&flow));
            let decision = suppressor.offer(KINDS[kind], with, &flow, Emit::Auto { most }, at(clock));
            match decision {
                Decision::Pass => sent += events,
                Decision::SuppressAll => {
                    add(expected.entry(named(&flow)).or_default(), &sums(kind, with, &flow));
                }
                Decision::SuppressFlow => prop_assert!(false, "auto leaves out all or nothing"),
            }
            // There are fewer groups here than have room.
            let must_pass = is_first && what % 4 > 1;
            prop_assert!(!must_pass || decision == Decision::Pass, "the first of its group: {:?}", flow);
        }
        if asks {
            got.extend(summaries(suppressor.due(at(clock))));
        }
    }
    got.extend(summaries(suppressor.flush(at(clock))));
    let mut by_group: BTreeMap<Named, Sums> = BTreeMap::new();
    for sum in &got {
        let name = of_summary(sum);
        prop_assert!(name.is_some(), "nothing had to be given up: {:?}", sum);
        add(by_group.entry(name.unwrap_or_default()).or_default(), &sums_of(sum));
    }
    by_group.retain(|_, sums| *sums != [0; 8]);
    expected.retain(|_, sums| *sums != [0; 8]);
    prop_assert_eq!(&by_group, &expected);
    let summed: u64 = got.iter().map(|sum| sum.summary.events).sum();
    prop_assert_eq!(offered, sent + summed);
    prop_assert_eq!(suppressor.suppressed(), summed);
    prop_assert_eq!(suppressor.counting_since(), None);
    Ok(())
}

/// The sums in all, where groups are put together because there are too many.
fn play_crowded(steps: &[(u16, u16, u8, i64)]) -> Result<(), TestCaseError> {
    let ports = [Shared::new(Port { name: "db".into(), number: 5432, protocol: None })];
    let (mut suppressor, mut clock) = (Suppressor::default(), 0);
    let (mut expected, mut got): (BTreeMap<&str, Sums>, BTreeMap<&str, Sums>) = Default::default();
    let mut seen = Vec::new();
    for &(what, peer, times, step) in steps {
        clock += step;
        let what = what & !4;
        let mut flow = event(what, peer, &ports);
        samples::change_process(&mut flow, |process| {
            process.exe = Some(format!("/tmp/{}", what >> 6).into());
        });
        for _ in 0..times {
            if offer(&mut suppressor, KINDS[2], &flow, Emit::Auto { most: 2 }, at(clock)) != Decision::Pass {
                let sums = sums(2, With::default(), &flow);
                add(expected.entry(flow.verdict.outcome()).or_default(), &sums);
            }
        }
        seen.extend(summaries(suppressor.due(at(clock))));
    }
    seen.extend(summaries(suppressor.flush(at(clock))));
    for sum in &seen {
        let outcome = sum.verdict.as_ref().map_or("declared", |verdict| verdict.outcome());
        add(got.entry(outcome).or_default(), &sums_of(sum));
    }
    got.retain(|_, sums| *sums != [0; 8]);
    prop_assert_eq!(got, expected);
    Ok(())
}

proptest! {
    #[test]
    fn sums_by_group_and_in_all_are_what_was_not_sent(
        steps in prop::collection::vec((0..1_024_u16, 0..4_u16, 0..40_u8, -90..90_i64, any::<bool>()), 0..80),
        most in 1..30_u32,
    ) {
        play(&steps, most)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn sums_by_outcome_hold_in_a_crowd(
        steps in prop::collection::vec((any::<u16>(), any::<u16>(), 0..6_u8, -9..20_i64), 0..1_500),
    ) {
        play_crowded(&steps)?;
    }
}
