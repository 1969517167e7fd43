//! Real sockets on loopback, and replies that no kernel would send.

use gdprport_tests::need;
use gdprport_tests::skip::Missing;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use proptest::prelude::*;

use gdprport_core::model::Direction;
use netlink_packet_sock_diag::constants::TCP_LISTEN;

use super::look::Look;
use super::row::read_row;
use super::*;
use crate::host::testing::{connection, cookie, eventually};

fn looked(wanted: impl FnMut(&Head) -> bool) -> Look {
    look(wanted, |_| true).expect("the kernel lists")
}

fn list(ports: &[u16]) -> Vec<TcpSocket> {
    let ports = ports.iter().copied().collect();
    looked(|head| head.is_on(&ports)).sockets
}

/// Fills the option memory of a socket with MD5 keys for addresses that nobody has, which needs no privilege; how many.
fn fill_with_keys(socket: &impl AsRawFd) -> u32 {
    (1_u32..9_000)
        .take_while(|number| {
            // `struct tcp_md5sig` (include/uapi/linux/tcp.h): a `sockaddr_storage`, flags, the key's length and the key.
            let mut key = [0_u8; 216];
            key[0..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
            key[4..8].copy_from_slice(&[11, 0, (number >> 8) as u8, *number as u8]);
            key[130..132].copy_from_slice(&4_u16.to_ne_bytes());
            key[136..140].copy_from_slice(b"abcd");
            // SAFETY: the kernel reads `key`, which lives until it returns, and no more than its length.
            let set = unsafe {
                let length = key.len() as libc::socklen_t;
                libc::setsockopt(
                    socket.as_raw_fd(),
                    libc::IPPROTO_TCP,
                    libc::TCP_MD5SIG,
                    key.as_ptr().cast(),
                    length,
                )
            };
            set == 0
        })
        .count() as u32
}

/// A row that is larger than its buffer ends the kernel's list, without an error.
#[test]
fn sockets_with_hundreds_of_keys_cut_no_list_short() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let pairs: Vec<_> = (0..8).map(|_| connection(&listener)).collect();
    need!((fill_with_keys(&listener) > 0).then_some(()).ok_or_else(|| Missing::of("CONFIG_TCP_MD5SIG")));
    let mut keys = 0;
    for (client, server) in &pairs[..4] {
        keys = fill_with_keys(client).max(fill_with_keys(server));
    }
    assert!(keys > 40, "{keys} keys of 100 bytes are more than a page");
    let look = looked(|head| head.local_port == port || head.peer_port == port);
    assert_eq!((look.sockets.len(), look.missing), (17, 0));
    for socket in look.sockets.iter().filter(|socket| socket.peer.is_some()) {
        assert!(socket.counts.is_some_and(|counts| counts.segs_in > 0), "{socket:?}");
    }
}

/// Before the first byte, with bytes that were acknowledged, and after each of the ends has closed.
#[test]
fn the_counts_of_a_living_socket_show_which_end_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let (mut client, mut server) = connection(&listener);
    let shown = |when: &str| {
        for socket in list(&[port]).into_iter().filter(|socket| socket.peer.is_some()) {
            let accepted = if socket.local.port == port { Direction::In } else { Direction::Out };
            let sent = socket.counts.expect("it is open").sent.expect("since Linux 4.19");
            assert_eq!(sent.direction(), Some(accepted), "{when}: {socket:?}");
        }
    };
    shown("nothing was sent");
    client.write_all(&[7; 1000]).expect("writes");
    server.read_exact(&mut [0; 1000]).expect("reads");
    server.write_all(&[7; 10]).expect("writes");
    client.read_exact(&mut [0; 10]).expect("reads");
    shown("both have sent");
    client.shutdown(Shutdown::Write).expect("open");
    assert_eq!(server.read(&mut [0; 1]).expect("the end"), 0);
    shown("the client has closed");
    assert_eq!(list(&[port]).iter().filter(|socket| socket.peer.is_some()).count(), 2);
}

#[test]
fn listeners_and_both_ends_are_listed_with_their_exact_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let (mut client, mut server) = connection(&listener);
    client.write_all(&[7; 1000]).expect("writes");
    server.read_exact(&mut [0; 1000]).expect("reads");
    server.write_all(&[7; 10]).expect("writes");
    client.read_exact(&mut [0; 10]).expect("reads");

    let found = list(&[port]);
    assert_eq!(found.len(), 3);
    let of = |wanted| found.iter().find(|socket| socket.cookie == wanted).expect("listed");
    let (listening, client, server) = (of(cookie(&listener)), of(cookie(&client)), of(cookie(&server)));
    assert_eq!((listening.peer, listening.state, listening.local.port), (None, TCP_LISTEN, port));
    assert_eq!((client.peer, server.peer), (Some(server.local), Some(client.local)));
    assert_eq!(server.local, listening.local);
    // The active end's SYN was acknowledged and counts one.
    let counts = client.counts.expect("the kernel says");
    assert_eq!((counts.bytes_acked, counts.bytes_received), (1001, 10));
    assert_eq!(server.counts.expect("the kernel says").bytes_received, 1000);
    assert!(counts.rtt_us > 0 && counts.segs_out > 0 && counts.segs_in > 0);
    assert!(client.inode > 0);
}

#[test]
fn an_ipv4_peer_of_a_dual_stack_listener_is_plain_ipv4() {
    let listener = need!(TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).map_err(|_| Missing::of("IPv6")));
    let port = listener.local_addr().expect("bound").port();
    let _client = TcpStream::connect(("127.0.0.1", port)).expect("connects");
    let (server, _) = listener.accept().expect("accepts");
    let found = list(&[port]);
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
    let left = || looked(|head| head.cookie == open || head.cookie == closed).sockets;
    assert!(eventually(|| left().iter().map(|socket| socket.cookie).eq([open])), "{:?}", left());
}

#[test]
fn ports_that_are_not_watched_are_left_out() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let (client, _server) = connection(&listener);
    let ephemeral = client.local_addr().expect("bound").port();
    let found = list(&[ephemeral]);
    assert_eq!(found.len(), 2, "both ends, and not the listener: {found:?}");
    assert!(list(&[]).is_empty());
}

#[test]
fn port_sets_hold_what_was_inserted() {
    let set = PortSet::from_iter([0, 63, 64, 5432, 65535]);
    let held: Vec<u16> = (0..=u16::MAX).filter(|port| set.contains(*port)).collect();
    assert_eq!(held, [0, 63, 64, 5432, 65535]);
}

#[test]
fn a_socket_is_fetched_only_if_its_cookie_matches() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let (me, fd, wanted) = (std::process::id(), listener.as_raw_fd(), cookie(&listener));
    let fetched = fetch(me, fd, wanted).expect("a process may fetch its own");
    assert_eq!(cookie(&fetched), wanted);
    for (tgid, fd, cookie) in [(me, fd, wanted + 1), (me, 1_000_000, wanted), (0, fd, wanted)] {
        let error = fetch(tgid, fd, cookie).expect_err("not that socket");
        assert!(matches!(error, FetchError::Gone { .. }), "{error}");
    }
}

/// A netlink message.
fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + payload.len()).expect("short");
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8], payload].concat()
}

/// A row of a connection, as the kernel writes it; its attribute is what a socket has and its remains have not.
fn row(cookie: u64, attribute: u8) -> Vec<u8> {
    let mut row = vec![0; 72];
    row[..2].copy_from_slice(&[2, 1]);
    row[44..52].copy_from_slice(&cookie.to_le_bytes());
    row.extend([5, 0, attribute, 0, 0, 0, 0, 0]);
    message(20, 2, &row)
}

#[test]
fn a_list_is_whole_only_if_its_end_says_so() {
    let read = |messages: &[Vec<u8>]| {
        let mut rows = Rows::default();
        let more = read_replies(&messages.concat(), |_| true, &mut rows);
        (more, rows.seen)
    };
    let (rows, whole) = ([row(1, 8), row(2, 8), row(3, 15)], message(3, 2, &0_i32.to_ne_bytes()));
    let (more, seen) = read(&rows);
    assert!(more.is_ok_and(|more| more) && seen == [1, 2], "the third is no socket any more");
    assert!(read(&[rows[0].clone(), whole.clone()]).0.is_ok_and(|more| !more));
    let short = -libc::EMSGSIZE;
    for end in [
        message(3, 2, &short.to_ne_bytes()),
        message(3, 2, &[]),
        message(2, 0, &short.to_ne_bytes()),
        message(4, 0, &[]),
        message(3, 2 | 16, &0_i32.to_ne_bytes()),
    ] {
        assert!(read(&[rows[0].clone(), end.clone()]).0.is_err(), "{end:?}");
    }
    assert!(read(&[message(20, 2 | 16, &rows[0][16..])]).0.is_err(), "it changed while it was written");
}

#[test]
fn counts_are_read_from_a_reply_that_is_cut_off() {
    let mut payload = vec![0; 72];
    payload.extend([236, 0, 2, 0]);
    payload.extend([1; 232]);
    let whole = message(20, 0, &[&payload[..], &[0xff, 0xff, 18, 0], &[0; 3_000]].concat());
    let counts = query::read_counts(&whole).expect("they stand before the keys");
    assert_eq!(counts.rtt_us, 0x0101_0101);
    assert_eq!(query::read_counts(&whole[..16 + 72 + 236]), Some(counts));
    assert_eq!(query::read_counts(&whole[..16 + 72 + 200]), None);
    assert_eq!(query::read_counts(&message(2, 0, &payload)), None);
}

proptest! {
    #[test]
    fn any_reply_is_read_or_rejected(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), family in 0u8..12) {
        if let Some(first) = bytes.first_mut() {
            *first = family;
        }
        let _ = read_row(&bytes, |_| true, &mut Rows::default());
        let _ = TcpCounts::parse(&bytes, 0);
    }
}
