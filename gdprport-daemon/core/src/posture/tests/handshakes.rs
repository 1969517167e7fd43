//! Unusual handshakes of TLS: warnings before the hello, hellos longer than a segment.
//!
//! Belongs here: hellos made by hand, and how they come as the kernel side sends them.

use super::*;
use PostureState::{StarttlsUpgraded, Tls12, Tls13, Unknown, Unrecognised};

/// A vector behind its length in two bytes.
fn vec16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat()
}

/// A record of one handshake message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&[22, 3, 3][..], &vec16(&[&[kind], &length[1..], body].concat())].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vec16(body)].concat()
}

/// A client's hello with its extensions in this order.
fn client_hello(extensions: &[Vec<u8>]) -> Vec<u8> {
    let suites = vec16(&[0x13, 0x01, 0xC0, 0x2F]);
    message(
        1,
        &[&[3, 3][..], &[0x5A; 32], &[32], &[0xA5; 32], &suites, &[1, 0], &vec16(&extensions.concat())]
            .concat(),
    )
}

/// A server's, of this suite.
fn server_hello(suite: u16, extensions: &[Vec<u8>]) -> Vec<u8> {
    let suite = suite.to_be_bytes();
    message(
        2,
        &[&[3, 3][..], &[0x5A; 32], &[32], &[0xA5; 32], &suite, &[0], &vec16(&extensions.concat())].concat(),
    )
}

fn sni(name: &str) -> Vec<u8> {
    extension(0, &vec16(&[&[0], &vec16(name.as_bytes())[..]].concat()))
}

fn alpn(names: &[&str]) -> Vec<u8> {
    let list: Vec<u8> = names
        .iter()
        .flat_map(|name| [&[u8::try_from(name.len()).expect("short")], name.as_bytes()].concat())
        .collect();
    extension(16, &vec16(&list))
}

/// X25519MLKEM768 and its share: 1216 bytes of a client, 1120 of a server.
fn key_share(of_client: bool) -> Vec<u8> {
    let share =
        [&0x11EC_u16.to_be_bytes()[..], &vec16(&vec![0x33; if of_client { 1216 } else { 1120 }])].concat();
    extension(51, &if of_client { vec16(&share) } else { share })
}

fn supported_versions(of_client: bool) -> Vec<u8> {
    extension(43, if of_client { &[4, 3, 4, 3, 3] } else { &[3, 4] })
}

/// A direction's bytes, as they are sent where they come in segments of at most so many.
fn sent(side: Side, bytes: &[u8], segment: usize) -> Vec<Segment> {
    captured(&in_segments(side, bytes, segment))
}

#[test]
fn a_warning_before_the_servers_hello_ends_nothing() {
    let (client, server) = tls13();
    // RFC 6066 §3: a name that is not known is no reason to refuse.
    let warned = [&b"\x15\x03\x03\0\x02\x01\x70"[..], b"\x15\x03\x03\0\x02\x01\x5a", &server].concat();
    let direct = vec![(Side::Client, client.clone()), (Side::Server, warned.clone())];
    assert_eq!(play(None, &segments(&direct)).state, Tls13);
    assert_eq!(play(None, &bytes_apart(&segments(&direct))).state, Tls13);
    let upgrade = vec![
        (Side::Client, b"\0\0\0\x08\x04\xd2\x16\x2f".to_vec()),
        (Side::Server, b"S".to_vec()),
        (Side::Client, client.clone()),
        (Side::Server, warned[..7].to_vec()),
        (Side::Server, warned[7..].to_vec()),
    ];
    let posture = play(None, &segments(&upgrade));
    assert_eq!((posture.state, posture.version), (StarttlsUpgraded, Some(TlsVersion::Tls13)));
    // The warning alone decides nothing, a close_notify does.
    let alone = [(Side::Client, 0, client.clone()), (Side::Server, 0, warned[..7].to_vec())];
    let posture = play(None, &alone);
    assert_eq!(posture.state, Unknown);
    assert!(posture.evidence.ends_with("the server's answer was not seen"), "{}", posture.evidence);
    let close_notify =
        [(Side::Client, 0, client.clone()), (Side::Server, 0, b"\x15\x03\x03\0\x02\x01\0".to_vec())];
    let posture = play(None, &close_notify);
    assert!(posture.evidence.starts_with("TLS alert close_notify by the server"), "{}", posture.evidence);
    // A warning does not make TLS of what follows it.
    let plain = [(Side::Client, 0, client), (Side::Server, 0, [&warned[..7], b"+OK ready\r\n"].concat())];
    assert_eq!(play(None, &plain).state, Unrecognised);
}

#[test]
fn a_hello_that_is_cut_before_its_versions_is_reported_so() {
    let long = format!("{}.example.org", ["a-long-label-of-a-host-name"; 8].join("."));
    let protocols: Vec<String> = (0..8).map(|at| format!("protocol-of-the-house/{at}")).collect();
    let protocols: Vec<&str> = protocols.iter().map(String::as_str).collect();
    let padding = extension(21, &[0; 600]);
    let hello =
        client_hello(&[sni(&long), alpn(&protocols), key_share(true), padding, supported_versions(true)]);
    assert!(hello.len() > PAYLOAD_LONG, "{}", hello.len());
    let more = (Side::Client, hello.len() as u64, b"\x14\x03\x03\0\x01\x01".to_vec());
    let posture = play(None, sent(Side::Client, &hello, 1 << 14).iter().chain([&more]));
    assert_eq!(posture.state, Unknown);
    assert_eq!(
        posture.evidence,
        "TLS ClientHello whose versions were not captured; the server's answer was not seen; a part was not captured"
    );
    let whole = play(None, &[(Side::Client, 0, hello)]);
    assert!(whole.evidence.starts_with("TLS ClientHello offering TLS 1.2 to TLS 1.3"), "{}", whole.evidence);
    let old = play(None, &[(Side::Client, 0, client_hello(&[sni("db")]))]);
    assert!(old.evidence.starts_with("TLS ClientHello offering at most TLS 1.2"), "{}", old.evidence);
}

/// The version is the one that the server chose, at the sending end and at the receiving one.
#[test]
fn post_quantum_key_shares_hide_no_version() {
    let client = client_hello(&[
        sni("db.example.org"),
        key_share(true),
        alpn(&["postgresql"]),
        supported_versions(true),
    ]);
    let more = b"\x14\x03\x03\0\x01\x01\x17\x03\x03\0\x40".to_vec();
    for (suite, share, expected) in [
        (0x1301, vec![key_share(false), supported_versions(false)], (Tls13, TlsVersion::Tls13)),
        (0x1301, vec![supported_versions(false), key_share(false)], (Tls13, TlsVersion::Tls13)),
        (0xC02F, vec![], (Tls12, TlsVersion::Tls12)),
    ] {
        let server = [server_hello(suite, &share), more.clone()].concat();
        // The sending end hands over one large segment, the receiving end sees those of the wire.
        for (of_client, of_server) in [(1 << 14, 1448), (1448, 1 << 14), (1448, 1448), (536, 536)] {
            let dialogue =
                [sent(Side::Client, &client, of_client), sent(Side::Server, &server, of_server)].concat();
            let posture = play(None, &dialogue);
            assert_eq!((posture.state, posture.version), (expected.0, Some(expected.1)), "{posture:?}");
            assert_eq!(posture.sni.as_deref(), Some("db.example.org"));
        }
    }
}

/// As clients of OpenSSL 4 send it.
#[test]
fn a_name_that_comes_last_in_a_long_hello_is_read() {
    let server = server_hello(0x1301, &[supported_versions(false)]);
    for more in [0, 300] {
        let extensions =
            [supported_versions(true), key_share(true), extension(21, &vec![0; more]), sni("db.example.org")];
        let hello = client_hello(&extensions);
        assert!(hello.len() > 1_300 + more, "{}", hello.len());
        let request = b"\0\0\0\x08\x04\xd2\x16\x2f";
        for segment in [1 << 14, 1448, 1220, 536] {
            let direct =
                [in_segments(Side::Client, &hello, segment), vec![(Side::Server, 0, server.clone())]];
            let posture = play(None, &captured(&direct.concat()));
            assert_eq!((posture.state, posture.sni.as_deref()), (Tls13, Some("db.example.org")), "{segment}");
            let later = in_segments(Side::Client, &hello, segment);
            let later = later.into_iter().map(|(side, offset, bytes)| (side, offset + 8, bytes));
            let mut upgrade = vec![(Side::Client, 0, request.to_vec()), (Side::Server, 0, b"S".to_vec())];
            upgrade.extend(later.chain([(Side::Server, 1, server.clone())]));
            let posture = play(Some("postgresql"), &captured(&upgrade));
            assert_eq!(posture.state, StarttlsUpgraded, "{posture:?}");
            assert_eq!(posture.sni.as_deref(), Some("db.example.org"), "{segment}");
        }
    }
    // Beyond what is captured of it, it is not known, and nothing else is taken for it.
    let decoy = extension(21, &[&[0; 20], &sni("decoy.example.org")[..], &[0; 900]].concat());
    let hello = client_hello(&[supported_versions(true), key_share(true), decoy, sni("db.example.org")]);
    let dialogue = [(Side::Client, 0, hello), (Side::Server, 0, server)];
    let posture = play(None, &captured(&dialogue));
    assert_eq!((posture.state, posture.sni), (Tls13, None));
}

/// An element of DER.
fn der(tag: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(body.len()).expect("short").to_be_bytes();
    [&[tag, 0x82, high, low][..], body].concat()
}

fn name(attributes: &[(u8, &str)]) -> Vec<u8> {
    let attribute = |(kind, value): &(u8, &str)| {
        let pair = [der(0x06, &[0x55, 4, *kind]), der(0x0C, value.as_bytes())].concat();
        der(0x31, &der(0x30, &pair))
    };
    der(0x30, &attributes.iter().flat_map(attribute).collect::<Vec<u8>>())
}

#[test]
fn a_certificate_whose_subject_is_cut_is_reported() {
    let issuer = name(&[(10, "Example"), (3, "Example CA")]);
    let validity = der(0x30, &[der(0x17, b"250101000000Z"), der(0x17, b"350101000000Z")].concat());
    let long = "a department with a very long name ".repeat(8);
    for (subject, expected) in [
        (
            name(&[(6, "DE"), (10, "Example GmbH"), (11, &long), (3, "db.example.org")]),
            "…,O=Example GmbH,C=DE",
        ),
        (name(&[(11, &long), (11, &long), (3, "db.example.org")]), "…"),
    ] {
        let key = der(0x30, &[0x77; 600]);
        let parts =
            [der(0x02, &[7; 16]), der(0x30, &[1; 12]), issuer.clone(), validity.clone(), subject, key];
        let certificate = der(0x30, &der(0x30, &parts.concat()));
        let sized =
            |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_be_bytes()[1..], bytes].concat();
        let server = [server_hello(0xC02F, &[]), message(11, &sized(&sized(&certificate)))].concat();
        let client = (Side::Client, 0, client_hello(&[]));
        let sent = sent(Side::Server, &server, 1448);
        // While more may come, nothing of it is reported.
        assert_eq!(play(None, [&client, &sent[0]]).certificate, None);
        let behind_a_gap = (Side::Server, 1448, b"\x14\x03\x03".to_vec());
        let cut = play(None, [&client, &sent[0], &behind_a_gap]).certificate.expect("issuer and end");
        assert_eq!((cut.subject.as_str(), cut.issuer.as_str()), (expected, "CN=Example CA,O=Example"));
        assert_eq!(cut.not_after, "2035-01-01T00:00:00Z".parse().expect("a time"));
        let whole = play(None, [&client, &(Side::Server, 0, server)]).certificate.expect("complete");
        assert!(
            whole.subject.starts_with("CN=db.example.org") && !whole.subject.starts_with('…'),
            "{whole:?}"
        );
    }
}
