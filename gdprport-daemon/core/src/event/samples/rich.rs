//! A flow with everything that its posture, its addresses and the agent may have.

use crate::event::{Agent, Body, Event, FlowEvent, samples};
use crate::model::{Certificate, Posture, PostureState, Proof, TlsVersion};
use crate::privacy::{Applied, AppliedPeers, AppliedUsers};
use crate::shared::Shared;

/// The close of a flow over IPv6 whose certificate was seen, with pseudonyms.
#[must_use]
pub fn event() -> Event {
    let certificate = Certificate {
        subject: "CN=db.example.net".to_owned(),
        issuer: "CN=Example CA".to_owned(),
        not_after: samples::time("2027-01-31T00:00:00Z"),
    };
    let posture = Shared::new(Posture {
        version: Some(TlsVersion::Tls12),
        cipher: Some("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".into()),
        proof: Some(Proof::BothSides),
        sni: Some("db.example.net".into()),
        alpn: vec!["postgresql".into()],
        certificate: Some(Box::new(certificate)),
        ..Posture::new(PostureState::Tls12, "the server chose TLS 1.2")
    });
    let mut event = FlowEvent { posture: Some(posture), ..samples::forbidden() };
    event.flow.local.ip = "fd00:1::3".parse().expect("an address");
    event.flow.peer.ip = "2001:db8::7".parse().expect("an address");
    let mut rich = samples::stamper().stamp(samples::now(), Body::FlowClose(Box::new(event)));
    rich.agent = Shared::new(Agent {
        privacy: Some(Applied {
            peers: Some(AppliedPeers::Hmac),
            users: Some(AppliedUsers::Hmac),
            key: Some("0a1b2c3d".into()),
            ipv4_bits: Some(24),
            ipv6_bits: Some(48),
        }),
        ..(*rich.agent).clone()
    });
    rich
}
