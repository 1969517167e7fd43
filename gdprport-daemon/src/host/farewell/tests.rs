//! Real connections on loopback, closed in every order.

use gdprport_tests::need;
use gdprport_tests::skip::Missing;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::net::sockopt;

use super::*;
use crate::host::testing::{connection, cookie};
use gdprport_core::model::{Direction, Outcome};

const PATIENCE: Duration = Duration::from_secs(20);

/// Longer than an acknowledgement may be delayed.
const APART: Duration = Duration::from_millis(100);

/// Both ends of a connection over which the client has sent 1234 bytes and the server 55.
fn conversation(at: &str) -> (TcpStream, TcpStream, TcpListener) {
    let listener = TcpListener::bind(at).expect("binds");
    let (mut client, mut server) = connection(&listener);
    client.write_all(&[1; 1234]).expect("writes");
    server.read_exact(&mut [0; 1234]).expect("reads");
    server.write_all(&[1; 55]).expect("writes");
    client.read_exact(&mut [0; 55]).expect("reads");
    (client, server, listener)
}

fn read_end(mut stream: &TcpStream) {
    assert_eq!(stream.read(&mut [0]).expect("the peer closed"), 0);
}

/// Hears of these sockets until all have ended; in the order of `cookies`.
fn hear(subscription: Subscription, cookies: &[u64]) -> Vec<Farewell> {
    let (to, heard) = channel();
    let mut farewells = Farewells::new(move |some| to.send(some).is_ok());
    let wanted = Wanted { flows: cookies.iter().copied().collect(), ..Wanted::default() };
    farewells.watch(1, subscription, wanted);
    let mut all = Vec::new();
    while all.len() < cookies.len() {
        all.extend(heard.recv_timeout(PATIENCE).expect("the kernel tells of every end"));
    }
    let of = |wanted| *all.iter().find(|farewell| farewell.cookie == wanted).expect("each once");
    cookies.iter().map(|cookie| of(*cookie)).collect()
}

/// Closes a connection and checks what is heard of it: bytes sent and received, outcome of client and server.
#[track_caller]
fn closing(at: &str, close: impl FnOnce(TcpStream, TcpStream), expected: [(Option<[u64; 2]>, Outcome); 2]) {
    let (client, server, _listener) = conversation(at);
    let cookies = [cookie(&client), cookie(&server)];
    let subscription = Subscription::open().expect("the kernel tells of ends");
    close(client, server);
    let heard = hear(subscription, &cookies);
    for (farewell, direction, expected) in
        [(heard[0], Direction::Out, expected[0]), (heard[1], Direction::In, expected[1])]
    {
        let (progress, outcome) = farewell.last.ending(direction);
        let bytes = progress.bytes_sent.zip(progress.bytes_received).map(|(sent, received)| [sent, received]);
        assert_eq!((bytes, outcome), expected, "{direction:?}: {farewell:?}");
    }
}

const ORDERLY: [(Option<[u64; 2]>, Outcome); 2] =
    [(Some([1234, 55]), Outcome::Closed), (Some([55, 1234]), Outcome::Closed)];

#[test]
fn the_client_closes_first() {
    closing(
        "127.0.0.1:0",
        |client, server| {
            drop(client);
            read_end(&server);
            std::thread::sleep(APART);
        },
        ORDERLY,
    );
}

#[test]
fn the_client_closes_first_and_the_server_does_not_look() {
    closing(
        "127.0.0.1:0",
        |client, server| {
            drop(client);
            std::thread::sleep(APART);
            drop(server);
        },
        ORDERLY,
    );
}

#[test]
fn the_server_closes_first() {
    closing(
        "127.0.0.1:0",
        |client, server| {
            drop(server);
            read_end(&client);
            std::thread::sleep(APART);
        },
        ORDERLY,
    );
}

#[test]
fn both_close_at_once() {
    closing("127.0.0.1:0", |client, server| drop((client, server)), ORDERLY);
}

#[test]
fn ipv6_is_heard_of_too() {
    need!(TcpListener::bind("[::1]:0").map_err(|_| Missing::of("IPv6")));
    closing(
        "[::1]:0",
        |client, server| {
            drop(client);
            read_end(&server);
        },
        ORDERLY,
    );
}

#[test]
fn one_direction_is_shut_down_first_and_the_other_one_read_by_nobody() {
    closing(
        "127.0.0.1:0",
        |client, server| {
            client.shutdown(Shutdown::Write).expect("it is connected");
            read_end(&server);
            drop(server);
            std::thread::sleep(APART);
        },
        ORDERLY,
    );
}

#[test]
fn a_reset_from_here_tells_no_bytes_and_its_peer_tells_them_all() {
    closing(
        "127.0.0.1:0",
        |client, _server| {
            sockopt::set_socket_linger(&client, Some(Duration::ZERO)).expect("it is a socket");
            drop(client);
        },
        [(None, Outcome::Reset), (Some([55, 1234]), Outcome::Reset)],
    );
}

#[test]
fn an_end_that_leaves_bytes_unread_resets_and_has_received_them() {
    closing(
        "127.0.0.1:0",
        |client, mut server| {
            server.write_all(&[1; 7]).expect("writes");
            std::thread::sleep(APART);
            drop(client);
        },
        [(Some([1234, 62]), Outcome::Reset), (Some([62, 1234]), Outcome::Reset)],
    );
}

#[test]
fn listeners_are_heard_of_while_connections_are_left_and_only_what_is_wanted_is_handed_on() {
    let (client, server, listener) = conversation("127.0.0.1:0");
    let (other, _keep, _) = conversation("127.0.0.1:0");
    let (to, heard) = channel();
    let mut farewells = Farewells::new(move |some| to.send(some).is_ok());
    let wanted = Wanted { flows: [cookie(&client)].into(), listeners: [cookie(&listener)].into() };
    let cookies = [cookie(&listener), cookie(&client)];
    farewells.watch(1, Subscription::open().expect("the kernel tells of ends"), wanted);
    drop((other, server));
    drop(listener);
    let first = heard.recv_timeout(PATIENCE).expect("the listener ended");
    assert_eq!(first.iter().map(|farewell| farewell.cookie).collect::<Vec<_>>(), cookies[..1]);
    drop(client);
    let then = heard.recv_timeout(PATIENCE).expect("the connection ended");
    assert_eq!(then.iter().map(|farewell| farewell.cookie).collect::<Vec<_>>(), cookies[1..]);
}

/// A reader without a thread.
fn reader(netns: u64, wanted: Wanted) -> (Reader, Sender<Command>) {
    let (commands, inbox) = channel();
    let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK).expect("a counter"));
    let reader =
        Reader { inbox, wake, watched: vec![watched(netns, wanted)], buffer: Vec::new(), given_up: 0 };
    (reader, commands)
}

fn watched(netns: u64, wanted: Wanted) -> Watched {
    let subscription = Subscription::open().expect("the kernel tells of ends");
    Watched { netns, subscription, wanted, uninteresting: 0, since: Instant::now() }
}

fn flows(cookies: &[u64]) -> Wanted {
    Wanted { flows: cookies.iter().copied().collect(), ..Wanted::default() }
}

#[test]
fn a_namespace_is_left_once_none_of_its_connections_is_tracked() {
    let (mut reader, commands) = reader(1, Wanted { listeners: [3].into(), ..flows(&[1, 2]) });
    for (kept, left) in [(&[2, 9][..], 1), (&[9], 0)] {
        commands.send(Command::Keep(Arc::new(kept.iter().copied().collect()))).expect("it is read");
        assert!(reader.obey(&mut Vec::new()));
        assert_eq!(reader.watched.len(), left);
    }
}

#[test]
fn a_second_listing_of_a_namespace_adds_to_the_first() {
    let (mut reader, commands) = reader(1, flows(&[u64::MAX]));
    for netns in [1, 2] {
        let new = Box::new(watched(netns, flows(&[u64::MAX - 1])));
        commands.send(Command::Watch(new)).expect("it is read");
    }
    assert!(reader.obey(&mut Vec::new()));
    let counts: Vec<_> = reader.watched.iter().map(|old| (old.netns, old.wanted.flows.len())).collect();
    assert_eq!(counts, [(1, 2), (2, 1)]);
}

#[test]
fn a_flood_is_given_up_and_a_burst_is_not() {
    let mut watched = watched(1, flows(&[1]));
    let start = watched.since;
    let after = |seconds| start + Duration::from_secs(seconds);
    watched.uninteresting = 100 * RATE;
    assert!(watched.weigh(after(2)).is_ok(), "too early to tell");
    watched.uninteresting = 4 * RATE;
    assert!(watched.weigh(after(4)).is_ok());
    watched.uninteresting = 3 * RATE + 1;
    assert!(matches!(watched.weigh(after(7)), Err(GivenUp::Flood(..))));
}

#[test]
fn a_queue_that_ran_over_is_given_up_with_its_namespace() {
    let (mut reader, _commands) = reader(1, flows(&[u64::MAX]));
    let subscription = &reader.watched[0].subscription;
    sockopt::set_socket_recv_buffer_size(subscription, 1).expect("the kernel takes its least");
    let ends: Vec<_> = (0..64).map(|_| conversation("127.0.0.1:0")).collect();
    drop(ends);
    let start = Instant::now();
    while !reader.watched.is_empty() {
        assert!(start.elapsed() < PATIENCE, "the kernel tells what it could not queue");
        std::thread::sleep(Duration::from_millis(20));
        let _ = reader.read(0, &mut Vec::new());
    }
    assert_eq!(reader.given_up, 1);
}

#[test]
fn the_thread_ends_with_its_handle() {
    let (to, heard) = channel();
    let mut farewells = Farewells::new(move |some| to.send(some).is_ok());
    farewells.watch(1, Subscription::open().expect("the kernel tells of ends"), flows(&[u64::MAX]));
    drop(farewells);
    assert_eq!(heard.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
}
