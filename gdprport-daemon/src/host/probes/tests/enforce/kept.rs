//! What stays in force between two daemons, and what gives way.

use std::net::{IpAddr, Ipv4Addr};

use gdprport_common::EnforceInForce;
use gdprport_tests::need;
use gdprport_tests::pins::BpfFs;

use super::super::super::EnforceRoom;
use super::super::super::compatibility::Incompatibility;
use super::super::super::{PinsOutcome, Sizes};
use super::scene::{Address, DENIED, PASSED, Scene};

const NOBODY: &str = "[[port.allow]]\nrole = \"r\"\ndirection = \"out\"\npeers = [\"10.0.0.0/8\"]\n";
const EVERYBODY: &str = "[[port.allow]]\nrole = \"r\"\ndirection = \"out\"\npeers = [\"any\"]\n";

#[tokio::test]
async fn what_is_in_force_outlives_the_daemon() {
    let port = need!(Scene::new(Sizes::default())).port;
    let pins = BpfFs::new();
    let call = Address::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let mut first = need!(Scene::load(Sizes::default(), port, Some(&pins)));
    first.probes.watch([port]).expect("watched");
    first.probes.decide([port]).expect("decided");
    let text = first.policy("enforce", NOBODY);
    let tables = first.tables(&text, &[]);
    first.enforce(&tables);
    let key = first.fingerprint().of("/bin/a");
    first.probes.keep_pins(true);
    drop(first);
    assert_eq!(call.connect(None, 0), DENIED, "without a daemon");

    let mut second = need!(Scene::load(Sizes::default(), port, Some(&pins)));
    let outcome = &second.probes.previous_pins().expect("there were pins").outcome;
    assert!(matches!(outcome, PinsOutcome::Adopted(_)), "{outcome:?}");
    assert_eq!(
        (second.probes.enforce().in_force().expect("readable").generation, second.fingerprint().of("/bin/a")),
        (1, key)
    );
    assert_eq!(call.connect(None, 0), DENIED);
    // Its own policy takes the place of what it found, of which it has no tables.
    second.generation = 1;
    let text = second.policy("enforce", EVERYBODY);
    let tables = second.tables(&text, &[]);
    second.enforce(&tables);
    assert_eq!(call.connect(None, 0), PASSED);
    assert_eq!(call.connect(None, 0), PASSED, "only the rows of the one before are gone");
    assert_eq!(second.maps.generations().expect("readable"), [2]);
    second.probes.keep_pins(true);
    drop(second);

    // Tables that are too small for a policy are given up with the other pins, and that is said.
    let room = EnforceRoom { rules: 65_536, ..EnforceRoom::default() };
    let mut third = need!(Scene::load(Sizes { enforce: room, ..Sizes::default() }, port, Some(&pins)));
    let outcome = &third.probes.previous_pins().expect("there were pins").outcome;
    let PinsOutcome::Discarded(Incompatibility::Layout(why)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(why, "its map ENFORCE_RULES has room for 32768 entries, and the policy needs 65536");
    assert_eq!(third.probes.enforce().in_force().expect("readable"), EnforceInForce::default());
    third.probes.keep_pins(true);
    drop(third);

    // Larger ones than a policy needs are as good.
    let mut fourth = need!(Scene::load(Sizes::default(), port, Some(&pins)));
    let outcome = &fourth.probes.previous_pins().expect("there were pins").outcome;
    assert!(matches!(outcome, PinsOutcome::Adopted(_)), "{outcome:?}");
    fourth.probes.keep_pins(false);
}
