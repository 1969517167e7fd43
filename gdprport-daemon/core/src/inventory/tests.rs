//! Inventories from sockets as a host may list them.

use std::sync::Arc;

use super::*;
use crate::flow::{Change, ChangeKind, Flow};
use crate::ledger::Identity;
use crate::model::{Attribution, Direction, Endpoint, Posture, PostureState, Process};
use crate::policy::{ActivePolicy, DnsNames, Source, compile};
use crate::shared::Shared;
use crate::verdict::ReasonSet;

const OWN: u64 = 4_026_531_840;

fn end(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().expect("an address with a port");
    Endpoint::new(address.ip(), address.port())
}

fn listener(netns: u64, local: &str, inode: u32) -> FoundSocket {
    FoundSocket { netns, local: end(local), peer: None, inode }
}

fn connection(netns: u64, local: &str, peer: &str, inode: u32) -> FoundSocket {
    FoundSocket { peer: Some(end(peer)), ..listener(netns, local, inode) }
}

fn holder(exe: &str) -> Holder {
    let identity =
        Identity { attribution: Attribution::Snapshot, exe: Some(exe.into()), ..Identity::UNKNOWN };
    Holder { identity: Arc::new(identity), claim: None, goes_by: None }
}

/// Of sockets of which those up to inode 9 belong to postgres, the others to psql.
fn inventory(sockets: &[FoundSocket], policy: Option<&ActivePolicy>) -> Inventory {
    let held = |inode| {
        Some(holder(if inode < 10 { "/usr/lib/postgresql/15/bin/postgres" } else { "/usr/bin/psql" }))
    };
    Sorted::new(sockets.iter().copied(), policy).build(held, policy, OWN)
}

fn shown(peers: &[PeerGroup]) -> Vec<String> {
    let name = |group: &PeerGroup| group.process.as_ref().and_then(Identity::name).unwrap_or("-").to_owned();
    peers.iter().map(|group| format!("{} {} {}", group.net, group.connections, name(group))).collect()
}

#[test]
fn connections_belong_to_a_listener_by_namespace_and_address() {
    let found = inventory(
        &[
            listener(OWN, "127.0.0.1:5433", 1),
            listener(OWN, "10.0.0.5:5433", 2),
            listener(7, "0.0.0.0:5433", 3),
            connection(OWN, "10.0.0.5:5433", "10.9.9.9:40000", 4),
            connection(OWN, "10.0.0.6:5433", "10.9.9.8:40000", 4),
            connection(7, "10.0.0.5:5433", "10.9.9.7:40000", 4),
        ],
        None,
    );
    assert_eq!(found.listeners.len(), 2, "{found:#?}");
    let [own, other] = &found.listeners[..] else { panic!("two") };
    assert!(own.own_netns && !other.own_netns && other.netns == 7);
    assert_eq!(own.addresses.len(), 2, "the same holder's addresses are one listener");
    assert_eq!(own.exposure, Some(Exposure::Private), "the widest of its addresses counts");
    assert_eq!(shown(&own.peers), ["10.9.9.9/32 1 -"]);
    assert_eq!(
        (other.exposure, shown(&other.peers)),
        (Some(Exposure::Every), vec!["10.9.9.7/32 1 -".to_owned()])
    );
    assert_eq!(found.remote, [], "port 40000 is nobody's");
}

#[test]
fn a_client_on_this_host_is_named_and_is_no_remote_service() {
    let found = inventory(
        &[
            listener(OWN, "[::]:5432", 1),
            connection(OWN, "127.0.0.1:5432", "127.0.0.1:40000", 2),
            connection(OWN, "127.0.0.1:40000", "127.0.0.1:5432", 11),
            // Of a container, through its own namespace.
            connection(OWN, "172.17.0.1:5432", "172.17.0.2:40000", 3),
            connection(7, "172.17.0.2:40000", "172.17.0.1:5432", 12),
            // The same addresses on another namespace's loopback are somebody else's.
            connection(8, "127.0.0.1:40000", "127.0.0.1:5432", 13),
        ],
        None,
    );
    assert_eq!(shown(&found.listeners[0].peers), ["127.0.0.1/32 1 psql", "172.17.0.2/32 1 psql"]);
    assert_eq!(found.remote.iter().map(|remote| remote.netns).collect::<Vec<_>>(), [8]);
}

/// The server has closed its end, and the client holds on to its own.
#[test]
fn a_client_that_was_left_is_still_its_listeners() {
    let sockets = [
        listener(OWN, "0.0.0.0:5432", 1),
        connection(OWN, "127.0.0.1:40000", "127.0.0.1:5432", 11),
        connection(OWN, "10.0.0.5:40001", "10.0.0.5:5432", 12),
        connection(OWN, "10.0.0.5:40002", "10.0.0.9:5432", 13),
    ];
    let found = inventory(&sockets, None);
    assert_eq!(shown(&found.listeners[0].peers), ["10.0.0.5/32 1 psql", "127.0.0.1/32 1 psql"]);
    assert_eq!(found.remote.len(), 1, "10.0.0.9 may be anybody's: {:?}", found.remote);
    assert_eq!(found.remote[0].addresses, ["10.0.0.9".parse::<std::net::IpAddr>().expect("an address")]);
}

#[test]
fn many_peers_are_shown_by_network() {
    let peers = |count: u32| -> Vec<FoundSocket> {
        let one = |i: u32| connection(OWN, "10.0.0.5:5432", &format!("10.1.{}.{}:4000", i / 200, i % 200), 0);
        std::iter::once(listener(OWN, "10.0.0.5:5432", 1)).chain((0..count).map(one)).collect()
    };
    let each = inventory(&peers(ADDRESSES_EACH as u32), None);
    assert_eq!(each.listeners[0].peers.len(), ADDRESSES_EACH);
    let many = inventory(&peers(500), None);
    assert_eq!(
        shown(&many.listeners[0].peers),
        ["10.1.0.0/24 200 -", "10.1.1.0/24 200 -", "10.1.2.0/24 100 -"]
    );
}

#[test]
fn a_socket_that_no_process_holds_has_no_holder() {
    let found = inventory(&[listener(OWN, "0.0.0.0:2049", 0)], None);
    assert_eq!(found.listeners[0].holder, Identity::UNKNOWN);
}

fn policy() -> ActivePolicy {
    let text = "version = 1\n\
        [[port]]\nname = \"orders\"\nport = 5433\nservice = \"local\"\n\
        [[port]]\nname = \"crm\"\nport = 7000\nservice = [\"10.7.0.0/16\"]\n";
    let source = Source { name: "policy.toml".to_owned(), text: text.to_owned() };
    ActivePolicy::new(compile(&[source]).expect("valid"), DnsNames::default())
}

#[test]
fn the_policy_names_what_it_declares() {
    let policy = policy();
    let found = inventory(
        &[
            listener(OWN, "0.0.0.0:5433", 1),
            listener(OWN, "0.0.0.0:5432", 1),
            connection(OWN, "10.0.0.5:40000", "10.7.0.1:7000", 11),
            connection(OWN, "10.0.0.5:40001", "10.7.0.1:7001", 11),
        ],
        Some(&policy),
    );
    let declared = |list: &[Listening]| -> Vec<(u16, Option<String>)> {
        list.iter().map(|one| (one.port, one.declared.as_deref().map(str::to_owned))).collect()
    };
    assert_eq!(declared(&found.listeners), [(5432, None), (5433, Some("orders".to_owned()))]);
    assert_eq!(declared(&found.remote), [(7000, Some("crm".to_owned()))]);
    assert_eq!(found.remote[0].addresses, [end("10.7.0.1:1").ip]);
}

#[test]
fn only_holders_that_are_shown_are_looked_for() {
    let sorted = Sorted::new(
        [
            listener(OWN, "0.0.0.0:5432", 1),
            connection(OWN, "10.0.0.5:5432", "10.9.9.9:40000", 2),
            connection(OWN, "10.0.0.5:40000", "10.9.9.9:3306", 11),
            connection(OWN, "10.0.0.5:40001", "10.9.9.9:443", 12),
        ],
        None,
    );
    assert_eq!(sorted.holders_wanted().collect::<Vec<_>>(), [1, 11]);
}

/// The cookie of the own network namespace.
const COOKIE: u64 = 1;

fn watched(kind: ChangeKind, cookie: u64, direction: Direction, local: &str, peer: &str) -> Change {
    let exe =
        if direction == Direction::In { "/usr/lib/postgresql/15/bin/postgres" } else { "/usr/bin/psql" };
    let process =
        Process { pid: 7, exe: Some(exe.into()), attribution: Attribution::Exact, ..Process::UNKNOWN };
    let flow = Flow {
        process: Some(Shared::new(process)),
        netns_cookie: COOKIE,
        posture: Some(Shared::new(Posture::new(PostureState::Plaintext, "Redis command without TLS"))),
        ..Flow::new(cookie, direction, end(local), end(peer))
    };
    Change { kind, flow, new_reasons: ReasonSet::default(), was: None }
}

fn add(found: &mut Inventory, changes: &[Change]) {
    let mut seen = Seen::default();
    changes.iter().for_each(|change| seen.flow(change));
    assert_eq!(seen.lost(), 0);
    found.add_seen(seen, |cookie| (cookie == COOKIE).then_some(OWN), None, OWN);
}

#[test]
fn a_peer_that_has_left_is_added_with_its_encryption() {
    use ChangeKind::{Closed, Opened, PostureKnown};
    let mut found = inventory(
        &[listener(OWN, "0.0.0.0:9999", 1), connection(OWN, "10.0.0.5:9999", "10.1.1.1:4001", 2)],
        None,
    );
    let of = |kind, cookie, peer| watched(kind, cookie, Direction::In, "10.0.0.5:9999", peer);
    add(
        &mut found,
        &[
            of(Opened, 1, "10.1.1.1:4000"),
            of(PostureKnown, 1, "10.1.1.1:4000"),
            of(Closed, 1, "10.1.1.1:4000"),
            of(Opened, 2, "10.1.1.1:4001"),
            of(ChangeKind::Failed, 3, "10.1.1.9:4001"),
        ],
    );
    let [one] = &found.listeners[..] else { panic!("{found:#?}") };
    assert!(found.watched);
    assert_eq!(shown(&one.peers), ["10.1.1.1/32 2 -"], "one that ended, and one that the look has shown");
    let states: Vec<_> = one.postures.iter().map(|(posture, count)| (posture.state, *count)).collect();
    assert_eq!(states, [(PostureState::Plaintext, 2)]);
}

#[test]
fn bytes_name_a_service_that_nothing_else_does() {
    let mut found = inventory(&[listener(OWN, "0.0.0.0:9999", 12), listener(OWN, "0.0.0.0:3306", 12)], None);
    let of = |cookie, local| watched(ChangeKind::Closed, cookie, Direction::In, local, "10.1.1.1:4000");
    add(&mut found, &[of(1, "10.0.0.5:9999"), of(2, "10.0.0.5:3306")]);
    let services: Vec<_> =
        found.listeners.iter().map(|one| (one.service.id.as_deref(), &one.service.by[..])).collect();
    let (mysql, redis) =
        ((Some("mysql"), &[Recognised::Port][..]), (Some("redis"), &[Recognised::Bytes][..]));
    assert_eq!(services, [mysql, redis], "what the port says stays");
}

#[test]
fn a_short_call_elsewhere_is_a_remote_service() {
    let mut found = inventory(&[listener(OWN, "127.0.0.1:6379", 1)], None);
    let of = |cookie, peer| watched(ChangeKind::Closed, cookie, Direction::Out, "10.0.0.5:4000", peer);
    let mut inside = of(3, "10.0.0.5:5432");
    inside.flow.peer_process = inside.flow.process.clone();
    add(&mut found, &[of(1, "10.9.9.9:3306"), of(2, "127.0.0.1:6379"), inside, of(4, "10.9.9.9:8090")]);
    let ports: Vec<_> = found.remote.iter().map(|remote| (remote.port, remote.addresses.clone())).collect();
    assert_eq!(ports, [(3306, vec![end("10.9.9.9:1").ip])]);
    assert_eq!(found.remote[0].holder.exe.as_deref(), Some("/usr/bin/psql"));
    assert_eq!(found.listeners.len(), 1);
}
