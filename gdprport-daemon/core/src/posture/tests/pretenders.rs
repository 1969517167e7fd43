//! Peers that look like TLS and are not, on purpose or by chance: none of them counts as encrypted.
//!
//! Belongs here: what one end, or what is stored behind it, can make the other's bytes look like. Two ends that agree to
//! wrap plaintext in records of TLS cannot be distinguished from TLS by the first bytes.

use super::totality::compliant;
use super::*;
use Side::{Client, Server};

const QUERY: &[u8] = b"select name, address from customers;";

/// A dialogue, read in any order of its directions and cut into bytes, is never reported as encrypted.
#[track_caller]
fn is_not_encrypted(declared: Option<&str>, segments: &[Segment], evidence: &str) {
    let of = |side: Side| segments.iter().filter(move |segment| segment.0 == side).cloned();
    let orders: [Vec<Segment>; 3] =
        [segments.to_vec(), of(Client).chain(of(Server)).collect(), of(Server).chain(of(Client)).collect()];
    for order in orders {
        for order in [bytes_apart(&order), order] {
            let posture = play(declared, &order);
            assert!(!compliant(posture.state), "{posture:?}");
            assert!(posture.evidence.contains(evidence), "{posture:?}");
        }
    }
}

fn dialogue(parts: &[(Side, &[u8])]) -> Vec<Segment> {
    segments(&parts.iter().map(|(side, bytes)| (*side, bytes.to_vec())).collect())
}

/// The hello alone, without what follows it.
fn hellos() -> (Vec<u8>, Vec<u8>) {
    let (mut client, mut server) = tls13();
    for bytes in [&mut client, &mut server] {
        let length = 5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
        bytes.truncate(length);
    }
    (client, server)
}

#[test]
fn a_stored_value_that_begins_like_a_servers_hello_is_no_tls() {
    let (_, server) = tls13();
    // A protocol that nobody knows, a file by HTTP/0.9, a value of a store.
    is_not_encrypted(None, &dialogue(&[(Client, b"\x01\x02 one's own"), (Server, &server)]), "");
    is_not_encrypted(Some("postgresql"), &dialogue(&[(Client, b"\x01\x02 own"), (Server, &server)]), "");
    is_not_encrypted(None, &dialogue(&[(Client, b"GET /file\r\n"), (Server, &server)]), "");
    is_not_encrypted(Some("redis"), &dialogue(&[(Client, b"GET key\r\n"), (Server, &server)]), "");
}

#[test]
fn a_servers_hello_behind_a_gap_needs_the_clients() {
    let (_, server) = tls13();
    for (declared, greeting, request) in [
        (None, &b"welcome to a protocol of one's own"[..], QUERY),
        (Some("smtp"), b"220 mx.example.org\r\n", b"EHLO a\r\n"),
        (Some("imap"), b"* OK ready\r\n", b"a1 NOOP\r\n"),
        (Some("nats"), b"INFO {\"server_id\":\"N\"", b"CONNECT {}\r\n"),
    ] {
        let mut segments = dialogue(&[(Server, greeting), (Client, request)]);
        segments.push((Server, 900, server.clone()));
        let posture = play(declared, &segments);
        assert!(!compliant(posture.state), "{posture:?}");
    }
}

#[test]
fn plaintext_behind_the_hellos_is_seen() {
    let (client, server) = hellos();
    let with = |bytes: &[u8]| [bytes, QUERY].concat();
    // At once, and as a segment of its own.
    is_not_encrypted(
        None,
        &dialogue(&[(Client, &client), (Server, &with(&server))]),
        "bytes of the server that are not TLS",
    );
    is_not_encrypted(
        None,
        &dialogue(&[(Client, &with(&client)), (Server, &server)]),
        "bytes of the client that are not TLS",
    );
    is_not_encrypted(
        None,
        &dialogue(&[(Client, &client), (Server, &server), (Client, QUERY)]),
        "bytes of the client that are not TLS",
    );
    is_not_encrypted(
        None,
        &dialogue(&[(Client, &client), (Server, &server), (Server, QUERY)]),
        "bytes of the server that are not TLS",
    );
    // Behind an upgrade too.
    let (ask, agree) = (&b"\0\0\0\x08\x04\xd2\x16\x2f"[..], &b"S"[..]);
    for (side, evidence) in [(Client, "bytes of the client that"), (Server, "bytes of the server that")] {
        let parts = [(Client, ask), (Server, agree), (Client, &client), (Server, &server), (side, QUERY)];
        is_not_encrypted(Some("postgresql"), &dialogue(&parts), evidence);
    }
}

#[test]
fn plaintext_behind_the_hello_of_tls_1_2_is_seen() {
    let (client, _) = hellos();
    let hello = b"\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x030123456789abcdef0123456789abcdef\0\xc0\x2f\0";
    is_not_encrypted(
        None,
        &dialogue(&[(Client, &client), (Server, hello), (Server, QUERY)]),
        "ServerHello: TLS 1.2 with TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, then bytes of the server that are not TLS",
    );
}

#[test]
fn a_hello_that_contradicts_itself_is_none() {
    let (client, _) = hellos();
    // A suite of TLS 1.3 without its extension, and one of TLS 1.2 with it.
    let without = b"\x16\x03\x03\0\x2a\x02\0\0\x26\x03\x030123456789abcdef0123456789abcdef\0\x13\x01\0";
    let with = b"\x16\x03\x03\0\x32\x02\0\0\x2e\x03\x030123456789abcdef0123456789abcdef\0\xc0\x2f\0\0\x06\0\x2b\0\x02\x03\x04";
    for hello in [&without[..], with] {
        is_not_encrypted(None, &dialogue(&[(Client, &client), (Server, hello)]), ", but with ");
        is_not_encrypted(None, &dialogue(&[(Server, hello)]), "");
    }
}

#[test]
fn an_echo_of_the_clients_hello_is_no_reply() {
    let (client, _) = tls13();
    is_not_encrypted(None, &dialogue(&[(Client, &client), (Server, &client)]), "did not answer with TLS");
    // Nor is what it carries along for the echo.
    let (hello, server) = hellos();
    let sent = [b"x".as_slice(), &hello, &server].concat();
    is_not_encrypted(
        None,
        &dialogue(&[(Client, &sent), (Server, &sent)]),
        "neither TLS nor a known protocol",
    );
}

#[test]
fn plaintext_behind_an_agreed_upgrade_is_seen() {
    let (_, server) = tls13();
    let start = b"\0\0\0\x20\0\x03\0\0user\0secretname\0\0";
    let parts: [(Side, &[u8]); 4] =
        [(Client, b"\0\0\0\x08\x04\xd2\x16\x2f"), (Server, b"S"), (Client, start), (Server, &server)];
    for order in [&parts[..], &[parts[0], parts[1], parts[3], parts[2]]] {
        let posture = play(Some("postgresql"), &dialogue(order));
        assert_eq!(posture.state, PostureState::Plaintext, "{posture:?}");
    }
}

#[test]
fn two_names_of_ssh_are_no_encryption_yet() {
    let name = b"SSH-2.0-OpenSSH_9.2\r\n";
    is_not_encrypted(None, &dialogue(&[(Client, name), (Server, name)]), "the key exchange was not seen");
    is_not_encrypted(None, &dialogue(&[(Client, name), (Server, name), (Client, QUERY)]), "no key exchange");
    is_not_encrypted(None, &dialogue(&[(Client, name), (Server, name), (Server, QUERY)]), "no key exchange");
}

/// Even where the server plays a complete handshake.
#[test]
fn plaintext_of_the_client_behind_a_handshake_is_seen() {
    let ((hello, _), (_, server)) = (hellos(), tls13());
    let play = |declared| {
        let mut tracker = Tracker::new(declared);
        let mut at = 0;
        let mut client = |tracker: &mut Tracker, bytes: &[u8]| {
            let reported = tracker.segment(Client, at, bytes);
            at += bytes.len() as u64;
            reported.map(|posture| posture.state)
        };
        assert_eq!(client(&mut tracker, &hello), None);
        assert_eq!(
            tracker.segment(Server, 0, &server).map(|posture| posture.state),
            Some(PostureState::Tls13)
        );
        (client(&mut tracker, &QUERY[..1]).or(client(&mut tracker, &QUERY[1..])), tracker.conclude())
    };
    for declared in [None, Protocol::by_id("postgresql")] {
        let (retracted, posture) = play(declared);
        assert_eq!(
            (retracted, posture.state),
            (Some(PostureState::Unrecognised), PostureState::Unrecognised)
        );
        assert!(posture.evidence.contains("bytes of the client that are not TLS"), "{posture:?}");
    }
}

/// Each claims a layer of SASL or an upgrade inside HTTP, and then sends what can be read.
#[test]
fn a_layer_that_is_claimed_and_not_kept_is_no_encryption() {
    let packet =
        |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat();
    let (greeting, consent) = (&b"220 mx\r\n250 mx\r\n"[..], &b"235 ok\r\n"[..]);
    let ask = &b"EHLO a\r\nAUTH GSSAPI\r\n"[..];
    for query in [QUERY.to_vec(), packet(QUERY), packet(&[&[0; 16], QUERY].concat())] {
        let parts = [(Server, greeting), (Client, ask), (Server, consent), (Client, &query)];
        is_not_encrypted(Some("smtp"), &dialogue(&parts), "what followed is not encrypted");
    }
    // The flag of the client alone proves nothing, nor does it without the server's consent.
    let sealed = packet(&[&b"\x05\x04\x02\xff\0\0\0\x1c\0\0\0\0\0\0\0\x01"[..], &[0xA5; 28]].concat());
    for consent in [consent, b""] {
        let parts = [(Server, greeting), (Client, ask), (Server, consent), (Client, &sealed)];
        is_not_encrypted(Some("smtp"), &dialogue(&parts), "which is not read");
    }
    let upgrade = &b"OPTIONS * HTTP/1.1\r\nUpgrade: TLS/1.2\r\n\r\n"[..];
    let agree = &b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.2\r\n\r\n"[..];
    is_not_encrypted(
        None,
        &dialogue(&[(Client, upgrade), (Server, agree), (Client, QUERY)]),
        "went on in plaintext",
    );
    is_not_encrypted(
        None,
        &dialogue(&[(Client, upgrade), (Server, agree)]),
        "the TLS handshake was not seen",
    );
}

/// The bytes behind the consent are no TLS of both sides, or not of the session that was agreed on.
#[test]
fn a_consent_alone_is_no_encryption() {
    let ((hello, _), (_, server)) = (hellos(), tls13());
    let ask = &b"CONNECT db:5432 HTTP/1.1\r\n\r\n"[..];
    let open = &b"HTTP/1.1 200 OK\r\n\r\n"[..];
    is_not_encrypted(None, &dialogue(&[(Client, ask), (Server, open), (Server, &server)]), "HTTP CONNECT");
    let parts = [(Client, ask), (Server, open), (Client, QUERY), (Server, &server)];
    is_not_encrypted(None, &dialogue(&parts), "HTTP CONNECT");
    let parts = [(Client, ask), (Server, open), (Client, &hello), (Server, QUERY)];
    let segments = dialogue(&parts);
    assert_eq!(play(None, &segments).version, None);
    let choose = &b"RFB 003.008\n\x13\0\x02\0\0\x01\x04"[..];
    let agree = &b"RFB 003.008\n\x01\x13\0\x02\0\x01\0\0\x01\x04\x01"[..];
    is_not_encrypted(
        None,
        &dialogue(&[(Client, choose), (Server, agree), (Client, QUERY)]),
        "went on in plaintext",
    );
    let sieve = &b"\"SIEVE\" \"\"\r\nOK\r\nOK\r\n"[..];
    let parts = [(Server, sieve), (Client, b"STARTTLS\r\n"), (Client, b"PUTSCRIPT \"a\" {1+}\r\n")];
    is_not_encrypted(None, &dialogue(&parts), "went on in plaintext");
}

/// The packet's header behind the beginning of a record would make a record of them.
#[test]
fn a_record_inside_packets_is_read_without_their_headers() {
    let (client, _) = hellos();
    let packet = |kind: u8, bytes: &[u8]| {
        let [high, low] = u16::try_from(bytes.len() + 8).expect("short").to_be_bytes();
        [&[kind, 1, high, low, 0, 0, 0, 0], bytes].concat()
    };
    let server = tls13().1;
    let parts = [
        (Client, super::written::ASK.to_vec()),
        (Server, super::written::ON.to_vec()),
        (Client, packet(0x12, &[&client, &b"\x17\x03\x03"[..]].concat())),
        (Server, packet(4, &server)),
        (Client, packet(0x12, QUERY)),
    ];
    let parts: Vec<_> = parts.iter().map(|(side, bytes)| (*side, &bytes[..])).collect();
    is_not_encrypted(Some("mssql"), &dialogue(&parts), "bytes of the client that are not TLS");
}
