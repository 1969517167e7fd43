//! How many peers are kept one by one.

use gdprport_core::ledger::Edge;
use proptest::prelude::*;

use super::samples::{batch, began, edge};
use super::scene::{Scene, finish, offer, sums};

/// Rows by the length of their prefix.
fn by_prefix(scene: &Scene, prefix: u8) -> usize {
    scene.all().edges.iter().filter(|edge| edge.key.peer.prefix_len() == prefix).count()
}

fn many(from: u32, to: u32) -> Vec<Edge> {
    (from..to).map(|n| edge(&std::net::Ipv4Addr::from(0x0a00_0000 + n * 7).to_string(), 1, 1)).collect()
}

#[test]
fn a_hundred_thousand_peers_end_bounded_with_equal_sums() {
    let scene = Scene::new();
    let mut settings = scene.settings();
    settings.peers = 100;
    let ledger = scene.open_with(settings);
    offer(&ledger, vec![began(0, "r", "b")]);
    offer(&ledger, (0..10).map(|part| batch(1, many(part * 10_000, (part + 1) * 10_000))).collect());
    finish(ledger);
    assert_eq!(sums(&scene.all()).opened, 100_000);
    assert_eq!(sums(&scene.all()).bytes_sent, 1_000_000);
    assert_eq!(by_prefix(&scene, 32), 100);
    assert!((1..=100).contains(&by_prefix(&scene, 24)), "{}", by_prefix(&scene, 24));
    assert!(scene.all().edges.len() <= 301);
}

#[test]
fn an_address_that_is_kept_stays_kept() {
    let scene = Scene::new();
    let mut settings = scene.settings();
    settings.peers = 2;
    for _ in 0..2 {
        // Another daemon reads from the database what there is already.
        let ledger = scene.open_with(settings.clone());
        let peers =
            ["10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::1", "2001:db8::2", "2001:db8::3", "10.0.0.1"];
        offer(&ledger, vec![batch(1, peers.iter().map(|peer| edge(peer, 1, 1)).collect())]);
        finish(ledger);
    }
    let rows: Vec<_> =
        scene.all().edges.iter().map(|edge| (edge.key.peer.to_string(), edge.counts.opened)).collect();
    let row = |peer: &str, opened| (peer.to_owned(), opened);
    assert_eq!(
        rows,
        [row("10.0.0.1/32", 4), row("10.0.0.2/32", 2), row("10.0.0.0/24", 2), row("2001:db8::/48", 6),],
        "both families together are as many as there may be"
    );
}

/// They have nothing in common by prefix, so that a network of some would mean nothing.
#[test]
fn pseudonyms_are_rolled_up_to_all_of_them_at_once() {
    let scene = Scene::new();
    let mut settings = scene.settings();
    settings.peers = 2;
    for _ in 0..2 {
        let ledger = scene.open_with(settings.clone());
        let peers = (0..50_u128).map(|n| std::net::Ipv6Addr::from((0x100 << 112) | (n * 0x1234_5678_9abc)));
        offer(&ledger, vec![batch(1, peers.map(|peer| edge(&peer.to_string(), 1, 1)).collect())]);
        finish(ledger);
    }
    let mut rows: Vec<_> =
        scene.all().edges.iter().map(|edge| (edge.key.peer.to_string(), edge.counts.opened)).collect();
    rows.sort();
    let row = |peer: &str, opened| (peer.to_owned(), opened);
    assert_eq!(rows, [row("100::/128", 2), row("100::/64", 96), row("100::1234:5678:9abc/128", 2)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sums_stay_whatever_is_rolled_up(
        peers in proptest::collection::vec((any::<u32>(), any::<bool>(), 1..9_u64), 1..60),
        max in 1..12_u32,
    ) {
        let scene = Scene::new();
        let mut settings = scene.settings();
        settings.peers = max;
        let ledger = scene.open_with(settings);
        let edges: Vec<Edge> = peers
            .iter()
            .map(|(bits, v6, flows)| {
                let v6_address = std::net::Ipv6Addr::from(u128::from(*bits) << 64).to_string();
                let v4_address = std::net::Ipv4Addr::from(*bits).to_string();
                edge(if *v6 { &v6_address } else { &v4_address }, 1, *flows)
            })
            .collect();
        offer(&ledger, vec![batch(1, edges)]);
        finish(ledger);
        let all = scene.all();
        prop_assert_eq!(sums(&all).opened, peers.iter().map(|(_, _, flows)| flows).sum::<u64>());
        prop_assert!(all.edges.len() <= 3 * max as usize + 2);
        for (bits, v6, _) in peers {
            let address: std::net::IpAddr =
                if v6 { std::net::Ipv6Addr::from(u128::from(bits) << 64).into() } else { std::net::Ipv4Addr::from(bits).into() };
            prop_assert!(all.edges.iter().any(|edge| edge.key.peer.contains(&address)), "{} is somewhere", address);
        }
    }
}
