//! Network Activity (4001), and what findings have of it.

use super::class::status;
use super::process;
use super::time::millis;
use crate::encode::object::Object;
use crate::encode::sides::{Side, Sides};
use crate::event::{FlowEvent, FlowSummary, Group, ListenerEvent, PolicyRef};
use crate::model::{Direction, Endpoint, Posture, TlsVersion};
use crate::verdict::Verdict;

/// A flow.
pub(super) fn flow(event: &FlowEvent, o: &mut Object<'_>) {
    let flow = &event.flow;
    let (status_id, status) = status(flow.outcome);
    o.put("status_id", status_id);
    o.put("status", status);
    o.put("status_code", flow.outcome);
    times(event, o);
    connection(event, o);
    o.may("app_protocol_name", event.port.protocol.as_ref());
    o.put("is_src_dst_assignment_known", true);
    o.put("observation_point_id", observed_at(flow.direction).0);
    o.put("observation_point", observed_at(flow.direction).1);
    let Sides { source, destination } = Sides::of(event);
    // What is counted is the total of the connection until now, never what was new since the last event.
    o.object("cumulative_traffic", |o| traffic(source.bytes, destination.bytes, o));
    process::actor(event.process.as_deref(), o);
    authorized(&event.verdict, event.policy.as_ref(), o);
}

/// What a finding shows of a flow, too: both ends, the connection and its encryption.
pub(super) fn connection(event: &FlowEvent, o: &mut Object<'_>) {
    let flow = &event.flow;
    let Sides { source, destination } = Sides::of(event);
    o.object("connection_info", |o| {
        let (id, name) = direction(flow.direction, flow.local, flow.peer.ip);
        o.put("direction_id", id);
        o.put("direction", name);
        protocol(flow.local, o);
        o.put("community_uid", flow.id);
        o.put("uid", flow.cookie);
    });
    o.object("src_endpoint", |o| endpoint(source, o));
    o.object("dst_endpoint", |o| endpoint(destination, o));
    if let Some(posture) = &event.posture {
        tls(posture, o);
    }
}

/// `start_time` and `duration` in milliseconds.
pub(super) fn times(event: &FlowEvent, o: &mut Object<'_>) {
    o.may("start_time", event.flow.opened.map(millis));
    o.may("duration", event.flow.duration_ms);
}

/// A listener.
pub(super) fn listener(event: &ListenerEvent, o: &mut Object<'_>) {
    let (id, status) = if event.listener.denied { (2, "Failure") } else { (1, "Success") };
    o.put("status_id", id);
    o.put("status", status);
    listening(event, o);
    o.may("app_protocol_name", event.port.protocol.as_ref());
    o.put("observation_point_id", 2);
    o.put("observation_point", "Destination");
    process::actor(event.process.as_deref(), o);
    authorized(&event.verdict, event.policy.as_ref(), o);
}

/// What a finding shows of a listener, too.
pub(super) fn listening(event: &ListenerEvent, o: &mut Object<'_>) {
    let at = event.listener.local;
    o.object("connection_info", |o| {
        o.put("direction_id", 1);
        o.put("direction", "Inbound");
        protocol(at, o);
        o.put("uid", event.listener.cookie);
    });
    let side = Side { at, name: None, process: event.process.as_deref(), bytes: None };
    o.object("dst_endpoint", |o| endpoint(side, o));
}

/// Flow events that were counted: `traffic`, since it is what came in the period.
pub(super) fn summary(event: &FlowSummary, o: &mut Object<'_>) {
    let summary = &event.summary;
    o.put("status_id", 0);
    o.put("status", "Unknown");
    o.put("count", summary.events);
    o.put("start_time", millis(summary.from));
    o.put("end_time", millis(summary.to));
    o.may("app_protocol_name", event.port.protocol.as_ref());
    if let Some(verdict) = &event.verdict {
        authorized(verdict, event.policy.as_ref(), o);
    }
    let Some(group) = &summary.group else {
        // A class must name one end: the watched port, at no address.
        o.object("dst_endpoint", |o| {
            o.put("name", &event.port.name);
            o.put("port", event.port.number);
        });
        let bytes = summary.bytes_sent.saturating_add(summary.bytes_received);
        return o.object("traffic", |o| o.put("bytes", bytes));
    };
    o.object("connection_info", |o| {
        let out = group.direction == Direction::Out;
        o.put("direction_id", if out { 2 } else { 1 });
        o.put("direction", if out { "Outbound" } else { "Inbound" });
        protocol(Endpoint { ip: group.peer_ip, port: event.port.number }, o);
    });
    o.put("observation_point_id", observed_at(group.direction).0);
    o.put("observation_point", observed_at(group.direction).1);
    let unit = group.unit.as_ref();
    match group.direction {
        Direction::In => {
            o.object("src_endpoint", |o| peers(group, o));
            o.object("dst_endpoint", |o| {
                o.put("name", &event.port.name);
                o.put("port", event.port.number);
                o.may("svc_name", unit);
            });
            o.object("traffic", |o| traffic(Some(summary.bytes_received), Some(summary.bytes_sent), o));
        }
        Direction::Out => {
            o.object("src_endpoint", |o| o.may("svc_name", unit));
            o.object("dst_endpoint", |o| {
                peers(group, o);
                o.put("port", event.port.number);
            });
            o.object("traffic", |o| traffic(Some(summary.bytes_sent), Some(summary.bytes_received), o));
        }
    }
    o.object("actor", |o| {
        o.object("user", |o| {
            o.may("uid", group.uid.map(|uid| uid.to_string()));
            o.may("name", group.user.as_ref());
        });
    });
    if let Some(version) = group.posture.and_then(|posture| posture.version) {
        o.object("tls", |o| o.put("version", named(version)));
    }
}

/// The peers of counted flows: an address, or the network that they have in common, which is no address.
fn peers(group: &Group, o: &mut Object<'_>) {
    match group.peer_prefix {
        Some(prefix) => o.put("name", format_args!("{}/{prefix}", group.peer_ip)),
        None => o.put("ip", group.peer_ip),
    }
}

/// The decision of the policy, and the rule.
pub(super) fn authorized(verdict: &Verdict, policy: Option<&PolicyRef>, o: &mut Object<'_>) {
    o.objects("authorizations", [verdict], |o, verdict| {
        o.put("decision", verdict.outcome());
        o.object("policy", |o| {
            if let Verdict::Declared { rule } = verdict {
                o.put("name", rule);
            }
            o.may("uid", policy.map(|policy| &policy.digest));
        });
    });
    active(policy, o);
}

/// The active policy.
pub(super) fn active(policy: Option<&PolicyRef>, o: &mut Object<'_>) {
    if let Some(policy) = policy {
        o.object("policy", |o| {
            o.put("uid", &policy.digest);
            o.put("name", "gdprport policy");
            o.put("is_applied", true);
        });
    }
}

const fn observed_at(direction: Direction) -> (u8, &'static str) {
    match direction {
        Direction::In => (2, "Destination"),
        Direction::Out => (1, "Source"),
    }
}

/// Within this host it is `Local`: `observation_point_id` then says which end is meant.
fn direction(direction: Direction, local: Endpoint, peer: std::net::IpAddr) -> (u8, &'static str) {
    if local.ip == peer || (local.ip.is_loopback() && peer.is_loopback()) {
        return (4, "Local");
    }
    match direction {
        Direction::In => (1, "Inbound"),
        Direction::Out => (2, "Outbound"),
    }
}

fn protocol(at: Endpoint, o: &mut Object<'_>) {
    o.put("protocol_name", "tcp");
    o.put("protocol_num", 6);
    o.put("protocol_ver_id", if at.ip.is_ipv4() { 4 } else { 6 });
}

fn endpoint(side: Side<'_>, o: &mut Object<'_>) {
    o.put("ip", side.at.ip);
    o.put("port", side.at.port);
    o.may("hostname", side.name);
    o.may("svc_name", side.process.and_then(|process| process.unit.as_ref()));
}

/// Out is from the source to the destination.
fn traffic(from_source: Option<u64>, from_destination: Option<u64>, o: &mut Object<'_>) {
    o.may("bytes_out", from_source);
    o.may("bytes_in", from_destination);
    o.may("bytes", from_source.zip(from_destination).map(|(out, back)| out.saturating_add(back)));
}

/// Only where the version is known, which the object demands. The certificate stays in `unmapped`: its object demands a
/// serial number.
fn tls(posture: &Posture, o: &mut Object<'_>) {
    let Some(version) = posture.version else { return };
    o.object("tls", |o| {
        o.put("version", named(version));
        o.may("cipher", posture.cipher.as_ref());
        o.may("sni", posture.sni.as_ref());
    });
}

const fn named(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Ssl2 => "SSL 2.0",
        TlsVersion::Ssl3 => "SSL 3.0",
        TlsVersion::Tls10 => "1.0",
        TlsVersion::Tls11 => "1.1",
        TlsVersion::Tls12 => "1.2",
        TlsVersion::Tls13 => "1.3",
    }
}
