//! The header, and which part of the extension follows.

use super::extension::{Extension, Place, text};
use super::{dictionary as key, flow, other};
use crate::encode::sentence::sentence;
use crate::event::{Body, Event, FindingEvent, Kind, Severity, gravest};

/// Bytes of a device's version.
const VERSION: usize = 31;

/// Appends the event as one record of CEF, without a syslog header and without a line feed at its end.
pub fn cef(event: &Event, record: &mut Vec<u8>) {
    record.extend_from_slice(b"CEF:0|gdprport|gdprport|");
    let version = Some(&*event.agent.version).filter(|version| !version.is_empty());
    text(version.unwrap_or("unknown"), VERSION, Place::Header, record);
    record.push(b'|');
    record.extend_from_slice(event.body.kind().as_str().as_bytes());
    if let Some(reason) = reason(&event.body) {
        record.push(b'/');
        record.extend_from_slice(reason.as_bytes());
    }
    record.push(b'|');
    record.extend_from_slice(name(event.body.kind()).as_bytes());
    record.push(b'|');
    record.push(severity(event.severity()));
    record.push(b'|');
    let mut to = Extension::new(record);
    to.time(key::RT, event.time);
    to.text(key::EXTERNAL_ID, event.id.hyphenated().encode_lower(&mut [0; 36]));
    to.may_custom(key::SEQUENCE, Some(event.seq));
    to.text(key::DVCHOST, &event.host.name);
    to.text(key::DEVICE_EXTERNAL_ID, event.agent.run.hyphenated().encode_lower(&mut [0; 36]));
    to.text(key::CAT, event.body.kind().as_str());
    if let Some(event) = event.body.flow() {
        flow::flow(event, &mut to);
    } else if let Some(event) = event.body.listener() {
        flow::listener(event, &mut to);
    }
    other::other(&event.body, &mut to);
    to.text(key::MSG, &sentence(event));
}

/// The gravest reason of a violation, or what was found: the second part of the signature id.
fn reason(body: &Body) -> Option<&'static str> {
    match body {
        Body::Violation(_) => body.verdict().and_then(gravest).map(|reason| reason.id.as_str()),
        Body::Finding(finding) => Some(match &**finding {
            FindingEvent::Flow(event) => event.finding.id.as_str(),
            FindingEvent::Audit(event) => event.finding.id.as_str(),
        }),
        _ => None,
    }
}

/// The name of a kind: at most 512 bytes, without anything that needs an escape.
const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::FlowOpen => "Connection opened",
        Kind::FlowFail => "Connection failed",
        Kind::FlowClose => "Connection ended",
        Kind::FlowUpdate => "Connection still open",
        Kind::FlowPosture => "Encryption of a connection known",
        Kind::FlowSummary => "Connections counted",
        Kind::Violation => "Not as declared",
        Kind::Finding => "Finding",
        Kind::ListenerOpen => "Listener opened",
        Kind::ListenerFail => "Listener denied",
        Kind::ListenerClose => "Listener closed",
        Kind::Coverage => "Coverage",
        Kind::SinkLost => "Events lost on the way",
        Kind::SinkTest => "Delivery test",
        Kind::EvidenceCheckpoint => "Evidence checkpoint",
        Kind::PolicyApplied => "Policy applied",
        Kind::DaemonStart => "Sensor started",
        Kind::DaemonStop => "Sensor stopped",
    }
}

/// 0 to 3 is low, 4 to 6 medium, 7 and 8 high, 9 and 10 very high.
const fn severity(severity: Severity) -> u8 {
    match severity {
        Severity::Info => b'1',
        Severity::Low => b'3',
        Severity::Medium => b'6',
        Severity::High => b'8',
    }
}
