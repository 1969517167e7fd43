//! Policies and flows at random, from small tables so that they meet.
//!
//! Belongs here: what they are made of, and how a policy of them is written. Does not belong here: what they mean.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::model::PostureState::{
    EncryptedOther, NoData, Plaintext, StarttlsRefused, StarttlsUpgraded, Tls12, Tls13, Unrecognised, WeakTls,
};

pub(super) const ADDRESSES: [&str; 8] =
    ["10.0.2.7", "10.0.2.8", "10.9.9.9", "127.0.0.1", "::1", "fd00::5", "192.0.2.1", "::ffff:10.0.2.7"];
pub(super) const HOSTS: [&str; 2] = ["db1.internal", "db2.internal"];
/// Peers, the addresses that they contain, and the host names in them.
pub(super) const PEERS: [(&str, &[&str], &[&str]); 10] = [
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
pub(super) const KEYS: [&str; 12] = [
    "exe",
    "user",
    "group",
    "unit",
    "container",
    "image",
    "label",
    "pod",
    "namespace",
    "workload",
    "stated_by",
    "cgroup",
];
pub(super) const PATTERNS: [&[&str]; 12] = [
    &["/usr/bin/a", "/usr/bin/b", "/usr/bin/*", "/opt/*/bin/a", "/usr/*", "*"],
    &["root", "etl", "e*", "1001", "0", "*"],
    &["root", "etl", "1001", "*l"],
    &["a.service", "b@1.service", "b@*.service", "*"],
    &["3f1c", "3f*", "pod-1", "*", "orders-1", "abcdefabcdef*", "orders-*"],
    &super::naming::IMAGE_TEXTS,
    &["app=orders", "app=o*", "tier=db", "tier=*", "rev=3f1c99aa12bc"],
    &["orders-7f-x", "pod-1", "orders-*", "feedfacefeed*"],
    &["shop", "s*", "crm"],
    &["orders", "o*", "Deployment/orders", "*/orders", "Job/*"],
    &["alice", "1000", "a*", "*"],
    &["/s/a.service", "/s/*", "/*"],
];
/// The first and last of the keys that ask about a container.
pub(super) const CONTAINER: std::ops::Range<usize> = 4..10;
pub(super) const STATED_BY: usize = 10;
pub(super) const NOW: &str = "2026-06-15T12:00:00Z";
pub(super) const UNTIL: [(&str, bool); 5] = [
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
pub(super) type Seen = (PostureState, Option<TlsVersion>, [Option<bool>; 2], &'static str);
pub(super) const POSTURES: [Seen; 14] = [
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
    (Unrecognised, None, [Some(false), Some(false)], "not-tls"),
    (NoData, None, [Some(true), Some(true)], ""),
    (PostureState::Unknown, None, [None, None], ""),
];

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub inward: bool,
    pub peers: Vec<usize>,
    /// Patterns by key, as indexes into `PATTERNS`; no key at all: no `process`.
    pub keys: [Vec<usize>; 12],
    pub until: Option<usize>,
}

/// Who is at the other end in truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// Nobody else: the connection is not translated.
    Nobody,
    Address(&'static str),
    NotKnown,
}

#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub inward: bool,
    pub peer: &'static str,
    pub nat: Behind,
    pub process: Option<Process>,
    /// Whether a process that is not known withheld who it is.
    pub withheld: bool,
    /// An index into `POSTURES`; `None`: nothing was seen yet.
    pub posture: Option<usize>,
    /// By host: `None` never resolved, `Some(None)` failed, or the addresses.
    pub hosts: [Option<Option<Vec<&'static str>>>; 2],
}

pub(super) fn rules() -> impl Strategy<Value = Vec<Rule>> {
    // Mostly the first peers, so that many rules share one.
    let peer = prop_oneof![3 => Just(0), 2 => 1usize..6, 2 => 6usize..10];
    let key = |index: usize| prop_oneof![3 => Just(Vec::new()), 2 => vec(0..PATTERNS[index].len(), 1..3)];
    let rarely = |index: usize| prop_oneof![6 => Just(Vec::new()), 1 => vec(0..PATTERNS[index].len(), 1..3)];
    let keys = [key(0), key(1), key(2), key(3), key(4), key(5)];
    let others = [rarely(6), rarely(7), rarely(8), rarely(9), key(10), key(11)];
    // Half of the rules name few keys: of twelve, one would nearly always fail.
    let sparse = any::<[bool; 12]>();
    let rule =
        (any::<bool>(), vec(peer, 1..3), (keys, others, sparse), option::weighted(0.3, 0..UNTIL.len()))
            .prop_map(|(inward, peers, (keys, others, sparse), until)| {
                let mut keys: [Vec<usize>; 12] =
                    keys.into_iter().chain(others).collect::<Vec<_>>().try_into().expect("twelve");
                for (patterns, _) in keys.iter_mut().zip(sparse).filter(|(_, without)| *without) {
                    patterns.clear();
                }
                // By itself it is refused.
                if keys[CONTAINER].iter().all(Vec::is_empty) {
                    keys[STATED_BY].clear();
                }
                Rule { inward, peers, keys, until }
            });
    prop_oneof![vec(rule.clone(), 0..4), vec(rule, 10..60)]
}

pub(super) fn asked() -> impl Strategy<Value = Asked> {
    let account = || select(vec![(0, Some("root")), (1001, Some("etl")), (1001, None), (7, Some("1001"))]);
    let text = |values: &[&'static str]| option::weighted(0.85, select(values.to_vec()));
    // In a container, in none, or not known.
    let held =
        prop_oneof![6 => super::naming::held().prop_map(Ok), 3 => Just(Err(false)), 1 => Just(Err(true))];
    let process = (
        text(&["/usr/bin/a", "/usr/bin/b", "/opt/x/bin/a"]),
        account(),
        account(),
        option::of(select(vec!["a.service", "b@1.service"])),
        held,
        text(&["/s/a.service", "/"]),
        prop_oneof![9 => Just(Attribution::Exact), 1 => Just(Attribution::Unknown)],
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.5),
    )
        .prop_map(|(exe, user, group, unit, held, cgroup, attribution, names_pending, withheld)| Process {
            exe_withheld: withheld.then_some(Withheld::OptionMemory),
            exe: exe.map(Into::into),
            uid: user.0,
            user: user.1.map(Into::into),
            gid: group.0,
            group: group.1.map(Into::into),
            unit: unit.map(Into::into),
            container_unproven: held == Err(true),
            container: held.ok(),
            cgroup: cgroup.map(Into::into),
            attribution,
            names_pending,
            ..postgres()
        });
    let host = || option::weighted(0.8, option::weighted(0.8, vec(select(ADDRESSES.to_vec()), 0..3)));
    let posture = option::weighted(0.9, 0..POSTURES.len());
    let flow = (any::<bool>(), select(ADDRESSES.to_vec()), any::<bool>());
    let nat = prop_oneof![
        6 => Just(Behind::Nobody),
        3 => select(ADDRESSES.to_vec()).prop_map(Behind::Address),
        1 => Just(Behind::NotKnown),
    ];
    (flow, option::weighted(0.9, process), posture, [host(), host()], nat).prop_map(
        |((inward, peer, withheld), process, posture, hosts, nat)| Asked {
            inward,
            peer,
            nat,
            process,
            withheld,
            posture,
            hosts,
        },
    )
}

pub(super) fn written(demand: usize, rules: &[Rule]) -> String {
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
        if *key == "label" {
            return super::naming::written(chosen);
        }
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
