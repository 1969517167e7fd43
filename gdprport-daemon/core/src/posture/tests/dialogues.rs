//! The written dialogues, read.

use super::written::{ASK, ON, Part, WRITTEN, Written};
use super::written_layers::LAYERED;
use super::written_services::SERVICES;
use super::*;
use Part::{C, ClientHello, S, ServerHello};
use PostureState::{Plaintext, StarttlsUpgraded, Tls13, Unknown, Unrecognised};

/// Every written dialogue.
pub(super) fn every() -> impl Iterator<Item = &'static Written> {
    WRITTEN.iter().chain(LAYERED).chain(SERVICES)
}

/// A dialogue's segments.
pub(super) fn pieces(parts: &[Part]) -> Vec<Segment> {
    let (client, server) = tls13();
    let script = parts.iter().map(|part| match part {
        C(bytes) => (Side::Client, bytes.to_vec()),
        S(bytes) => (Side::Server, bytes.to_vec()),
        ClientHello => (Side::Client, client.clone()),
        ServerHello => (Side::Server, server.clone()),
    });
    segments(&script.collect())
}

#[test]
fn every_written_dialogue_is_read_as_expected() {
    let mut wrong = Vec::new();
    for (declared, parts, state, evidence) in every() {
        let posture = play(*declared, &pieces(parts));
        if posture.state != *state || !posture.evidence.contains(evidence) {
            wrong.push(format!("expected {state:?} ({evidence}), read {posture:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_written_dialogue_byte_by_byte_reads_the_same() {
    for (declared, parts, _, evidence) in every() {
        let whole = pieces(parts);
        assert_eq!(play(*declared, &bytes_apart(&whole)), play(*declared, &whole), "{evidence}");
    }
}

/// Whichever direction is read first.
#[test]
fn a_written_dialogue_reads_the_same_in_any_order() {
    let mut wrong = Vec::new();
    for (declared, parts, _, evidence) in every() {
        let whole = pieces(parts);
        let expected = play(*declared, &whole);
        let of = |wanted: Side| whole.iter().filter(move |(side, _, _)| *side == wanted);
        for order in [
            of(Side::Client).chain(of(Side::Server)).collect::<Vec<_>>(),
            of(Side::Server).chain(of(Side::Client)).collect(),
        ] {
            let order: Vec<_> = order.into_iter().cloned().collect();
            for posture in [play(*declared, &order), play(*declared, &bytes_apart(&order))] {
                if core(&posture) != core(&expected) {
                    wrong.push(format!("{evidence}: {expected:?}\n  {posture:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_handshake_inside_tds_packets_is_read() {
    let (client, server) = tls13();
    let wrap = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len() + 8).expect("short").to_be_bytes();
        [&[0x12, 1, length[0], length[1], 0, 0, 0, 0], bytes].concat()
    };
    let script = vec![
        (Side::Client, ASK.to_vec()),
        (Side::Server, ON.to_vec()),
        (Side::Client, wrap(&client)),
        (Side::Server, wrap(&server[..100])),
    ];
    let posture = play(None, &segments(&script));
    assert_eq!((posture.state, posture.version), (StarttlsUpgraded, Some(TlsVersion::Tls13)));
}

#[test]
fn no_evidence_repeats_what_a_user_sent() {
    let secrets: [&[Part]; 5] = [
        &[C(b"\0\0\0\x20\0\x03\0\0user\0secretname\0\0")],
        &[S(b"220 mx\r\n"), C(b"EHLO secretname\r\n"), C(b"MAIL FROM:<secretname>\r\n")],
        &[S(b"* OK\r\n"), C(b"secretname LOGIN secretname secretname\r\n")],
        &[C(b"GET /secretname HTTP/1.1\r\n")],
        &[C(b"CONNECT\nlogin:secretname\n")],
    ];
    for parts in secrets {
        let posture = play(None, &pieces(parts));
        assert_eq!(posture.state, Plaintext);
        assert!(!format!("{posture:?}").contains("secretname"), "{posture:?}");
    }
}

#[test]
fn an_upgrade_whose_handshake_fails_is_retracted() {
    // Refused, nothing was sent; without TLS, something was.
    for (reply, state) in [(&b"\x15\x03\x03\0\x02\x02\x28"[..], Unknown), (b"Internal error\n", Unrecognised)]
    {
        let parts = [C(b"\0\0\0\x08\x04\xd2\x16\x2f"), S(b"S"), ClientHello];
        let mut dialogue = pieces(&parts);
        dialogue.push((Side::Server, 1, reply.to_vec()));
        let mut tracker = Tracker::new(None);
        let reported: Vec<_> = dialogue
            .iter()
            .filter_map(|(side, offset, bytes)| tracker.segment(*side, *offset, bytes))
            .map(|posture| posture.state)
            .collect();
        assert_eq!(reported, [StarttlsUpgraded, state]);
        assert_eq!(tracker.conclude().state, state);
    }
}

/// Nobody answers; no protocol is declared, or one that does not begin so.
#[test]
fn readable_text_to_a_silent_server_is_plaintext_at_once() {
    let lines: [&[u8]; 5] = [
        b"SELECT 1;\n",
        b"SELECT name, address FROM customers",
        b"name=Alice;iban=DE00;\xc3\xa4ddress=x and more of it",
        b"GET /file\r\n\x16\x03\x01",
        b"some line of a protocol that has no name\r\n",
    ];
    for text in lines {
        for declared in [None, Some("postgresql"), Some("mongodb"), Some("smtp"), Some("ldap")] {
            let mut tracker = Tracker::new(declared.and_then(Protocol::by_id));
            let posture = tracker.segment(Side::Client, 0, text).expect("decided by these bytes alone");
            assert_eq!(posture.state, Plaintext, "{declared:?} {posture:?}");
            assert!(!tracker.wants_more() && posture.evidence.contains("readable text"), "{posture:?}");
            let bytes = [(Side::Client, 0, text.to_vec())];
            assert_eq!(play(declared, &bytes_apart(&bytes)), posture);
        }
    }
}

#[test]
fn a_first_line_without_end_is_no_beginning_of_a_protocol() {
    let text = [(Side::Client, 0, [&b"EHLO "[..], &[b'x'; 300]].concat())];
    assert_eq!(play(None, &text).state, Plaintext);
    // While it may become a request for TLS, nothing is settled.
    let short = [(Side::Client, 0, b"EHLO client.example.org".to_vec())];
    assert_eq!(play(None, &short).state, Unknown);
}

/// So little that more might have made text of it, and no protocol begins so.
#[test]
fn a_few_bytes_of_no_protocol_are_decided_at_the_end() {
    let greeting = (Side::Server, 0, b"\x01\x02\x03\x04".to_vec());
    let mut tracker = Tracker::new(None);
    for (side, offset, bytes) in [greeting, (Side::Client, 0, b"Quit now".to_vec())] {
        assert_eq!(tracker.segment(side, offset, &bytes), None);
    }
    assert_eq!(tracker.conclude().state, Unrecognised);
    let mut tracker = Tracker::new(None);
    assert_eq!(tracker.segment(Side::Client, 0, b"\x16"), None);
    assert_eq!(tracker.conclude().state, Unknown, "it may begin TLS");
}

/// As where a connection is made for another, or relayed.
#[test]
fn the_end_that_accepted_may_be_the_client_of_tls() {
    let (client, server) = tls13();
    let turned = [(Side::Server, 0, client.clone()), (Side::Client, 0, server.clone())];
    for order in [[&turned[0], &turned[1]], [&turned[1], &turned[0]]] {
        for declared in [None, Some("postgresql")] {
            let posture = play(declared, order);
            assert_eq!((posture.state, posture.version), (Tls13, Some(TlsVersion::Tls13)), "{posture:?}");
            assert_eq!(posture.proof, Some(Proof::Echo));
            assert_eq!(posture.sni.as_deref(), Some("db.example.org"));
            assert!(posture.evidence.ends_with("the roles in TLS are reversed"), "{posture:?}");
        }
    }
    assert_eq!(core(&play(None, &bytes_apart(&turned))), core(&play(None, &turned)));
    // One side alone proves nothing.
    assert_eq!(play(None, &turned[..1]).state, Unknown);
    let alone = play(None, &turned[1..]);
    assert!(!super::totality::compliant(alone.state), "{alone:?}");
    // Plaintext is seen here too.
    for parts in
        [[C(b"GET / HTTP/1.1\r\n"), ClientHello], [C(b"SELECT name FROM customers;\r\n"), ClientHello]]
    {
        let [C(text), _] = parts else { unreachable!() };
        let posture = play(None, &[(Side::Server, 0, client.clone()), (Side::Client, 0, text.to_vec())]);
        assert_eq!(posture.state, Plaintext);
    }
}
