//! What the kernel decides of single connections by its tables, and what has room in them.

use std::collections::BTreeSet;

use super::super::compile_any_mode;
use super::generated::NOW;
use super::lowered::{BOOT_NS, FINGERPRINT, boot_ns, cgroup, clock, interpreter};
use super::*;
use crate::enforce::{Caller, Cgroup, Decided, Decision, Executable, Interpreter, Known, lower};

/// What is decided of a connection to 10.0.9.9 by psql as the user `etl`, but for what is changed.
struct Connect {
    peer: &'static str,
    executable: Executable,
    uid: u32,
    cgroup: u64,
    at: &'static str,
}

impl Default for Connect {
    fn default() -> Self {
        let executable = Executable::Path(FINGERPRINT.of("/usr/bin/psql"));
        Self { peer: "10.0.9.9", executable, uid: 1001, cgroup: 1, at: NOW }
    }
}

impl Connect {
    fn decided(&self, interpreter: &Interpreter) -> Decided {
        let Self { peer, executable, uid, cgroup, at } = *self;
        let caller = Caller::Process { executable, uid, gid: uid, cgroup };
        let decided = interpreter.decide(Direction::Out, 5432, ip(peer), caller, boot_ns(at));
        decided.expect("the port is decided")
    }
}

const PSQL: &str = "[[port.allow]]\nrole = \"etl\"\ndirection = \"out\"\npeers = [\"10.0.9.0/24\"]\n\
                    process = { exe = \"/usr/bin/psql\", user = \"etl\", unit = \"etl.service\" }\nuntil = 2026-07-01\n";

fn of_psql(mode: &str, rule: &str) -> Interpreter {
    let text = format!("{DB}mode = \"{mode}\"\n{rule}");
    let policy = active(compile_any_mode(&[source("policy.toml", &text)]).map(|(policy, _)| policy));
    let etl = Process {
        cgroup: Some("/s/etl.service".into()),
        unit: Some("etl.service".into()),
        ..Process::UNKNOWN
    };
    let other =
        Process { cgroup: Some("/s/a.service".into()), unit: Some("a.service".into()), ..Process::UNKNOWN };
    let known = Known {
        users: vec![(1001, Some("etl".into())), (1002, Some("web".into()))],
        cgroups: vec![cgroup(1, &etl), cgroup(2, &other)],
        ..Known::default()
    };
    interpreter(&policy, &known)
}

#[test]
fn only_what_the_rule_names_is_allowed() {
    let tables = of_psql("enforce", PSQL);
    let of = |connect: Connect| connect.decided(&tables).decision;
    let run = |path| Executable::Path(FINGERPRINT.of(path));
    assert_eq!(of(Connect::default()), Decision::Allowed);
    assert_eq!(of(Connect { executable: run("/tmp/psql"), ..Connect::default() }), Decision::Denied);
    assert_eq!(of(Connect { executable: Executable::Withheld, ..Connect::default() }), Decision::Denied);
    assert_eq!(of(Connect { uid: 1002, ..Connect::default() }), Decision::Denied);
    assert_eq!(of(Connect { cgroup: 2, ..Connect::default() }), Decision::Denied);
    assert_eq!(of(Connect { peer: "10.0.8.9", ..Connect::default() }), Decision::Denied);
    assert_eq!(of(Connect { peer: "::ffff:10.0.9.9", ..Connect::default() }), Decision::Allowed);
    assert_eq!(of(Connect { at: "2026-07-01T23:59:59Z", ..Connect::default() }), Decision::Allowed);
    assert_eq!(of(Connect { at: "2026-07-02T00:00:00Z", ..Connect::default() }), Decision::Denied);
}

#[test]
fn what_is_not_known_in_time_is_unknown_and_no_more() {
    let tables = of_psql("enforce", PSQL);
    let of = |connect: Connect| connect.decided(&tables).decision;
    assert_eq!(of(Connect { executable: Executable::Unknown, ..Connect::default() }), Decision::Unknown);
    assert_eq!(of(Connect { uid: 5000, ..Connect::default() }), Decision::Unknown, "its name may be etl");
    assert_eq!(of(Connect { cgroup: 3, ..Connect::default() }), Decision::Unknown, "it was made just now");
    // Whatever that is, another part fails for certain.
    assert_eq!(of(Connect { cgroup: 3, uid: 1002, ..Connect::default() }), Decision::Denied);
    let glob = of_psql("enforce", &PSQL.replace("/usr/bin/psql", "/usr/*/psql"));
    assert_eq!(Connect::default().decided(&glob).decision, Decision::Unknown, "no daemon compared it yet");
}

/// The kernel side has no fingerprint of a path that it cannot read in full, nor that of a name with slashes in memory.
#[test]
fn a_path_that_the_kernel_may_not_read_is_not_refuted() {
    let deep = format!("/{}psql", "d/".repeat(40));
    for (path, expected) in
        [("/memfd:a/b", Decision::Unknown), (&deep, Decision::Unknown), ("/a/b", Decision::Denied)]
    {
        let tables = of_psql("enforce", &PSQL.replace("/usr/bin/psql", path));
        let other = Executable::Path(FINGERPRINT.of("/some/thing"));
        let decided = Connect { executable: other, ..Connect::default() }.decided(&tables);
        assert_eq!(decided.decision, expected, "{path}");
    }
}

#[test]
fn a_mode_says_what_becomes_of_a_decision() {
    let denied = |mode, more: &str| {
        let tables = of_psql(mode, &format!("{more}{PSQL}"));
        let one = Connect { uid: 1002, ..Connect::default() }.decided(&tables);
        let unknown = Connect { uid: 5000, ..Connect::default() }.decided(&tables);
        [(one.denies, one.passes), (unknown.denies, unknown.passes)]
    };
    let deny = "enforce = { on_unknown = \"deny\" }\n";
    assert_eq!(denied("enforce", ""), [(true, false), (false, false)]);
    assert_eq!(denied("enforce", deny), [(true, false), (true, false)]);
    assert_eq!(denied("warn", deny), [(true, true), (true, true)]);
}

/// Every decision during a reload is by the old or the new policy, whatever of the new one is loaded already.
#[test]
fn a_generation_replaces_another_as_a_whole() {
    let other = PSQL.replace("\"etl\", unit", "\"web\", unit");
    let lowered = |rule: &str, generation| {
        let text = format!("{DB}mode = \"enforce\"\n{rule}");
        let policy = active(compile_any_mode(&[source("policy.toml", &text)]).map(|(policy, _)| policy));
        let known =
            Known { users: vec![(1001, Some("etl".into())), (1002, Some("web".into()))], ..Known::default() };
        lower(&policy, &known, clock(), FINGERPRINT, generation).expect("small").0
    };
    let mut maps = Interpreter::default();
    let of = |maps: &Interpreter| {
        [1001, 1002].map(|uid| Connect { uid, ..Connect::default() }.decided(maps).decision)
    };
    maps.load(&lowered(PSQL, 1));
    maps.activate(1);
    assert_eq!(of(&maps), [Decision::Unknown, Decision::Denied]);
    maps.load(&lowered(&other, 2));
    assert_eq!(of(&maps), [Decision::Unknown, Decision::Denied]);
    maps.activate(2);
    assert_eq!(of(&maps), [Decision::Denied, Decision::Unknown]);
    maps.remove(1);
    assert_eq!(of(&maps), [Decision::Denied, Decision::Unknown]);
    maps.remove(2);
    assert!(
        maps.decide(Direction::Out, 5432, ip("10.0.9.9"), Caller::Unknown, 1).is_none(),
        "nothing is left"
    );
}

#[test]
fn a_policy_that_has_no_room_is_refused_by_what_to_do() {
    // An address in more named sets than a decision looks at.
    let sets: String = (0..70).map(|set| format!("s{set} = [\"10.0.9.9\", \"10.1.{set}.1\"]\n")).collect();
    let rule =
        |set| format!("[[port.allow]]\nrole = \"r{set}\"\ndirection = \"out\"\npeers = [\"s{set}\"]\n");
    let rules: String = (0..70).map(rule).collect();
    let text = format!(
        "version = 1\n[peers]\n{sets}[[port]]\nname = \"db\"\nport = 5432\nmode = \"enforce\"\n{rules}"
    );
    let policy = active(compile_any_mode(&[source("policy.toml", &text)]).map(|(policy, _)| policy));
    let error = lower(&policy, &Known::default(), clock(), FINGERPRINT, 1)
        .map(drop)
        .expect_err("70 sets have one address");
    assert_eq!(
        error.to_string(),
        "more than 64 different sets of rules are about 10.0.9.9/32 on one port: name it in fewer sets of `[peers]`"
    );
}

/// Rules that each name another peer, executable, user and unit.
fn many(rules: usize) -> Interpreter {
    let chunk = 10_000;
    let mut sources = vec![source("policy.toml", &format!("{DB}mode = \"enforce\"\n"))];
    for first in (0..rules).step_by(chunk) {
        let rule = |number: usize| {
            format!(
                "[[allow]]\nport = \"db\"\nrole = \"r{number}\"\ndirection = \"out\"\npeers = [\"{}\", \"172.16.0.0/12\"]\n\
                 process = {{ exe = \"/bin/{number}\", user = {number}, unit = \"u{number}.service\" }}\n",
                std::net::Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).expect("few"))
            )
        };
        let text: String = (first..(first + chunk).min(rules)).map(rule).collect();
        sources.push(source(&format!("{first}.toml"), &format!("version = 1\n{text}")));
    }
    let policy = active(compile_any_mode(&sources).map(|(policy, _)| policy));
    let last = rules - 1;
    let unit = |number: usize| Cgroup {
        id: u64::try_from(number).expect("few"),
        path: Some(format!("/s/u{number}.service").into()),
        unit: Some(format!("u{number}.service").into()),
        container: None,
        container_unproven: false,
    };
    let known = Known { cgroups: vec![unit(3), unit(last)], ..Known::default() };
    interpreter(&policy, &known)
}

fn assert_many(rules: usize) {
    let tables = many(rules);
    let of = |peer: usize, executable: usize, uid: usize, cgroup: usize| {
        let number = |number: usize| u32::try_from(number).expect("few");
        let caller = Caller::Process {
            executable: Executable::Path(FINGERPRINT.of(&format!("/bin/{executable}"))),
            uid: number(uid),
            gid: 0,
            cgroup: u64::from(number(cgroup)),
        };
        let peer = if peer == usize::MAX { 0xac10_0005 } else { 0x0a00_0000 + number(peer) };
        let peer = std::net::Ipv4Addr::from(peer).into();
        tables.decide(Direction::Out, 5432, peer, caller, BOOT_NS).expect("decided").decision
    };
    let last = rules - 1;
    assert_eq!(of(last, last, last, last), Decision::Allowed);
    assert_eq!(of(3, 3, 3, 3), Decision::Allowed);
    assert_eq!(of(usize::MAX, 3, 3, 3), Decision::Allowed);
    assert_eq!(of(3, last, last, last), Decision::Denied);
    assert_eq!(of(usize::MAX, 3, last, 3), Decision::Denied);
    assert_eq!(of(3, 3, 3, 4), Decision::Unknown);
}

#[test]
fn thousands_of_rules_have_room() {
    assert_many(2_000);
}

#[test]
#[ignore = "on demand: a minute"]
fn a_hundred_thousand_rules_have_room() {
    assert_many(100_000);
}

/// A peer that another rule names too has steps of its own; a thousand that are alike have one.
#[test]
fn peers_that_the_same_rules_name_share_their_rows() {
    let many: Vec<String> = (0..1_000).map(|n| format!("\"10.1.{}.{}\"", n / 250, n % 250)).collect();
    let rule = |role: &str, peers: &str, user: &str| {
        format!(
            "[[port.allow]]\nrole = \"{role}\"\ndirection = \"out\"\npeers = [{peers}]\n\
             process = {{ exe = \"/usr/bin/psql\", user = {user} }}\n"
        )
    };
    let rules = rule("many", &many.join(", "), "1001") + &rule("one", "\"10.1.0.7\", \"10.2.0.7\"", "1002");
    let text = format!("{DB}mode = \"enforce\"\n{rules}");
    let policy = active(compile_any_mode(&[source("policy.toml", &text)]).map(|(policy, _)| policy));
    let (tables, _) = lower(&policy, &Known::default(), clock(), FINGERPRINT, 7).expect("it fits");
    assert_eq!(tables.peers.len(), 1_001 + 4, "with the networks of every address, in both directions");
    // Named by the first rule, by both, by the second, and by none.
    let steps: BTreeSet<_> =
        tables.peers.iter().map(|(_, peer)| peer.first.map(|step| step.bucket)).collect();
    assert_eq!((steps.len(), tables.steps.len()), (4, 0), "{steps:?}");
    assert!(tables.rules.len() < 20, "{}", tables.rules.len());
    let interpreter = interpreter(&policy, &Known::default());
    for (peer, of_many, of_one) in [
        ("10.1.0.6", Decision::Allowed, Decision::Denied),
        ("10.1.0.7", Decision::Allowed, Decision::Allowed),
        ("10.2.0.7", Decision::Denied, Decision::Allowed),
        ("10.2.0.8", Decision::Denied, Decision::Denied),
    ] {
        let of = |uid| Connect { peer, uid, ..Connect::default() }.decided(&interpreter).decision;
        assert_eq!((of(1001), of(1002)), (of_many, of_one), "{peer}");
    }
}
