//! The same over TLS, through a real server in front of the fake.

use gdprport_tests::authority::{Authority, Valid};
use gdprport_tests::need;
use gdprport_tests::receivers::{Fake, Plain, TlsFront};

use super::super::Ndjson;
use super::super::testing::{batch, fails, send, settings};
use crate::deliver::Outcome;
use gdprport_core::delivery::{ClientCertificate, HttpSettings, SecretRef, ServerName, TlsSettings};

fn over(url: &str, tls: TlsSettings) -> Ndjson {
    Ndjson::new(HttpSettings { tls, ..settings(url) })
}

#[test]
fn a_receiver_over_tls_must_prove_who_it_is() {
    let ours = need!(Authority::new("ours"));
    let fake = Fake::start(Plain::default());
    let issue = |name: &str, names: &[&str], valid| ours.issue(name, names, valid);
    let good = issue("good", &["DNS:siem.example", "IP:127.0.0.1"], Valid::Now);
    let named = issue("named", &["DNS:siem.example"], Valid::Now);
    let past = issue("past", &["IP:127.0.0.1"], Valid::Past);
    let ca = TlsSettings { ca: Some(ours.file()), ..TlsSettings::default() };
    let server_name = ServerName::parse("siem.example");

    let front = need!(TlsFront::start(&good, fake.address(), "verify=0"));
    assert_eq!(send(&mut over(&front.url(), ca.clone()), &batch(3)), Outcome::all(3));
    let why = fails(&mut over(&front.url(), TlsSettings::default()), &batch(3));
    assert!(
        why.contains("cannot be reached safely: its certificate is from an authority that is not trusted"),
        "{why}"
    );
    let missing = TlsSettings { ca: Some("/nonexistent.pem".into()), ..ca.clone() };
    let why = fails(&mut over(&front.url(), missing), &batch(3));
    assert!(why.contains("ca /nonexistent.pem"), "{why}");

    let front = need!(TlsFront::start(&named, fake.address(), "verify=0"));
    let why = fails(&mut over(&front.url(), ca.clone()), &batch(3));
    assert!(why.contains("not for 127.0.0.1: correct the address, or set `server_name`"), "{why}");
    assert_eq!(
        send(&mut over(&front.url(), TlsSettings { server_name, ..ca.clone() }), &batch(3)),
        Outcome::all(3)
    );

    let front = need!(TlsFront::start(&past, fake.address(), "verify=0"));
    let why = fails(&mut over(&front.url(), ca.clone()), &batch(3));
    assert!(why.contains("its certificate expired"), "{why}");

    let why = fails(&mut over(&fake.url().replace("http:", "https:"), ca), &batch(3));
    assert!(why.contains("https://127.0.0.1") && why.contains("does not speak TLS"), "{why}");
}

#[test]
fn a_receiver_may_demand_a_certificate_of_this_host() {
    let ours = need!(Authority::new("ours"));
    let fake = Fake::start(Plain::default());
    let server = ours.issue("server", &["IP:127.0.0.1"], Valid::Now);
    let us = ours.issue("us", &["DNS:us.example"], Valid::Now);
    let authority = ours.file();
    let front =
        need!(TlsFront::start(&server, fake.address(), &format!("verify=1,cafile={}", authority.display())));
    let ca = TlsSettings { ca: Some(authority), ..TlsSettings::default() };
    let why = fails(&mut over(&front.url(), ca.clone()), &batch(3));
    assert!(why.contains("client_cert"), "{why}");
    let client = Some(ClientCertificate { certificate: us.certificate, key: SecretRef::File(us.key) });
    assert_eq!(send(&mut over(&front.url(), TlsSettings { client, ..ca }), &batch(3)), Outcome::all(3));
}
