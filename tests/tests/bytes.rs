//! Bytes are exact to the byte, in both directions, by every call that moves them.

use gdprport_tests::pair::{Connection, Pair};

/// What the `flow.close` events of both ends must report.
#[track_caller]
fn counted(pair: &mut Pair, connection: &Connection, from_client: u64, from_server: u64, outcome: &str) {
    let ends =
        [(&connection.client, from_client, from_server), (&connection.server, from_server, from_client)];
    for (end, sent, received) in ends {
        let event = end.event(&mut pair.daemon.log, "flow.close");
        assert_eq!(event.number("flow.bytes_sent"), Some(sent), "sent: {}", event.line());
        assert_eq!(event.number("flow.bytes_received"), Some(received), "received: {}", event.line());
        assert_eq!(event.text("flow.outcome"), outcome, "{}", event.line());
    }
}

/// The client sends `n` bytes by `send`, which the server takes by `receive`.
#[track_caller]
fn client_sends(pair: &mut Pair, connection: &Connection, send: &str, receive: &str, n: u64) {
    pair.client.send(&format!("{send} {} {n}", connection.there.id));
    pair.server.ask(&format!("{receive} {} {n}", connection.here.id));
    pair.client.reply();
}

/// The server sends `n` bytes by `send`, which the client takes by `receive`.
#[track_caller]
fn server_sends(pair: &mut Pair, connection: &Connection, send: &str, receive: &str, n: u64) {
    pair.server.send(&format!("{send} {} {n}", connection.here.id));
    pair.client.ask(&format!("{receive} {} {n}", connection.there.id));
    pair.server.reply();
}

#[test]
fn known_sizes_in_both_directions_are_counted_to_the_byte() {
    let mut pair = Pair::new();
    for (from_client, from_server) in [(0, 0), (1, 0), (0, 1), (1, 1), (3, 1_000_001), (70_001, 65_536)] {
        let connection = pair.connect();
        client_sends(&mut pair, &connection, "send", "recv", from_client);
        server_sends(&mut pair, &connection, "send", "recv", from_server);
        pair.close(&connection);
        counted(&mut pair, &connection, from_client, from_server, "closed");
    }
    pair.daemon.stop();
}

#[test]
fn it_does_not_matter_which_end_closes_first() {
    let mut pair = Pair::new();
    let connection = pair.connect();
    client_sends(&mut pair, &connection, "send", "recv", 1234);
    pair.server.close(connection.here);
    pair.client.close(connection.there);
    counted(&mut pair, &connection, 1234, 0, "closed");
    pair.daemon.stop();
}

/// Its socket leaves FIN_WAIT2 long before the other end closes.
#[test]
fn an_end_that_closes_much_earlier_is_counted_to_the_byte() {
    let mut pair = Pair::new();
    for client_first in [true, false] {
        let connection = pair.connect();
        client_sends(&mut pair, &connection, "send", "recv", 1234);
        server_sends(&mut pair, &connection, "send", "recv", 55);
        // The first end's socket leaves FIN_WAIT2 before the other end's FIN comes.
        if client_first {
            pair.client.close(connection.there);
            std::thread::sleep(std::time::Duration::from_millis(100));
            pair.server.close(connection.here);
        } else {
            pair.server.close(connection.here);
            std::thread::sleep(std::time::Duration::from_millis(100));
            pair.client.close(connection.there);
        }
        counted(&mut pair, &connection, 1234, 55, "closed");
    }
    pair.daemon.stop();
}

#[test]
fn full_duplex_is_counted_to_the_byte() {
    let mut pair = Pair::new();
    let connection = pair.connect();
    pair.client.send(&format!("duplex {} 5000003 7000001", connection.there.id));
    pair.server.ask(&format!("duplex {} 7000001 5000003", connection.here.id));
    pair.client.reply();
    pair.close(&connection);
    counted(&mut pair, &connection, 5_000_003, 7_000_001, "closed");
    pair.daemon.stop();
}

#[test]
fn sendfile_and_splice_are_counted_to_the_byte() {
    let mut pair = Pair::new();
    for (send, receive) in [("sendfile", "recv"), ("splice", "recv"), ("splice", "recv-splice")] {
        let connection = pair.connect();
        client_sends(&mut pair, &connection, send, receive, 3_000_001);
        server_sends(&mut pair, &connection, send, receive, 65_537);
        pair.close(&connection);
        counted(&mut pair, &connection, 3_000_001, 65_537, "closed");
    }
    pair.daemon.stop();
}

#[test]
fn bytes_after_a_half_close_are_counted_to_the_byte() {
    let mut pair = Pair::new();
    let connection = pair.connect();
    pair.client.ask(&format!("send {} 1000", connection.there.id));
    pair.client.ask(&format!("shutdown {}", connection.there.id));
    assert_eq!(pair.server.ask(&format!("recv-end {}", connection.here.id)), "1000 eof");
    server_sends(&mut pair, &connection, "send", "recv", 500_001);
    pair.server.close(connection.here);
    assert_eq!(pair.client.ask(&format!("recv-end {}", connection.there.id)), "0 eof");
    pair.client.close(connection.there);
    counted(&mut pair, &connection, 1000, 500_001, "closed");
    pair.daemon.stop();
}

/// It shuts down its sending side, and closes or resets before the other end closes.
#[test]
fn a_half_closed_end_that_leaves_first_counts_no_fin_as_byte() {
    let mut pair = Pair::new();
    for (read, leave) in [("all", "close"), ("half", "close"), ("all", "reset")] {
        let connection = half_closed(&mut pair);
        pair.server.ask(&format!("send {} 55", connection.here.id));
        pair.client.ask(&format!("recv {} {}", connection.there.id, if read == "all" { 55 } else { 20 }));
        pair.server.ask(&format!("drain {}", connection.here.id));
        pair.client.ask(&format!("{leave} {}", connection.there.id));
        let event = connection.client.event(&mut pair.daemon.log, "flow.close");
        assert_eq!(event.number("flow.bytes_sent"), Some(1000), "{read} {leave}: {}", event.line());
        assert_eq!(event.number("flow.bytes_received"), Some(55), "{read} {leave}: {}", event.line());
        pair.server.ask(&format!("close {}", connection.here.id));
    }
    pair.daemon.stop();
}

#[test]
fn a_reset_after_a_half_close_counts_no_fin_as_byte() {
    let mut pair = Pair::new();
    let connection = half_closed(&mut pair);
    server_sends(&mut pair, &connection, "send", "recv", 55);
    pair.server.ask(&format!("drain {}", connection.here.id));
    pair.server.ask(&format!("reset {}", connection.here.id));
    assert_eq!(pair.client.ask(&format!("recv-end {}", connection.there.id)), "0 reset");
    pair.client.close(connection.there);
    let event = connection.client.event(&mut pair.daemon.log, "flow.close");
    assert_eq!(event.number("flow.bytes_sent"), Some(1000), "{}", event.line());
    assert_eq!(event.number("flow.bytes_received"), Some(55), "{}", event.line());
    pair.daemon.stop();
}

/// A connection on which the client has sent 1000 bytes and its FIN, and knows that they were received.
fn half_closed(pair: &mut Pair) -> Connection {
    let connection = pair.connect();
    pair.client.ask(&format!("send {} 1000", connection.there.id));
    pair.client.ask(&format!("shutdown {}", connection.there.id));
    assert_eq!(pair.server.ask(&format!("recv-end {}", connection.here.id)), "1000 eof");
    connection
}

#[test]
fn bytes_before_a_reported_reset_are_counted_to_the_byte() {
    let mut pair = Pair::new();
    for client_resets in [true, false] {
        let connection = pair.connect();
        client_sends(&mut pair, &connection, "send", "recv", 20_001);
        server_sends(&mut pair, &connection, "send", "recv", 30_002);
        // Bytes that the peer has not acknowledged before the reset may not have been delivered.
        pair.client.ask(&format!("drain {}", connection.there.id));
        pair.server.ask(&format!("drain {}", connection.here.id));
        let (first, first_id, second, second_id) = if client_resets {
            (&mut pair.client, connection.there.id, &mut pair.server, connection.here.id)
        } else {
            (&mut pair.server, connection.here.id, &mut pair.client, connection.there.id)
        };
        first.ask(&format!("reset {first_id}"));
        assert_eq!(second.ask(&format!("recv-end {second_id}")), "0 reset");
        second.ask(&format!("close {second_id}"));
        counted(&mut pair, &connection, 20_001, 30_002, "reset");
    }
    pair.daemon.stop();
}
