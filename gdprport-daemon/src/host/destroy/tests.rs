//! Real connections on loopback, closed in every order.

use gdprport_tests::need;
use gdprport_tests::skip::Missing;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::net::sockopt;

use super::reader::{Reader, ReaderCommand};
use super::watched::{GivenUp, RATE, WatchedNetns};
use super::*;
use crate::host::testing::{connection, cookie};
use gdprport_core::model::{Direction, Outcome};

const TIMEOUT: Duration = Duration::from_secs(20);

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

/// Receives notices until these sockets have all ended; in the order of `cookies`.
fn receive(subscription: Subscription, cookies: &[u64]) -> Vec<DestroyNotice> {
    let (to, received) = channel();
    let mut notices = DestroyNotices::new(move |some| to.send(some).is_ok());
    let wanted = WantedSockets { flows: cookies.iter().copied().collect(), ..WantedSockets::default() };
    notices.watch(1, subscription, wanted);
    let mut all = Vec::new();
    while all.len() < cookies.len() {
        all.extend(received.recv_timeout(TIMEOUT).expect("the kernel reports every end"));
    }
    let of = |wanted| *all.iter().find(|notice| notice.cookie == wanted).expect("each once");
    cookies.iter().map(|cookie| of(*cookie)).collect()
}

/// Closes a connection and checks its notices: bytes sent and received, outcome of client and server.
#[track_caller]
fn closing(at: &str, close: impl FnOnce(TcpStream, TcpStream), expected: [(Option<[u64; 2]>, Outcome); 2]) {
    let (client, server, _listener) = conversation(at);
    let cookies = [cookie(&client), cookie(&server)];
    let subscription = Subscription::open().expect("the kernel has the broadcast");
    close(client, server);
    let notices = receive(subscription, &cookies);
    for (notice, direction, expected) in
        [(notices[0], Direction::Out, expected[0]), (notices[1], Direction::In, expected[1])]
    {
        let (progress, outcome) = notice.last.ending(direction);
        let bytes = progress.bytes_sent.zip(progress.bytes_received).map(|(sent, received)| [sent, received]);
        assert_eq!((bytes, outcome), expected, "{direction:?}: {notice:?}");
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
fn the_client_closes_first_and_the_server_does_not_read() {
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
fn ipv6_sockets_are_reported_too() {
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
fn one_direction_is_shut_down_and_the_other_never_read() {
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
fn a_reset_from_here_has_no_bytes_and_its_peer_has_all() {
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
fn an_end_with_unread_bytes_resets_and_has_received_them() {
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

/// Listeners are reported while connections remain.
#[test]
fn only_wanted_sockets_are_reported_listeners_included() {
    let (client, server, listener) = conversation("127.0.0.1:0");
    let (other, _keep, _) = conversation("127.0.0.1:0");
    let (to, received) = channel();
    let mut notices = DestroyNotices::new(move |some| to.send(some).is_ok());
    let wanted = WantedSockets { flows: [cookie(&client)].into(), listeners: [cookie(&listener)].into() };
    let cookies = [cookie(&listener), cookie(&client)];
    notices.watch(1, Subscription::open().expect("the kernel has the broadcast"), wanted);
    drop((other, server));
    drop(listener);
    let first = received.recv_timeout(TIMEOUT).expect("the listener ended");
    assert_eq!(first.iter().map(|notice| notice.cookie).collect::<Vec<_>>(), cookies[..1]);
    drop(client);
    let then = received.recv_timeout(TIMEOUT).expect("the connection ended");
    assert_eq!(then.iter().map(|notice| notice.cookie).collect::<Vec<_>>(), cookies[1..]);
}

/// A reader without a thread.
fn reader(netns: u64, wanted: WantedSockets) -> (Reader, Sender<ReaderCommand>) {
    let (commands, inbox) = channel();
    let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK).expect("a counter"));
    let mut reader = Reader::new(inbox, wake);
    reader.watched.push(watched(netns, wanted));
    (reader, commands)
}

fn watched(netns: u64, wanted: WantedSockets) -> WatchedNetns {
    let subscription = Subscription::open().expect("the kernel has the broadcast");
    WatchedNetns::new(netns, subscription, wanted)
}

fn flows(cookies: &[u64]) -> WantedSockets {
    WantedSockets { flows: cookies.iter().copied().collect(), ..WantedSockets::default() }
}

#[test]
fn a_namespace_is_left_with_its_last_tracked_connection() {
    let (mut reader, commands) = reader(1, WantedSockets { listeners: [3].into(), ..flows(&[1, 2]) });
    for (kept, left) in [(&[2, 9][..], 1), (&[9], 0)] {
        commands.send(ReaderCommand::Retain(Arc::new(kept.iter().copied().collect()))).expect("it is read");
        assert!(reader.execute_commands(&mut Vec::new()));
        assert_eq!(reader.watched.len(), left);
    }
}

#[test]
fn a_second_listing_of_a_namespace_adds_to_the_first() {
    let (mut reader, commands) = reader(1, flows(&[u64::MAX]));
    for netns in [1, 2] {
        let new = Box::new(watched(netns, flows(&[u64::MAX - 1])));
        commands.send(ReaderCommand::Watch(new)).expect("it is read");
    }
    assert!(reader.execute_commands(&mut Vec::new()));
    let counts: Vec<_> = reader.watched.iter().map(|old| (old.netns, old.wanted.flows.len())).collect();
    assert_eq!(counts, [(1, 2), (2, 1)]);
}

#[test]
fn a_flood_is_given_up_and_a_burst_is_not() {
    let mut watched = watched(1, flows(&[1]));
    let start = watched.since;
    let after = |seconds| start + Duration::from_secs(seconds);
    watched.uninteresting = 100 * RATE;
    assert!(watched.check_rate(after(2)).is_ok(), "too early to decide");
    watched.uninteresting = 4 * RATE;
    assert!(watched.check_rate(after(4)).is_ok());
    watched.uninteresting = 3 * RATE + 1;
    assert!(matches!(watched.check_rate(after(7)), Err(GivenUp::Flood(..))));
}

#[test]
fn a_queue_that_overflowed_is_given_up_with_its_namespace() {
    let (mut reader, _commands) = reader(1, flows(&[u64::MAX]));
    let subscription = &reader.watched[0].subscription;
    sockopt::set_socket_recv_buffer_size(subscription, 1).expect("the kernel takes its least");
    let ends: Vec<_> = (0..64).map(|_| conversation("127.0.0.1:0")).collect();
    drop(ends);
    let start = Instant::now();
    while !reader.watched.is_empty() {
        assert!(start.elapsed() < TIMEOUT, "the kernel reports what it could not queue");
        std::thread::sleep(Duration::from_millis(20));
        let _ = reader.read(0, &mut Vec::new());
    }
    assert_eq!(reader.given_up, 1);
}

#[test]
fn the_thread_ends_with_its_handle() {
    let (to, received) = channel();
    let mut notices = DestroyNotices::new(move |some| to.send(some).is_ok());
    notices.watch(1, Subscription::open().expect("the kernel has the broadcast"), flows(&[u64::MAX]));
    drop(notices);
    assert_eq!(received.recv_timeout(TIMEOUT), Err(RecvTimeoutError::Disconnected));
}
