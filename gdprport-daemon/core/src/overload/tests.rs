//! What a group proves, and that no connection of it is in two parts or in none.

use gdprport_common::{OverloadSums, SocketRole};
use ipnet::IpNet;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::decode::overload::{OverloadGroup, OverloadLevel, OverloadOwner, Specimen};
use crate::decode::{ConnectionEnd, SocketEvent};
use crate::event::CountedBy;
use crate::flow::{Flow, Judgement};
use crate::identity::OwnerRef;
use crate::model::{Attribution, Direction, Endpoint, Outcome, Process};
use crate::policy::{ActivePolicy, DnsNames, Evaluation, Facts, Source, compile};
use crate::shared::Shared;
use crate::verdict::{ReasonId, Verdict};

const POLICY: &str = r#"
version = 1
[[port]]
name = "db"
port = 5432
tls = { required = false, why = "a test" }
[[port.allow]]
role = "shop"
direction = "in"
peers = ["10.0.0.0/16"]
process = { exe = "/usr/bin/server" }
[[port]]
name = "mail"
port = 993
protocol = "imap"
tls = { min = "1.2" }
[[port.allow]]
role = "everybody"
direction = "in"
peers = ["any"]
"#;

/// Exec id 1 is the server, 2 a stranger, and of others nothing is known.
struct World {
    policy: ActivePolicy,
    is_translated: bool,
}

impl World {
    fn new(is_translated: bool) -> Self {
        let source = Source { name: "policy.toml".to_owned(), text: POLICY.to_owned() };
        let policy = compile(&[source]).unwrap_or_else(|problems| panic!("{problems}"));
        Self { policy: ActivePolicy::new(policy, DnsNames::default()), is_translated }
    }
}

fn process(exec_id: u64, pid: u32) -> Option<Shared<Process>> {
    let exe = match exec_id {
        1 => Some("/usr/bin/server".into()),
        2 => Some("/usr/bin/stranger".into()),
        _ => None,
    };
    let attribution = Attribution::Listener;
    Some(Shared::new(Process { pid, exe, uid: 0, gid: 0, attribution, ..Process::UNKNOWN }))
}

impl Evidence for World {
    fn process_of(&mut self, owner: &OwnerRef) -> Option<Shared<Process>> {
        process(owner.exec_id, owner.tgid)
    }

    fn common(&mut self, owner: &OverloadOwner, _: u64) -> Option<Shared<Process>> {
        process(owner.exec_id, 0)
    }

    fn may_be_translated(&self, _: &Flow) -> bool {
        self.is_translated
    }

    fn judge(&mut self, facts: &Facts<'_>) -> Judgement {
        let Evaluation { verdict, port } = self.policy.judge(facts, Timestamp::UNIX_EPOCH);
        Judgement { verdict: verdict.into(), port }
    }
}

fn owner(exec_id: u64) -> OverloadOwner {
    OverloadOwner {
        role: SocketRole::Bound,
        withheld: None,
        exec_id,
        cgroup_id: 7,
        uid: 0,
        gid: 0,
        euid: 0,
        egid: 0,
    }
}

/// Accepted connections from a network.
fn group(level: OverloadLevel, port: u16, network: &str, exec_id: u64) -> OverloadGroup {
    let network: IpNet = network.parse().expect("a network");
    let ip = network.hosts().next().unwrap_or(network.addr());
    let socket = SocketEvent {
        time_ns: 5,
        cookie: 77,
        local: Endpoint::new("10.9.9.9".parse().expect("an address"), port),
        peer: Endpoint::new(ip, 40_000),
        owner: OwnerRef { exec_id, tgid: 812, time_ns: 5, role: SocketRole::Bound, ..OwnerRef::NOBODY },
        would_deny: false,
    };
    let sums = OverloadSums { opened: 10, closed: 4, sent: 100, received: 50, ..OverloadSums::default() };
    OverloadGroup {
        level,
        port,
        direction: Direction::In,
        peer: (level != OverloadLevel::Port).then_some(network),
        owner: (level != OverloadLevel::Port).then(|| owner(exec_id)),
        sums,
        first_ns: 5,
        last_ns: 9,
        specimen: Specimen { socket, end: None },
    }
}

fn outcome(flow: &Flow) -> String {
    match &*flow.verdict {
        Verdict::Violation { reasons, .. } => {
            reasons.iter().map(|reason| reason.id.as_str()).collect::<Vec<_>>().join(",")
        }
        Verdict::Declared { rule } => rule.to_string(),
        Verdict::Undecided { .. } => "undecided".to_owned(),
    }
}

#[test]
fn a_group_of_a_peer_is_judged_as_a_flow_of_it() {
    use OverloadLevel::Peer;
    let mut world = World::new(false);
    let (part, one) = parts(&group(Peer, 5432, "10.0.7.1/32", 1), &mut world);
    assert_eq!(
        (outcome(&part.flow), one.is_none(), part.violation.is_none()),
        ("shop".to_owned(), true, true)
    );
    assert_eq!(
        part.flow.process.as_deref().map(|process| process.pid),
        Some(0),
        "of no process in particular"
    );
    let (part, one) = parts(&group(Peer, 5432, "203.0.113.7/32", 2), &mut world);
    assert_eq!(outcome(&part.flow), "undeclared-peer,undeclared-process");
    assert!(one.is_none(), "all of them are in violation");
    let violation = part.violation.expect("one is reported");
    assert_eq!(violation.process.as_deref().map(|process| process.pid), Some(812), "the one that was seen");
    assert_eq!((part.counts.opened, part.counts.closed, part.counts.bytes_sent), (10, 4, 100));
}

/// Nothing was seen of it, and unknown is never compliant.
#[test]
fn encryption_that_is_demanded_leaves_a_group_undecided() {
    for level in [OverloadLevel::Peer, OverloadLevel::Network, OverloadLevel::Port] {
        let (part, _) = parts(&group(level, 993, "198.51.100.0/24", 1), &mut World::new(false));
        assert_eq!(outcome(&part.flow), "undecided", "{level:?}");
    }
}

#[test]
fn a_coarse_group_is_decided_only_as_far_as_it_is_proven() {
    use OverloadLevel::{Network, Port};
    let of = |level, network, exec_id| {
        let (part, one) = parts(&group(level, 5432, network, exec_id), &mut World::new(false));
        (outcome(&part.flow), one.map(|one| outcome(&one.flow)))
    };
    assert_eq!(of(Network, "10.0.7.0/24", 1), ("shop".to_owned(), None));
    assert_eq!(of(Network, "203.0.113.0/24", 1), ("undeclared-peer".to_owned(), None));
    assert_eq!(of(Network, "10.0.7.0/24", 9), ("undecided".to_owned(), None), "nobody knows the executable");
    assert_eq!(of(Port, "10.0.7.1/32", 1), ("undecided".to_owned(), None), "of the others nothing is known");
    let (all, one) = of(Port, "203.0.113.7/32", 2);
    assert_eq!((&*all, one.as_deref()), ("undecided", Some("undeclared-peer,undeclared-process")));
}

#[test]
fn a_group_that_may_be_translated_is_undecided() {
    for (network, exec_id) in [("10.0.7.1/32", 1), ("203.0.113.7/32", 1)] {
        let (part, one) = parts(&group(OverloadLevel::Peer, 5432, network, exec_id), &mut World::new(true));
        assert_eq!((outcome(&part.flow), one.is_none()), ("undecided".to_owned(), true));
    }
}

#[test]
fn the_stranger_that_was_seen_is_apart_and_exactly_one() {
    let (rest, one) = parts(&group(OverloadLevel::Port, 5432, "203.0.113.7/32", 2), &mut World::new(false));
    let one = one.expect("a violation");
    assert_eq!((one.by, one.counts.opened, one.counts.closed), (CountedBy::Peer, 1, 0));
    assert_eq!((rest.by, rest.counts.opened, rest.counts.closed), (CountedBy::Port, 9, 4));
    assert!(one.violation.is_some() && rest.violation.is_none());
    assert!(one.flow.verdict.reasons().iter().any(|reason| reason.id == ReasonId::UndeclaredPeer));
}

/// Its opening was reported with an earlier group.
#[test]
fn an_end_alone_is_no_stranger_again() {
    let mut group = group(OverloadLevel::Port, 5432, "203.0.113.7/32", 2);
    group.specimen.end = Some(ConnectionEnd {
        acked: 100,
        bytes_received: Some(1),
        rtt_us: None,
        retransmits: 0,
        since_ns: 3,
        outcome: Outcome::Closed,
        aborted: false,
        grouped: true,
    });
    let (rest, one) = parts(&group, &mut World::new(false));
    assert_eq!((rest.counts.opened, one.is_none()), (10, true));
}

proptest! {
    #[test]
    fn every_connection_of_a_group_is_in_exactly_one_part(
        level in prop_oneof![Just(OverloadLevel::Peer), Just(OverloadLevel::Network), Just(OverloadLevel::Port)],
        port in prop_oneof![Just(5432_u16), Just(993), Just(1)],
        network in prop_oneof![Just("10.0.7.0/24"), Just("203.0.113.0/24"), Just("10.0.0.0/8"), Just("2001:db8::/48")],
        exec_id in 0_u64..4,
        sums in any::<[u32; 6]>(),
        end in prop::option::of((0_u64..3, 0_usize..7)),
        is_translated in any::<bool>(),
        out in any::<bool>(),
    ) {
        let mut group = group(level, port, network, exec_id);
        if level == OverloadLevel::Peer {
            group.peer = Some(group.specimen.socket.peer.ip.into());
        }
        group.direction = if out { Direction::Out } else { Direction::In };
        let outcomes = [
            Outcome::Closed, Outcome::Reset, Outcome::Refused, Outcome::TimedOut, Outcome::Denied, Outcome::Aborted,
            Outcome::Lost,
        ];
        group.specimen.end = end.map(|(acked, outcome)| ConnectionEnd {
            acked,
            bytes_received: None,
            rtt_us: None,
            retransmits: 0,
            since_ns: 0,
            outcome: outcomes[outcome],
            aborted: false,
            grouped: false,
        });
        let [opened, failed, denied, closed, sent, received] = sums.map(|sum| u64::from(sum) + 1);
        group.sums = OverloadSums { opened, failed, denied, closed, sent, received, ..OverloadSums::default() };
        let (rest, one) = parts(&group, &mut World::new(is_translated));
        let mut counts = rest.counts;
        if let Some(one) = &one {
            counts.add(&one.counts);
            prop_assert!(one.violation.is_some() && one.counts.began() == 1);
        }
        let expected = OverloadCounts {
            opened,
            failed: failed + denied,
            denied,
            closed,
            bytes_sent: sent,
            bytes_received: received,
            ..OverloadCounts::default()
        };
        prop_assert_eq!(counts, expected);
        prop_assert_eq!(rest.violation.is_some(), matches!(*rest.flow.verdict, Verdict::Violation { .. }));
    }
}
