//! Inventories from sockets as a host may list them.

use std::sync::Arc;

use super::*;
use crate::ledger::Identity;
use crate::model::{Attribution, Endpoint};
use crate::policy::{ActivePolicy, DnsNames, Source, compile};

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
    Holder { identity: Arc::new(identity), claim: None }
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
