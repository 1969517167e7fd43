//! Postures that depend on what the kernel passes on: bytes that go over the wire in unusual ways (one at a time, none,
//! random ones, before the daemon), and one ordinary server for comparison. Those that come with the handshake are in
//! `posture_capture`.
//!
//! Each test prints its part of a table: case, end, what is expected, what was seen, and the evidence.

use std::process::Command;

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::netns::Netns;
use gdprport_tests::ports::Port;
use gdprport_tests::posture::{Demand, Expected, Table, USER_DATA, demand, script};
use gdprport_tests::puppet::Puppet;
use gdprport_tests::servers::{Nginx, Redis};
use gdprport_tests::skip::installed;
use gdprport_tests::temp::TempDir;
use gdprport_tests::{need, tls, wait};

const PLAIN: Expected = Expected::violation("plaintext", "", "plaintext");
const TLS_13: Expected = Expected::declared("tls1.3", "1.3");

#[test]
fn redis_is_seen_in_plaintext_and_in_tls() {
    let (bare, secure) = (need!(Redis::start()), need!(Redis::with_tls()));
    let dir = TempDir::new();
    let authority = need!(tls::identity()).write_authority(&dir);
    let mut table =
        Table::new(&[demand(&bare.server, "redis", "1.3"), demand(&secure.server, "redis", "1.3")]);
    run(bare.client("127.0.0.1", &["set", "key", USER_DATA]), Place::default());
    table.row("Redis", bare.server.port.number(), PLAIN.because("Redis command without TLS"));
    let authority = authority.to_string_lossy();
    let words = ["--tls", "--cacert", &authority, "set", "key", USER_DATA];
    run(secure.client("127.0.0.1", &words), Place::default());
    table.row("Redis --tls", secure.server.port.number(), TLS_13);
    table.finish();
}

const PLAIN_DRIPPING_CLIENT: &str = r#"
import socket, sys
_, port = sys.argv
connection = socket.create_connection(("127.0.0.1", int(port)))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for byte in b"GET / HTTP/1.0\r\n\r\n":
    connection.sendall(bytes([byte]))
assert connection.recv(1)
connection.close()
"#;

const DRIPPING_CLIENT: &str = r#"
import socket, ssl, sys
_, port, authority, name, data = sys.argv
context = ssl.create_default_context(cafile=authority)
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
session = context.wrap_bio(incoming, outgoing, server_hostname=name)
connection = socket.create_connection(("127.0.0.1", int(port)))
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

def drip():
    for byte in outgoing.read():
        connection.sendall(bytes([byte]))

while True:
    try:
        session.do_handshake()
        break
    except ssl.SSLWantReadError:
        drip()
        part = connection.recv(65536)
        assert part, "the server ended the handshake"
        incoming.write(part)
session.write(f"GET /{data} HTTP/1.0\r\n\r\n".encode())
drip()
assert connection.recv(1)
connection.close()
"#;

#[test]
fn a_client_hello_that_comes_byte_by_byte_is_tls() {
    let (dir, nginx) = (TempDir::new(), need!(Nginx::with_tls("TLSv1.3")));
    let port = nginx.server.port.number();
    let authority = need!(tls::identity()).write_authority(&dir);
    let mut table = Table::new(&[demand(&nginx.server, "", "1.3")]);
    let arguments = [&port.to_string(), &*authority.to_string_lossy(), tls::NAME, USER_DATA];
    run(need!(script(&dir, DRIPPING_CLIENT, &arguments)), Place::default());
    table.row("ClientHello, one byte at a time", port, TLS_13);
    table.finish();
}

#[test]
fn a_request_that_comes_byte_by_byte_is_plaintext() {
    let (dir, nginx) = (TempDir::new(), need!(Nginx::start()));
    let port = nginx.server.port.number();
    let mut table = Table::new(&[demand(&nginx.server, "", "1.3")]);
    run(need!(script(&dir, PLAIN_DRIPPING_CLIENT, &[&port.to_string()])), Place::default());
    table.row("HTTP/1, one byte at a time", port, PLAIN.because("HTTP/1 request without TLS"));
    table.finish();
}

/// A mail server and a client that greets and then sends its mail, each command in a segment of its own.
const MAIL: &str = r#"
import socket, sys, threading
_, port = sys.argv
server = socket.create_server(("127.0.0.1", int(port)))

def serve():
    connection, _ = server.accept()
    lines = connection.makefile("rwb", buffering=0)
    lines.write(b"220 mail.gdprport.test ESMTP\r\n")
    assert lines.readline().startswith(b"EHLO")
    lines.write(b"250-mail.gdprport.test\r\n250 STARTTLS\r\n")
    assert lines.readline().startswith(b"MAIL")
    lines.write(b"250 Ok\r\n")
    assert not lines.readline()

serving = threading.Thread(target=serve)
serving.start()
client = socket.create_connection(("127.0.0.1", int(port)))
lines = client.makefile("rwb", buffering=0)
assert lines.readline().startswith(b"220")
lines.write(b"EHLO client.gdprport.test\r\n")
assert lines.readline().startswith(b"250-") and lines.readline().startswith(b"250 ")
lines.write(b"MAIL FROM:<never-in-an-event@gdprport.test>\r\n")
assert lines.readline().startswith(b"250")
lines.close()
client.close()
serving.join()
"#;

const RAW_CLIENT: &str = r#"
import random, socket, sys
_, port, seed = sys.argv
connection = socket.create_connection(("127.0.0.1", int(port)))
connection.sendall(random.Random(int(seed)).randbytes(600))
connection.close()
"#;

/// A port that a puppet serves, under a demand.
fn puppet_port() -> (Port, Puppet, Demand) {
    let (port, mut server) = (Port::free(), Puppet::new());
    server.listen(format!("127.0.0.1:{port}"));
    let demand = Demand { port: port.number(), protocol: "postgresql", min: "1.2" };
    (port, server, demand)
}

#[test]
fn random_bytes_are_no_tls_and_a_violation() {
    let (port, mut server, demand) = puppet_port();
    let dir = TempDir::new();
    let mut table = Table::new(&[demand]);
    for seed in 1..=4 {
        let arguments = [port.to_string(), seed.to_string()];
        run(need!(script(&dir, RAW_CLIENT, &arguments.each_ref().map(String::as_str))), Place::default());
        let held = server.accept();
        assert_eq!(server.ask(&format!("recv-end {}", held.id)), "600 eof");
        server.close(held);
        let case = format!("random bytes, seed {seed}");
        let nothing_known = Expected::violation("unrecognised", "", "not-tls")
            .because("neither TLS nor postgresql nor another known protocol");
        table.row(&case, port.number(), nothing_known);
    }
    table.finish();
}

/// What it sends later does not change that.
#[test]
fn a_flow_that_predates_the_daemon_stays_unknown() {
    let (port, mut server, demand) = puppet_port();
    let mut client = Puppet::new();
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    let mut table = Table::new(&[demand]);
    wait::until("both ends are in the flow table", || table.daemon.port_status(port.number())["open"] == 2);
    client.ask(&format!("send {} 1000", there.id));
    server.ask(&format!("recv {} 1000", here.id));
    client.close(there);
    server.close(here);
    table.row("open before the daemon", port.number(), Expected::unknown().because("opened before watching"));
    table.finish();
}

mod host_only {
    //! Run on the host alone: the same on every kernel.

    use super::*;

    /// What is sent again was seen already, and leaves room for what comes next.
    #[test]
    fn retransmitted_segments_hide_nothing() {
        let (dir, netns, port) = (TempDir::new(), Netns::new(), Port::free());
        let nft = need!(installed(&["/usr/sbin/nft"], "nftables"));
        let mut rules = Command::new(nft);
        rules.arg(format!(
            "add table inet loss
             add chain inet loss input {{ type filter hook input priority 0; }}
             add rule inet loss input tcp dport {port} tcp flags & psh == psh numgen inc mod 5 < 4 drop"
        ));
        run(rules, Place::default().netns(&netns));
        let mut table = Table::new(&[Demand { port: port.number(), protocol: "smtp", min: "1.2" }]);
        run(need!(script(&dir, MAIL, &[&port.to_string()])), Place::default().netns(&netns));
        table.row("SMTP, each client segment lost four times", port.number(), PLAIN);
        let retransmits = table.last("flow.close", "out").number("flow.retransmits");
        assert!(retransmits.is_some_and(|lost| lost >= 8), "{retransmits:?}");
        table.finish();
    }
}
