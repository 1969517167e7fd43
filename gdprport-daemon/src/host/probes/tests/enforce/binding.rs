//! Real binds against the interpreter, over generated policies.

use gdprport_common::{EXE_UNKNOWN, EXE_WITHHELD, EnforceExe};
use gdprport_core::enforce::Caller;
use gdprport_tests::need;

use super::super::super::Sizes;
use super::decided::{ENDS, PROCESSES, Random, ip, outcome};
use super::scene::{Address, DENIED, PASSED, Scene, Who, executable, id, of_path};
use crate::host::clock::boottime_ns;

/// What sockets are bound to. That somebody listens there already is found out later.
const BOUND: [&str; 8] =
    ["127.0.0.1", "127.1.2.3", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "10.0.2.7"];

/// Where the port may be bound, as it is written.
const LISTENS: [&str; 5] = [
    "",
    "listen = [\"any\"]\n",
    "listen = [\"loopback\"]\n",
    "listen = [\"0.0.0.0\", \"::1\"]\n",
    "listen = [\"127.0.0.0/16\"]\n",
];

fn policy(scene: &Scene, random: &mut Random) -> String {
    let unknown = random.one(&["", ", on_unknown = \"deny\""]);
    let mut text = format!("{}enforce = {{ listener = \"deny\"{unknown} }}\n", random.one(&LISTENS));
    for number in 0..=random.below(4) {
        // The first asks for nobody in particular: not in every policy.
        let process = PROCESSES[1 + random.below(PROCESSES.len() - 1)];
        let process =
            if random.below(12) == 0 { String::new() } else { format!("process = {{ {process} }}\n") };
        let (direction, until) = (random.one(&["in", "in", "out"]), random.one(&ENDS));
        text.push_str(&format!(
            "[[port.allow]]\nrole = \"r{number}\"\ndirection = \"{direction}\"\npeers = [\"10.0.0.0/8\"]\n{process}{until}"
        ));
    }
    let text = text.replace("UNIT_A", scene.units[0].unit()).replace("UNIT_B", scene.units[1].unit());
    scene.of_rules(random.one(&["enforce", "enforce", "warn"]), &text)
}

/// 20 policies, five callers each, eight addresses; and the counters say the same.
#[tokio::test]
async fn every_bind_is_decided_as_the_interpreter_says() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let fingerprint = scene.fingerprint();
    let binds = BOUND.map(|at| Address::new(ip(at), scene.port));
    let state = |state| EnforceExe { state, ..EnforceExe::default() };
    let exes = [
        of_path(fingerprint, "/bin/a"),
        of_path(fingerprint, "/bin/b"),
        state(EXE_UNKNOWN),
        state(EXE_WITHHELD),
    ];
    let mut random = Random(0x5bd1_e995_9d1b_02c3);
    let (mut denied, connects) = (0, scene.decisions());
    for _ in 0..20 {
        let text = policy(&scene, &mut random);
        let tables = scene.tables(&text, &["/bin/a"]);
        let interpreter = scene.enforce(&tables);
        let mut expected = scene.binds();
        for _ in 0..5 {
            let (unit, uid, exe) = (random.below(3), random.one(&[0, 1001, 1002, 4711]), random.one(&exes));
            let done = scene.run(&Who { unit, uid, exe, netns: None }, |done| {
                done.iter_mut().zip(&binds).for_each(|(done, at)| *done = at.bind());
            });
            let cgroup = id(&scene.units[unit]);
            let caller = Caller::Process { executable: executable(exe), uid, gid: uid, cgroup };
            for (at, done) in BOUND.iter().zip(done) {
                let decided = interpreter.bind(scene.port, ip(at), caller, boottime_ns());
                let decided = decided.expect("who listens is decided");
                let want = outcome(decided, &mut expected);
                assert_eq!(done, want, "{at} by {caller:?}: {decided:?}\n{text}");
                denied += u32::from(done == DENIED);
            }
        }
        assert_eq!(scene.binds(), expected, "{text}");
    }
    assert!((100..700).contains(&denied), "{denied} of 800");
    assert_eq!(scene.decisions(), connects, "a bind is no connect");
    // Most of them came again within a second.
    let repeated = scene.probes.counters().expect("readable").repeated_binds;
    assert!(repeated > 0 && repeated < denied.into(), "{repeated} of {denied}");
}

/// A port that decides nothing about who listens counts no bind.
#[tokio::test]
async fn where_nobody_decides_who_listens_everybody_may() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let text = scene.of_rules("enforce", "");
    let tables = scene.tables(&text, &[]);
    scene.enforce(&tables);
    let at = Address::new(ip("127.1.2.3"), scene.port);
    let exe = of_path(scene.fingerprint(), "/bin/a");
    let done = scene.run(&Who { unit: 2, uid: 4711, exe, netns: None }, |done| done[0] = at.bind());
    assert_eq!((done[0], scene.binds().asked), (PASSED, 0));
}
