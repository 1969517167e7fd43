//! What the kernel's tables say of a connection is what the evaluator says, and what a naive reading of the rules says.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::compile_any_mode;
use super::generated::{ADDRESSES, Asked, Behind, NOW, Rule, asked, rules, terms, written};
use super::reference::{naive, named, with_facts};
use super::*;
use crate::enforce::{
    Caller, Cgroup, Clock, Decided, Decision, Executable, Fingerprint, Interpreter, Known, lower,
};

pub(super) const FINGERPRINT: Fingerprint = Fingerprint::new([0x6764, 0x7072]);
/// The boot was some time before.
pub(super) const BOOT_NS: u64 = 86_400_000_000_000;
/// When rules have ended that go on at `NOW`.
const LATER: &str = "2026-12-31T00:00:00Z";

pub(super) fn clock() -> Clock {
    Clock { now: time(NOW), boot_ns: BOOT_NS }
}

pub(super) fn boot_ns(at: &str) -> u64 {
    BOOT_NS + u64::try_from(time(at).duration_since(time(NOW)).as_nanos()).expect("later")
}

/// A number that is declared with 5432, and decided by the same peers.
const WITH_IT: u16 = 5433;

/// The policy with a mode that the kernel decides by.
pub(super) fn with_mode(text: &str) -> ActivePolicy {
    let text = text.replace("port = 5432\n", &format!("port = [5432, {WITH_IT}]\nmode = \"enforce\"\n"));
    active(compile_any_mode(&[source("policy.toml", &text)]).map(|(policy, _)| policy))
}

pub(super) fn interpreter(policy: &ActivePolicy, known: &Known) -> Interpreter {
    let mut interpreter = Interpreter::default();
    let (tables, _) = lower(policy, known, clock(), FINGERPRINT, 7).expect("few rules have room");
    interpreter.load(&tables);
    interpreter.activate(7);
    interpreter
}

/// Where a port may be bound, as it is written.
const LISTENS: [&str; 6] = [
    "",
    "listen = [\"any\"]\n",
    "listen = [\"loopback\", \"10.0.2.0/24\"]\n",
    "listen = [\"0.0.0.0\"]\n",
    "listen = [\"0.0.0.0/8\", \"fd00::5\"]\n",
    "listen = [\"fd00::/16\"]\n",
];

/// Addresses that sockets are bound to.
const BOUND: [&str; 8] =
    ["0.0.0.0", "::", "127.0.0.1", "::1", "10.0.2.7", "::ffff:10.0.2.7", "0.1.2.3", "fd00::5"];

/// Which of [`BOUND`] each line of [`LISTENS`] allows, by hand.
fn allowed_at(listen: &str, address: &str) -> bool {
    let line = LISTENS.iter().position(|known| *known == listen).expect("one of them");
    match line {
        0 | 1 => true,
        2 => ["127.0.0.1", "::1", "10.0.2.7", "::ffff:10.0.2.7"].contains(&address),
        3 => ["0.0.0.0", "127.0.0.1", "10.0.2.7", "::ffff:10.0.2.7", "0.1.2.3"].contains(&address),
        4 => ["0.1.2.3", "fd00::5"].contains(&address),
        _ => address == "fd00::5",
    }
}

/// What of a process is listed in the tables.
#[derive(Debug, Clone, Copy)]
struct Listed {
    executable: bool,
    cgroup: bool,
}

/// A process that is known to be one.
pub(super) fn attributed(asked: &Asked) -> Option<&Process> {
    asked.process.as_ref().filter(|process| process.attribution != Attribution::Unknown)
}

/// What the daemon knows of the host on which the process runs.
fn known(asked: &Asked, listed: Listed) -> Known {
    let mut known = Known { translates: asked.nat != Behind::Nobody, ..Known::default() };
    // Nobody asks for these, but they share names with others.
    known.users.push((4711, Some("etl".into())));
    known.groups.push((4711, Some("root".into())));
    let Some(process) = attributed(asked) else { return known };
    let is_known = |name: &Option<std::sync::Arc<str>>| name.is_some() || !process.names_pending;
    if is_known(&process.user) {
        known.users.push((process.uid, process.user.clone()));
    }
    if is_known(&process.group) {
        known.groups.push((process.gid, process.group.clone()));
    }
    if listed.executable {
        known.executables.extend(process.exe.clone());
    }
    if listed.cgroup {
        known.cgroups.push(cgroup(1, process));
    }
    known
}

pub(super) fn cgroup(id: u64, process: &Process) -> Cgroup {
    Cgroup {
        id,
        path: process.cgroup.clone(),
        unit: process.unit.clone(),
        container: process.container.clone(),
        container_unproven: process.container_unproven,
    }
}

/// What the kernel sees of the process.
fn caller(process: Option<&Process>) -> Caller {
    caller_in(process, 1)
}

pub(super) fn caller_in(process: Option<&Process>, cgroup: u64) -> Caller {
    let Some(process) = process else { return Caller::Unknown };
    let executable = match &process.exe {
        Some(path) => Executable::Path(FINGERPRINT.of(path)),
        None if process.exe_withheld.is_some() => Executable::Withheld,
        None => Executable::Unknown,
    };
    Caller::Process { executable, uid: process.uid, gid: process.gid, cgroup }
}

const fn said(verdict: &Verdict) -> Decision {
    match verdict {
        Verdict::Declared { .. } => Decision::Allowed,
        Verdict::Undecided { .. } => Decision::Unknown,
        Verdict::Violation { .. } => Decision::Denied,
    }
}

/// Whether the kernel knows as much as the evaluator. It does not know who withheld who it is, nor where the peer is behind
/// a translation that the evaluator was shown, and the user who made a container is named to it by no process.
fn knows_all(asked: &Asked, listed: Listed) -> bool {
    let own_container = attributed(asked).is_some_and(|process| {
        process.container.as_ref().and_then(|container| container.claimed_by) == Some(process.uid)
    });
    listed.executable
        && listed.cgroup
        && (attributed(asked).is_some() || !asked.withheld)
        && !matches!(asked.nat, Behind::Address(_))
        && !own_container
}

/// The kernel's decision is the evaluator's, or that it does not know.
fn agrees(decision: Decision, expected: Decision, knows_all: bool) -> bool {
    decision == expected || !knows_all && decision == Decision::Unknown
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tables_agree_with_the_evaluator_and_a_naive_reading(
        rules in rules(),
        questions in proptest::collection::vec((asked(), any::<[bool; 2]>()), 1..8),
    ) {
        let text = written(0, &rules);
        let policy = with_mode(&text);
        for (asked, [executable, cgroup]) in &questions {
            let listed = Listed { executable: *executable, cgroup: *cgroup };
            let interpreter = interpreter(&named(&policy, asked), &known(asked, listed));
            let direction = if asked.inward { Direction::In } else { Direction::Out };
            let decide = |now_ns| {
                let of = |number| {
                    interpreter.decide(direction, number, ip(asked.peer), caller(attributed(asked)), now_ns)
                };
                let found = of(5432).expect("the port is decided");
                assert_eq!(Some(found), of(WITH_IT), "{asked:?}\n{text}");
                found.decision
            };
            let all = knows_all(asked, listed);
            for at in [NOW, LATER] {
                let expected =
                    said(&with_facts(&policy, asked, |policy, facts| policy.evaluate(facts, time(at))));
                let decision = decide(boot_ns(at));
                prop_assert!(
                    agrees(decision, expected, all),
                    "{decision:?}, expected {expected:?} at {at}, {listed:?}: {asked:?}\n{text}"
                );
            }
            let naive = naive(0, &rules, asked);
            let expected = match &naive[..4] {
                "decl" => Decision::Allowed,
                "unde" => Decision::Unknown,
                _ => Decision::Denied,
            };
            prop_assert!(agrees(decide(BOOT_NS), expected, all), "{naive}: {asked:?}\n{text}");
        }
    }

    /// Who accepts is not known at a SYN: what is denied then is a violation whoever that is.
    #[test]
    fn what_arrives_is_denied_only_if_nobody_may_accept_it(
        rules in rules(),
        asked in asked(),
        others in proptest::collection::vec(asked(), 1..8),
        listed in any::<[bool; 2]>(),
    ) {
        let text = written(0, &rules);
        let policy = with_mode(&text);
        let asked = Asked { inward: true, withheld: false, ..asked };
        let listed = Listed { executable: listed[0], cgroup: listed[1] };
        let interpreter = interpreter(&named(&policy, &asked), &known(&asked, listed));
        let listener = caller(attributed(&asked));
        let found = interpreter.arriving(5432, ip(asked.peer), listener, BOOT_NS);
        let decision = found.expect("the port is decided").decision;
        let of = |process: Option<Process>| {
            let asked = Asked { process, ..asked.clone() };
            said(&with_facts(&policy, &asked, |policy, facts| policy.evaluate(facts, time(NOW))))
        };
        let by_listener = of(asked.process.clone());
        match decision {
            Decision::Allowed => prop_assert_eq!(by_listener, Decision::Allowed, "{:?}\n{}", asked, text),
            Decision::Denied => {
                let accept = others.into_iter().map(|other| other.process).chain([None, asked.process.clone()]);
                for process in accept {
                    prop_assert_eq!(of(process.clone()), Decision::Denied, "{:?} {:?}\n{}", process, asked, text);
                }
            }
            // Some process may, and the listener is not proven to be it.
            Decision::Unknown => {
                let all = knows_all(&asked, listed);
                prop_assert!(!all || by_listener != Decision::Allowed, "{asked:?}\n{text}");
                let is_translated = matches!(asked.nat, Behind::Address(_));
                prop_assert!(is_translated || of(None) == Decision::Unknown, "{asked:?}\n{text}");
            }
        }
    }

    /// Peers do not matter, and addresses are the port's.
    #[test]
    fn who_may_listen_is_who_the_rules_let_in_with(
        rules in rules(),
        asked in asked(),
        listed in any::<[bool; 2]>(),
        listen in select(LISTENS.to_vec()),
    ) {
        let guarded = format!("port = 5432\n{listen}enforce = {{ listener = \"deny\" }}\n");
        let text = written(0, &rules).replace("port = 5432\n", &guarded);
        let policy = with_mode(&text);
        let asked = Asked { inward: true, withheld: false, nat: Behind::Nobody, ..asked };
        let listed = Listed { executable: listed[0], cgroup: listed[1] };
        let interpreter = interpreter(&policy, &known(&asked, listed));
        let all = knows_all(&asked, listed);
        let process = attributed(&asked);
        for address in BOUND {
            let local = Endpoint::new(ip(address), 5432);
            let decide = |at| {
                let found = interpreter.bind(5432, ip(address), caller(process), boot_ns(at));
                found.expect("who listens is decided").decision
            };
            for at in [NOW, LATER] {
                let (decision, expected) =
                    (decide(at), said(&policy.evaluate_listener(local, asked.process.as_ref(), time(at))));
                prop_assert!(
                    agrees(decision, expected, all),
                    "{decision:?}, expected {expected:?} of {address} at {at}, {listed:?}: {asked:?}\n{text}"
                );
            }
            // The rules alone, with any peer.
            let anywhere: Vec<_> = rules.iter().map(|rule| Rule { peers: vec![0], ..rule.clone() }).collect();
            let naive = naive(0, &anywhere, &asked);
            let expected = match &naive[..4] {
                _ if !allowed_at(listen, address) => Decision::Denied,
                "decl" => Decision::Allowed,
                "unde" => Decision::Unknown,
                _ => Decision::Denied,
            };
            prop_assert!(agrees(decide(NOW), expected, all), "{naive} at {address}: {asked:?}\n{text}");
        }
    }

    #[test]
    fn declarations_that_share_a_number_are_kept_apart(
        here in (proptest::option::of(rules()), 0..3_usize),
        services in proptest::collection::vec((select(vec![0, 1, 2, 3]), rules(), 0..3_usize), 0..4),
        asked in asked(),
    ) {
        let (text, policy) = shared(here, services);
        let listed = Listed { executable: true, cgroup: true };
        let interpreter = interpreter(&named(&policy, &asked), &known(&asked, listed));
        for (peer, inward) in ADDRESSES.into_iter().flat_map(|peer| [(peer, true), (peer, false)]) {
            let asked = Asked { peer, inward, ..asked.clone() };
            let (verdict, port) = with_facts(&policy, &asked, |policy, facts| {
                (policy.evaluate(facts, time(NOW)), policy.port_of(facts).cloned())
            });
            let direction = if inward { Direction::In } else { Direction::Out };
            let decided = interpreter.decide(direction, 5432, ip(peer), caller(attributed(&asked)), BOOT_NS);
            let mode = port.map_or(super::super::Mode::Observe, |port| port.enforcement.mode);
            if matches!(asked.nat, Behind::Address(_)) {
                // Which service it is in truth is not known to the kernel.
                let decision = decided.map(|decided| decided.decision);
                prop_assert!(
                    decision.is_none_or(|decision| agrees(decision, said(&verdict), false)),
                    "{decision:?} for {verdict:?}, {asked:?}\n{text}"
                );
                continue;
            }
            prop_assert_eq!(decided.is_none(), mode.is_observe(), "{:?} {:?}\n{}", mode, &asked, &text);
            let Some(Decided { decision, denies, passes, .. }) = decided else { continue };
            prop_assert_eq!(passes, mode == super::super::Mode::Warn);
            prop_assert_eq!(denies, decision == Decision::Denied);
            let all = knows_all(&asked, listed);
            prop_assert!(
                agrees(decision, said(&verdict), all),
                "{decision:?} for {verdict:?}, {asked:?}\n{text}"
            );
        }
    }
}

/// A policy whose declarations share a number: one here, others elsewhere, each with a mode of its own.
fn shared(
    (here, mode): (Option<Vec<Rule>>, usize),
    services: Vec<(usize, Vec<Rule>, usize)>,
) -> (String, ActivePolicy) {
    const MODES: [&str; 3] = ["observe", "warn", "enforce"];
    const SERVICES: [&str; 4] = ["10.0.0.0/8", "fd00::/16", "db1.internal", "db2.internal"];
    let mut text = match here {
        Some(rules) => {
            written(0, &rules).replace("port = 5432\n", &format!("port = 5432\nmode = \"{}\"\n", MODES[mode]))
        }
        None => format!("version = 1\n{}", super::generated::SETS),
    };
    let mut seen = Vec::new();
    for (service, rules, mode) in services {
        if seen.contains(&service) {
            continue;
        }
        seen.push(service);
        text += &format!(
            "[[port]]\nname = \"s{service}\"\nport = 5432\nservice = [\"{}\"]\nmode = \"{}\"\n",
            SERVICES[service], MODES[mode]
        );
        for (number, rule) in rules.into_iter().enumerate().take(12) {
            let terms = terms(&Rule { inward: false, ..rule });
            text += &format!("[[port.allow]]\nrole = \"s{number}\"\n{terms}");
        }
    }
    let policy = compile_any_mode(&[source("policy.toml", &text)]).map(|(policy, _)| policy);
    (text, active(policy))
}

/// What is compared above is not all of one kind, and mostly compared for equality.
#[test]
fn the_generators_reach_every_decision_of_the_kernel() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = [0; 3];
    let mut steps = [0; 2];
    for _ in 0..400 {
        let rules = rules().new_tree(&mut runner).expect("rules").current();
        let asked = asked().new_tree(&mut runner).expect("a question").current();
        let listed = Listed { executable: true, cgroup: true };
        if !knows_all(&asked, listed) {
            continue;
        }
        let policy = named(&with_mode(&written(0, &rules)), &asked);
        let known = known(&asked, listed);
        let (tables, _) = lower(&policy, &known, clock(), FINGERPRINT, 7).expect("few rules have room");
        steps[usize::from(!tables.steps.is_empty())] += 1;
        let direction = if asked.inward { Direction::In } else { Direction::Out };
        let found = interpreter(&policy, &known).decide(
            direction,
            5432,
            ip(asked.peer),
            caller(attributed(&asked)),
            BOOT_NS,
        );
        seen[found.expect("the port is decided").decision as usize] += 1;
    }
    assert!(seen.iter().all(|count| *count >= 10), "allowed, unknown, denied: {seen:?}");
    assert!(
        steps.iter().all(|count| *count >= 10),
        "peers with room for all of their steps, and others: {steps:?}"
    );
}
