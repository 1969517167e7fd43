//! Peers that a policy does not tell apart are judged once, and by that judgement alike.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::honest::RULES;
use super::*;
use crate::replay::Alike;

/// Addresses on both sides of what the rules name, and what stands for other addresses.
fn peer() -> impl Strategy<Value = String> {
    let single = (0..14_u8).prop_map(|last| format!("10.0.0.{last}/32"));
    let others = [
        "0.0.0.0/32",
        "255.255.255.255/32",
        "127.0.0.1/32",
        "198.51.100.7/32",
        "::/128",
        "::1/128",
        "2001:db8::7/128",
        "::ffff:10.0.0.4/128",
        "100::7/128",
        "10.0.0.0/30",
        "10.0.0.0/24",
    ];
    prop_oneof![3 => single, 1 => select(others.to_vec()).prop_map(str::to_owned)]
}

proptest! {
    #[test]
    fn peers_that_are_alike_have_one_judgement(
        peers in vec(peer(), 2..12),
        number in select(vec![5432_u16, 6379, 7777]),
        direction in select(vec![Direction::In, Direction::Out]),
        who in select(vec![Some("a.service"), Some("b.service"), None]),
        state in select(vec![PostureState::Tls13, PostureState::Plaintext, PostureState::Unknown]),
        undecided: bool,
    ) {
        let judge = judge(RULES);
        let keys: Vec<EdgeKey> = peers
            .iter()
            .map(|peer| {
                let identity = who.map_or(Identity::UNKNOWN, |unit| Identity { unit: Some(unit.into()), ..postgres() });
                let verdict = if undecided { VerdictKey::Undecided { nearest: None } } else { declared("unit") };
                EdgeKey { direction, ..edge(number, peer, identity, verdict, state).key }
            })
            .collect();
        for one in &keys {
            for other in keys.iter().filter(|other| judge.alike(one.peer) == judge.alike(other.peer)) {
                prop_assert_eq!(judge.judge(one), judge.judge(other), "{} {}", one.peer, other.peer);
                prop_assert_eq!(judge.by_rules(one), judge.by_rules(other), "{} {}", one.peer, other.peer);
            }
        }
    }
}

/// However many strangers there are, there are as many judgements of them as the policy has parts.
#[test]
fn strangers_are_judged_together() {
    let judge = judge(POLICY);
    let of = |first: u32| -> HashSet<Alike> {
        let peers = (0..1_000).map(|n| std::net::IpAddr::from(std::net::Ipv4Addr::from_bits(first + n)));
        peers.map(|peer| judge.alike(peer.into())).collect()
    };
    assert_eq!(of(0xc633_6400).len(), 1);
    // 10.0.2.0/25 and 10.0.4.1, and what is below, between and above them.
    assert_eq!(of(0x0a00_0100).len(), 5);
}
