//! What becomes of connects while no daemon says that it is there, and those that are never denied.

use gdprport_common::EnforceOwnKey;
use gdprport_core::enforce::Caller;
use gdprport_core::model::Direction;
use gdprport_tests::need;

use super::super::super::Sizes;
use super::scene::{Address, DENIED, PASSED, Scene, Who, executable, id, of_path};
use crate::host::clock::boottime_ns;

const HERE: &str = "127.0.0.1";

fn rules(scene: &Scene, mode: &str, on_daemon_loss: &str) -> String {
    scene.policy(
        mode,
        &format!(
            "enforce = {{ on_daemon_loss = \"{on_daemon_loss}\" }}\n[[port.allow]]\nrole = \"out\"\ndirection = \"out\"\n\
             peers = [\"any\"]\nprocess = {{ exe = \"/bin/a\" }}\n"
        ),
    )
}

/// What becomes of a connect by a program, of this user.
fn connect(scene: &mut Scene, exe: &str, uid: u32) -> u8 {
    let exe = of_path(scene.fingerprint(), exe);
    let to = Address::new(HERE.parse().expect("an address"), scene.port);
    scene.run(&Who { unit: 0, uid, exe, netns: None }, |done| done[0] = to.connect(None, 0))[0]
}

#[tokio::test]
async fn without_a_daemon_a_port_fails_as_it_was_asked_to() {
    let mut scene = need!(Scene::new(Sizes::default()));
    for (mode, on_daemon_loss, allowed, other) in [
        ("enforce", "keep", PASSED, DENIED),
        ("enforce", "allow", PASSED, PASSED),
        ("enforce", "deny", DENIED, DENIED),
        ("warn", "deny", PASSED, PASSED),
    ] {
        let text = rules(&scene, mode, on_daemon_loss);
        let tables = scene.tables(&text, &["/bin/a"]);
        let mut interpreter = scene.enforce(&tables);
        let denies = if mode == "warn" { PASSED } else { DENIED };
        for (is_lost, expected) in
            [(false, [PASSED, denies]), (true, [allowed, other]), (false, [PASSED, denies])]
        {
            // Its last word was half a minute ago.
            let ago = if is_lost { 30_000_000_000 } else { 0 };
            scene.probes.enforce().renew(boottime_ns() - ago).expect("written");
            interpreter.lose(is_lost);
            for (exe, expected) in ["/bin/a", "/bin/b"].into_iter().zip(expected) {
                let seen = connect(&mut scene, exe, 4711);
                assert_eq!(seen, expected, "{mode} {on_daemon_loss} {exe}, lost: {is_lost}");
                let executable = executable(of_path(scene.fingerprint(), exe));
                let cgroup = id(&scene.units[0]);
                let caller = Caller::Process { executable, uid: 4711, gid: 0, cgroup };
                let port = scene.port;
                let here = HERE.parse().expect("an address");
                let decided = interpreter.decide(Direction::Out, port, here, caller, boottime_ns());
                let denied = decided.is_some_and(|decided| decided.denies && !decided.passes);
                assert_eq!(denied, seen == DENIED, "{mode} {on_daemon_loss} {exe}, lost: {is_lost}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_deliverer_sends_is_never_denied() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let text = rules(&scene, "enforce", "deny");
    let tables = scene.tables(&text, &["/bin/a"]);
    scene.enforce(&tables);
    scene.probes.enforce().renew(boottime_ns()).expect("written");
    assert_eq!(connect(&mut scene, "/bin/b", 4711), DENIED);
    let own = [EnforceOwnKey { uid: 4711, port: scene.port.into() }];
    scene.probes.enforce().exempt(&own).expect("there is room");
    let before = scene.decisions();
    assert_eq!(connect(&mut scene, "/bin/b", 4711), PASSED);
    assert_eq!(connect(&mut scene, "/bin/b", 4712), DENIED, "another user");
    // Also while there is no daemon: what is in the spool leaves.
    scene.probes.enforce().renew(boottime_ns() - 30_000_000_000).expect("written");
    assert_eq!(connect(&mut scene, "/bin/b", 4711), PASSED);
    let after = scene.decisions();
    assert_eq!((after.left - before.left, after.denied - before.denied), (2, 1));
    scene.probes.enforce().exempt(&[]).expect("removed");
    assert_eq!(connect(&mut scene, "/bin/b", 4711), DENIED);
}
