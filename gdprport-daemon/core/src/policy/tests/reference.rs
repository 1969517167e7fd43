//! The compiled policy gives the same verdicts as a naive reading of its rules, one after the other.
//!
//! The reference below shares nothing with the product but the vocabulary: it compares every rule with every key, has a
//! wildcard matcher of its own, and knows networks as lists of the few addresses that the generators use.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::KeyFit;
use super::generated::{
    Asked, Behind, CONTAINER, DEMANDS, HOSTS, KEYS, NOW, PATTERNS, PEERS, POSTURES, Rule, STATED_BY, UNTIL,
    asked, rules, written,
};
use super::*;

/// `*` stands for any characters but `/`.
pub(super) fn wild(pattern: &[u8], value: &[u8]) -> bool {
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
        _ => process.cgroup.as_deref().map(matches),
    }
}

/// Whether the process saw to it that this key of it is not known.
fn naive_withheld(key: usize, process: Option<&Process>, asked: &Asked) -> bool {
    process
        .map_or(asked.withheld, |process| key == 0 && process.exe.is_none() && process.exe_withheld.is_some())
}

fn naive_peers(rule: &Rule, asked: &Asked) -> Option<bool> {
    let peers: Vec<&str> = match (asked.nat, asked.inward) {
        (Behind::Nobody, _) | (Behind::NotKnown, false) => vec![asked.peer],
        (Behind::NotKnown, true) => Vec::new(),
        (Behind::Address(client), true) => vec![client],
        (Behind::Address(server), false) => vec![asked.peer, server],
    };
    let plain = |text: &str| text.trim_start_matches("::ffff:").to_owned();
    let peers: Vec<String> = peers.into_iter().map(plain).collect();
    let mut unknown = asked.nat == Behind::NotKnown;
    for (name, addresses, hosts) in rule.peers.iter().map(|index| PEERS[*index]) {
        if name == "any" || peers.iter().any(|peer| addresses.contains(&&**peer)) {
            return Some(true);
        }
        for host in hosts {
            let index = HOSTS.iter().position(|known| known == host).expect("a known host");
            match &asked.hosts[index] {
                Some(Some(found)) if found.iter().any(|one| peers.contains(&plain(one))) => {
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
    let seen = asked.posture.map_or((None, ""), |posture| (POSTURES[posture].2[column], POSTURES[posture].3));
    let nobody = asked.process.as_ref().is_none_or(|process| process.attribution == Attribution::Unknown);
    if seen.0.is_none() && asked.withheld && nobody { (Some(false), "unattributable") } else { seen }
}

/// How far a rule is from allowing a flow: another direction, how many keys fail, how many are unknown, whether the peers
/// fail, which keys of the process fail, and then its name. What fails comes along.
type Distance<'a> = (bool, usize, usize, bool, [bool; 12], String, Vec<&'a str>);

/// The verdict on one line, as `line` writes it but for what is missing. What the port demands of TLS is read as one
/// more key of every rule.
pub(super) fn naive(demand: usize, rules: &[Rule], asked: &Asked) -> String {
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
        // Whose word counts is asked by every rule about a container, if there is a process.
        let of_container = rule.keys[CONTAINER].iter().any(|patterns| !patterns.is_empty());
        for (key, patterns) in rule.keys.iter().enumerate() {
            let is_asked =
                if key == STATED_BY { of_container && process.is_some() } else { !patterns.is_empty() };
            if !is_asked {
                continue;
            }
            let fit = match process {
                _ if naive_withheld(key, process, asked) => Some(false),
                Some(process) if CONTAINER.contains(&key) || key == STATED_BY => {
                    naming::naive_key(key, rule, process)
                }
                process => naive_key(key, patterns, process),
            };
            note(fit, KEYS[key]);
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
        let reasons = match (tls, called) {
            (Some(false), "unattributable") => "unattributable,undeclared-direction".to_owned(),
            (Some(false), _) => format!("undeclared-direction,{called}"),
            _ => "undeclared-direction".to_owned(),
        };
        return format!("violation {reasons} nearest -");
    };
    let mut reasons = Vec::new();
    if failed.contains(&"peers") {
        reasons.push("undeclared-peer");
    }
    let keys = (0..KEYS.len()).filter(|key| failed.contains(&KEYS[*key]));
    let (withheld, compared): (Vec<_>, Vec<_>) = keys.partition(|key| naive_withheld(*key, process, asked));
    if !compared.is_empty() {
        reasons.push("undeclared-process");
    }
    let unseen = failed.contains(&"tls") && called == "unattributable";
    if !withheld.is_empty() || unseen {
        reasons.push("unattributable");
    }
    if failed.contains(&"direction") {
        reasons.push("undeclared-direction");
    }
    if failed.contains(&"tls") && !unseen {
        reasons.push(called);
    }
    if failed.contains(&"until") {
        reasons.push("rule-expired");
    }
    format!("violation {} nearest r{number}({})", reasons.join(","), failed.join(","))
}

/// What the product says of a flow on port 5432.
pub(super) fn evaluate(policy: &ActivePolicy, asked: &Asked) -> Verdict {
    with_facts(policy, asked, |policy, facts| policy.evaluate(facts, time(NOW)))
}

/// The policy with the host names as they are resolved when it is asked.
pub(super) fn named(policy: &ActivePolicy, asked: &Asked) -> ActivePolicy {
    let names = HOSTS.iter().zip(&asked.hosts).filter_map(|(host, state)| {
        let resolution = match state.clone()? {
            None => Resolution::Unresolved("no such host".to_owned()),
            Some(found) => Resolution::Resolved(found.into_iter().map(ip).collect()),
        };
        Some(((*host).into(), resolution))
    });
    policy.with_names(DnsNames::new(names))
}

pub(super) fn with_facts<T>(
    policy: &ActivePolicy,
    asked: &Asked,
    ask: impl FnOnce(&ActivePolicy, &Facts<'_>) -> T,
) -> T {
    let policy = named(policy, asked);
    let process = asked.process.as_ref();
    let facts =
        if asked.inward { accepted(5432, asked.peer, process) } else { connected(5432, asked.peer, process) };
    let posture = asked.posture.map(|posture| {
        let (state, version, ..) = POSTURES[posture];
        Posture { version, ..Posture::new(state, "seen") }
    });
    let owner_withheld = asked.withheld.then_some(Withheld::OptionMemory);
    let nat = match asked.nat {
        Behind::Nobody => None,
        Behind::NotKnown => Some(Nat::Pending),
        Behind::Address(address) => Some(translated(address)),
    };
    let nat = nat.as_ref();
    ask(&policy, &Facts { nat, posture: posture.as_ref(), owner_withheld, ..facts })
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

    /// The verdict is that of an evaluation; the rule that allows matches in every key, and no other one does.
    #[test]
    fn an_explanation_agrees_with_the_verdict(
        demand in 0..DEMANDS.len(),
        rules in rules(),
        questions in vec(asked(), 1..8),
    ) {
        let policy = policy(&written(demand, &rules));
        for asked in &questions {
            let (verdict, found) = with_facts(&policy, asked, |policy, facts| {
                (policy.evaluate(facts, time(NOW)), policy.explain(facts, time(NOW)))
            });
            prop_assert_eq!(&found.verdict, &verdict);
            let tls = found.tls.as_ref().map_or(KeyFit::Matches, |tls| tls.fit);
            if let Verdict::Declared { rule } = &verdict {
                let [deciding] = &found.rules[..] else { panic!("one rule decides: {found:?}") };
                prop_assert!(deciding.role == *rule && deciding.matches() && tls == KeyFit::Matches);
                continue;
            }
            prop_assert_eq!(found.rules.len() + found.omitted, rules.len());
            for rule in &found.rules {
                prop_assert!(!rule.matches() || tls != KeyFit::Matches, "{:?} {:?}", verdict, rule);
            }
            // The nearest comes first, and fails in what the verdict says.
            if let Verdict::Violation { nearest: Some(nearest), .. } = &verdict {
                let first = found.rules.first().expect("a rule");
                let fails = |key: &&super::super::ExplainedKey| matches!(key.fit, KeyFit::Fails | KeyFit::Withheld);
                let failed = first.keys.iter().chain(&found.tls).filter(fails).map(|key| key.key.to_string());
                prop_assert_eq!(&first.role, &nearest.role);
                prop_assert_eq!(failed.collect::<Vec<_>>(), nearest.failed.clone());
            }
        }
    }

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
        ("unattributable", 20),
        ("plaintext", 20),
        ("weak-tls", 20),
        ("tls-refused", 10),
        ("not-tls", 10),
    ] {
        assert!(seen.get(part).is_some_and(|count| *count >= least), "{part}: {seen:?}");
    }
}
