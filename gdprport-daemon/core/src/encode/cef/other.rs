//! Everything that is not about one flow or listener.

use super::dictionary as key;
use super::extension::Extension;
use super::flow::{direction, judged, port};
use crate::event::{
    AuditFindingEvent, Body, CoverageEvent, DaemonStart, DaemonStop, FindingEvent, FlowSummary, PolicyEvent,
};
use crate::model::Direction;

/// The keys of a kind beyond those of its flow or listener.
pub(super) fn other(body: &Body, to: &mut Extension<'_>) {
    match body {
        Body::FlowSummary(event) => summary(event, to),
        Body::Finding(finding) => match &**finding {
            FindingEvent::Flow(event) if event.flow.verdict.reasons().is_empty() => {
                to.text(key::REASON, event.finding.id.as_str());
            }
            FindingEvent::Flow(_) => {}
            FindingEvent::Audit(event) => audited(event, to),
        },
        Body::Coverage(event) => coverage(event, to),
        Body::SinkLost(event) => {
            let gap = &event.gap;
            to.time(key::START, gap.from);
            to.time(key::END, gap.to);
            to.may_custom(key::LOST, Some(gap.lost));
            to.text(key::REASON, &gap.reason);
            to.custom(key::SINK, &event.sink.name);
            to.text(key::OUTCOME, "failure");
        }
        Body::SinkTest(event) => to.custom(key::SINK, &event.sink.name),
        Body::EvidenceCheckpoint(event) => {
            let checkpoint = &event.checkpoint;
            to.may_custom(key::ENTRIES, Some(checkpoint.size));
            to.text(key::REASON, &checkpoint.reason);
            to.custom(key::CHECKPOINT, checkpoint.note.trim_end());
        }
        Body::PolicyApplied(event) => applied(event, to),
        Body::DaemonStart(event) => start(event, to),
        Body::DaemonStop(event) => stop(event, to),
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

fn summary(event: &FlowSummary, to: &mut Extension<'_>) {
    let summary = &event.summary;
    to.text(key::PROTO, "TCP");
    port(&event.port, to);
    to.number(key::DPT, event.port.number.into());
    // 1: aggregated.
    to.number(key::TYPE, 1);
    to.number(key::CNT, summary.events);
    to.custom(key::OVERLOAD, summary.overload.as_ref().map_or("", |overload| overload.why.as_str()));
    to.time(key::START, summary.from);
    to.time(key::END, summary.to);
    match &event.verdict {
        Some(verdict) => judged(verdict, event.accepted.as_deref(), event.policy.as_ref(), to),
        None => to.custom(key::POLICY, event.policy.as_ref().map_or("", |policy| &policy.digest)),
    }
    let Some(group) = &summary.group else { return };
    to.number(key::DIRECTION, direction(group.direction));
    // The local end's process; “in” is from the source to the destination.
    match group.direction {
        Direction::In => {
            if group.peer_prefix.is_none() {
                to.address(key::SRC, key::SOURCE_V6, group.peer_ip);
            }
            to.number(key::IN, summary.bytes_received);
            to.number(key::OUT, summary.bytes_sent);
            to.may_text(key::DPROC, group.exe.as_deref());
            to.may_text(key::DSERVICE, group.unit.as_deref());
            to.may_text(key::DUSER, group.user.as_deref());
        }
        Direction::Out => {
            if group.peer_prefix.is_none() {
                to.address(key::DST, key::DESTINATION_V6, group.peer_ip);
            }
            to.number(key::IN, summary.bytes_sent);
            to.number(key::OUT, summary.bytes_received);
            to.may_text(key::SPROC, group.exe.as_deref());
            to.may_text(key::SSERVICE, group.unit.as_deref());
            to.may_text(key::SUSER, group.user.as_deref());
        }
    }
    // A network is no address.
    if let Some(prefix) = group.peer_prefix {
        to.custom(key::PEERS, &format!("{}/{prefix}", group.peer_ip));
    }
    to.custom(key::CONTAINER, group.container.as_deref().unwrap_or_default());
    to.custom(key::ENCRYPTION, group.posture.map_or("", |posture| posture.state.as_str()));
    match &group.rule {
        _ if event.verdict.is_some() => {}
        Some(rule) => {
            to.custom(key::VERDICT, "declared");
            to.custom(key::RULE, rule);
        }
        None => to.custom(key::VERDICT, "undecided"),
    }
}

fn audited(event: &AuditFindingEvent, to: &mut Extension<'_>) {
    let AuditFindingEvent { finding, policy } = event;
    to.text(key::REASON, finding.id.as_str());
    to.text(key::OUTCOME, finding.state.as_str());
    to.time(key::START, finding.since);
    to.custom(key::FINGERPRINT, &finding.fingerprint);
    let subject = &finding.subject;
    to.custom(key::PORT, subject.port.as_deref().unwrap_or_default());
    if let Some(number) = subject.number {
        to.number(key::DPT, number.into());
    }
    to.custom(key::RULE, subject.rule.as_deref().unwrap_or_default());
    to.custom(key::ADDRESS, subject.address.as_deref().unwrap_or_default());
    to.may_text(key::SPROC, subject.process.as_deref());
    if let Some(place) = &finding.place {
        to.text(key::FILE_PATH, &place.file);
        to.may_custom(key::LINE, u64::try_from(place.line).ok());
    }
    to.custom(key::POLICY, policy.as_ref().map_or("", |policy| &policy.digest));
}

fn coverage(event: &CoverageEvent, to: &mut Extension<'_>) {
    let CoverageEvent { port: about, coverage } = event;
    if let Some(about) = about {
        port(about, to);
        to.number(key::DPT, about.number.into());
    }
    to.time(key::START, coverage.from);
    to.time(key::END, coverage.to);
    to.may_custom(key::LOST, Some(coverage.lost()));
    to.may_custom(key::RECEIVED, Some(coverage.received));
    let gaps: Vec<&str> = coverage.gaps.iter().map(|gap| &*gap.reason).collect();
    to.custom(key::GAPS, &gaps.join(","));
    to.text(key::OUTCOME, if coverage.lost() > 0 || !gaps.is_empty() { "failure" } else { "success" });
}

fn applied(event: &PolicyEvent, to: &mut Extension<'_>) {
    let policy = &event.policy;
    to.custom(key::POLICY, &policy.digest);
    to.text(key::FILE_HASH, &policy.digest);
    to.may_text(key::OLD_FILE_HASH, policy.previous.as_deref());
    to.text(key::FILE_PATH, &policy.files.join(","));
}

fn start(event: &DaemonStart, to: &mut Extension<'_>) {
    to.text(key::DEVICE_PROCESS_NAME, "gdprport");
    to.number(key::DVCPID, event.daemon.pid.into());
    let missing: Vec<&str> =
        event.daemon.hooks.iter().filter(|hook| !hook.attached).map(|hook| &*hook.name).collect();
    to.custom(key::MISSING_HOOKS, &missing.join(","));
    to.custom(key::POLICY, event.policy.as_ref().map_or("", |policy| &policy.digest));
}

fn stop(event: &DaemonStop, to: &mut Extension<'_>) {
    let daemon = &event.daemon;
    to.text(key::DEVICE_PROCESS_NAME, "gdprport");
    to.number(key::DVCPID, daemon.pid.into());
    to.text(key::REASON, &daemon.reason);
    to.may_custom(key::DURATION, Some(daemon.uptime_ms));
}
