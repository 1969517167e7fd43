//! Segments that no connection takes: of none, or rejected by the receiver's TCP. `cgroup_skb` sees them all the same, and
//! nothing that they contain may be taken for what a peer said.

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::need;
use gdprport_tests::netns::Netns;
use gdprport_tests::ports::Port;
use gdprport_tests::posture::{Demand, Expected, Table, script};
use gdprport_tests::temp::TempDir;

const PLAIN: Expected = Expected::violation("plaintext", "", "plaintext");

/// A port that demands TLS of PostgreSQL.
fn table(port: &Port) -> Table {
    Table::new(&[Demand { port: port.number(), protocol: "postgresql", min: "1.2" }])
}

/// Runs a script behind what both share, in a namespace of its own.
fn speak(text: &str, port: &Port, times: &str) {
    let (dir, text) = (TempDir::new(), [RAW, text].concat());
    let both = script(&dir, &text, &[&port.to_string(), times]).expect("Python is there");
    run(both, Place::default().netns(&Netns::new()));
}

/// What the two scripts below share: a segment with these numbers, from the client's port to the server's, with
/// a checksum that is off by `wrong`.
const RAW: &str = r#"
import random, socket, struct, sys
_, port, times = sys.argv
server = socket.create_server(("127.0.0.1", int(port)))
client = socket.socket()
client.bind(("127.0.0.1", 0))
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)

def send(numbers, flags, payload, wrong=0):
    ends = (client.getsockname()[1], int(port))
    whole = struct.pack(">HHLLBBHHH", *ends, *numbers, 5 << 4, flags, 1024, 0, 0) + payload
    pseudo = socket.inet_aton("127.0.0.1") * 2 + struct.pack(">BBH", 0, 6, len(whole)) + whole
    pseudo += bytes(len(pseudo) % 2)
    total = sum(struct.unpack(f">{len(pseudo) // 2}H", pseudo))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    checksum = struct.pack(">H", (~total & 0xFFFF) ^ wrong)
    raw.sendto(whole[:16] + checksum + whole[18:], ("127.0.0.1", 0))
"#;

/// Sends segments of a connection that does not exist to a listener, then calls it from their port. Whether there is
/// one with their numbers is not checked before `cgroup_skb` sees them.
const STRAYS: &str = r#"
for flags in [0x18] * int(times) + [0x02] + [0x18] * int(times):
    numbers = (random.getrandbits(32), random.getrandbits(32) if flags == 0x18 else 0)
    send(numbers, flags, b"GET /stray HTTP/1.1\r\n\r\n")
client.connect(("127.0.0.1", int(port)))
connection, _ = server.accept()
client.sendall(struct.pack(">II", 23, 196608) + b"user\0postgres\0\0")
assert connection.recv(100)
client.close()
assert connection.recv(100) == b""
"#;

/// Nothing of them is sent to the daemon either.
#[test]
fn segments_without_a_connection_are_no_ones_first() {
    need!(gdprport_tests::servers::python());
    let port = Port::free();
    let mut table = table(&port);
    speak(STRAYS, &port, "400");
    table.row("after strays", port.number(), PLAIN.because("PostgreSQL StartupMessage without SSLRequest"));
    let coverage = table.daemon.status()["coverage"].clone();
    assert!(coverage["kernel"]["seen"].as_u64().is_some_and(|seen| seen < 200), "{coverage}");
    table.finish();
}

/// A ClientHello that the server's TCP rejects, for its checksum, and in its place a request, which is answered with
/// a file that begins like a ServerHello. The numbers are read as `TCP_REPAIR` gives them.
const REJECTED: &str = r#"
client.connect(("127.0.0.1", int(port)))
connection, _ = server.accept()
numbers = []
client.setsockopt(socket.IPPROTO_TCP, 19, 1)
for queue in (2, 1):
    client.setsockopt(socket.IPPROTO_TCP, 20, queue)
    numbers.append(client.getsockopt(socket.IPPROTO_TCP, 21) & 0xFFFFFFFF)
client.setsockopt(socket.IPPROTO_TCP, 20, 0)
client.setsockopt(socket.IPPROTO_TCP, 19, -1)
session = bytes(range(32))
body = b"\3\3" + bytes(32) + b"\x20" + session
extensions = b"\0\x2b\0\3\2\3\4\0\x0d\0\4\0\2\4\3"
hello = body + b"\0\2\x13\1" + b"\1\0" + struct.pack(">H", len(extensions)) + extensions
file = body + b"\x13\1\0" + b"\0\6" + b"\0\x2b\0\2\3\4"
handshake = lambda kind, body: struct.pack(">BHHBBH", 22, 0x303, len(body) + 4, kind, 0, len(body)) + body
fake = handshake(1, hello) + b"\x14\3\3\0\1\1\x17\3\3\0\x30" + bytes(48)
for _ in range(int(times)):
    send(numbers, 0x18, fake, wrong=0x5555)
client.sendall(b"GET /file-of-the-house HTTP/1.1\r\n\r\n")
assert connection.recv(1000).startswith(b"GET")
connection.sendall(handshake(2, file) + b"\x17\3\3\0\x30" + bytes(48))
assert client.recv(1000)
client.close()
assert connection.recv(100) == b""
"#;

/// At the server's end; the client's own does not see what the raw socket sends.
#[test]
fn a_hello_that_tcp_rejects_makes_no_tls_of_a_request() {
    need!(gdprport_tests::servers::python());
    let port = Port::free();
    let mut table = table(&port);
    let twice = Expected::unknown().because("the same bytes came twice, with different contents");
    let request = PLAIN.because("HTTP/1 request without TLS");
    // At last so often that nothing of the request is recorded.
    for times in ["1", "2", "40"] {
        speak(REJECTED, &port, times);
        let case = format!("a hello rejected, {times} times");
        table.row_by_end(&case, port.number(), [request, twice]);
    }
    table.finish();
}
