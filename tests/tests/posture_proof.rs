//! What does not count as TLS although bytes of it are there, and what does although it looks unusual: data in the clear
//! before a handshake, a file that begins like a ServerHello, text to a silent server, roles reversed, no data at all.
//!
//! Each test prints its part of a table: case, end, what is expected, what was seen, and the evidence.

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::need;
use gdprport_tests::ports::Port;
use gdprport_tests::posture::{Demand, Expected, Table, script};
use gdprport_tests::skip::Missing;
use gdprport_tests::temp::TempDir;
use gdprport_tests::tls;

const PLAIN: Expected = Expected::violation("plaintext", "", "plaintext");
const NO_TLS: Expected = Expected::violation("unrecognised", "", "not-tls");
const TLS_13: Expected = Expected::declared("tls1.3", "1.3");

/// Both ends of one connection: each role is given the connection in turn, for as many steps as there are.
const BOTH_ENDS: &str = r#"
import socket, ssl, struct, sys, threading, time
_, port, certificate, key, case = sys.argv
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(certificate, key)
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
client.minimum_version = ssl.TLSVersion.TLSv1_3
listening = socket.create_server(("127.0.0.1", int(port)))

def read(connection, length):
    while length:
        part = connection.recv(min(length, 65536))
        assert part, "the other end closed"
        length -= len(part)

def handshake(connection, context, accepts):
    secured = context.wrap_socket(connection, server_side=accepts)
    secured.sendall(b"x") if not accepts else None
    secured.recv(1) if accepts else None
    secured.sendall(b"x") if accepts else None
    secured.recv(1) if not accepts else None
    secured.close()

def hellos():
    ends = [(context, ssl.MemoryBIO(), ssl.MemoryBIO()) for context in (client, server)]
    sides = [c.wrap_bio(i, o, server_side=c is server) for c, i, o in ends]
    said = []
    for at in (0, 1):
        try:
            sides[at].do_handshake()
        except ssl.SSLWantReadError:
            pass
        said.append(ends[at][2].read())
        ends[1 - at][1].write(said[at])
    return said[0], said[1][:5 + int.from_bytes(said[1][3:5], "big")]

PREFACES = {
    "records": b"\x01\0\0\0name=Alice;iban=DE00;diagnosis=x;" * 2000,
    "text": b"name=Alice;iban=DE00;diagnosis=x;" * 2000,
}

def accept():
    there, _ = listening.accept()
    if case in PREFACES:
        read(there, 60000)
        handshake(there, server, True)
    elif case == "server first":
        there.sendall(PREFACES["records"][:60000])
        handshake(there, server, True)
    elif case == "reversed":
        handshake(there, client, False)
    elif case == "file":
        request = there.recv(65536)
        there.sendall(stored)
        read(there, length - len(request))
        there.close()
    elif case == "silent":
        read(there, 30)
        there.close()
    elif case == "reset":
        try:
            assert not there.recv(1)
        except ConnectionResetError:
            pass
    else:
        assert not there.recv(1)

if case == "file":
    hello, reply = hellos()
    change = b"\x14\x03\x03\0\1\1"
    stored = reply + change + b"alice;DE00 1234;influenza\n" * 800
    asked = b"GET /f\r\n" + hello + change
    length = len(asked)
serving = threading.Thread(target=accept)
serving.start()
here = socket.create_connection(("127.0.0.1", int(port)))
here.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
if case in PREFACES:
    here.sendall(PREFACES[case][:60000])
    handshake(here, client, False)
elif case == "server first":
    read(here, 60000)
    handshake(here, client, False)
elif case == "reversed":
    handshake(here, server, True)
elif case == "file":
    here.sendall(asked)
    read(here, len(stored))
elif case == "silent":
    for _ in range(3):
        here.sendall(b"SELECT 1;\n")
        time.sleep(0.02)
elif case == "reset":
    here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
here.close()
serving.join()
"#;

/// Runs cases between two ends of one process, and adds each to a table of one connection at both ends.
#[track_caller]
fn expect(cases: &[(&str, &'static str, Expected)]) -> Result<(), Missing> {
    let dir = TempDir::new();
    let (certificate, key) = tls::identity()?.write(&dir);
    let (certificate, key) = (certificate.to_string_lossy(), key.to_string_lossy());
    let ports: Vec<Port> = cases.iter().map(|_| Port::free()).collect();
    let demands = cases.iter().zip(&ports).map(|((_, protocol, _), port)| Demand {
        port: port.number(),
        protocol,
        min: "1.2",
    });
    let mut table = Table::new(&demands.collect::<Vec<_>>());
    for ((case, _, expected), port) in cases.iter().zip(&ports) {
        run(script(&dir, BOTH_ENDS, &[&port.to_string(), &certificate, &key, case])?, Place::default());
        table.row(case, port.number(), *expected);
    }
    table.finish();
    Ok(())
}

#[test]
fn what_goes_in_the_clear_before_tls_is_no_tls() {
    need!(expect(&[
        ("records", "", NO_TLS.because("neither TLS nor a known protocol")),
        ("records", "postgresql", NO_TLS.because("neither TLS nor postgresql")),
        ("text", "", PLAIN.because("readable text")),
        ("server first", "", NO_TLS.because("which the server did not answer with TLS")),
    ]));
}

/// Its reader sent a ClientHello behind its request, so that both hellos are on the wire.
#[test]
fn a_file_that_begins_like_a_server_hello_is_no_tls() {
    need!(expect(&[("file", "", PLAIN.because("readable text"))]));
}

#[test]
fn readable_text_to_a_silent_server_is_plaintext() {
    need!(expect(&[("silent", "", PLAIN), ("silent", "postgresql", PLAIN)]));
}

#[test]
fn tls_whose_client_accepted_the_connection_is_tls() {
    need!(expect(&[("reversed", "", TLS_13.because("the roles in TLS are reversed"))]));
}

/// As a load balancer looks whether a port is open: neither a violation nor a finding.
#[test]
fn a_connection_without_data_has_nothing_to_encrypt() {
    let nothing = Expected::declared("no-data", "").because("no data");
    need!(expect(&[("close", "", nothing), ("reset", "", nothing)]));
}
