//! The text of a policy's files.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use jiff::Timestamp;

use super::input::Dice;
use super::learned::learned;
use crate::model::{
    Attribution, Container, Direction, Endpoint, Names, Naming, Nat, Posture, PostureState, Process,
    StatedBy, TlsVersion, Translation, Withheld, Workload,
};
use crate::policy::{ActivePolicy, DnsNames, Facts, Policy, Problem, Resolution, Source, outline};
use crate::text::is_control_or_bidi;
use crate::verdict::Verdict;

/// Parts of the text that stand for files of their own are parted by this (form feed).
const NEXT_FILE: char = '\u{c}';

/// How many flows a policy that is accepted is asked about.
const FLOWS: usize = 6;

/// Any text is a policy that has a verdict for every flow and to which can be added what it lacks, or problems whose places are in
/// the text.
pub fn policy(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let files = text.split(NEXT_FILE).zip(["policy.toml", "a.toml", "b.toml", "c.toml"]);
    let sources: Vec<_> =
        files.map(|(text, name)| Source { name: name.to_owned(), text: text.to_owned() }).collect();
    match outline(&sources) {
        Err(problems) => {
            assert!(!problems.list.is_empty(), "refused without a reason");
            for problem in &problems.list {
                is_in_the_text(problem, &sources);
            }
            is_printable(&problems.to_string());
        }
        Ok((outline, policy)) => {
            assert_eq!(outline.exceptions.len(), policy.exceptions(), "every exception is written down");
            for warning in policy.warnings_at(Timestamp::MAX) {
                is_in_the_text(warning, &sources);
                is_printable(&warning.to_string());
            }
            has_verdicts(policy, &mut Dice::new(bytes));
            if let [source] = sources.as_slice() {
                learned(source, &outline);
            }
        }
    }
}

fn is_in_the_text(problem: &Problem, sources: &[Source]) {
    let source = sources.iter().find(|source| source.name == problem.source).expect("a file that was given");
    let lines: Vec<&str> = source.text.split('\n').collect();
    let line = problem.line.checked_sub(1).and_then(|at| lines.get(at));
    let line = line.unwrap_or_else(|| panic!("there is no line {}: {problem:?}", problem.line));
    // Right behind the last character: something is missing there.
    let last = line.chars().count() + 1;
    assert!((1..=last).contains(&problem.column), "the line ends at {last}: {problem:?}");
    let excerpt = problem.excerpt.chars().count();
    assert!(excerpt <= 110, "{problem:?}");
    assert!(problem.width >= 1 && problem.underline + problem.width <= excerpt.max(1) + 1, "{problem:?}");
    assert!(!problem.message.is_empty() && problem.message.len() < 4096, "{problem:?}");
}

fn is_printable(shown: &str) {
    assert!(!shown.chars().any(|c| c != '\n' && is_control_or_bidi(c)), "{shown:?}");
}

/// Asks an accepted policy about flows of all kinds, on its own ports and others.
fn has_verdicts(policy: Policy, dice: &mut Dice) {
    let ports: Vec<u16> = policy.watched().map(|port| port.number).collect();
    assert!(ports.is_sorted(), "ascending by number");
    assert!(policy.digest().len() == "sha256:".len() + 64);
    let hosts = policy.host_names().take(64).enumerate().map(|(index, host)| {
        let resolution = match index % 3 {
            0 => Resolution::Resolved(vec![address(dice)]),
            1 => Resolution::Unresolved("no such host".to_owned()),
            _ => Resolution::Resolved(Vec::new()),
        };
        (host.into(), resolution)
    });
    let names = DnsNames::new(hosts.collect::<Vec<_>>());
    let policy = ActivePolicy::new(policy, names);
    for _ in 0..FLOWS {
        let number = if dice.below(4) == 0 { 1 } else { ports[dice.below(ports.len())] };
        let ends = [Endpoint::new(address(dice), number), Endpoint::new(address(dice), 50_123)];
        let direction = [Direction::In, Direction::Out][dice.below(2)];
        let (local, peer) = match direction {
            Direction::In => (ends[0], ends[1]),
            Direction::Out => (ends[1], ends[0]),
        };
        let (process, posture) = (process(dice), posture(dice));
        let owner_withheld = (dice.below(4) == 0).then_some(Withheld::OptionMemory);
        let (process, posture) = (process.as_ref(), posture.as_ref());
        let nat = nat(dice);
        let facts = Facts {
            direction,
            local,
            peer,
            nat: nat.as_ref(),
            process,
            owner_withheld,
            posture,
            peer_missing: None,
            peer_within: None,
        };
        for now in [Timestamp::MIN, Timestamp::MAX] {
            let verdict = policy.evaluate(&facts, now);
            has_reasons(&verdict);
            assert_eq!(verdict, policy.evaluate(&facts, now), "the same flow, the same verdict");
            is_accepted_in_time(&policy, &facts, &verdict, now);
        }
        let known = policy.port_of(&facts);
        assert!(known.is_none_or(|port| port.number == number));
        has_reasons(&policy.evaluate_listener(local, process, Timestamp::MIN));
        has_reasons(&policy.evaluate_bind(local, process, Timestamp::MAX));
    }
}

/// Before time began every exception counts, at its end none does.
fn is_accepted_in_time(policy: &ActivePolicy, facts: &Facts<'_>, verdict: &Verdict, now: Timestamp) {
    let Some(port) = policy.port_of(facts) else { return };
    let reasons = verdict.reasons().iter().map(|reason| reason.id);
    let accepted = policy.accepted(facts, port, reasons, now);
    assert!(accepted.is_none() || now < Timestamp::MAX && policy.policy().exceptions() > 0);
    assert!(
        accepted.is_none() || matches!(verdict, Verdict::Violation { .. }),
        "only a violation is accepted"
    );
}

fn has_reasons(verdict: &Verdict) {
    match verdict {
        Verdict::Declared { rule } => assert!(!rule.is_empty()),
        Verdict::Violation { reasons, .. } => {
            assert!(!reasons.is_empty() && reasons.iter().all(|reason| !reason.detail.is_empty()));
            assert!(reasons.is_sorted_by_key(|reason| reason.id), "ordered by identifier: {reasons:?}");
        }
        Verdict::Undecided { missing, .. } => {
            assert!(!missing.is_empty() && missing.iter().all(|what| !what.is_empty()));
        }
    }
}

fn nat(dice: &mut Dice) -> Option<Nat> {
    match dice.below(6) {
        0 => Some(Nat::Pending),
        1 => Some(Nat::Unknown),
        2 => {
            let peer = (dice.below(2) == 0).then(|| Endpoint::new(address(dice), 40_000));
            Some(Nat::Translated(Box::new(Translation { peer, ..Translation::default() })))
        }
        _ => None,
    }
}

fn address(dice: &mut Dice) -> IpAddr {
    let last = u8::try_from(dice.below(256)).unwrap_or(0);
    match dice.below(6) {
        0 => Ipv4Addr::LOCALHOST.into(),
        1 => Ipv6Addr::LOCALHOST.into(),
        2 => Ipv4Addr::new(10, 0, 2, last).into(),
        3 => Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, last.into()).into(),
        4 => Ipv4Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::new(192, 0, 2, last).to_ipv6_mapped().into(),
    }
}

fn process(dice: &mut Dice) -> Option<Process> {
    let known = dice.below(4) > 0;
    let mut text = |of: &[&str]| (dice.below(4) > 0).then(|| of[dice.below(of.len())].into());
    known.then(|| Process {
        pid: 812,
        exe: text(&["/usr/lib/postgresql/15/bin/postgres", "/usr/bin/psql", "/"]),
        comm: text(&["postgres", "psql"]),
        uid: 107,
        user: text(&["postgres", "root", "0"]),
        gid: 115,
        group: text(&["postgres", "root"]),
        unit: text(&["postgresql@15-main.service", "backup.service"]),
        container: text(&["4f1c", "pod"]).map(|id| Container {
            id,
            runtime: None,
            pod: text(&["pod", "1b4e28ba-2fa1-11d2-883f-0016d3cca427"]),
            claimed_by: text(&["1000"]).map(|_| 1000),
            naming: match text(&["known", "known", "pending"]).as_deref() {
                Some("known") => Naming::Known(names(&mut text).into()),
                Some(_) => Naming::Pending,
                None => Naming::Unknown,
            },
        }),
        cgroup: text(&["/system.slice/backup.service", "/"]),
        attribution: Attribution::Exact,
        ..Process::UNKNOWN
    })
}

/// Names of all kinds, such as no runtime lets anybody write too.
fn names(text: &mut impl FnMut(&[&str]) -> Option<Arc<str>>) -> Names {
    let digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    Names {
        name: text(&["orders-1", "4f1c", "a\n\u{1b}[2J"]),
        image: text(&["registry.example/shop/orders:1.4", "orders", digest, "@", "/:", "\u{202e}"]),
        image_digest: text(&[digest, "sha256:"]),
        image_id: text(&[digest, ""]),
        labels: text(&["orders", ""]).map(|value| ("app".into(), value)).into_iter().collect(),
        labels_omitted: text(&["3", "all"]).map_or(0, |some| if &*some == "3" { 3 } else { u32::MAX }),
        labels_unshown: BTreeMap::new(),
        compose: None,
        namespace: text(&["shop", "/"]),
        pod_name: text(&["orders-1", "pod"]),
        workload: text(&["orders", "/"]).map(|name| Workload { kind: "Deployment".into(), name }),
        stated_by: StatedBy { uid: text(&["1000"]).map_or(0, |_| 1000), user: text(&["alice", "root"]) },
        writes_state: false,
    }
}

fn posture(dice: &mut Dice) -> Option<Posture> {
    use PostureState::{
        NoData, Plaintext, StarttlsRefused, StarttlsUpgraded, Tls12, Tls13, Unknown, Unrecognised, WeakTls,
    };
    let state =
        [Plaintext, StarttlsRefused, StarttlsUpgraded, Tls12, Tls13, Unknown, WeakTls, Unrecognised, NoData];
    let version = [None, Some(TlsVersion::Tls12), Some(TlsVersion::Tls13), Some(TlsVersion::Ssl2)];
    (dice.below(3) > 0).then(|| Posture {
        version: version[dice.below(version.len())],
        ..Posture::new(state[dice.below(state.len())], "seen")
    })
}
