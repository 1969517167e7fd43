//! Flows and listeners: `network`, `source`, `destination`, `tls`, `related`, and what ECS has no field for.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::process;
use crate::encode::decided::decided;
use crate::encode::object::Object;
use crate::encode::sides::{Side, Sides};
use crate::event::time::Micros;
use crate::event::{FlowEvent, ListenerEvent, PolicyRef, Port};
use crate::model::{Direction, Endpoint, Nat, Posture, TlsVersion};
use crate::verdict::{Accepted, Verdict};

/// What is known of a flow.
pub(super) fn flow(event: &FlowEvent, o: &mut Object<'_>) {
    let flow = &event.flow;
    let sides = Sides::of(event);
    o.object("network", |o| {
        o.put("transport", "tcp");
        o.put("iana_number", "6");
        o.put("type", if flow.peer.ip.is_ipv4() { "ipv4" } else { "ipv6" });
        o.put("direction", direction(flow.direction));
        o.put("community_id", flow.id);
        o.may("protocol", event.port.protocol.as_ref());
        o.may("bytes", flow.bytes_sent.zip(flow.bytes_received).map(|(sent, got)| sent.saturating_add(got)));
    });
    let translation = flow.nat.as_ref().and_then(Nat::translation);
    let translation = translation.filter(|_| flow.direction == Direction::Out);
    o.object("source", |o| side(sides.source, translation.and_then(|known| known.source), o));
    o.object("destination", |o| side(sides.destination, translation.and_then(|known| known.peer), o));
    if let Some(process) = &event.process {
        process::local(process, o);
    }
    if let Some(posture) = &event.posture {
        o.object("tls", |o| tls(posture, o));
    }
    o.object("related", |o| related(event, o));
}

/// What is known of a listener.
pub(super) fn listener(event: &ListenerEvent, o: &mut Object<'_>) {
    let at = event.listener.local;
    o.object("network", |o| {
        o.put("transport", "tcp");
        o.put("iana_number", "6");
        o.put("type", if at.ip.is_ipv4() { "ipv4" } else { "ipv6" });
        o.may("protocol", event.port.protocol.as_ref());
    });
    o.object("destination", |o| side(Side { at, name: None, process: None, bytes: None }, None, o));
    if let Some(process) = &event.process {
        process::local(process, o);
    }
}

/// Of a flow, what ECS has no field for.
pub(super) fn own_flow(event: &FlowEvent, o: &mut Object<'_>) {
    let flow = &event.flow;
    port(&event.port, o);
    o.object("flow", |o| {
        o.put("cookie", flow.cookie);
        o.put("direction", flow.direction);
        o.put("outcome", flow.outcome);
        if flow.would_deny {
            o.put("would_deny", true);
        }
        o.may("rtt_us", flow.rtt_us);
        o.may("retransmits", flow.retransmits);
        o.may("nat", flow.nat.as_ref());
    });
    process::own(event.process.as_deref(), o);
    if let Some(peer) = &event.peer_process {
        o.object("peer_process", |o| process::peer(peer, o));
    }
    if let Some(posture) = &event.posture {
        o.object("posture", |o| {
            o.put("state", posture.state);
            o.put("evidence", &posture.evidence);
            o.may("proof", posture.proof);
            o.all("alpn", &posture.alpn);
        });
    }
    o.may("overload", event.overload.as_ref());
    o.may("volume", event.volume.as_deref());
    judged(&event.verdict, event.accepted.as_deref(), event.policy.as_ref(), o);
}

/// Of a listener, what ECS has no field for.
pub(super) fn own_listener(event: &ListenerEvent, o: &mut Object<'_>) {
    port(&event.port, o);
    o.object("listener", |o| {
        o.put("cookie", event.listener.cookie);
        o.put("local", event.listener.local);
        decided(&event.listener, o);
    });
    process::own(event.process.as_deref(), o);
    judged(&event.verdict, event.accepted.as_deref(), event.policy.as_ref(), o);
}

/// The port's declaration.
pub(super) fn port(port: &Port, o: &mut Object<'_>) {
    o.put("port", port);
}

/// The active policy.
pub(super) fn policy(policy: Option<&PolicyRef>, o: &mut Object<'_>) {
    o.may("policy", policy);
}

/// Seen from this host.
pub(super) const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "ingress",
        Direction::Out => "egress",
    }
}

fn side(side: Side<'_>, translated: Option<Endpoint>, o: &mut Object<'_>) {
    match side.name {
        Some(name) => o.put("address", name),
        None => o.put("address", side.at.ip),
    }
    o.may("domain", side.name);
    o.put("ip", side.at.ip);
    o.put("port", side.at.port);
    o.may("bytes", side.bytes);
    o.may("nat", translated);
}

/// Only what the server chose is a version. Whether the handshake was completed is not seen: `established` is left out.
fn tls(posture: &Posture, o: &mut Object<'_>) {
    version(posture.version, o);
    o.may("cipher", posture.cipher.as_ref());
    o.object("client", |o| o.may("server_name", posture.sni.as_ref()));
    if let Some(certificate) = &posture.certificate {
        o.object("server", |o| {
            o.put("subject", &certificate.subject);
            o.put("issuer", &certificate.issuer);
            o.put("not_after", Micros(certificate.not_after));
        });
    }
}

/// The version of TLS.
pub(super) fn version(version: Option<TlsVersion>, o: &mut Object<'_>) {
    if let Some(version) = version {
        let (protocol, version) = match version {
            TlsVersion::Ssl2 => ("ssl", "2.0"),
            TlsVersion::Ssl3 => ("ssl", "3.0"),
            TlsVersion::Tls10 => ("tls", "1.0"),
            TlsVersion::Tls11 => ("tls", "1.1"),
            TlsVersion::Tls12 => ("tls", "1.2"),
            TlsVersion::Tls13 => ("tls", "1.3"),
        };
        o.put("version", version);
        o.put("version_protocol", protocol);
    }
}

fn related(event: &FlowEvent, o: &mut Object<'_>) {
    let flow = &event.flow;
    let translation = flow.nat.as_ref().and_then(Nat::translation).copied().unwrap_or_default();
    let translated = [translation.peer, translation.destination, translation.source];
    let all = [flow.local.ip, flow.peer.ip].into_iter();
    let addresses: BTreeSet<IpAddr> = all.chain(translated.into_iter().flatten().map(|end| end.ip)).collect();
    o.all("ip", addresses);
    let processes = [&event.process, &event.peer_process].into_iter().flatten();
    let users: BTreeSet<&str> = processes.filter_map(|process| process.user.as_deref()).collect();
    o.all("user", users);
    let sni = event.posture.as_ref().and_then(|posture| posture.sni.as_deref());
    let hosts: BTreeSet<&str> = [flow.peer.name.as_deref(), sni].into_iter().flatten().collect();
    o.all("hosts", hosts);
}

pub(super) fn judged(
    verdict: &Verdict,
    accepted: Option<&Accepted>,
    active: Option<&PolicyRef>,
    o: &mut Object<'_>,
) {
    o.object("verdict", |o| {
        o.put("outcome", verdict.outcome());
        o.all("reasons", verdict.reasons().iter().map(|reason| reason.id));
        o.all("details", verdict.reasons().iter().map(|reason| &reason.detail));
        let (nearest, missing) = match verdict {
            Verdict::Declared { rule } => {
                o.put("rule", rule);
                (None, &[][..])
            }
            Verdict::Violation { nearest, .. } => (nearest.as_ref(), &[][..]),
            Verdict::Undecided { missing, nearest } => (nearest.as_ref(), &missing[..]),
        };
        o.may("nearest", nearest);
        o.all("missing", missing);
    });
    if let Some(accepted) = accepted {
        o.object("accepted", |o| {
            let also = &accepted.also;
            o.all("why", [&accepted.why].into_iter().chain(also.iter().map(|other| &other.why)));
            o.all("by", [&accepted.by].into_iter().chain(also.iter().map(|other| &other.by)));
            o.all("until", [accepted.until].into_iter().chain(also.iter().map(|other| other.until)));
        });
    }
    policy(active, o);
}
