//! What the kernel side captures of the first bytes, where they do not come as short segments on an open connection:
//! with the handshake, in the SYN, or in a segment longer than what is captured of an ordinary one.
//!
//! Each test prints its part of a table: case, end, what is expected, what was seen, and the evidence.

use std::process::Command;

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::event::Event;
use gdprport_tests::netns::Netns;
use gdprport_tests::ports::Port;
use gdprport_tests::posture::{Demand, Expected, Table, curl, demand, script};
use gdprport_tests::servers::Nginx;
use gdprport_tests::skip::installed;
use gdprport_tests::temp::TempDir;
use gdprport_tests::user::User;
use gdprport_tests::{need, tls};

const PLAIN: Expected = Expected::violation("plaintext", "", "plaintext");
const STARTUP: &str = "PostgreSQL StartupMessage without SSLRequest";
const TLS_13: Expected = Expected::declared("tls1.3", "1.3");

#[test]
fn a_request_to_a_deferred_accept_is_seen_at_both_ends() {
    let (dir, [plain, secure]) = (TempDir::new(), need!(Nginx::deferring()));
    let mut table = Table::new(&[demand(&plain.server, "", "1.2"), demand(&secure.server, "", "1.3")]);
    run(need!(curl(&dir, &secure.server, "https", &[])), Place::default());
    table.row("nginx 1.3, deferred accept", secure.server.port.number(), TLS_13);
    run(need!(curl(&dir, &plain.server, "http", &[])), Place::default());
    let request = PLAIN.because("HTTP/1 request without TLS");
    table.row("HTTP/1, deferred accept", plain.server.port.number(), request);
    table.finish();
}

/// A server and a client of PostgreSQL in plaintext; the client speaks first, in one of these ways:
/// `deferred`, the server accepts once data is there; `quickack`, the client delays its last acknowledgement of the
/// handshake and sends it with its data; `dripping`, the same with one byte; `shut`, the same with its FIN;
/// `fast-open`, it asks for TCP Fast Open, and what came of that is checked (`TCPI_OPT_SYN_DATA` of `TCP_INFO`);
/// `options` puts headers between those of IPv6 and TCP; a `6` behind it has an IPv6 socket listen.
const SPEAKS_FIRST: &str = r#"
import socket, struct, sys
_, port, called, how, to, syn_data = sys.argv
START = struct.pack(">II", 23, 196608) + b"user\0postgres\0\0"
six = how.endswith("6")
server = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if six:
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
# In each header: the next, its length in units of eight bytes, an option that nobody knows and all skip.
headers = [(socket.IPV6_HOPOPTS, 0), (socket.IPV6_DSTOPTS, 31)] if "options" in how else []
if how.startswith("deferred"):
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
if how.startswith("fast-open"):
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 8)
server.bind(("::" if six else "127.0.0.1", int(port)))
server.listen()
client = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET)
for header, units in headers:
    client.setsockopt(socket.IPPROTO_IPV6, header, bytes([0, units, 0x1E, 4 + 8 * units] + [0] * (4 + 8 * units)))
if how.startswith("fast-open"):
    client.sendto(START, socket.MSG_FASTOPEN, (to, int(called)))
else:
    if how.startswith("quickack") or how.startswith("dripping") or how.startswith("shut"):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    client.connect((to, int(called)))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if how.startswith("dripping"):
        client.sendall(START[:1])
        client.sendall(START[1:])
    else:
        client.sendall(START)
if how.startswith("shut"):
    client.shutdown(socket.SHUT_WR)
connection, _ = server.accept()
read = b""
while len(read) < len(START):
    read += connection.recv(100)
assert read == START
connection.sendall(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")
assert client.recv(100)
options = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5]
assert bool(options & 32) is (syn_data == "data-in-syn"), options
client.close()
assert connection.recv(100) == b""
connection.close()
"#;

/// Ports with the demand that PostgreSQL is encrypted, in a namespace of their own.
struct Handshakes {
    dir: TempDir,
    netns: Netns,
    table: Table,
    port: Port,
}

impl Handshakes {
    fn new() -> Self {
        let port = Port::free();
        let table = Table::new(&[Demand { port: port.number(), protocol: "postgresql", min: "1.2" }]);
        Self { dir: TempDir::new(), netns: Netns::new(), table, port }
    }

    /// Lets both speak; the client calls the port `called`.
    fn talk(&self, called: &Port, [how, to, syn_data]: [&str; 3]) {
        let ports = [self.port.to_string(), called.to_string()];
        let both = script(&self.dir, SPEAKS_FIRST, &[&ports[0], &ports[1], how, to, syn_data]);
        run(both.expect("Python is there"), Place::default().netns(&self.netns));
    }

    /// Lets both speak, and expects that both ends are known to be in plaintext.
    fn speak(&mut self, how: &str, to: &str, syn_data: &str) {
        self.talk(&self.port, [how, to, syn_data]);
        let plain = PLAIN.because(STARTUP);
        self.table.row(&format!("{how} to {to}, {syn_data}"), self.port.number(), plain);
    }
}

#[test]
fn a_request_that_completes_the_handshake_is_seen_at_both_ends() {
    need!(gdprport_tests::servers::python());
    let mut handshakes = Handshakes::new();
    for how in ["deferred", "quickack", "dripping", "shut"] {
        handshakes.speak(how, "127.0.0.1", "-");
    }
    handshakes.speak("quickack6", "127.0.0.1", "-");
    handshakes.speak("quickack6", "::1", "-");
    // No request socket exists then: the cookie alone completes the handshake.
    handshakes.netns.sysctl("net/ipv4/tcp_syncookies", "2");
    handshakes.speak("quickack", "127.0.0.1", "-");
    handshakes.speak("quickack6", "::1", "-");
    handshakes.table.finish();
}

/// Any process may put such headers before TCP, in a user namespace of its own.
#[test]
fn ipv6_extension_headers_hide_no_plaintext() {
    need!(gdprport_tests::servers::python());
    let mut handshakes = Handshakes::new();
    handshakes.speak("options6", "::1", "-");
    handshakes.speak("quickack-options6", "::1", "-");
    handshakes.table.finish();
}

#[test]
fn a_request_in_the_syn_of_a_fast_open_is_seen_at_both_ends() {
    need!(gdprport_tests::servers::python());
    let mut handshakes = Handshakes::new();
    handshakes.netns.sysctl("net/ipv4/tcp_fastopen", "3");
    // Without a cookie the request comes with the last segment of the handshake, with one in the first.
    handshakes.speak("fast-open", "127.0.0.1", "no-cookie");
    handshakes.speak("fast-open", "127.0.0.1", "data-in-syn");
    handshakes.speak("fast-open6", "::1", "no-cookie");
    handshakes.speak("fast-open6", "::1", "data-in-syn");
    handshakes.table.finish();
}

/// A server and a client that send each other a long piece in plaintext and then begin TLS 1.3: `smtp`, the server lists
/// many capabilities; `imap`, it answers many commands; `proxy`, the client sends a header of the PROXY protocol, version 2; `name`, nothing, but the
/// client's hello is long and names the server last. As its order was changed, the server refuses it in the end.
const LONG: &str = r#"
import socket, ssl, struct, sys, threading
_, port, how, length, key, chain, name = sys.argv
length = int(length)
listener = socket.create_server(("127.0.0.1", int(port)))

def take(connection, length):
    taken = b""
    while len(taken) < length:
        piece = connection.recv(length - len(taken))
        assert piece
        taken += piece
    return taken

def serve():
    connection, _ = listener.accept()
    if how == "smtp":
        connection.sendall(b"220 mail.gdprport.test ESMTP\r\n")
        take(connection, len("EHLO a\r\n"))
        line = b"250-EXTENSION-NUMBER-42 PARAM PARAM\r\n"
        connection.sendall(line * (length // len(line)) + b"250 STARTTLS\r\n")
        take(connection, len("STARTTLS\r\n"))
        connection.sendall(b"220 go\r\n")
    elif how == "imap":
        connection.sendall(b"* OK ready\r\n")
        for _ in range(length):
            take(connection, len("a NOOP\r\n"))
            connection.sendall(b"a OK done\r\n")
        take(connection, len("b STARTTLS\r\n"))
        connection.sendall(b"b OK go\r\n")
    elif how == "proxy":
        take(connection, length)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    try:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1)
    except ssl.SSLError:
        assert how == "name"

def name_last(hello):
    at = 43 + 1 + hello[43]
    at += 2 + int.from_bytes(hello[at:at + 2], "big")
    at += 1 + hello[at] + 2
    start, first, last = at, b"", b""
    while at < len(hello):
        end = at + 4 + int.from_bytes(hello[at + 2:at + 4], "big")
        if hello[at:at + 2] == b"\0\0":
            last = hello[at:end]
        else:
            first += hello[at:end]
        at = end
    assert last and first
    return hello[:start] + first + last

serving = threading.Thread(target=serve)
serving.start()
client = socket.create_connection(("127.0.0.1", int(port)))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.minimum_version = ssl.TLSVersion.TLSv1_3
if how == "name":
    context.set_alpn_protocols([f"a-protocol-{at}" for at in range(length // 15)])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    assert len(hello) > length
    client.sendall(name_last(hello))
    assert client.recv(5)[0] == 22
    client.close()
else:
    if how == "smtp":
        client.recv(1000)
        client.sendall(b"EHLO a\r\n")
        while not client.recv(65536).endswith(b"STARTTLS\r\n"):
            pass
        client.sendall(b"STARTTLS\r\n")
        client.recv(1000)
    elif how == "imap":
        client.recv(1000)
        for command in [b"a NOOP\r\n"] * length + [b"b STARTTLS\r\n"]:
            client.sendall(command)
            client.recv(1000)
    else:
        header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", length - 16)
        client.sendall(header + bytes(length - 16))
    secure = context.wrap_socket(client, server_hostname=name)
    secure.sendall(b"x")
    secure.close()
serving.join()
"#;

#[test]
fn long_pieces_before_tls_hide_neither_version_nor_name() {
    need!(gdprport_tests::servers::python());
    let (dir, port) = (TempDir::new(), Port::free());
    let files = need!(tls::identity()).write_into(&dir, &need!(User::named("root")));
    let (key, chain) = (files.key.to_string_lossy(), files.certificate.to_string_lossy());
    let mut table = Table::new(&[Demand { port: port.number(), protocol: "", min: "1.3" }]);
    let upgraded = Expected::declared("starttls-upgraded", "1.3").because("STARTTLS, then ServerHello");
    for (how, length, expected) in [
        ("smtp", 600, upgraded),
        ("smtp", 1_900, upgraded),
        ("imap", 4, upgraded),
        ("proxy", 600, TLS_13),
        ("proxy", 3_000, TLS_13),
        ("proxy", 60_000, TLS_13),
        ("name", 1_400, TLS_13),
    ] {
        let arguments = [&port.to_string(), how, &length.to_string(), &*key, &*chain, tls::NAME];
        run(need!(script(&dir, LONG, &arguments)), Place::default());
        table.row(&format!("{how}, {length}"), port.number(), expected);
        for direction in ["out", "in"] {
            let event = table.last("flow.close", direction);
            assert_eq!(event.text("posture.sni"), tls::NAME, "{}", event.line());
        }
    }
    table.finish();
}

mod host_only {
    //! Run on the host alone: it needs nftables.

    use super::*;

    /// The client calls another port, so that only the server's end is on a watched one, and no socket awaits payload.
    #[test]
    fn a_deferred_request_is_seen_where_nothing_else_is_watched() {
        need!(gdprport_tests::servers::python());
        let (mut handshakes, called) = (Handshakes::new(), Port::free());
        let nft = need!(installed(&["/usr/sbin/nft"], "nftables"));
        let mut rules = Command::new(nft);
        rules.arg(format!(
            "add table ip there
             add chain ip there output {{ type nat hook output priority -100; }}
             add rule ip there output tcp dport {called} redirect to :{}",
            handshakes.port
        ));
        run(rules, Place::default().netns(&handshakes.netns));
        for how in ["deferred", "quickack"] {
            handshakes.talk(&called, [how, "127.0.0.1", "-"]);
        }
        let log = &mut handshakes.table.daemon.log;
        let closed = |event: &Event| event.is("flow.close", handshakes.port.number());
        assert_eq!(log.wait_count("flow.close of both servers' ends", 2, closed), 2);
        for event in log.seen().iter().filter(|event| closed(event)) {
            assert_eq!(event.text("flow.direction"), "in", "{}", event.line());
            assert_eq!(event.text("posture.evidence"), STARTUP, "{}", event.line());
        }
        handshakes.table.finish();
    }
}
