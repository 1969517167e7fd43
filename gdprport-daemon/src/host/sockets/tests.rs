//! Real sockets on loopback, and replies that no kernel would send.

use gdprport_tests::need;
use gdprport_tests::skip::Missing;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};

use proptest::prelude::*;

use super::*;
use crate::host::testing::{connection, cookie, eventually};

#[test]
fn listeners_and_both_ends_are_listed_with_their_exact_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let (mut client, mut server) = connection(&listener);
    client.write_all(&[7; 1000]).expect("writes");
    server.read_exact(&mut [0; 1000]).expect("reads");
    server.write_all(&[7; 10]).expect("writes");
    client.read_exact(&mut [0; 10]).expect("reads");

    let found = list(&PortSet::from_iter([port])).expect("the kernel lists");
    assert_eq!(found.len(), 3);
    let of = |wanted| found.iter().find(|socket| socket.cookie == wanted).expect("listed");
    let (listening, client, server) = (of(cookie(&listener)), of(cookie(&client)), of(cookie(&server)));
    assert_eq!((listening.peer, listening.state, listening.local.port), (None, TCP_LISTEN, port));
    assert_eq!((client.peer, server.peer), (Some(server.local), Some(client.local)));
    assert_eq!(server.local, listening.local);
    // The active end's SYN was acknowledged and counts one.
    assert_eq!((client.counts.bytes_acked, client.counts.bytes_received), (1001, 10));
    assert_eq!(server.counts.bytes_received, 1000);
    assert!(client.counts.rtt_us > 0 && client.counts.segs_out > 0 && client.counts.segs_in > 0);
    assert!(client.inode > 0);
}

#[test]
fn an_ipv4_peer_of_a_dual_stack_listener_is_plain_ipv4() {
    let listener = need!(TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).map_err(|_| Missing::of("IPv6")));
    let port = listener.local_addr().expect("bound").port();
    let _client = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    let (server, _) = listener.accept().expect("accepts");
    let found = list(&PortSet::from_iter([port])).expect("the kernel lists");
    let server = found.iter().find(|socket| socket.cookie == cookie(&server)).expect("listed");
    assert_eq!(server.local.to_string(), format!("127.0.0.1:{port}"));
    assert!(server.peer.is_some_and(|peer| peer.ip.is_ipv4()));
}

#[test]
fn a_closed_connection_is_not_listed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let (client, server) = connection(&listener);
    let (open, closed) = (cookie(&listener), cookie(&client));
    drop(server);
    drop(client);
    let left = || list_cookies(|cookie| cookie == open || cookie == closed).expect("the kernel lists");
    assert!(eventually(|| left().iter().map(|socket| socket.cookie).eq([open])), "{:?}", left());
}

#[test]
fn ports_that_are_not_watched_are_left_out() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let (client, _server) = connection(&listener);
    let ephemeral = client.local_addr().expect("bound").port();
    let found = list(&PortSet::from_iter([ephemeral])).expect("the kernel lists");
    assert_eq!(found.len(), 2, "both ends, and not the listener: {found:?}");
    assert!(list(&PortSet::from_iter([])).expect("the kernel lists").is_empty());
}

#[test]
fn port_sets_hold_what_was_inserted() {
    let set = PortSet::from_iter([0, 63, 64, 5432, 65535]);
    let held: Vec<u16> = (0..=u16::MAX).filter(|port| set.contains(*port)).collect();
    assert_eq!(held, [0, 63, 64, 5432, 65535]);
}

#[test]
fn a_socket_is_fetched_only_if_its_cookie_matches() {
    use std::os::fd::AsRawFd;
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let (me, fd, wanted) = (std::process::id(), listener.as_raw_fd(), cookie(&listener));
    let fetched = fetch(me, fd, wanted).expect("a process may fetch its own");
    assert_eq!(cookie(&fetched), wanted);
    for (tgid, fd, cookie) in [(me, fd, wanted + 1), (me, 1_000_000, wanted), (0, fd, wanted)] {
        let error = fetch(tgid, fd, cookie).expect_err("not that socket");
        assert!(matches!(error, FetchError::Gone { .. }), "{error}");
    }
}

proptest! {
    #[test]
    fn any_reply_is_read_or_rejected(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), family in 0u8..12) {
        if let Some(first) = bytes.first_mut() {
            *first = family;
        }
        let _ = read_socket(&bytes, |_, _, _| true, |_| true);
        let _ = TcpCounts::parse(&bytes);
    }
}
