//! Tables that grow while they are in use say what tables made anew would say, and nothing wrong on the way there.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::compile_any_mode;
use super::generated::{ADDRESSES, Asked, asked, rules, written};
use super::lowered::{BOOT_NS, FINGERPRINT, attributed, caller_in, cgroup, clock, with_mode};
use super::reference::named;
use super::*;
use crate::enforce::{Added, Cgroup, Decision, Grown, Interpreter, Known, Tables, lower};

/// Loads what was added, rules first, and asks after each step.
fn apply(interpreter: &mut Interpreter, added: Added, mut after: impl FnMut(&Interpreter)) {
    let Added { rules, class } = added;
    interpreter.load(&Tables { rules, ..Tables::default() });
    after(interpreter);
    interpreter.load(&Tables { classes: class.into_iter().collect(), ..Tables::default() });
    after(interpreter);
}

fn made(policy: &ActivePolicy, known: &Known) -> (Interpreter, Grown) {
    let (tables, grown) = lower(policy, known, clock(), FINGERPRINT, 7).expect("few rules have room");
    let mut interpreter = Interpreter::default();
    interpreter.load(&tables);
    interpreter.activate(7);
    (interpreter, grown)
}

/// Everything that is decided of these processes, each in a cgroup of its own.
fn decisions(interpreter: &Interpreter, all: &[Asked]) -> Vec<Decision> {
    let callers = all.iter().zip(1..).map(|(asked, cgroup)| caller_in(attributed(asked), cgroup));
    let ways = [Direction::In, Direction::Out];
    callers
        .flat_map(|caller| ADDRESSES.map(|peer| (caller, peer)))
        .flat_map(|(caller, peer)| ways.map(|way| (caller, peer, way)))
        .map(|(caller, peer, way)| {
            interpreter.decide(way, 5432, ip(peer), caller, BOOT_NS).expect("decided").decision
        })
        .collect()
}

/// What is learnt of the host, one by one.
enum Learnt {
    Executable(Arc<str>),
    User(u32, Option<Arc<str>>),
    Group(u32, Option<Arc<str>>),
    Cgroup(Cgroup),
}

fn learnt(all: &[Asked]) -> Vec<Learnt> {
    let mut learnt = Vec::new();
    for (asked, id) in all.iter().zip(1..) {
        let Some(process) = attributed(asked) else { continue };
        learnt.extend(process.exe.clone().map(Learnt::Executable));
        if process.user.is_some() || !process.names_pending {
            learnt.push(Learnt::User(process.uid, process.user.clone()));
        }
        if process.group.is_some() || !process.names_pending {
            learnt.push(Learnt::Group(process.gid, process.group.clone()));
        }
        learnt.push(Learnt::Cgroup(cgroup(id, process)));
    }
    learnt
}

fn known(learnt: &[Learnt], translates: bool) -> Known {
    let mut known = Known { translates, ..Known::default() };
    for one in learnt {
        match one {
            Learnt::Executable(path) => known.executables.push(Arc::clone(path)),
            Learnt::User(uid, name) => known.users.push((*uid, name.clone())),
            Learnt::Group(gid, name) => known.groups.push((*gid, name.clone())),
            Learnt::Cgroup(cgroup) => known.cgroups.push(cgroup.clone()),
        }
    }
    known
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_added_is_what_would_have_been_made(
        rules in rules(),
        all in proptest::collection::vec(asked(), 1..5),
        from in any::<proptest::sample::Index>(),
        translates in any::<bool>(),
    ) {
        let text = written(0, &rules);
        let policy = named(&with_mode(&text), &all[0]);
        let learnt = learnt(&all);
        let first = from.index(learnt.len() + 1);
        let (anew, _) = made(&policy, &known(&learnt, translates));
        let expected = decisions(&anew, &all);
        let (mut interpreter, mut grown) = made(&policy, &known(&learnt[..first], translates));
        for one in &learnt[first..] {
            let added = match one {
                Learnt::Executable(path) => grown.executable(path),
                Learnt::User(uid, name) => grown.user(*uid, name.clone()),
                Learnt::Group(gid, name) => grown.group(*gid, name.clone()),
                Learnt::Cgroup(cgroup) => grown.cgroup(cgroup),
            };
            let before = decisions(&interpreter, &all);
            let mut between = Vec::new();
            apply(&mut interpreter, added.expect("room"), |tables| between.push(decisions(tables, &all)));
            prop_assert_eq!(&between[0], &before, "rules of a class that nobody has say nothing\n{}", text);
        }
        prop_assert_eq!(decisions(&interpreter, &all), expected, "{}", text);
    }
}

fn globbed() -> (Interpreter, Grown) {
    let rule = "[[port.allow]]\nrole = \"a\"\ndirection = \"out\"\npeers = [\"0.0.0.0/0\"]\n\
                process = { exe = \"/opt/*/bin/app\", unit = \"a.service\" }\n";
    let text = format!("{DB}mode = \"enforce\"\n{rule}");
    let policy = active(compile_any_mode(&[source("policy.toml", &text)]).map(|(policy, _)| policy));
    made(&policy, &Known::default())
}

fn unit(id: u64, unit: &str) -> Cgroup {
    let process =
        Process { cgroup: Some(format!("/s/{unit}").into()), unit: Some(unit.into()), ..Process::UNKNOWN };
    cgroup(id, &process)
}

#[test]
fn a_new_program_in_a_new_unit_is_known_once_both_are() {
    let (mut tables, mut grown) = globbed();
    let path: Arc<str> = "/opt/7/bin/app".into();
    let decided = |tables: &Interpreter| {
        let process = Process { exe: Some(Arc::clone(&path)), ..Process::UNKNOWN };
        let found =
            tables.decide(Direction::Out, 5432, ip("10.0.9.9"), caller_in(Some(&process), 4), BOOT_NS);
        found.expect("decided").decision
    };
    assert!(grown.compares_executables());
    assert_eq!(decided(&tables), Decision::Unknown);
    apply(&mut tables, grown.executable(&path).expect("room"), |_| {});
    assert_eq!(decided(&tables), Decision::Unknown);
    apply(&mut tables, grown.cgroup(&unit(4, "a.service")).expect("room"), |_| {});
    assert_eq!(decided(&tables), Decision::Allowed);
    let again = grown.cgroup(&unit(4, "a.service")).expect("room");
    assert_eq!(again, Added::default(), "nothing is new");
    // Its id is given to another one.
    apply(&mut tables, grown.cgroup(&unit(4, "b.service")).expect("room"), |_| {});
    assert_eq!(decided(&tables), Decision::Denied);
}

/// Containers come and go: what was learnt of one makes room for others like it.
#[test]
fn many_values_alike_make_one_class() {
    let (_, mut grown) = globbed();
    let first = grown.cgroup(&unit(1, "a.service")).expect("room");
    assert!(!first.rules.is_empty());
    for id in 2..1_000 {
        let added = grown.cgroup(&unit(id, "a.service")).expect("room");
        assert_eq!(
            (added.rules.len(), added.class.map(|(_, class)| class)),
            (0, first.class.map(|(_, class)| class))
        );
    }
}
