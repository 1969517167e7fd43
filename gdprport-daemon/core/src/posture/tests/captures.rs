//! Real captures and what is read from them.

use super::*;
use PostureState::{Plaintext, StarttlsRefused, StarttlsUpgraded, Tls12, Tls13, Unknown, WeakTls};
use TlsVersion as V;

/// A capture, the service that its port is declared to carry, and what is to be read.
pub(super) struct Case {
    pub capture: (&'static str, &'static str),
    pub declared: Option<&'static str>,
    pub state: PostureState,
    pub version: Option<TlsVersion>,
    /// Part of the evidence.
    pub evidence: &'static str,
}

macro_rules! case {
    ($capture:literal, $declared:expr, $state:expr, $version:expr, $evidence:literal) => {
        Case {
            capture: capture!($capture),
            declared: $declared,
            state: $state,
            version: $version,
            evidence: $evidence,
        }
    };
}

/// Every capture.
#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case!("tls13", None, Tls13, Some(V::Tls13), "ServerHello: TLS 1.3 with TLS_AES_256_GCM_SHA384"),
    case!("tls13-retry", None, Tls13, Some(V::Tls13), "HelloRetryRequest: TLS 1.3"),
    case!("tls12-ecdsa", None, Tls12, Some(V::Tls12), "ServerHello: TLS 1.2 with TLS_ECDHE_ECDSA"),
    case!("tls12-rsa", None, Tls12, Some(V::Tls12), "ServerHello: TLS 1.2 with TLS_ECDHE_RSA"),
    case!("tls12-anon", None, WeakTls, Some(V::Tls12), "TLS_DH_anon_WITH_AES_256_GCM_SHA384, a weak cipher suite"),
    case!("tls12-null", None, Plaintext, Some(V::Tls12), "TLS_RSA_WITH_NULL_SHA256, which does not encrypt"),
    case!("tls11", None, WeakTls, Some(V::Tls11), "TLS 1.1 with"),
    case!("tls10", None, WeakTls, Some(V::Tls10), "an outdated version"),
    case!("tls-refused", None, Unknown, None, "TLS alert protocol_version by the server, to a ClientHello offering"),
    case!("pg-disable", Some("postgresql"), Plaintext, None, "StartupMessage without SSLRequest"),
    case!("pg-prefer-refused", Some("postgresql"), StarttlsRefused, None, "the client went on in plaintext"),
    case!("pg-require-refused", Some("postgresql"), StarttlsRefused, None, "SSLRequest refused by the server"),
    case!("pg-tls12", Some("postgresql"), StarttlsUpgraded, Some(V::Tls12), "SSLRequest accepted, then ServerHello"),
    case!("pg-tls13", Some("postgresql"), StarttlsUpgraded, Some(V::Tls13), "SSLRequest accepted, then HelloRetryRequest"),
    case!("pg-direct", Some("postgresql"), Tls13, Some(V::Tls13), "ServerHello: TLS 1.3"),
    case!("mariadb-plain", Some("mysql"), Plaintext, None, "which the server does not offer"),
    case!("mariadb-unused", Some("mysql"), Plaintext, None, "which the server offers"),
    case!("mariadb-tls", Some("mysql"), StarttlsUpgraded, Some(V::Tls13), "MySQL CLIENT_SSL, then ServerHello"),
    case!("redis-plain", Some("redis"), Plaintext, None, "Redis command without TLS"),
    case!("redis-tls", Some("redis"), Tls13, Some(V::Tls13), "ServerHello: TLS 1.3"),
    case!("http1", Some("elasticsearch"), Plaintext, None, "HTTP/1 request without TLS"),
    case!("http-upgrade", None, StarttlsUpgraded, Some(V::Tls13), "HTTP Upgrade: TLS, then ServerHello"),
    case!("http2-preface", None, Plaintext, None, "HTTP/2 preface without TLS"),
    case!("smtp-starttls", Some("smtp"), StarttlsUpgraded, Some(V::Tls13), "SMTP STARTTLS, then ServerHello"),
    case!("imap-starttls", Some("imap"), StarttlsUpgraded, Some(V::Tls13), "IMAP STARTTLS, then ServerHello"),
    case!("pop3-starttls", Some("pop3"), StarttlsUpgraded, Some(V::Tls13), "POP3 STLS, then ServerHello"),
    case!("ftp-starttls", None, StarttlsUpgraded, Some(V::Tls13), "FTP AUTH TLS, then ServerHello"),
    case!("xmpp-starttls", Some("xmpp"), StarttlsUpgraded, Some(V::Tls13), "XMPP starttls, then ServerHello"),
    case!("sieve-starttls", None, StarttlsUpgraded, Some(V::Tls13), "ManageSieve STARTTLS, then ServerHello"),
    case!("ldap-starttls", Some("ldap"), StarttlsUpgraded, Some(V::Tls13), "LDAP StartTLS, then ServerHello"),
];

#[test]
fn every_capture_is_read_as_what_it_was() {
    let mut wrong = Vec::new();
    for case in CASES {
        let segments = segments(&script(case.capture.1));
        // The bytes decide: with or without a declaration, a port reads the same.
        for declared in [case.declared, None] {
            let posture = play(declared, &segments);
            if posture.state != case.state
                || posture.version != case.version
                || !posture.evidence.contains(case.evidence)
            {
                wrong.push(format!("{} {declared:?}: {posture:?}", case.capture.0));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_declaration_is_not_trusted_over_the_bytes() {
    for case in CASES {
        let wrong = if case.declared == Some("mongodb") { "hl7" } else { "mongodb" };
        let segments = segments(&script(case.capture.1));
        let posture = play(Some(wrong), &segments);
        assert_eq!(core(&posture), core(&play(None, &segments)), "{}", case.capture.0);
        if posture.state == Plaintext && posture.version.is_none() {
            assert!(posture.evidence.ends_with("(declared: mongodb)"), "{}", posture.evidence);
        }
    }
}

/// A capture's segments, as the kernel side sends them.
fn sent(text: &str) -> Vec<Segment> {
    captured(&segments(&script(text)))
}

#[test]
fn what_the_kernel_side_sends_reads_the_same() {
    for case in CASES {
        let posture = play(case.declared, &sent(case.capture.1));
        assert_eq!((posture.state, posture.version), (case.state, case.version), "{}", case.capture.0);
    }
}

#[test]
fn the_certificate_is_read_from_the_first_512_bytes_of_tls_1_2() {
    for (capture, subject) in [
        (capture!("tls12-ecdsa"), "CN=db.example.org,O=Example GmbH,C=DE"),
        (capture!("tls12-rsa"), "CN=rsa.example.org,O=Example GmbH,C=DE"),
        (capture!("pg-tls12"), "CN=db.example.org,O=Example GmbH,C=DE"),
    ] {
        let posture = play(None, &sent(capture.1));
        let certificate = posture.certificate.expect("a certificate");
        assert_eq!(certificate.subject, subject);
        assert_eq!(certificate.issuer, "CN=Example test CA,O=Example");
        assert!(certificate.not_after > "2034-01-01T00:00:00Z".parse().expect("a time"));
    }
    assert_eq!(play(None, &segments(&script(capture!("tls13").1))).certificate, None, "encrypted in TLS 1.3");
}

#[test]
fn the_server_name_and_the_protocols_are_reported() {
    let posture = play(None, &segments(&script(capture!("tls13").1)));
    assert_eq!(posture.sni.as_deref(), Some("db.example.org"));
    assert_eq!(posture.alpn.iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["h2", "http/1.1"]);
    assert_eq!(posture.cipher.as_deref(), Some("TLS_AES_256_GCM_SHA384"));
}

#[test]
fn an_upgrade_is_reported_first_and_then_its_version() {
    let mut tracker = Tracker::new(Protocol::by_id("postgresql"));
    let reported: Vec<_> = segments(&script(capture!("pg-tls13").1))
        .iter()
        .filter_map(|(side, offset, bytes)| tracker.segment(*side, *offset, bytes))
        .map(|posture| (posture.state, posture.version))
        .collect();
    assert_eq!(reported, [(StarttlsUpgraded, None), (StarttlsUpgraded, Some(V::Tls13))]);
    assert!(!tracker.wants_more());
}

#[test]
fn a_decided_flow_frees_its_bytes() {
    for case in CASES {
        let mut tracker = Tracker::new(case.declared.and_then(Protocol::by_id));
        for (side, offset, bytes) in sent(case.capture.1) {
            tracker.segment(side, offset, &bytes);
        }
        // A refusal waits for the client to go on, in plaintext maybe, an alert too; a version behind the last segment shipped may still come,
        // or that TLS goes on behind the client's hello.
        let waits = ["pg-require-refused", "tls-refused"].contains(&case.capture.0);
        assert_eq!(tracker.wants_more(), waits, "{}", case.capture.0);
    }
}
