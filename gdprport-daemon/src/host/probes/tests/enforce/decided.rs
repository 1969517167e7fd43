//! Real connects against the interpreter, over generated policies, reloads and the end of a rule.

use std::net::IpAddr;
use std::time::Duration;

use gdprport_common::{ENFORCE_FOREVER, EXE_UNKNOWN, EXE_WITHHELD, EnforceExe, EnforceRule, EnforceTally};
use gdprport_core::enforce::{Caller, Decided, Decision};
use gdprport_core::model::Direction;
use gdprport_tests::need;

use super::super::super::Sizes;
use super::scene::{Address, Child, DENIED, PASSED, Scene, Who, executable, id, of_path};
use crate::host::clock::boottime_ns;

/// Called, from an address to which the socket is bound, and what that leads to.
const PEERS: [(&str, Option<&str>, &str); 13] = [
    ("127.0.0.1", None, "127.0.0.1"),
    ("127.1.2.3", None, "127.1.2.3"),
    ("127.9.9.9", None, "127.9.9.9"),
    ("::1", None, "::1"),
    ("::ffff:127.0.0.1", None, "127.0.0.1"),
    ("::ffff:127.1.2.3", None, "127.1.2.3"),
    ("0.0.0.0", None, "127.0.0.1"),
    ("0.0.0.0", Some("127.1.2.3"), "127.1.2.3"),
    ("::", None, "::1"),
    ("::", Some("::1"), "::1"),
    ("::", Some("::ffff:127.1.2.3"), "127.0.0.1"),
    ("::ffff:0.0.0.0", None, "127.0.0.1"),
    ("::ffff:0.0.0.0", Some("::ffff:127.1.2.3"), "127.1.2.3"),
];

pub(super) const PROCESSES: [&str; 9] = [
    "",
    "exe = \"/bin/a\"",
    "exe = \"/bin/*\"",
    "user = \"etl\"",
    "user = 1002",
    "user = \"w*\"",
    "unit = \"UNIT_A\"",
    "unit = [\"UNIT_A\", \"UNIT_B\"], user = [\"etl\", 0]",
    "exe = [\"/bin/b\", \"/bin/a\"], user = \"etl\", unit = \"UNIT_A\"",
];

const NETWORKS: [&str; 6] = [
    "\"127.0.0.1\"",
    "\"127.1.0.0/16\", \"::1\"",
    "\"any\"",
    "\"loopback\"",
    "\"127.0.0.0/8\"",
    "\"10.0.0.0/8\"",
];

pub(super) const ENDS: [&str; 4] = ["", "", "until = 2020-01-01\n", "until = 2099-01-01\n"];

/// Numbers that are the same in every run.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn rule(number: usize, peers: &str, process: &str, more: &str) -> String {
    let process = if process.is_empty() { String::new() } else { format!("process = {{ {process} }}\n") };
    format!("[[port.allow]]\nrole = \"r{number}\"\ndirection = \"out\"\npeers = [{peers}]\n{process}{more}")
}

fn policy(scene: &Scene, random: &mut Random) -> String {
    let mut text = String::new();
    if random.below(2) == 0 {
        text.push_str("enforce = { on_unknown = \"deny\" }\n");
    }
    for number in 0..random.one(&[1, 2, 3, 4, 5, 20]) {
        text.push_str(&rule(number, random.one(&NETWORKS), random.one(&PROCESSES), random.one(&ENDS)));
    }
    let text = text.replace("UNIT_A", scene.units[0].unit()).replace("UNIT_B", scene.units[1].unit());
    let text = scene.policy(random.one(&["enforce", "enforce", "warn"]), &text);
    // Its peers are those of a port before it, or its own.
    let port = scene.port;
    if random.below(2) == 0 {
        text.replace(&format!("port = {port}\n"), &format!("port = [1, {port}]\n"))
    } else {
        text
    }
}

/// 20 policies, five callers each, 13 ways to name a peer; and the counters say the same.
#[tokio::test]
async fn every_connect_is_decided_as_the_interpreter_says() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let fingerprint = scene.fingerprint();
    let calls = PEERS.map(|(peer, from, _)| {
        (Address::new(ip(peer), scene.port), from.map(|from| Address::new(ip(from), 0)))
    });
    let state = |state| EnforceExe { state, ..EnforceExe::default() };
    let exes = [
        of_path(fingerprint, "/bin/a"),
        of_path(fingerprint, "/bin/b"),
        state(EXE_UNKNOWN),
        state(EXE_WITHHELD),
    ];
    let mut random = Random(0x0139_408d_cbbf_7a44);
    let mut denied = 0;
    // Policies with peers that have room for their steps, and with others.
    let mut steps = [0, 0];
    for _ in 0..20 {
        let text = policy(&scene, &mut random);
        let tables = scene.tables(&text, &["/bin/a"]);
        steps[usize::from(!tables.steps.is_empty())] += 1;
        let interpreter = scene.enforce(&tables);
        let mut expected = scene.decisions();
        for _ in 0..5 {
            let (unit, uid, exe) = (random.below(3), random.one(&[0, 1001, 1002, 4711]), random.one(&exes));
            let done = scene.run(&Who { unit, uid, exe, netns: None }, |done| {
                for (done, (peer, from)) in done.iter_mut().zip(&calls) {
                    *done = peer.connect(from.as_ref(), 0);
                }
            });
            let cgroup = id(&scene.units[unit]);
            let caller = Caller::Process { executable: executable(exe), uid, gid: uid, cgroup };
            for ((called, from, leads_to), done) in PEERS.iter().zip(done) {
                let port = scene.port;
                let decided = interpreter.decide(Direction::Out, port, ip(leads_to), caller, boottime_ns());
                let decided = decided.expect("the port is decided");
                let want = outcome(decided, &mut expected);
                assert_eq!(done, want, "{called} from {from:?} by {caller:?}: {decided:?}\n{text}");
                denied += u32::from(done == DENIED);
            }
        }
        assert_eq!(scene.decisions(), expected, "{text}");
    }
    assert!((200..1_200).contains(&denied), "{denied} of 1,300");
    assert!(steps.iter().all(|count| *count > 0), "{steps:?}");
}

/// What a call that is decided so returns. It is counted among what is expected.
pub(super) fn outcome(decided: Decided, expected: &mut EnforceTally) -> u8 {
    expected.asked += 1;
    match decided {
        Decided { denies: true, passes: false, .. } => expected.denied += 1,
        Decided { denies: true, .. } => expected.would_deny += 1,
        Decided { decision: Decision::Allowed, .. } => expected.allowed += 1,
        _ => expected.unknown += 1,
    }
    if decided.denies && !decided.passes { DENIED } else { PASSED }
}

/// 10,000 connects while policies replace each other at least 100 times. Both allow one peer, by different rules, and neither
/// allows the other.
#[tokio::test]
async fn no_connect_meets_both_policies_or_neither() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let exe = of_path(scene.fingerprint(), "/bin/a");
    let unit = scene.units[0].unit().to_owned();
    let policies = [
        rule(0, "\"127.0.0.1\"", "exe = \"/bin/a\"", ""),
        rule(0, "\"127.0.0.0/16\"", &format!("user = \"etl\", unit = \"{unit}\""), ""),
    ]
    .map(|rule| scene.policy("enforce", &rule));
    let first = scene.tables(&policies[0], &[]);
    scene.enforce(&first);
    let (allowed, denied) =
        (Address::new(ip("127.0.0.1"), scene.port), Address::new(ip("127.1.2.3"), scene.port));
    let who = Who { unit: 0, uid: 1001, exe, netns: None };
    let child = Child::fork(&mut scene, &who, |done| {
        let (mut wrongly_denied, mut wrongly_passed) = (0_u32, 0_u32);
        for _ in 0..5_000 {
            wrongly_denied += u32::from(allowed.connect(None, 0) != PASSED);
            wrongly_passed += u32::from(denied.connect(None, 0) != DENIED);
        }
        done[..4].copy_from_slice(&wrongly_denied.to_ne_bytes());
        done[4..8].copy_from_slice(&wrongly_passed.to_ne_bytes());
    });
    let mut reloads = 0;
    while reloads < 100 || !child.ended() {
        let next = scene.tables(&policies[reloads % 2], &[]);
        scene.enforce(&next);
        reloads += 1;
    }
    let done = child.results();
    let number = |at: usize| u32::from_ne_bytes(std::array::from_fn(|byte| done[at + byte]));
    let tally = scene.decisions();
    // What passes undecided is counted: none is expected, and at most these may have passed.
    assert_eq!(number(0), 0, "wrongly denied, {tally:?}");
    assert!(
        u64::from(number(4)) <= tally.unsettled && tally.unsettled < 10,
        "{} passed, {tally:?}",
        number(4)
    );
    assert_eq!((tally.asked, tally.left, tally.unknown, tally.would_deny), (10_000, 0, 0, 0));
}

/// Nobody is there to end it.
#[tokio::test]
async fn a_rule_ends_at_its_time_by_itself() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let exe = of_path(scene.fingerprint(), "/bin/a");
    let text = scene.policy("enforce", &rule(0, "\"any\"", "", "until = 2099-01-01\n"));
    let mut tables = scene.tables(&text, &[]);
    let end_ns = boottime_ns() + 1_000_000_000;
    let ends = |rule: &EnforceRule| rule.allows_until != ENFORCE_FOREVER;
    tables.rules.iter_mut().filter(|(_, rule)| ends(rule)).for_each(|(_, rule)| rule.allows_until = end_ns);
    scene.enforce(&tables);
    let call = Address::new(ip("127.0.0.1"), scene.port);
    let who = Who { unit: 0, uid: 1001, exe, netns: None };
    scene.run(&who, |_| {
        while call.connect(None, 0) == PASSED {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let now = boottime_ns();
    assert!(now > end_ns, "denied {} ns before its end", end_ns.saturating_sub(now));
    assert!(scene.decisions().denied == 1);
}

/// A program is not known when the tables are made. Its entries and its class come later.
#[tokio::test]
async fn what_appears_later_is_decided_once_it_is_added() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let exe = of_path(scene.fingerprint(), "/bin/c");
    let rules = rule(0, "\"any\"", "exe = \"/bin/*\"", "");
    let text = scene.policy("enforce", &format!("enforce = {{ on_unknown = \"deny\" }}\n{rules}"));
    let before = scene.tables(&text, &[]);
    scene.generation -= 1;
    let after = scene.tables(&text, &["/bin/c"]);
    let rules: Vec<_> = after.rules.iter().filter(|row| !before.rules.contains(row)).copied().collect();
    let classes: Vec<_> = after.classes.iter().filter(|row| !before.classes.contains(row)).copied().collect();
    assert!(!classes.is_empty(), "{after:?}");
    scene.enforce(&before);
    let call = Address::new(ip("127.0.0.1"), scene.port);
    let who = Who { unit: 0, uid: 1001, exe, netns: None };
    assert_eq!(scene.run(&who, |done| done[0] = call.connect(None, 0))[0], DENIED, "it is unknown");
    scene.probes.enforce().add(&rules, &classes).expect("there is room");
    assert_eq!(scene.run(&who, |done| done[0] = call.connect(None, 0))[0], PASSED);
    let values: Vec<_> = classes.iter().map(|(value, _)| *value).collect();
    scene.probes.enforce().forget(&values).expect("removed");
    assert_eq!(scene.run(&who, |done| done[0] = call.connect(None, 0))[0], DENIED, "and again");
}

/// Nobody is there to put it in force again.
#[tokio::test]
async fn tables_on_trial_give_way_to_those_before() {
    let mut scene = need!(Scene::new(Sizes::default()));
    let exe = of_path(scene.fingerprint(), "/bin/a");
    let denies = scene.policy("enforce", &rule(0, "\"10.0.0.0/8\"", "", ""));
    let denies = scene.tables(&denies, &[]);
    scene.enforce(&denies);
    let allows = scene.policy("enforce", &rule(0, "\"any\"", "", ""));
    let call = Address::new(ip("127.0.0.1"), scene.port);
    let who = Who { unit: 0, uid: 1001, exe, netns: None };
    // The second one is tried while the first one is: what comes back is what was in force before both.
    let mut until_ns = 0;
    for _ in 0..2 {
        let tables = scene.tables(&allows, &[]);
        let (generation, now_ns) = (scene.generation, boottime_ns());
        until_ns = now_ns + 1_000_000_000;
        scene.maps.write(generation, &tables).expect("there is room");
        let in_force = scene.probes.enforce();
        in_force.try_out(generation, now_ns, until_ns).expect("written");
        let then = in_force.in_force().expect("readable").then;
        scene.maps.remove_others(&[generation, then]).expect("removed");
        assert_eq!(scene.run(&who, |results| results[0] = call.connect(None, 0))[0], PASSED);
    }
    scene.run(&who, |_| {
        while call.connect(None, 0) == PASSED {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    assert!(boottime_ns() >= until_ns);
    let decisions = scene.decisions();
    assert_eq!((decisions.denied, decisions.left, decisions.unsettled), (1, 0, 0));
    // And nothing at all, where nothing was in force.
    scene.clear();
    let now_ns = boottime_ns();
    scene.probes.enforce().try_out(1, now_ns, now_ns).expect("written");
    assert_eq!(scene.run(&who, |results| results[0] = call.connect(None, 0))[0], PASSED);
    assert_eq!(scene.decisions().left, 1);
}
