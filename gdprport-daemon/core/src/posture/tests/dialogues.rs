//! The written dialogues, read.

use super::written::{ASK, ON, Part, WRITTEN, Written};
use super::written_layers::LAYERED;
use super::written_services::SERVICES;
use super::*;
use Part::{C, ClientHello, S, ServerHello};
use PostureState::{Plaintext, StarttlsUpgraded, Unknown};

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
    for reply in [&b"\x15\x03\x03\0\x02\x02\x28"[..], b"Internal error\n"] {
        let parts = [C(b"\0\0\0\x08\x04\xd2\x16\x2f"), S(b"S"), ClientHello];
        let mut dialogue = pieces(&parts);
        dialogue.push((Side::Server, 1, reply.to_vec()));
        let mut tracker = Tracker::new(None);
        let reported: Vec<_> = dialogue
            .iter()
            .filter_map(|(side, offset, bytes)| tracker.segment(*side, *offset, bytes))
            .map(|posture| posture.state)
            .collect();
        assert_eq!(reported, [StarttlsUpgraded, Unknown]);
        assert_eq!(tracker.conclude().state, Unknown);
    }
}
