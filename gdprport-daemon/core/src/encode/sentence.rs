//! What an event says, as one sentence for people: the `message` of ECS and OCSF, the `msg` of CEF.

use std::fmt::{self, Write as _};

use super::sides::{base, pid};
use crate::event::time::Micros;
use crate::event::{
    AuditFinding, Body, Bound, CoverageEvent, Event, FindingEvent, FlowEvent, FlowSummary, Listener,
    ListenerEvent, Overload, OverloadWhy, StandsFor, Violation,
};
use crate::model::{Direction, Endpoint, Outcome, Process};
use crate::verdict::{Accepted, Verdict};

/// The sentence of an event. It may contain any character that a name may.
pub(super) fn sentence(event: &Event) -> String {
    let mut text = String::new();
    write(&event.body, &mut text).expect("writing to a String cannot fail");
    text
}

fn write(body: &Body, text: &mut String) -> fmt::Result {
    match body {
        Body::FlowOpen(event) => flow(event, format_args!("opened"), text),
        Body::FlowFail(event) => flow(event, format_args!("failed ({})", event.flow.outcome), text),
        Body::FlowClose(event) => flow(event, format_args!("ended ({})", event.flow.outcome), text),
        Body::FlowUpdate(event) => flow(event, format_args!("still open"), text),
        Body::FlowPosture(event) => {
            let state = event.posture.as_ref().map_or("not known", |posture| posture.state.as_str());
            flow(event, format_args!("encryption {state}"), text)
        }
        Body::Violation(violation) => match &**violation {
            Violation::Flow(event) => match &event.overload {
                Some(StandsFor { why, connections }) => {
                    let what =
                        format_args!("not as declared, one of {connections} counted ({})", why.as_str());
                    flow(event, what, text)
                }
                None if event.flow.outcome == Outcome::DeniedByPolicy => {
                    flow(event, format_args!("not as declared, and denied"), text)
                }
                None => flow(event, format_args!("not as declared"), text),
            },
            Violation::Listener(event) if event.listener.denied => {
                listener(event, "not as declared, and denied", text)
            }
            Violation::Listener(event) => listener(event, "not as declared", text),
        },
        Body::Finding(finding) => match &**finding {
            FindingEvent::Flow(event) => flow(&event.flow, format_args!("{}", event.finding.detail), text),
            FindingEvent::Audit(event) => audited(&event.finding, text),
        },
        Body::FlowSummary(event) => summary(event, text),
        Body::ListenerOpen(event) => listener(event, "listens", text),
        Body::ListenerFail(event) => listener(event, "denied by the policy", text),
        Body::ListenerClose(event) => listener(event, "listens no more", text),
        Body::Coverage(event) => coverage(event, text),
        Body::PolicyApplied(event) => {
            let policy = &event.policy;
            write!(
                text,
                "policy {} is active: {} ports, {} rules",
                policy.digest, policy.ports, policy.rules
            )?;
            if policy.reverted {
                write!(text, "; the one on trial was taken back")?;
            }
            if let Some(until) = policy.trial_until {
                write!(text, "; on trial until {}", Micros(until))?;
            }
            list(text, "; warning: ", policy.warnings.iter().map(|warning| &**warning))
        }
        Body::DaemonStart(event) => {
            write!(text, "gdprport watches, on Linux {}", event.daemon.kernel)?;
            let missing = event.daemon.hooks.iter().filter(|hook| !hook.attached);
            list(text, "; without ", missing.map(|hook| &*hook.name))
        }
        Body::SinkLost(event) => {
            let gap = &event.gap;
            let exact = match gap.bound {
                None => "",
                Some(Bound::AtLeast) => "at least ",
                Some(Bound::AtMost) => "at most ",
            };
            write!(
                text,
                "sink {}: {exact}{} events are missing here: {}",
                event.sink.name, gap.lost, gap.reason
            )
        }
        Body::SinkTest(event) => {
            write!(text, "sink {}: a test whether events arrive, nothing happened", event.sink.name)
        }
        Body::EvidenceCheckpoint(event) => {
            let checkpoint = &event.checkpoint;
            write!(
                text,
                "evidence log {}: checkpoint {} of {} entries ({})",
                checkpoint.log, checkpoint.sequence, checkpoint.size, checkpoint.reason
            )
        }
        Body::DaemonStop(event) => {
            write!(text, "gdprport stopped watching: {}", event.daemon.reason)
        }
    }
}

fn flow(event: &FlowEvent, what: fmt::Arguments<'_>, text: &mut String) -> fmt::Result {
    let FlowEvent { port, flow, process, verdict, accepted, .. } = event;
    let way = match flow.direction {
        Direction::In => "from",
        Direction::Out => "to",
    };
    write!(text, "{}: ", port.name)?;
    who(process.as_deref(), text)?;
    write!(text, " {way} {}", Endpoint { ip: flow.peer.ip, port: flow.peer.port })?;
    if let Some(name) = &flow.peer.name {
        write!(text, " ({name})")?;
    }
    write!(text, ", {what}")?;
    if flow.would_deny {
        text.write_str(" (would be denied)")?;
    }
    text.write_str("; ")?;
    judged(verdict, accepted.as_deref(), text)
}

fn listener(event: &ListenerEvent, what: &str, text: &mut String) -> fmt::Result {
    write!(text, "{}: ", event.port.name)?;
    who(event.process.as_deref(), text)?;
    let Listener { local, would_deny, repeated, .. } = event.listener;
    write!(text, " on {local}, {what}")?;
    if would_deny {
        text.write_str(" (would be denied)")?;
    }
    if repeated > 0 {
        write!(text, " ({repeated} times more)")?;
    }
    text.write_str("; ")?;
    judged(&event.verdict, event.accepted.as_deref(), text)
}

fn who(process: Option<&Process>, text: &mut String) -> fmt::Result {
    let name = process.and_then(|process| process.exe.as_deref().map(base).or(process.comm.as_deref()));
    text.write_str(name.unwrap_or("a process that is not known"))?;
    match process.and_then(pid) {
        Some(pid) => write!(text, "[{pid}]"),
        None => Ok(()),
    }
}

fn judged(verdict: &Verdict, accepted: Option<&Accepted>, text: &mut String) -> fmt::Result {
    match verdict {
        Verdict::Declared { rule } => write!(text, "declared by {rule}")?,
        Verdict::Undecided { missing, .. } => {
            text.write_str("undecided: ")?;
            text.write_str(&missing.join(", "))?;
        }
        Verdict::Violation { reasons, .. } => {
            text.write_str("violation: ")?;
            for (number, reason) in reasons.iter().enumerate() {
                let before = if number > 0 { "; " } else { "" };
                write!(text, "{before}{}: {}", reason.id, reason.detail)?;
            }
        }
    }
    match accepted {
        Some(accepted) => write!(text, " (accepted by {} until {})", accepted.by, accepted.until),
        None => Ok(()),
    }
}

fn audited(finding: &AuditFinding, text: &mut String) -> fmt::Result {
    write!(text, "{} ({}): {}", finding.id, finding.state.as_str(), finding.detail)
}

fn summary(event: &FlowSummary, text: &mut String) -> fmt::Result {
    let FlowSummary { port, summary, .. } = event;
    write!(text, "{}: ", port.name)?;
    match &summary.group {
        Some(group) => {
            let exe = group.exe.as_deref().map_or("a process that is not known", base);
            let way = match group.direction {
                Direction::In => "from",
                Direction::Out => "to",
            };
            write!(text, "{exe} {way} {}", group.peer_ip)?;
            if let Some(prefix) = group.peer_prefix {
                write!(text, "/{prefix}")?;
            }
        }
        None => text.write_str("the rest")?,
    }
    write!(
        text,
        ", {} events: {} opened, {} closed, {} failed, {} still open",
        summary.events, summary.opened, summary.closed, summary.failed, summary.updated
    )?;
    if summary.ended > 0 {
        write!(text, ", {} ended by the policy", summary.ended)?;
    }
    if summary.denied > 0 {
        write!(text, ", {} denied by the policy", summary.denied)?;
    }
    if summary.would_deny > 0 {
        write!(text, ", {} would be denied", summary.would_deny)?;
    }
    match &summary.overload {
        Some(Overload { why: OverloadWhy::SinkLost, reason, .. }) => {
            write!(text, " (lost on the way here: {})", reason.as_deref().unwrap_or("sink-lost"))?;
        }
        Some(overload) => write!(text, " (counted, not described: {})", overload.why.as_str())?,
        None => {}
    }
    match event.verdict.as_deref() {
        Some(verdict @ Verdict::Violation { .. }) => {
            write!(text, ", {} times ", summary.violations)?;
            judged(verdict, event.accepted.as_deref(), text)
        }
        _ => Ok(()),
    }
}

fn coverage(event: &CoverageEvent, text: &mut String) -> fmt::Result {
    let counts = &event.coverage;
    if let Some(port) = &event.port {
        write!(text, "{}: ", port.name)?;
    }
    write!(
        text,
        "{} events, {} delivered, {} suppressed, {} lost",
        counts.received,
        counts.delivered,
        counts.suppressed,
        counts.lost()
    )?;
    list(text, "; gap: ", counts.gaps.iter().map(|gap| &*gap.reason))
}

fn list<'a>(text: &mut String, before: &str, items: impl Iterator<Item = &'a str>) -> fmt::Result {
    for (number, item) in items.enumerate() {
        text.write_str(if number == 0 { before } else { ", " })?;
        text.write_str(item)?;
    }
    Ok(())
}
