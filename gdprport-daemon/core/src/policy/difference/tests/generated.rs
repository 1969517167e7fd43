//! Sets of addresses and policies at random.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::addresses::Addresses;
use super::{difference, policy};
use crate::policy::DeclaredPeer;

const PEERS: [&str; 10] = [
    "10.0.0.0/30",
    "10.0.0.1",
    "10.0.0.2/31",
    "10.0.0.0/28",
    "any",
    "loopback",
    "fd00::/126",
    "fd00::1",
    "::/0",
    "0.0.0.0/0",
];

fn peers() -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(PEERS.to_vec()), 1..4)
}

fn text(peers: &[&str], user: u32) -> String {
    format!(
        "version = 1\n[[port]]\nname = \"p\"\nport = 5432\n[[port.allow]]\nrole = \"r\"\ndirection = \"in\"\npeers = {peers:?}\nprocess = {{ user = {user} }}\n"
    )
}

fn declared(peers: &[&str]) -> Vec<DeclaredPeer> {
    policy(&text(peers, 0)).ports[0].rules[0].peers.clone()
}

/// Whether a few addresses that lie at the edges are in it.
fn has(peers: &[DeclaredPeer], ip: std::net::IpAddr) -> bool {
    let one = Addresses::of(&[DeclaredPeer::Net(ip.into())]);
    one.without(&Addresses::of(peers)).is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What is left is in the one and not in the other, and together they are all.
    #[test]
    fn what_is_taken_away_is_exactly_that(one in peers(), other in peers(), at in 0_u32..24) {
        let (one, other) = (declared(&one), declared(&other));
        let left = Addresses::of(&one).without(&Addresses::of(&other));
        let ips: [std::net::IpAddr; 3] = [
            std::net::Ipv4Addr::from(0x0a00_0000 + at).into(),
            std::net::Ipv6Addr::from((0xfd00_u128 << 112) + u128::from(at)).into(),
            std::net::Ipv4Addr::from(0x7f00_0000 + at).into(),
        ];
        for ip in ips {
            let single = Addresses::of(&[DeclaredPeer::Net(ip.into())]);
            let is_left = single.without(&left).is_empty();
            prop_assert_eq!(is_left, has(&one, ip) && !has(&other, ip), "{}", ip);
        }
        prop_assert_eq!(left.is_empty(), left.count() == 0);
    }

    /// The same policy differs in nothing, and what one way allows more the other way allows less.
    #[test]
    fn a_difference_has_two_sides(one in peers(), other in peers(), users in (0_u32..2, 0_u32..2)) {
        let (a, b) = (policy(&text(&one, users.0)), policy(&text(&other, users.1)));
        prop_assert!(difference(&a, &a).is_empty());
        let peers_only = |list: Vec<super::Difference>, effect| {
            list.into_iter().filter(|one| one.what == super::super::What::Peers && one.effect == effect).map(|one| one.addresses).collect::<Vec<_>>()
        };
        let (there, back) = (difference(&a, &b), difference(&b, &a));
        prop_assert_eq!(peers_only(there, super::Effect::AllowsMore), peers_only(back, super::Effect::AllowsLess));
    }
}
