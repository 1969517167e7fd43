//! The compiled policy gives the same verdicts as a naive reading of its rules, one after the other.
//!
//! The reference below shares nothing with the product but the vocabulary: it compares every rule with every key, has a
//! wildcard matcher of its own, and knows networks as lists of the few addresses that the generators use.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::model::PostureState::{
    EncryptedOther, Plaintext, StarttlsRefused, StarttlsUpgraded, Tls12, Tls13, WeakTls,
};

const ADDRESSES: [&str; 8] =
    ["10.0.2.7", "10.0.2.8", "10.9.9.9", "127.0.0.1", "::1", "fd00::5", "192.0.2.1", "::ffff:10.0.2.7"];
const HOSTS: [&str; 2] = ["db1.internal", "db2.internal"];
/// Peers, the addresses that they contain, and the host names in them.
const PEERS: [(&str, &[&str], &[&str]); 10] = [
    ("any", &["10.0.2.7", "10.0.2.8", "10.9.9.9", "127.0.0.1", "::1", "fd00::5", "192.0.2.1"], &[]),
    ("loopback", &["127.0.0.1", "::1"], &[]),
    ("10.0.0.0/8", &["10.0.2.7", "10.0.2.8", "10.9.9.9"], &[]),
    ("10.0.2.0/24", &["10.0.2.7", "10.0.2.8"], &[]),
    ("10.0.2.7", &["10.0.2.7"], &[]),
    ("fd00::/16", &["fd00::5"], &[]),
    ("apps", &["10.0.2.8", "192.0.2.1"], &["db1.internal"]),
    ("nobody", &[], &[]),
    ("db1.internal", &[], &["db1.internal"]),
    ("db2.internal", &[], &["db2.internal"]),
];
pub(super) const SETS: &str =
    "[peers]\napps = [\"10.0.2.8\", \"192.0.2.0/31\", \"DB1.internal.\"]\nnobody = [\"198.51.100.0/24\"]\n";
const KEYS: [&str; 6] = ["exe", "user", "group", "unit", "container", "cgroup"];
const PATTERNS: [&[&str]; 6] = [
    &["/usr/bin/a", "/usr/bin/b", "/usr/bin/*", "/opt/*/bin/a", "/usr/*", "*"],
    &["root", "etl", "e*", "1001", "0", "*"],
    &["root", "etl", "1001", "*l"],
    &["a.service", "b@1.service", "b@*.service", "*"],
    &["3f1c", "3f*", "pod-1", "*"],
    &["/s/a.service", "/s/*", "/*"],
];
const NOW: &str = "2026-06-15T12:00:00Z";
const UNTIL: [(&str, bool); 5] = [
    ("2026-06-14", true),
    ("2026-06-15", false),
    ("2027-01-01", false),
    ("2026-06-15T11:59:59Z", true),
    ("2026-06-15T14:00:00+02:00", false),
];

/// What a port may demand of TLS, and which column of `POSTURES` applies to it.
pub(super) const DEMANDS: [(&str, Option<usize>); 4] = [
    ("", None),
    ("tls = { required = false, why = \"a test\" }\n", None),
    ("tls = { min = \"1.2\" }\n", Some(0)),
    ("tls = { min = \"1.3\" }\n", Some(1)),
];
/// What was seen, whether that is at least TLS 1.2 and at least 1.3 (`None`: not known), and what it is called if not.
type Seen = (PostureState, Option<TlsVersion>, [Option<bool>; 2], &'static str);
const POSTURES: [Seen; 12] = [
    (Tls13, Some(TlsVersion::Tls13), [Some(true), Some(true)], ""),
    (Tls12, Some(TlsVersion::Tls12), [Some(true), Some(false)], "weak-tls"),
    (StarttlsUpgraded, Some(TlsVersion::Tls13), [Some(true), Some(true)], ""),
    (StarttlsUpgraded, Some(TlsVersion::Tls12), [Some(true), Some(false)], "weak-tls"),
    (StarttlsUpgraded, None, [None, None], ""),
    (WeakTls, Some(TlsVersion::Tls11), [Some(false), Some(false)], "weak-tls"),
    (WeakTls, Some(TlsVersion::Tls12), [Some(false), Some(false)], "weak-tls"),
    (Plaintext, Some(TlsVersion::Tls12), [Some(false), Some(false)], "plaintext"),
    (Plaintext, None, [Some(false), Some(false)], "plaintext"),
    (StarttlsRefused, None, [Some(false), Some(false)], "tls-refused"),
    (EncryptedOther, None, [None, None], ""),
    (PostureState::Unknown, None, [None, None], ""),
];

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub inward: bool,
    pub peers: Vec<usize>,
    /// Patterns by key, as indexes into `PATTERNS`; no key at all: no `process`.
    pub keys: [Vec<usize>; 6],
    until: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub inward: bool,
    peer: &'static str,
    pub process: Option<Process>,
    /// An index into `POSTURES`; `None`: nothing was seen yet.
    posture: Option<usize>,
    /// By host: `None` never resolved, `Some(None)` failed, or the addresses.
    hosts: [Option<Option<Vec<&'static str>>>; 2],
}

pub(super) fn rules() -> impl Strategy<Value = Vec<Rule>> {
    // Mostly the first peers, so that many rules share one.
    let peer = prop_oneof![3 => Just(0), 2 => 1usize..6, 2 => 6usize..10];
    let key = |index: usize| prop_oneof![3 => Just(Vec::new()), 2 => vec(0..PATTERNS[index].len(), 1..3)];
    let keys = [key(0), key(1), key(2), key(3), key(4), key(5)];
    let rule = (any::<bool>(), vec(peer, 1..3), keys, option::weighted(0.3, 0..UNTIL.len()))
        .prop_map(|(inward, peers, keys, until)| Rule { inward, peers, keys, until });
    prop_oneof![vec(rule.clone(), 0..4), vec(rule, 10..60)]
}

pub(super) fn asked() -> impl Strategy<Value = Asked> {
    let account = || select(vec![(0, Some("root")), (1001, Some("etl")), (1001, None), (7, Some("1001"))]);
    let text = |values: &[&'static str]| option::weighted(0.85, select(values.to_vec()));
    let held = select(vec![("3f1c", None), ("9999", Some("pod-1")), ("8888", Some("pod-2"))]);
    // In a container, in none, or not known.
    let held = prop_oneof![4 => held.prop_map(Ok), 3 => Just(Err(false)), 1 => Just(Err(true))];
    let process = (
        text(&["/usr/bin/a", "/usr/bin/b", "/opt/x/bin/a"]),
        account(),
        account(),
        option::of(select(vec!["a.service", "b@1.service"])),
        held,
        text(&["/s/a.service", "/"]),
        prop_oneof![9 => Just(Attribution::Exact), 1 => Just(Attribution::Unknown)],
        proptest::bool::weighted(0.2),
    )
        .prop_map(|(exe, user, group, unit, held, cgroup, attribution, names_pending)| Process {
            exe: exe.map(Into::into),
            uid: user.0,
            user: user.1.map(Into::into),
            gid: group.0,
            group: group.1.map(Into::into),
            unit: unit.map(Into::into),
            container: held.ok().map(|(id, pod)| container(id, pod)),
            container_unproven: held == Err(true),
            cgroup: cgroup.map(Into::into),
            attribution,
            names_pending,
            ..postgres()
        });
    let host = || option::weighted(0.8, option::weighted(0.8, vec(select(ADDRESSES.to_vec()), 0..3)));
    let posture = option::weighted(0.9, 0..POSTURES.len());
    (any::<bool>(), select(ADDRESSES.to_vec()), option::weighted(0.9, process), posture, [host(), host()])
        .prop_map(|(inward, peer, process, posture, hosts)| Asked { inward, peer, process, posture, hosts })
}

fn written(demand: usize, rules: &[Rule]) -> String {
    let demand = DEMANDS[demand].0;
    let mut text = format!("version = 1\n{SETS}[[port]]\nname = \"db\"\nport = 5432\n{demand}");
    for (number, rule) in rules.iter().enumerate() {
        text += &format!("[[port.allow]]\nrole = \"r{number}\"\n{}", terms(rule));
    }
    text
}

/// What is written of a rule below its role.
pub(super) fn terms(rule: &Rule) -> String {
    let list = |values: Vec<&str>| format!("[\"{}\"]", values.join("\", \""));
    let direction = if rule.inward { "in" } else { "out" };
    let peers = list(rule.peers.iter().map(|peer| PEERS[*peer].0).collect());
    let mut text = format!("direction = \"{direction}\"\npeers = {peers}\n");
    let keys = KEYS.iter().zip(PATTERNS).zip(&rule.keys).filter(|(_, chosen)| !chosen.is_empty());
    let keys = keys.map(|((key, patterns), chosen)| {
        let patterns = chosen.iter().map(|index| match patterns[*index] {
            // A lone star matches no path, which is refused; two match every path.
            "*" if *key == "exe" => "**",
            pattern => pattern,
        });
        format!("{key} = {}", list(patterns.collect()))
    });
    let keys: Vec<_> = keys.collect();
    if !keys.is_empty() {
        text += &format!("process = {{ {} }}\n", keys.join(", "));
    }
    if let Some(until) = rule.until {
        text += &format!("until = {}\n", UNTIL[until].0);
    }
    text
}

/// `*` stands for any characters but `/`.
fn wild(pattern: &[u8], value: &[u8]) -> bool {
    match pattern {
        [] => value.is_empty(),
        [b'*', rest @ ..] => {
            wild(rest, value) || (!value.is_empty() && value[0] != b'/' && wild(pattern, &value[1..]))
        }
        [first, rest @ ..] => value.first() == Some(first) && wild(rest, &value[1..]),
    }
}

/// `Some(true)`: matches; `Some(false)`: does not; `None`: not known.
fn naive_key(key: usize, patterns: &[usize], process: Option<&Process>) -> Option<bool> {
    let process = process?;
    let absent = process.cgroup.is_none();
    let matches = |value: &str| {
        patterns.iter().any(|index| {
            let pattern = PATTERNS[key][*index];
            (key == 0 && pattern == "*") || wild(pattern.as_bytes(), value.as_bytes())
        })
    };
    let account = |id: u32, name: &Option<std::sync::Arc<str>>| {
        let mut unknown = false;
        for pattern in patterns.iter().map(|index| PATTERNS[key][*index]) {
            let matches = match (pattern.parse::<u32>(), name) {
                (Ok(number), _) => Some(number == id),
                (Err(_), None) if process.names_pending => None,
                (Err(_), None) => Some(wild(pattern.as_bytes(), id.to_string().as_bytes())),
                (Err(_), Some(name)) => Some(wild(pattern.as_bytes(), name.as_bytes())),
            };
            if matches == Some(true) {
                return Some(true);
            }
            unknown |= matches.is_none();
        }
        if unknown { None } else { Some(false) }
    };
    match key {
        0 => process.exe.as_deref().map(matches),
        1 => account(process.uid, &process.user),
        2 => account(process.gid, &process.group),
        3 if process.unit.is_none() => (!absent).then_some(false),
        3 => process.unit.as_deref().map(matches),
        4 => match &process.container {
            None => (!absent && !process.container_unproven).then_some(false),
            Some(held) => Some(matches(&held.id) || held.pod.as_deref().is_some_and(matches)),
        },
        _ => process.cgroup.as_deref().map(matches),
    }
}

fn naive_peers(rule: &Rule, asked: &Asked) -> Option<bool> {
    let peer = asked.peer.trim_start_matches("::ffff:");
    let mut unknown = false;
    for (_, addresses, hosts) in rule.peers.iter().map(|index| PEERS[*index]) {
        if addresses.contains(&peer) {
            return Some(true);
        }
        for host in hosts {
            let index = HOSTS.iter().position(|known| known == host).expect("a known host");
            match &asked.hosts[index] {
                Some(Some(found)) if found.iter().any(|one| one.trim_start_matches("::ffff:") == peer) => {
                    return Some(true);
                }
                Some(Some(_)) => {}
                _ => unknown = true,
            }
        }
    }
    if unknown { None } else { Some(false) }
}

/// Whether the demand is met, and what it is called if not.
fn naive_tls(demand: usize, asked: &Asked) -> (Option<bool>, &'static str) {
    let Some(column) = DEMANDS[demand].1 else { return (Some(true), "") };
    asked.posture.map_or((None, ""), |posture| (POSTURES[posture].2[column], POSTURES[posture].3))
}

/// How far a rule is from allowing a flow: another direction, how many keys fail, how many are unknown, whether the peers
/// fail, which keys of the process fail, and then its name. What fails comes along.
type Distance<'a> = (bool, usize, usize, bool, [bool; 6], String, Vec<&'a str>);

/// The verdict on one line, as `line` writes it but for what is missing. What the port demands of TLS is read as one
/// more key of every rule.
fn naive(demand: usize, rules: &[Rule], asked: &Asked) -> String {
    let (tls, called) = naive_tls(demand, asked);
    let process = asked.process.as_ref().filter(|process| process.attribution != Attribution::Unknown);
    let mut undecided: Option<(usize, String, usize)> = None;
    let mut nearest: Option<(Distance<'_>, usize)> = None;
    for (number, rule) in rules.iter().enumerate() {
        let mut failed = Vec::new();
        let mut unknown = 0;
        let mut note = |fit: Option<bool>, key: &'static str| match fit {
            Some(true) => {}
            Some(false) => failed.push(key),
            None => unknown += 1,
        };
        note(Some(rule.inward == asked.inward), "direction");
        note(naive_peers(rule, asked), "peers");
        for (key, patterns) in rule.keys.iter().enumerate().filter(|(_, patterns)| !patterns.is_empty()) {
            note(naive_key(key, patterns, process), KEYS[key]);
        }
        note(Some(rule.until.is_none_or(|until| !UNTIL[until].1)), "until");
        // Of rules that allow the flow the first written is named, of others the first by role.
        let allowed = failed.is_empty() && unknown == 0;
        let tie = if allowed { format!("{number:04}") } else { format!("r{number}") };
        let mut note = |fit: Option<bool>| match fit {
            Some(true) => {}
            Some(false) => failed.push("tls"),
            None => unknown += 1,
        };
        note(tls);
        if failed.is_empty() && unknown == 0 {
            return format!("declared r{number}");
        }
        if failed.is_empty() {
            let open = (unknown, tie.clone(), number);
            undecided = Some(undecided.map_or(open.clone(), |best| best.min(open)));
        }
        let wrong_way = failed.contains(&"direction");
        let wrong_keys = KEYS.map(|key| failed.contains(&key));
        let distance = (wrong_way, failed.len(), unknown, failed.contains(&"peers"), wrong_keys, tie, failed);
        if nearest.as_ref().is_none_or(|(best, _)| distance < *best) {
            nearest = Some((distance, number));
        }
    }
    if let Some((_, _, number)) = undecided {
        return format!("undecided nearest r{number}");
    }
    let Some(((.., failed), number)) = nearest else {
        let tls = if tls == Some(false) { format!(",{called}") } else { String::new() };
        return format!("violation undeclared-direction{tls} nearest -");
    };
    let mut reasons = Vec::new();
    if failed.contains(&"peers") {
        reasons.push("undeclared-peer");
    }
    if failed.iter().any(|key| KEYS.contains(key)) {
        reasons.push("undeclared-process");
    }
    if failed.contains(&"direction") {
        reasons.push("undeclared-direction");
    }
    if failed.contains(&"tls") {
        reasons.push(called);
    }
    if failed.contains(&"until") {
        reasons.push("rule-expired");
    }
    format!("violation {} nearest r{number}({})", reasons.join(","), failed.join(","))
}

/// What the product says of a flow on port 5432.
pub(super) fn evaluate(policy: &ActivePolicy, asked: &Asked) -> Verdict {
    let names = HOSTS.iter().zip(&asked.hosts).filter_map(|(host, state)| {
        let resolution = match state.clone()? {
            None => Resolution::Unresolved("no such host".to_owned()),
            Some(found) => Resolution::Resolved(found.into_iter().map(ip).collect()),
        };
        Some(((*host).into(), resolution))
    });
    let policy = policy.with_names(DnsNames::new(names));
    let process = asked.process.as_ref();
    let facts =
        if asked.inward { accepted(5432, asked.peer, process) } else { connected(5432, asked.peer, process) };
    let posture = asked.posture.map(|posture| {
        let (state, version, ..) = POSTURES[posture];
        Posture { version, ..Posture::new(state, "seen") }
    });
    policy.evaluate(&Facts { posture: posture.as_ref(), ..facts }, time(NOW))
}

fn compiled(policy: &ActivePolicy, asked: &Asked) -> String {
    match evaluate(policy, asked) {
        Verdict::Undecided { missing, nearest } => {
            assert!(
                !missing.is_empty() && missing.iter().all(|one| !one.is_empty()),
                "what is missing is named"
            );
            format!("undecided nearest {}", nearest.expect("few rules are all compared").role)
        }
        verdict => line(&verdict),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_policy_agrees_with_a_naive_reading(
        demand in 0..DEMANDS.len(),
        rules in rules(),
        questions in vec(asked(), 1..8),
    ) {
        let text = written(demand, &rules);
        let policy = compile(&[source("policy.toml", &text)]).map_err(|problems| {
            TestCaseError::fail(format!("{problems}\n{text}"))
        })?;
        let policy = active(Ok(policy));
        for asked in &questions {
            prop_assert_eq!(compiled(&policy, asked), naive(demand, &rules, asked), "{:?}\n{}", asked, text);
        }
    }
}

#[test]
fn the_generators_reach_every_outcome() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for _ in 0..400 {
        let rules = rules().new_tree(&mut runner).expect("rules").current();
        let asked = asked().new_tree(&mut runner).expect("a question").current();
        for demand in [0, 3] {
            let verdict = naive(demand, &rules, &asked);
            let parts = verdict.split([' ', ',']).filter(|part| !part.starts_with('r'));
            parts.for_each(|part| *seen.entry(part.to_owned()).or_default() += 1);
        }
    }
    for (part, least) in [
        ("declared", 40),
        ("violation", 40),
        ("undecided", 40),
        ("plaintext", 20),
        ("weak-tls", 20),
        ("tls-refused", 10),
    ] {
        assert!(seen.get(part).is_some_and(|count| *count >= least), "{part}: {seen:?}");
    }
}
