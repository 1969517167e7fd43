//! What becomes of single values.

use std::collections::HashSet;

use rstest::rstest;

use super::*;
use crate::event::samples;
use crate::flow::{Change, ChangeKind};
use crate::ledger::{PortKey, Tally, TallyLimits};
use crate::model::{Container, Direction, Endpoint, Naming, Process};
use crate::privacy::{AppliedPeers, PSEUDONYMS, Shown, is_pseudonym};
use crate::shared::Shared;
use crate::verdict::ReasonSet;

/// Computed by another implementation, Python's `hmac`.
#[test]
fn pseudonyms_are_those_that_are_documented() {
    let mut secret = [0; 32];
    (0..).zip(&mut secret).for_each(|(value, byte)| *byte = value);
    let key = Key::new(secret);
    let of = |truncate| {
        Privacy::new(Some(key.clone()), Some(key.clone()), truncate, Accounts::default()).expect("pseudonyms")
    };
    assert_eq!(of(None).address(ip("10.0.0.9")), ip("100::36f3:7869:7328:d699"));
    assert_eq!(of(Truncate::new(24, 48)).address(ip("10.0.0.9")), ip("100::e1ec:254:d9b6:e061"));
    assert_eq!(of(None).user_name("alice"), "u-34d45cbc91de5ce7");
    assert_eq!(of(None).id(1000), 2_825_500_089);
}

#[test]
fn an_address_has_one_pseudonym_and_no_two_share_one() {
    let privacy = privacy();
    let mut seen = HashSet::new();
    for host in 0..=u16::MAX {
        let [a, b] = host.to_be_bytes();
        let shown = privacy.address(IpAddr::from([10, 7, a, b]));
        assert!(is_pseudonym(shown) && seen.insert(shown), "{shown}");
    }
    assert_eq!(privacy.address(ip("10.7.0.9")), privacy.address(ip("::ffff:10.7.0.9")));
    let other = Privacy::new(Some(key(2)), None, None, Accounts::default()).expect("pseudonyms");
    assert_ne!(other.address(ip("10.7.0.9")), privacy.address(ip("10.7.0.9")));
    for kept in ["127.0.0.1", "127.1.2.3", "::1", "0.0.0.0", "::"] {
        assert_eq!(privacy.address(ip(kept)), ip(kept));
    }
    assert!(PSEUDONYMS.contains(&"100::1".parse::<std::net::Ipv6Addr>().expect("an address")));
    assert!(!is_pseudonym(ip("100:0:0:1::1")) && !is_pseudonym(ip("10.0.0.1")));
}

#[test]
fn truncation_keeps_the_network_and_comes_first() {
    let kept = truncated(24, 48);
    assert_eq!(kept.address(ip("203.0.113.77")), ip("203.0.113.0"));
    assert_eq!(kept.address(ip("2001:db8:1:2:3::4")), ip("2001:db8:1::"));
    assert_eq!(kept.applied().peers, Some(AppliedPeers::Truncated));
    let both = Privacy::new(Some(key(1)), None, Truncate::new(24, 48), Accounts::default());
    let both = both.expect("pseudonyms");
    assert_eq!(both.address(ip("203.0.113.77")), both.address(ip("203.0.113.9")));
    assert_ne!(both.address(ip("203.0.113.77")), both.address(ip("203.0.114.77")));
    assert_ne!(both.address(ip("203.0.113.0")), privacy().address(ip("203.0.113.0")), "a network is no host");
}

fn text(text: &str, user: &str, uid: u32) -> String {
    let process = Process { user: Some(user.into()), uid, exe: Some(text.into()), ..Process::UNKNOWN };
    let shown = privacy().process(&process).exe.expect("it has one");
    let user = privacy().user_name(user);
    let id = Some(privacy().id(uid)).filter(|id| *id != uid).map_or("-".repeat(99), |id| id.to_string());
    shown.replace(&user, "USER").replace(&id, "ID")
}

#[rstest]
#[case("/home/carol/bin/x", "/home/USER/bin/x")]
#[case("/var/home/carol/x", "/var/home/USER/x")]
#[case("$'/home/carol/sh\\xff'", "$'/home/USER/sh\\xff'")]
#[case("/data/carol/x", "/data/USER/x")]
#[case("/usr/bin/carol", "/usr/bin/USER")]
#[case("/usr/bin/carolin", "/usr/bin/carolin")]
#[case("/srv/carol.git/x-carol", "/srv/USER.git/x-USER")]
#[case("/run/user/1234/x", "/run/user/ID/x")]
#[case("/data/1234/12345", "/data/ID/12345")]
#[case("user@1234.service", "user@ID.service")]
#[case(
    "/user.slice/user-1234.slice/user@1234.service/app.slice/a.scope",
    "/user.slice/user-ID.slice/user@ID.service/app.slice/a.scope"
)]
#[case("syncthing@carol.service", "syncthing@USER.service")]
#[case("redis@6379.service", "redis@6379.service")]
#[case("postgresql@15-main.service", "postgresql@15-main.service")]
#[case("/usr/lib/postgresql/15/bin/postgres", "/usr/lib/postgresql/15/bin/postgres")]
fn texts_lose_the_names_of_persons(#[case] before: &str, #[case] after: &str) {
    assert_eq!(text(before, "carol", 1234), after);
}

#[test]
fn homes_of_others_are_known_by_the_hosts_files() {
    let privacy = privacy();
    let bob = privacy.user_name("bob");
    assert_eq!(text("/srv/people/b.jones/x", "root", 0), format!("/srv/people/{bob}/x"));
    assert_eq!(text("/srv/bob/x", "root", 0), format!("/srv/{bob}/x"));
    assert_eq!(text("/usr/bin/bob", "root", 0), "/usr/bin/bob", "a program may be called so");
    assert_eq!(text("x@bob.service", "root", 0), format!("x@{bob}.service"));
    let session = text("session-12.scope", "root", 0);
    assert!(session.starts_with("session-s") && session.ends_with(".scope"), "{session}");
}

/// A person called like a word of systemd must not garble every path.
#[test]
fn a_person_called_like_a_part_of_the_system_stays() {
    assert_eq!(text("/user.slice/user-1234.slice/x", "user", 1234), "/user.slice/user-ID.slice/x");
    assert_eq!(text("/usr/bin/x", "bin", 1234), "/usr/bin/x");
    assert_eq!(text("/home/user/x", "user", 1234), "/home/USER/x");
}

#[test]
fn accounts_of_the_system_stay_as_they_are() {
    let server = Process {
        exe: Some("/usr/lib/postgresql/15/bin/postgres".into()),
        uid: 110,
        user: Some("postgres".into()),
        gid: 118,
        group: Some("postgres".into()),
        cgroup: Some("/system.slice/postgresql.service".into()),
        ..Process::UNKNOWN
    };
    assert_eq!(privacy().process(&server), server);
    let dynamic = Process { uid: 61_500, user: Some("foo".into()), ..Process::UNKNOWN };
    assert_eq!(privacy().process(&dynamic), dynamic);
}

#[test]
fn ids_of_persons_are_no_ids_of_a_host() {
    let container = Container {
        id: "4f".repeat(32).into(),
        runtime: None,
        pod: None,
        claimed_by: Some(1000),
        naming: Naming::Unknown,
    };
    let process = Process {
        uid: 1000,
        gid: 1000,
        euid: Some(0),
        egid: Some(1001),
        group: Some("alice".into()),
        user: Some("alice".into()),
        container: Some(container),
        ..Process::UNKNOWN
    };
    let shown = privacy().process(&process);
    assert!(shown.uid >= 1 << 31 && shown.uid == shown.gid && shown.user == shown.group);
    assert_eq!(shown.container.and_then(|container| container.claimed_by), Some(shown.uid));
    assert_eq!(shown.euid, Some(0));
    assert!(shown.egid.is_some_and(|id| id >= 1 << 31 && id != shown.uid));
}

#[rstest]
#[case("10.0.0.9", "PEER")]
#[case("CN=10.0.0.9", "CN=PEER")]
#[case("from 10.0.0.9: added", "from PEER: added")]
#[case("ends with 10.0.0.9.", "ends with PEER.")]
#[case("[::ffff:10.0.0.9] and 10.0.0.9-10.0.0.9", "[PEER] and PEER-PEER")]
#[case("TLS 1.3, 0x1301, face: 127.0.0.1", "TLS 1.3, 0x1301, face: 127.0.0.1")]
#[case("db.example", "db.example")]
fn addresses_in_texts_are_found(#[case] before: &str, #[case] after: &str) {
    let privacy = privacy();
    let shown = privacy.addresses_in(before).unwrap_or_else(|| before.to_owned());
    assert_eq!(shown.replace(&privacy.address(ip("10.0.0.9")).to_string(), "PEER"), after);
}

#[test]
fn networks_of_the_policy_stay_and_single_addresses_do_not() {
    let privacy = privacy();
    let shown = privacy.address(ip("10.0.0.9")).to_string();
    assert_eq!(privacy.policy_peer("10.0.0.9"), shown);
    assert_eq!(privacy.policy_peer("10.0.0.9/32"), shown);
    assert_eq!(privacy.policy_peer("10.0.0.0/24"), "10.0.0.0/24");
    assert_eq!(privacy.policy_peer("warehouse"), "warehouse");
    assert_eq!(truncated(24, 48).policy_peer("10.0.0.128/25"), "10.0.0.0/24");
    assert_eq!(privacy.policy_account("postgres"), "postgres");
    assert_eq!(privacy.policy_account("dave"), privacy.user_name("dave"));
    assert_eq!(privacy.policy_account("d*"), "a pattern");
    assert_eq!(privacy.policy_text("/home/*/bin/x"), "/home/*/bin/x");
}

/// On two hosts with one key, too.
#[test]
fn both_ends_of_a_connection_keep_one_id() {
    let end = |text: &str, port| Endpoint::new(ip(text), port);
    let (client, server) = (end("10.0.0.9", 40_000), end("10.0.0.1", 5432));
    let shown = |direction, local, peer| {
        let mut flow = crate::flow::Flow::new(1, direction, local, peer);
        let id = flow.id;
        Shown::new(privacy()).flow(&mut flow);
        assert_eq!(flow.local, local);
        (id, flow.id)
    };
    let (true_id, here) = shown(Direction::Out, client, server);
    let (_, there) = shown(Direction::In, server, client);
    assert_eq!(here, there);
    assert_ne!(here, true_id);
    let (loopback, still) = shown(Direction::Out, end("127.0.0.1", 40_000), end("127.0.0.1", 5432));
    assert_eq!(loopback, still);
}

#[test]
fn a_process_is_shown_once_and_found_again() {
    let mut shown = Shown::new(privacy());
    let processes: Vec<Shared<Process>> =
        (0..1_000).map(|pid| Process { pid, uid: 1000 + pid, ..Process::UNKNOWN }.into()).collect();
    for process in &processes {
        let first = shown.process(process);
        assert!(first.same(&shown.process(process)));
        assert_eq!((first.pid, first.uid), (process.pid, privacy().id(process.uid)));
    }
}

/// And one of a pseudonym is an address of its own.
#[test]
fn rows_of_truncated_peers_have_their_networks() {
    let row = |privacy: Arc<Privacy>, peer: &str| {
        let local = Endpoint::new(ip("10.0.0.1"), 40_000);
        let mut flow = crate::flow::Flow::new(1, Direction::Out, local, Endpoint::new(ip(peer), 5432));
        flow.port_index = Some(0);
        Shown::new(Arc::clone(&privacy)).flow(&mut flow);
        let mut tally = Tally::new(TallyLimits::default(), 0).truncated(privacy.left());
        tally.set_policy(None, [PortKey { name: "db".into(), number: 5432, declared: false }]);
        let change = Change { kind: ChangeKind::Opened, flow, new_reasons: ReasonSet::default(), was: None };
        tally.flow(&change, samples::now());
        tally.drain(true, samples::now()).edges[0].key.peer.to_string()
    };
    assert_eq!(row(truncated(24, 48), "203.0.113.77"), "203.0.113.0/24");
    assert_eq!(row(truncated(24, 48), "127.0.0.1"), "127.0.0.1/32");
    let hidden = format!("{}/128", privacy().address(ip("203.0.113.77")));
    assert_eq!(row(privacy(), "203.0.113.77"), hidden);
}
