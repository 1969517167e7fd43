//! Everything that is not about one flow or listener, and the periods of all.

use jiff::Timestamp;

use super::network::{direction, judged, policy, port, version};
use crate::encode::object::Object;
use crate::encode::sides::base;
use crate::event::time::Micros;
use crate::event::{
    AuditFinding, Body, ByReason, Coverage, DaemonInfo, FindingEvent, FlowSummary, PolicyEvent,
};
use crate::model::Direction;

/// `event.start`, `end` and `duration` (nanoseconds).
pub(super) fn period(body: &Body, o: &mut Object<'_>) {
    let mut span = |from: Timestamp, to: Timestamp| {
        o.put("start", Micros(from));
        o.put("end", Micros(to));
        o.put("duration", u64::try_from(to.duration_since(from).as_nanos()).unwrap_or_default());
    };
    match body {
        Body::FlowSummary(event) => span(event.summary.from, event.summary.to),
        Body::Coverage(event) => span(event.coverage.from, event.coverage.to),
        Body::SinkLost(event) => span(event.gap.from, event.gap.to),
        Body::DaemonStop(event) => o.put("duration", event.daemon.uptime_ms.saturating_mul(1_000_000)),
        _ => {
            let Some(flow) = body.flow().map(|event| &event.flow) else { return };
            o.may("start", flow.opened.map(Micros));
            o.may("duration", flow.duration_ms.map(|millis| millis.saturating_mul(1_000_000)));
        }
    }
}

/// What ECS has fields for.
pub(super) fn fields(body: &Body, o: &mut Object<'_>) {
    match body {
        Body::FlowSummary(event) => summary(event, o),
        Body::DaemonStart(event) => o.object("process", |o| daemon(event.daemon.pid, o)),
        Body::DaemonStop(event) => o.object("process", |o| daemon(event.daemon.pid, o)),
        _ => {}
    }
}

fn daemon(pid: u32, o: &mut Object<'_>) {
    o.put("pid", pid);
    o.put("name", "gdprport");
}

fn summary(event: &FlowSummary, o: &mut Object<'_>) {
    let summary = &event.summary;
    let bytes = summary.bytes_sent.saturating_add(summary.bytes_received);
    let Some(group) = &summary.group else {
        return o.object("network", |o| {
            o.put("transport", "tcp");
            o.may("protocol", event.port.protocol.as_ref());
            o.put("bytes", bytes);
        });
    };
    o.object("network", |o| {
        o.put("transport", "tcp");
        o.put("iana_number", "6");
        o.put("type", if group.peer_ip.is_ipv4() { "ipv4" } else { "ipv6" });
        o.put("direction", direction(group.direction));
        o.may("protocol", event.port.protocol.as_ref());
        o.put("bytes", bytes);
    });
    let (from, to) = match group.direction {
        Direction::In => (summary.bytes_received, summary.bytes_sent),
        Direction::Out => (summary.bytes_sent, summary.bytes_received),
    };
    let mut end = |name: &str, is_peer: bool, is_watched: bool, bytes: u64| {
        o.object(name, |o| {
            match group.peer_prefix {
                // A network is no address.
                Some(prefix) if is_peer => o.put("address", format_args!("{}/{prefix}", group.peer_ip)),
                None if is_peer => {
                    o.put("address", group.peer_ip);
                    o.put("ip", group.peer_ip);
                }
                _ => {}
            }
            if is_watched {
                o.put("port", event.port.number);
            }
            o.put("bytes", bytes);
        });
    };
    end("source", group.direction == Direction::In, false, from);
    end("destination", group.direction == Direction::Out, true, to);
    o.object("process", |o| {
        o.may("executable", group.exe.as_ref());
        o.may("name", group.exe.as_deref().map(base));
        o.object("real_user", |o| {
            o.may("id", group.uid.map(|uid| uid.to_string()));
            o.may("name", group.user.as_ref());
        });
    });
    o.object("user", |o| {
        o.may("id", group.uid.map(|uid| uid.to_string()));
        o.may("name", group.user.as_ref());
    });
    o.object("tls", |o| version(group.posture.and_then(|posture| posture.version), o));
    o.object("related", |o| {
        o.all("ip", Some(group.peer_ip).filter(|_| group.peer_prefix.is_none()));
        o.all("user", group.user.as_ref());
    });
}

/// What ECS has no field for.
pub(super) fn own(body: &Body, o: &mut Object<'_>) {
    match body {
        Body::FlowSummary(event) => own_summary(event, o),
        Body::Finding(finding) => match &**finding {
            FindingEvent::Flow(event) => o.object("finding", |o| {
                o.put("id", event.finding.id);
                o.put("detail", &event.finding.detail);
            }),
            FindingEvent::Audit(event) => {
                o.object("finding", |o| audited(&event.finding, o));
                policy(event.policy.as_ref(), o);
            }
        },
        Body::Coverage(event) => {
            if let Some(about) = &event.port {
                port(about, o);
            }
            o.object("coverage", |o| coverage(&event.coverage, o));
        }
        Body::SinkLost(event) => {
            o.put("sink", &event.sink);
            o.object("coverage", |o| {
                o.put("lost", event.gap.lost);
                o.all("gaps", [&event.gap]);
            });
        }
        Body::SinkTest(event) => o.put("sink", &event.sink),
        Body::EvidenceCheckpoint(event) => o.put("checkpoint", &event.checkpoint),
        Body::PolicyApplied(event) => applied(event, o),
        Body::DaemonStart(event) => {
            o.object("daemon", |o| start(&event.daemon, o));
            policy(event.policy.as_ref(), o);
        }
        Body::DaemonStop(event) => o.object("daemon", |o| {
            o.put("reason", &event.daemon.reason);
            o.put("uptime_ms", event.daemon.uptime_ms);
            o.put("kept", event.daemon.kept);
        }),
        Body::FlowOpen(_)
        | Body::FlowFail(_)
        | Body::FlowClose(_)
        | Body::FlowUpdate(_)
        | Body::FlowPosture(_)
        | Body::Violation(_)
        | Body::ListenerOpen(_)
        | Body::ListenerFail(_)
        | Body::ListenerClose(_) => {}
    }
}

fn own_summary(event: &FlowSummary, o: &mut Object<'_>) {
    let summary = &event.summary;
    port(&event.port, o);
    o.object("summary", |o| {
        o.put("rest", summary.group.is_none());
        o.put("events", summary.events);
        o.put("opened", summary.opened);
        o.put("closed", summary.closed);
        o.put("failed", summary.failed);
        if summary.ended > 0 {
            o.put("ended", summary.ended);
        }
        if summary.denied > 0 {
            o.put("denied", summary.denied);
        }
        if summary.would_deny > 0 {
            o.put("would_deny", summary.would_deny);
        }
        o.put("updated", summary.updated);
        if summary.violations > 0 {
            o.put("violations", summary.violations);
        }
        if summary.findings > 0 {
            o.put("findings", summary.findings);
        }
        if let Some(group) = &summary.group {
            o.may("peers", group.peer_prefix.map(|prefix| format!("{}/{prefix}", group.peer_ip)));
            o.may("container", group.container.as_ref());
            o.may("workload", group.workload.as_ref());
            o.may("namespace", group.namespace.as_ref());
        }
        o.may("auto", summary.auto.as_ref());
        o.may("coarse", summary.coarse.as_ref());
        o.may("overload", summary.overload.as_ref());
        o.put("first", Micros(summary.first));
        o.put("last", Micros(summary.last));
    });
    if let Some(group) = &summary.group {
        o.object("flow", |o| o.put("direction", group.direction));
        o.object("process", |o| o.may("unit", group.unit.as_ref()));
        o.object("posture", |o| o.may("state", group.posture.map(|posture| posture.state)));
    }
    match (&event.verdict, &summary.group) {
        (Some(verdict), _) => {
            return judged(verdict, event.accepted.as_deref(), event.policy.as_ref(), o);
        }
        (None, Some(group)) => o.object("verdict", |o| match &group.rule {
            Some(rule) => {
                o.put("outcome", "declared");
                o.put("rule", rule);
            }
            None => o.put("outcome", "undecided"),
        }),
        (None, None) => {}
    }
    policy(event.policy.as_ref(), o);
}

fn audited(finding: &AuditFinding, o: &mut Object<'_>) {
    o.put("id", finding.id);
    o.put("detail", &finding.detail);
    o.put("severity", finding.severity);
    o.put("fingerprint", &finding.fingerprint);
    o.put("state", finding.state);
    o.put("since", Micros(finding.since));
    o.object("subject", |o| {
        let subject = &finding.subject;
        o.may("port", subject.port.as_ref());
        o.may("number", subject.number);
        o.may("rule", subject.rule.as_ref());
        o.may("address", subject.address.as_ref());
        o.may("process", subject.process.as_ref());
        o.may("detail", subject.detail.as_ref());
    });
    o.all(
        "evidence",
        finding.evidence.iter().map(|evidence| format!("{}: {}", evidence.what, evidence.value)),
    );
    o.may("place", finding.place.as_ref());
    o.may("remedy", finding.remedy.as_ref());
    if let Some(accepted) = &finding.accepted {
        o.object("accepted", |o| {
            o.put("why", &accepted.why);
            o.put("by", &accepted.by);
            o.put("until", accepted.until);
        });
    }
}

/// Counts by reason as objects: reasons as names of fields would be without bound.
fn by_reason(name: &str, counts: &ByReason, o: &mut Object<'_>) {
    o.objects(name, counts, |o, (reason, count)| {
        o.put("reason", reason);
        o.put("count", count);
    });
}

fn coverage(coverage: &Coverage, o: &mut Object<'_>) {
    o.put("received", coverage.received);
    o.put("delivered", coverage.delivered);
    o.put("suppressed", coverage.suppressed);
    o.put("lost", coverage.lost());
    by_reason("dropped", &coverage.dropped, o);
    o.put("evicted", coverage.evicted);
    o.put("evicted_listeners", coverage.evicted_listeners);
    o.put("opening_missed", coverage.opening_missed);
    o.put("end_missed", coverage.end_missed);
    o.put("unwatched", coverage.unwatched);
    o.put("unwatched_listeners", coverage.unwatched_listeners);
    o.may("overload", coverage.overload.as_ref());
    if let Some(kernel) = &coverage.kernel {
        o.object("kernel", |o| {
            o.put("seen", kernel.seen);
            o.put("emitted", kernel.emitted);
            o.put("filtered", kernel.filtered);
            o.put("grouped", kernel.grouped);
            by_reason("dropped", &kernel.dropped, o);
            o.put("owners_unkept", kernel.owners_unkept);
        });
    }
    o.objects("sinks", &coverage.sinks, |o, sink| {
        o.put("name", &sink.name);
        o.put("received", sink.received);
        o.put("delivered", sink.delivered);
        o.put("queued", sink.queued);
        by_reason("dropped", &sink.dropped, o);
    });
    o.all("gaps", &coverage.gaps);
}

fn applied(event: &PolicyEvent, o: &mut Object<'_>) {
    let policy = &event.policy;
    o.object("policy", |o| {
        o.put("digest", &policy.digest);
        o.may("previous", policy.previous.as_ref());
        o.may("trial_until", policy.trial_until.map(Micros));
        o.may("reverted", policy.reverted.then_some(true));
        o.all("files", &policy.files);
        o.put("ports", policy.ports);
        o.put("rules", policy.rules);
        o.all("warnings", &policy.warnings);
    });
}

fn start(daemon: &DaemonInfo, o: &mut Object<'_>) {
    o.all("hooks", &daemon.hooks);
    o.may("previous", daemon.previous.as_ref());
}
