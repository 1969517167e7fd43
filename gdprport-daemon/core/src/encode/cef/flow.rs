//! Flows and listeners.

use jiff::tz::TimeZone;

use super::dictionary::{self as key, Plain, Text};
use super::extension::Extension;
use crate::encode::sides::{Side, Sides, id, pid};
use crate::event::{FlowEvent, ListenerEvent, PolicyRef, Port};
use crate::model::{Container, Direction, Nat, Outcome, Process};
use crate::verdict::{Accepted, Verdict};

/// The keys of one end.
struct End {
    host: Text,
    port: Plain,
    pid: Plain,
    process: Text,
    service: Text,
    uid: Text,
    user: Text,
}

const SOURCE: End = End {
    host: key::SHOST,
    port: key::SPT,
    pid: key::SPID,
    process: key::SPROC,
    service: key::SSERVICE,
    uid: key::SUID,
    user: key::SUSER,
};

const DESTINATION: End = End {
    host: key::DHOST,
    port: key::DPT,
    pid: key::DPID,
    process: key::DPROC,
    service: key::DSERVICE,
    uid: key::DUID,
    user: key::DUSER,
};

/// What is known of a flow.
pub(super) fn flow(event: &FlowEvent, to: &mut Extension<'_>) {
    let flow = &event.flow;
    let Sides { source, destination } = Sides::of(event);
    to.text(key::PROTO, "TCP");
    port(&event.port, to);
    to.number(key::DIRECTION, direction(flow.direction));
    to.address(key::SRC, key::SOURCE_V6, source.at.ip);
    end(&SOURCE, source, to);
    to.address(key::DST, key::DESTINATION_V6, destination.at.ip);
    end(&DESTINATION, destination, to);
    if flow.direction == Direction::Out
        && let Some(translation) = flow.nat.as_ref().and_then(Nat::translation)
    {
        if let Some(at) = translation.source {
            to.address_v4(key::SRC_TRANSLATED, at.ip);
            to.number(key::SPT_TRANSLATED, at.port.into());
        }
        if let Some(at) = translation.peer {
            to.address_v4(key::DST_TRANSLATED, at.ip);
            to.number(key::DPT_TRANSLATED, at.port.into());
        }
    }
    // “In” is from the source to the destination.
    if let Some(bytes) = source.bytes {
        to.number(key::IN, bytes);
    }
    if let Some(bytes) = destination.bytes {
        to.number(key::OUT, bytes);
    }
    if let Some(opened) = flow.opened {
        to.time(key::START, opened);
    }
    to.may_custom(key::DURATION, flow.duration_ms);
    to.may_custom(key::RETRANSMITS, flow.retransmits.map(u64::from));
    to.text(key::OUTCOME, flow.outcome.as_str());
    if flow.outcome == Outcome::DeniedByPolicy {
        to.text(key::ACT, "denied");
    } else if flow.outcome == Outcome::EndedByPolicy {
        to.text(key::ACT, "reset");
    } else if flow.would_deny {
        to.text(key::ACT, "would-deny");
    }
    to.custom(key::COMMUNITY_ID, &flow.id.to_string());
    if let Some(posture) = &event.posture {
        to.custom(key::ENCRYPTION, posture.state.as_str());
    }
    // How many it stands for.
    if let Some(overload) = &event.overload {
        to.number(key::CNT, overload.connections);
    }
    known(event.process.as_deref(), to);
    judged(&event.verdict, event.accepted.as_deref(), event.policy.as_ref(), to);
}

/// What is known of a listener.
pub(super) fn listener(event: &ListenerEvent, to: &mut Extension<'_>) {
    let at = event.listener.local;
    let process = event.process.as_deref();
    to.text(key::PROTO, "TCP");
    port(&event.port, to);
    to.address(key::DST, key::DESTINATION_V6, at.ip);
    end(&DESTINATION, Side { at, name: None, process, bytes: None }, to);
    if event.listener.denied {
        to.text(key::ACT, "denied");
    } else if event.listener.would_deny {
        to.text(key::ACT, "would-deny");
    }
    if event.listener.repeated > 0 {
        to.number(key::CNT, event.listener.repeated);
    }
    known(process, to);
    judged(&event.verdict, event.accepted.as_deref(), event.policy.as_ref(), to);
}

/// 0: inbound, 1: outbound.
pub(super) const fn direction(direction: Direction) -> u64 {
    match direction {
        Direction::In => 0,
        Direction::Out => 1,
    }
}

/// The port's declaration.
pub(super) fn port(port: &Port, to: &mut Extension<'_>) {
    to.may_text(key::APP, port.protocol.as_deref());
    to.custom(key::PORT, &port.name);
}

fn end(keys: &End, side: Side<'_>, to: &mut Extension<'_>) {
    to.number(keys.port, side.at.port.into());
    to.may_text(keys.host, side.name);
    let Some(process) = side.process else { return };
    if let Some(pid) = pid(process) {
        to.number(keys.pid, pid.into());
    }
    to.may_text(keys.process, process.exe.as_deref().or(process.comm.as_deref()));
    to.may_text(keys.service, process.unit.as_deref());
    if let Some(uid) = id(process.uid) {
        to.text(keys.uid, &uid.to_string());
    }
    to.may_text(keys.user, process.user.as_deref());
}

/// Of the local process, what has no key for each end.
fn known(process: Option<&Process>, to: &mut Extension<'_>) {
    to.custom(key::ATTRIBUTION, process.map_or("unknown", |process| process.attribution.as_str()));
    if let Some(container) = process.and_then(|process| process.container.as_ref()) {
        to.custom(key::CONTAINER, name(container));
    }
}

/// Its name where one is known.
fn name(container: &Container) -> &str {
    container.names().and_then(|names| names.name.as_deref()).unwrap_or(&container.id)
}

pub(super) fn judged(
    verdict: &Verdict,
    accepted: Option<&Accepted>,
    policy: Option<&PolicyRef>,
    to: &mut Extension<'_>,
) {
    to.custom(key::VERDICT, verdict.outcome());
    match verdict {
        Verdict::Declared { rule } => to.custom(key::RULE, rule),
        Verdict::Violation { nearest, .. } | Verdict::Undecided { nearest, .. } => {
            to.custom(key::NEAREST, nearest.as_ref().map_or("", |nearest| &nearest.role));
        }
    }
    let reasons: Vec<&str> = verdict.reasons().iter().map(|reason| reason.id.as_str()).collect();
    to.text(key::REASON, &reasons.join(","));
    let until = accepted.and_then(|accepted| TimeZone::UTC.to_timestamp(accepted.until.at(0, 0, 0, 0)).ok());
    let until = until.and_then(|until| u64::try_from(until.as_millisecond()).ok());
    to.may_custom(key::ACCEPTED_UNTIL, until);
    to.custom(key::POLICY, policy.map_or("", |policy| &policy.digest));
}
