//! Tables of many peers: written and removed many rows at once, without a row that is lost or stays.

use std::net::IpAddr;

use gdprport_tests::need;
use gdprport_tests::pins::BpfFs;

use super::super::super::Sizes;
use super::scene::{Address, DENIED, PASSED, Scene};

/// A rule for the loopback if it is allowed, and for that many other peers.
fn rule(peers: u32, allowed: bool) -> String {
    let mut names: Vec<String> =
        (0..peers).map(|n| format!("\"10.{}.{}.{}\"", n >> 16, n >> 8 & 255, n & 255)).collect();
    names.extend(allowed.then(|| "\"127.0.0.0/8\"".to_owned()));
    let names = names.join(", ");
    format!("[[port.allow]]\nrole = \"r\"\ndirection = \"out\"\npeers = [{names}]\n")
}

fn enforce(scene: &mut Scene, peers: u32, allowed: bool) {
    let text = scene.policy("enforce", &rule(peers, allowed));
    let tables = scene.tables(&text, &[]);
    scene.enforce(&tables);
}

#[tokio::test]
async fn of_many_peers_no_row_is_lost_and_none_stays() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let call = Address::new(IpAddr::from([127, 0, 0, 1]), scene.port);
    // More than one call of the kernel writes, and no multiple of that.
    for (peers, allowed) in [(3_000, true), (2_500, false), (1, true), (1_024, false)] {
        enforce(&mut scene, peers, allowed);
        assert_eq!(call.connect(None, 0) == PASSED, allowed, "{peers}");
        // With the networks that each of the two groups has for every address.
        let rows = peers as usize + usize::from(allowed) + 4;
        assert_eq!(scene.maps.peers().expect("readable"), (rows, rows), "{peers}");
        assert_eq!(scene.maps.generations().expect("readable"), [scene.generation]);
    }
    scene.clear();
    assert_eq!(scene.maps.peers().expect("readable"), (0, 0));
}

/// A daemon that was killed while it wrote leaves rows that are in force nowhere.
#[tokio::test]
async fn rows_that_a_killed_daemon_has_left_are_removed() {
    let port = need!(Scene::new(Sizes::default())).port;
    let pins = BpfFs::new();
    let mut first = need!(Scene::load(Sizes::default(), port, Some(&pins)));
    first.probes.watch([port]).expect("watched");
    first.probes.decide([port]).expect("decided");
    enforce(&mut first, 10, false);
    let text = first.policy("enforce", &rule(2_000, true));
    let tables = first.tables(&text, &[]);
    first.maps.write(first.generation, &tables).expect("there is room");
    first.probes.keep_pins(true);
    drop(first);

    let mut second = need!(Scene::load(Sizes::default(), port, Some(&pins)));
    assert_eq!(second.maps.generations().expect("readable"), [1, 2]);
    second.maps.remove_others(&[1]).expect("removed");
    assert_eq!(second.maps.generations().expect("readable"), [1]);
    let call = Address::new(IpAddr::from([127, 0, 0, 1]), port);
    assert_eq!(call.connect(None, 0), DENIED, "what is in force stays so");
    // Those that it has not written itself go too, once others are in force.
    second.generation = 1;
    enforce(&mut second, 10, true);
    assert_eq!((second.maps.generations().expect("readable"), call.connect(None, 0)), (vec![2], PASSED));
    second.probes.keep_pins(false);
}

/// The next daemon may read the maps by then.
#[tokio::test]
async fn a_daemon_that_ends_writes_no_row_any_more() {
    let mut scene = need!(Scene::new(Sizes::default()));
    enforce(&mut scene, 10, true);
    let text = scene.policy("enforce", &rule(2_000, true));
    let tables = scene.tables(&text, &[]);
    scene.maps.stop().set();
    let error = scene.maps.write(scene.generation, &tables).expect_err("it ends").to_string();
    assert!(error.contains("the daemon ends"), "{error}");
    assert_eq!(scene.maps.generations().expect("readable"), [1]);
}
