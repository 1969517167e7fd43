//! The document: what every event has, then what its kind has.

use super::class::class;
use super::{network, other};
use crate::encode::object::Object;
use crate::encode::sentence::sentence;
use crate::event::time::Micros;
use crate::event::{Body, Event, FindingEvent, Severity, gravest};
use crate::verdict::Verdict;

/// The version of the schema.
const VERSION: &str = "9.4.0";

/// The data stream that the documents are for: `logs-gdprport.events-default`.
const DATASET: &str = "gdprport.events";

/// Appends the event as one document, without a line feed at its end.
pub fn ecs(event: &Event, record: &mut Vec<u8>) {
    let Event { body, host, agent, .. } = event;
    Object::write(record, |o| {
        o.put("@timestamp", Micros(event.time));
        o.put("message", sentence(event));
        o.object("ecs", |o| o.put("version", VERSION));
        o.object("data_stream", |o| {
            o.put("type", "logs");
            o.put("dataset", DATASET);
            o.put("namespace", "default");
        });
        o.object("event", |o| self::event(event, o));
        o.object("log", |o| o.put("level", level(event.severity())));
        o.object("host", |o| {
            o.put("name", &host.name);
            o.put("hostname", &host.name);
            o.object("boot", |o| o.put("id", &host.boot_id));
            o.object("os", |o| {
                o.put("type", "linux");
                if let Body::DaemonStart(start) = body {
                    o.put("kernel", &start.daemon.kernel);
                }
            });
        });
        o.object("agent", |o| {
            o.put("type", "gdprport");
            o.put("version", &agent.version);
            o.put("ephemeral_id", agent.run);
        });
        o.object("rule", |o| rule(body, o));
        if let Some(flow) = body.flow() {
            network::flow(flow, o);
        } else if let Some(listener) = body.listener() {
            network::listener(listener, o);
        }
        other::fields(body, o);
        o.object("gdprport", |o| {
            o.put("severity", event.severity());
            o.may("privacy", agent.privacy.as_ref());
            if let Some(flow) = body.flow() {
                network::own_flow(flow, o);
            } else if let Some(listener) = body.listener() {
                network::own_listener(listener, o);
            }
            other::own(body, o);
        });
    });
}

fn event(event: &Event, o: &mut Object<'_>) {
    let class = class(&event.body);
    o.put("id", event.id);
    o.put("kind", class.kind);
    o.put("category", [class.category]);
    o.put("type", class.types);
    o.put("action", event.body.kind().as_str());
    o.put("outcome", class.outcome);
    o.put("severity", severity(event.severity()));
    o.put("sequence", event.seq);
    o.put("module", "gdprport");
    o.put("dataset", DATASET);
    o.put("provider", "gdprport");
    o.may("code", code(&event.body));
    o.may("reason", event.body.verdict().and_then(why));
    other::period(&event.body, o);
}

/// The gravest reason of a violation, or what was found.
fn code(body: &Body) -> Option<&'static str> {
    match body {
        Body::Finding(finding) => Some(match &**finding {
            FindingEvent::Flow(event) => event.finding.id.as_str(),
            FindingEvent::Audit(event) => event.finding.id.as_str(),
        }),
        _ => body.verdict().and_then(gravest).map(|reason| reason.id.as_str()),
    }
}

/// Why the verdict is not `declared`.
fn why(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Declared { .. } => None,
        Verdict::Violation { reasons, .. } => {
            let details: Vec<&str> = reasons.iter().map(|reason| &*reason.detail).collect();
            Some(details.join("; "))
        }
        Verdict::Undecided { missing, .. } => Some(missing.join("; ")),
    }
}

/// The rule of the policy that allows what was seen; of a violation there is none.
fn rule(body: &Body, o: &mut Object<'_>) {
    let (role, policy) = match body {
        Body::FlowSummary(event) => {
            (event.summary.group.as_ref().and_then(|group| group.rule.as_deref()), event.policy.as_ref())
        }
        Body::Finding(finding) if body.flow().is_none() => match &**finding {
            FindingEvent::Audit(event) => (event.finding.subject.rule.as_deref(), event.policy.as_ref()),
            FindingEvent::Flow(_) => (None, None),
        },
        _ => {
            let policy = body.flow().map(|flow| flow.policy.as_ref());
            let policy = policy.or_else(|| body.listener().map(|listener| listener.policy.as_ref()));
            let role = match body.verdict() {
                Some(Verdict::Declared { rule }) => Some(&**rule),
                _ => None,
            };
            (role, policy.flatten())
        }
    };
    if let Some(role) = role {
        o.put("name", role);
        o.may("ruleset", body.port().map(|port| &port.name));
        o.may("version", policy.map(|policy| &policy.digest));
    }
}

/// As Elastic's detection rules number them: low 21, medium 47, high 73.
const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 21,
        Severity::Medium => 47,
        Severity::High => 73,
    }
}

/// The names of syslog's severities, as the journal's `PRIORITY` has them.
const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "notice",
        Severity::Medium => "warning",
        Severity::High => "error",
    }
}
