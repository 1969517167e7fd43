//! What another policy says of rows.

use super::*;
use crate::replay::Now;
use crate::verdict::ReasonId;

#[test]
fn what_was_declared_and_is_not_any_more_comes_first() {
    let violation = VerdictKey::Violation { reasons: vec![ReasonId::UndeclaredPeer], nearest: None };
    let edges = [
        edge(5432, "10.0.2.7/32", postgres(), declared("apps"), PostureState::Tls13),
        edge(5432, "10.0.2.200/32", postgres(), declared("apps"), PostureState::Tls13),
        edge(5432, "10.0.9.7/32", postgres(), violation, PostureState::Tls13),
        edge(5432, "10.0.2.7/32", postgres(), declared("apps"), PostureState::Plaintext),
        edge(7777, "10.0.2.7/32", postgres(), declared("x"), PostureState::Tls13),
    ];
    let replay = of(&edges, POLICY);
    let lines: Vec<_> = replay.groups.iter().map(|group| (group.change, group.used.rows.0.clone())).collect();
    assert_eq!(
        lines,
        [
            (Change::DeclaredToViolation, vec![2]),
            (Change::DeclaredToViolation, vec![4]),
            (Change::ViolationToDeclared, vec![3]),
            (Change::ToUnwatched, vec![5]),
            (Change::Same, vec![1]),
        ]
    );
    assert_eq!(replay.groups[0].encryption[&PostureState::Tls13], 3);
    assert_eq!(replay.groups[1].encryption[&PostureState::Plaintext], 3);
}

#[test]
fn what_the_ledger_does_not_keep_is_never_compliant() {
    let asks_cgroup = edge(5432, "10.0.4.1/32", postgres(), declared("cgroups"), PostureState::Tls13);
    let nobody = edge(5432, "10.0.2.7/32", Identity::UNKNOWN, declared("apps"), PostureState::Tls13);
    let encryption = edge(5432, "10.0.2.7/32", postgres(), declared("apps"), PostureState::Unknown);
    let pseudonym = edge(5432, "100::7/128", postgres(), declared("apps"), PostureState::Tls13);
    for one in [asks_cgroup, nobody, encryption, pseudonym] {
        let replay = of(&[one], POLICY);
        assert_eq!(replay.groups[0].change, Change::DeclaredToUndecided, "{:?}", replay.groups);
        assert!(!replay.groups[0].missing.is_empty(), "{:?}", replay.groups);
    }
    // A handshake may have been undecided because only one side of it was seen, which is not kept.
    let undecided = VerdictKey::Undecided { nearest: None };
    let one_side = edge(5432, "10.0.2.7/32", postgres(), undecided, PostureState::Tls13);
    assert_eq!(changes(&[one_side]), [(Change::StaysUndecided, 3)]);
}

/// Addresses that were rolled up are judged by their network where the policy does not tell them apart, and only there.
#[test]
fn networks_are_judged_where_all_their_addresses_are_alike() {
    let of_net =
        |net: &str| changes(&[edge(5432, net, postgres(), declared("apps"), PostureState::Tls13)])[0].0;
    assert_eq!(of_net("10.0.9.0/24"), Change::Same);
    assert_eq!(of_net("10.0.2.0/25"), Change::Same);
    assert_eq!(of_net("10.0.2.0/24"), Change::DeclaredToUndecided);
    assert_eq!(of_net("10.0.77.0/24"), Change::DeclaredToViolation);
    assert_eq!(of_net("10.0.0.0/16"), Change::DeclaredToUndecided);
}

/// A connection is open before its encryption is known: it is counted in the row where it was.
#[test]
fn what_went_on_to_another_row_is_counted_once() {
    let mut began =
        edge(5432, "10.0.2.7/32", postgres(), VerdictKey::Undecided { nearest: None }, PostureState::Unknown);
    began.counts = Counts { flows: 3, moved: 3, opened: 3, ..Counts::default() };
    let mut went_on = edge(5432, "10.0.2.7/32", postgres(), declared("apps"), PostureState::Tls13);
    went_on.counts.opened = 0;
    let replay = of(&[began, went_on], POLICY);
    assert_eq!((replay.passing, replay.groups.len()), (1, 1));
    assert_eq!(replay.groups[0].used.volume.flows, 3);
    assert_eq!(replay.groups[0].now, Now::Judged(declared("apps")));
}

/// Sums of windows are not made again: what a rule with a limit would allow is said to be open, and never called declared.
#[test]
fn what_a_limited_rule_would_allow_is_left_open() {
    let limited =
        POLICY.replace("role = \"apps\"\n", "role = \"apps\"\nvolume = { per = \"1d\", max = \"5GiB\" }\n");
    assert_ne!(limited, POLICY);
    let exceeded =
        VerdictKey::Violation { reasons: vec![ReasonId::VolumeExceeded], nearest: Some("apps".into()) };
    let undecided = VerdictKey::Undecided { nearest: None };
    let tls13 = PostureState::Tls13;
    let edges = [
        edge(5432, "10.0.2.7/32", postgres(), declared("apps"), tls13),
        edge(5432, "10.0.2.8/32", postgres(), exceeded, tls13),
        edge(5432, "10.0.2.9/32", postgres(), undecided, PostureState::Plaintext),
        edge(5432, "10.0.77.1/32", postgres(), declared("apps"), tls13),
    ];
    let replay = of(&edges, &limited);
    let changes: Vec<_> = replay.groups.iter().map(|group| (group.used.rows.0[0], group.change)).collect();
    assert!(changes.contains(&(1, Change::DeclaredToUndecided)), "{changes:?}");
    assert!(changes.contains(&(2, Change::ViolationToUndecided)), "{changes:?}");
    // What no rule allows, or the encryption forbids, is decided whatever was moved.
    assert!(changes.contains(&(3, Change::UndecidedToViolation)), "{changes:?}");
    assert!(changes.contains(&(4, Change::DeclaredToViolation)), "{changes:?}");
    let first = replay.groups.iter().find(|group| group.used.rows.0 == [1]).expect("a group");
    assert_eq!(first.missing, ["whether apps had moved more than 5.0 GiB per 1d"]);
    // Without the limit it is declared as it was, and what was too much then is not any more.
    let replay = of(&edges[..2], POLICY);
    let changes: Vec<_> = replay.groups.iter().map(|group| group.change).collect();
    assert_eq!(changes, [Change::ViolationToDeclared, Change::Same]);
}
