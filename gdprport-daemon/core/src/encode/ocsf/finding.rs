//! Detection Finding (2004) for violations, Compliance Finding (2003) for findings.

use super::network;
use super::process;
use super::time::millis;
use crate::audit::Change;
use crate::encode::object::Object;
use crate::event::{
    AuditFindingEvent, Event, FindingEvent, FindingId, FlowEvent, FlowFindingEvent, ListenerEvent, Port,
    Severity, Violation, gravest,
};
use crate::verdict::{Accepted, Verdict};

/// What is not as declared.
pub(super) fn violation(event: &Event, violation: &Violation, o: &mut Object<'_>) {
    match violation {
        Violation::Flow(flow) => {
            status(flow.accepted.as_deref(), o);
            o.may("count", flow.overload.map(|overload| overload.connections));
            network::times(flow, o);
            let uid = format!("{}/{}/{}", event.host.boot_id, flow.flow.cookie, flow.flow.id);
            o.object("finding_info", |o| detected(&uid, &flow.verdict, event, o));
            resource(&flow.port, o);
            of_flow(flow, o);
            network::active(flow.policy.as_ref(), o);
        }
        Violation::Listener(listener) => {
            status(listener.accepted.as_deref(), o);
            let uid = format!("{}/{}", event.host.boot_id, listener.listener.cookie);
            o.object("finding_info", |o| detected(&uid, &listener.verdict, event, o));
            resource(&listener.port, o);
            of_listener(listener, o);
            network::active(listener.policy.as_ref(), o);
        }
    }
}

/// What could not be proven, or what an audit found.
pub(super) fn finding(event: &Event, finding: &FindingEvent, o: &mut Object<'_>) {
    match finding {
        FindingEvent::Flow(found) => unproven(event, found, o),
        FindingEvent::Audit(found) => audited(event, found, o),
    }
}

/// New, or suppressed by an exception of the policy.
fn status(accepted: Option<&Accepted>, o: &mut Object<'_>) {
    let (id, name) = if accepted.is_some() { (3, "Suppressed") } else { (1, "New") };
    o.put("status_id", id);
    o.put("status", name);
    o.may("comment", accepted.map(|accepted| &accepted.why));
}

/// The same `uid` for every violation of the same flow or listener: reasons are added to it.
fn detected(uid: &str, verdict: &Verdict, event: &Event, o: &mut Object<'_>) {
    o.put("uid", uid);
    let gravest = gravest(verdict).map_or("violation", |reason| reason.id.as_str());
    o.put("title", format_args!("Not as declared: {gravest}"));
    let details: Vec<&str> = verdict.reasons().iter().map(|reason| &*reason.detail).collect();
    o.put("desc", details.join("; "));
    o.all("types", verdict.reasons().iter().map(|reason| reason.id));
    o.put("created_time", millis(event.time));
    o.object("analytic", |o| {
        o.put("uid", gravest);
        o.put("name", gravest);
        o.put("type_id", 1);
        o.put("type", "Rule");
    });
}

fn of_flow(flow: &FlowEvent, o: &mut Object<'_>) {
    o.objects("evidences", [flow], |o, flow| {
        network::connection(flow, o);
        process::actor(flow.process.as_deref(), o);
        if let Some(peer) = &flow.peer_process {
            // The owner of the other end, where that is on this host.
            process::process("process", peer, o);
        }
    });
}

fn of_listener(listener: &ListenerEvent, o: &mut Object<'_>) {
    o.objects("evidences", [listener], |o, listener| {
        network::listening(listener, o);
        process::actor(listener.process.as_deref(), o);
    });
}

fn resource(port: &Port, o: &mut Object<'_>) {
    o.objects("resources", [port], |o, port| {
        o.put("uid", format_args!("tcp/{}", port.number));
        o.put("name", &port.name);
        o.put("type", "port");
    });
}

fn unproven(event: &Event, found: &FlowFindingEvent, o: &mut Object<'_>) {
    let FlowFindingEvent { finding, flow } = found;
    status(flow.accepted.as_deref(), o);
    network::times(flow, o);
    let title = match finding.id {
        FindingId::PostureUnknown => "Encryption could not be determined",
        FindingId::PostureNotTls => "Encrypted by something else than TLS",
    };
    o.object("finding_info", |o| {
        o.put("uid", format_args!("{}/{}/{}", event.host.boot_id, flow.flow.cookie, finding.id.as_str()));
        o.put("title", title);
        o.put("desc", &finding.detail);
        o.put("types", [finding.id]);
        o.put("created_time", millis(event.time));
    });
    // Unknown is never compliant, and no failure was seen either.
    let (id, name) = match &*flow.verdict {
        Verdict::Violation { .. } => (3, "Fail"),
        Verdict::Declared { .. } | Verdict::Undecided { .. } => (2, "Warning"),
    };
    o.object("compliance", |o| {
        compliance(finding.id.as_str(), "Art. 32(1)(a) GDPR", id, name, o);
        o.put("status_details", [&finding.detail]);
    });
    resource(&flow.port, o);
    of_flow(flow, o);
    network::active(flow.policy.as_ref(), o);
}

fn compliance(control: &str, law: &str, status_id: u8, status: &str, o: &mut Object<'_>) {
    o.put("control", control);
    o.put("standards", ["GDPR"]);
    o.all("requirements", Some(law).filter(|law| !law.is_empty()));
    o.put("status_id", status_id);
    o.put("status", status);
}

fn audited(event: &Event, found: &AuditFindingEvent, o: &mut Object<'_>) {
    let AuditFindingEvent { finding, policy } = found;
    let about = finding.id.about();
    let (id, name) = match (finding.state, &finding.accepted) {
        (Change::Settled, _) => (4, "Resolved"),
        (_, Some(_)) => (3, "Suppressed"),
        (Change::Changed, None) => (2, "In Progress"),
        (Change::New | Change::Reopened, None) => (1, "New"),
    };
    o.put("status_id", id);
    o.put("status", name);
    o.may("comment", finding.accepted.as_ref().map(|accepted| &accepted.why));
    o.object("finding_info", |o| {
        o.put("uid", &finding.fingerprint);
        o.put("title", about.title);
        o.put("desc", &finding.detail);
        o.put("types", [finding.id]);
        o.put("created_time", millis(finding.since));
        o.put("first_seen_time", millis(finding.since));
        o.put("modified_time", millis(event.time));
    });
    let (id, name) = match (finding.state, &finding.accepted) {
        (Change::Settled, _) => (1, "Pass"),
        (_, None) if finding.severity > Severity::Low => (3, "Fail"),
        _ => (2, "Warning"),
    };
    o.object("compliance", |o| {
        compliance(finding.id.as_str(), about.law, id, name, o);
        o.all("status_details", finding.evidence.iter().map(|one| format!("{}: {}", one.what, one.value)));
    });
    let subject = &finding.subject;
    o.objects("resources", [subject], |o, subject| {
        // What it is about, or else the host.
        let name = subject.port.as_ref().or(subject.process.as_ref()).or(subject.address.as_ref());
        o.put("name", name.unwrap_or(&event.host.name));
        o.may("uid", subject.number.map(|number| format!("tcp/{number}")));
        let kind = match subject {
            _ if subject.port.is_some() || subject.number.is_some() => "port",
            _ if subject.process.is_some() => "process",
            _ if subject.address.is_some() => "address",
            _ => "host",
        };
        o.put("type", kind);
    });
    if let Some(remedy) = &finding.remedy {
        o.object("remediation", |o| o.put("desc", remedy));
    }
    network::active(policy.as_ref(), o);
}
