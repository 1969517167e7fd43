//! Event Log Activity (1008) for coverage, Entity Management (3004) for policies, Application Lifecycle (6002) for the
//! sensor itself; and what no class has an attribute for.

use super::time::millis;
use super::{network, process};
use crate::encode::decided::{decided, is_decided};
use crate::encode::object::Object;
use crate::event::wire_verdict::VerdictRef;
use crate::event::{
    Agent, Body, CoverageEvent, DaemonStart, DaemonStop, FindingEvent, FlowEvent, ListenerEvent, PolicyEvent,
    SignedCheckpoint, SinkLost, Violation,
};

/// What was watched, delivered and lost: whether the log is whole.
pub(super) fn coverage(event: &CoverageEvent, o: &mut Object<'_>) {
    let coverage = &event.coverage;
    let whole = coverage.lost() == 0 && coverage.gaps.is_empty();
    log(o);
    o.put("status_id", if whole { 1 } else { 2 });
    o.put("status", if whole { "Success" } else { "Failure" });
    let gaps: Vec<&str> = coverage.gaps.iter().map(|gap| &*gap.reason).collect();
    o.may("status_detail", (!gaps.is_empty()).then(|| gaps.join(", ")));
    o.put("start_time", millis(coverage.from));
    o.put("end_time", millis(coverage.to));
    o.put("count", coverage.delivered);
}

/// Events that a receiver does not get.
pub(super) fn lost(event: &SinkLost, o: &mut Object<'_>) {
    let gap = &event.gap;
    log(o);
    o.put("status_id", 2);
    o.put("status", "Failure");
    o.put("status_detail", &gap.reason);
    o.put("start_time", millis(gap.from));
    o.put("end_time", millis(gap.to));
    o.put("count", gap.lost);
}

/// What the evidence log is now.
pub(super) fn checkpoint(checkpoint: &SignedCheckpoint, o: &mut Object<'_>) {
    log(o);
    o.put("status_id", 1);
    o.put("status", "Success");
    o.put("count", checkpoint.size);
}

/// A test whether events arrive.
pub(super) fn test(agent: &Agent, o: &mut Object<'_>) {
    o.object("app", |o| product(agent, o));
    o.put("status_id", 1);
    o.put("status", "Success");
}

fn log(o: &mut Object<'_>) {
    o.put("log_name", "gdprport.events");
    o.put("log_provider", "gdprport");
    o.put("log_type_id", 2);
    o.put("log_type", "Application");
}

fn product(agent: &Agent, o: &mut Object<'_>) {
    o.put("name", "gdprport");
    o.put("vendor_name", "gdprport");
    o.put("version", &agent.version);
}

/// A policy came into force.
pub(super) fn policy(event: &PolicyEvent, o: &mut Object<'_>) {
    let policy = &event.policy;
    o.put("status_id", 1);
    o.put("status", "Success");
    o.may("status_detail", (!policy.warnings.is_empty()).then(|| policy.warnings.join("; ")));
    let entity = |digest: &str, is_applied: bool, o: &mut Object<'_>| {
        o.put("type_id", 5);
        o.put("type", "Policy");
        o.put("uid", digest);
        o.object("policy", |o| {
            o.put("uid", digest);
            o.put("name", "gdprport policy");
            o.put("is_applied", is_applied);
        });
    };
    // “Entity” is the one before, “entity result” what took its place; at the start there is only the one.
    match &policy.previous {
        Some(previous) => {
            o.object("entity", |o| entity(previous, false, o));
            o.object("entity_result", |o| entity(&policy.digest, true, o));
        }
        None => o.object("entity", |o| entity(&policy.digest, true, o)),
    }
}

/// The sensor began to watch.
pub(super) fn start(event: &DaemonStart, agent: &Agent, o: &mut Object<'_>) {
    app(agent, event.daemon.pid, o);
    let missing: Vec<&str> =
        event.daemon.hooks.iter().filter(|hook| !hook.attached).map(|hook| &*hook.name).collect();
    o.may("status_detail", (!missing.is_empty()).then(|| format!("without {}", missing.join(", "))));
    network::active(event.policy.as_ref(), o);
}

/// The sensor stopped.
pub(super) fn stop(event: &DaemonStop, agent: &Agent, o: &mut Object<'_>) {
    app(agent, event.daemon.pid, o);
    o.put("status_detail", &event.daemon.reason);
    o.put("duration", event.daemon.uptime_ms);
}

fn app(agent: &Agent, pid: u32, o: &mut Object<'_>) {
    o.object("app", |o| product(agent, o));
    o.object("actor", |o| {
        o.object("process", |o| {
            o.put("pid", pid);
            o.put("name", "gdprport");
        });
    });
    o.put("status_id", 1);
    o.put("status", "Success");
}

/// What has no attribute, by the names of the native encoding.
pub(super) fn unmapped(body: &Body, o: &mut Object<'_>) {
    if let Some(event) = body.flow() {
        flow(event, o);
    } else if let Some(event) = body.listener() {
        listener(event, o);
    }
    match body {
        Body::FlowSummary(event) => {
            o.put("port", &event.port);
            o.put("summary", &event.summary);
            o.may("verdict", event.verdict.as_deref().map(VerdictRef::from));
            o.may("accepted", event.accepted.as_deref());
        }
        Body::Finding(finding) => match &**finding {
            FindingEvent::Flow(event) => o.put("finding", &event.finding),
            FindingEvent::Audit(event) => o.put("finding", &event.finding),
        },
        Body::Coverage(event) => {
            o.may("port", event.port.as_ref());
            o.put("coverage", &event.coverage);
        }
        Body::SinkLost(event) => {
            o.put("sink", &event.sink);
            o.put("gap", &event.gap);
        }
        Body::SinkTest(event) => o.put("sink", &event.sink),
        Body::EvidenceCheckpoint(event) => o.put("checkpoint", &event.checkpoint),
        Body::PolicyApplied(event) => o.put("policy", &event.policy),
        Body::DaemonStart(event) => {
            o.object("daemon", |o| {
                o.put("hooks", &event.daemon.hooks);
                o.may("previous", event.daemon.previous.as_ref());
            });
        }
        Body::DaemonStop(event) => o.object("daemon", |o| o.put("kept", event.daemon.kept)),
        Body::Violation(violation) => match &**violation {
            // A finding has no traffic.
            Violation::Flow(event) => {
                o.may("bytes_sent", event.flow.bytes_sent);
                o.may("bytes_received", event.flow.bytes_received);
            }
            Violation::Listener(_) => {}
        },
        Body::FlowOpen(_)
        | Body::FlowFail(_)
        | Body::FlowClose(_)
        | Body::FlowUpdate(_)
        | Body::FlowPosture(_)
        | Body::ListenerOpen(_)
        | Body::ListenerFail(_)
        | Body::ListenerClose(_) => {}
    }
}

fn flow(event: &FlowEvent, o: &mut Object<'_>) {
    let flow = &event.flow;
    o.put("port", &event.port);
    o.object("flow", |o| {
        o.put("direction", flow.direction);
        o.put("outcome", flow.outcome);
        if flow.would_deny {
            o.put("would_deny", true);
        }
        o.may("rtt_us", flow.rtt_us);
        o.may("retransmits", flow.retransmits);
        o.may("nat", flow.nat.as_ref());
    });
    process::unmapped("process", event.process.as_deref(), o);
    process::unmapped("peer_process", event.peer_process.as_deref(), o);
    o.may("posture", event.posture.as_deref());
    o.put("verdict", VerdictRef::from(&*event.verdict));
    o.may("accepted", event.accepted.as_deref());
    o.may("overload", event.overload.as_ref());
    o.may("volume", event.volume.as_deref());
}

fn listener(event: &ListenerEvent, o: &mut Object<'_>) {
    o.put("port", &event.port);
    if is_decided(&event.listener) {
        o.object("listener", |o| decided(&event.listener, o));
    }
    process::unmapped("process", event.process.as_deref(), o);
    o.put("verdict", VerdictRef::from(&event.verdict));
    o.may("accepted", event.accepted.as_deref());
}
