//! What every class has: classification, metadata, the device, severity; then what its kind has.

use super::class::class;
use super::time::millis;
use super::{finding, network, other};
use crate::encode::object::Object;
use crate::encode::sentence::sentence;
use crate::event::{Body, Event, Severity};
use crate::model::Outcome;

/// The version of the schema.
const VERSION: &str = "1.8.0";

/// The profiles whose attributes are used.
const PROFILES: [&str; 4] = ["container", "host", "linux/linux_users", "security_control"];

/// Appends the event as one event of OCSF, without a line feed at its end.
pub fn ocsf(event: &Event, record: &mut Vec<u8>) {
    let class = class(&event.body);
    let type_uid = class.uid * 100 + u32::from(class.activity.0);
    Object::write(record, |o| {
        o.put("class_uid", class.uid);
        o.put("class_name", class.name);
        o.put("category_uid", class.category.0);
        o.put("category_name", class.category.1);
        o.put("activity_id", class.activity.0);
        o.put("activity_name", class.activity.1);
        o.put("type_uid", type_uid);
        o.put("type_name", format_args!("{}: {}", class.name, class.activity.1));
        o.put("time", millis(event.time));
        let (severity_id, severity) = severity(event.severity());
        o.put("severity_id", severity_id);
        o.put("severity", severity);
        o.put("message", sentence(event));
        o.object("metadata", |o| metadata(event, o));
        o.object("device", |o| device(event, o));
        disposition(&event.body, o);
        match &event.body {
            Body::FlowOpen(flow)
            | Body::FlowFail(flow)
            | Body::FlowClose(flow)
            | Body::FlowUpdate(flow)
            | Body::FlowPosture(flow) => network::flow(flow, o),
            Body::ListenerOpen(listener) | Body::ListenerFail(listener) | Body::ListenerClose(listener) => {
                network::listener(listener, o);
            }
            Body::Violation(violation) => finding::violation(event, violation, o),
            Body::Finding(found) => finding::finding(event, found, o),
            Body::FlowSummary(summary) => network::summary(summary, o),
            Body::Coverage(coverage) => other::coverage(coverage, o),
            Body::SinkLost(lost) => other::lost(lost, o),
            Body::SinkTest(_) => other::test(&event.agent, o),
            Body::EvidenceCheckpoint(signed) => other::checkpoint(&signed.checkpoint, o),
            Body::PolicyApplied(policy) => other::policy(policy, o),
            Body::DaemonStart(start) => other::start(start, &event.agent, o),
            Body::DaemonStop(stop) => other::stop(stop, &event.agent, o),
        }
        o.object("unmapped", |o| {
            o.put("run", event.agent.run);
            o.may("privacy", event.agent.privacy.as_ref());
            other::unmapped(&event.body, o);
        });
    });
}

/// The numbers and names of OCSF's severities.
const fn severity(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
    }
}

fn metadata(event: &Event, o: &mut Object<'_>) {
    o.put("version", VERSION);
    o.put("profiles", PROFILES);
    o.object("product", |o| {
        o.put("name", "gdprport");
        o.put("vendor_name", "gdprport");
        o.put("version", &event.agent.version);
    });
    o.put("uid", event.id);
    o.put("sequence", event.seq);
    o.put("event_code", event.body.kind().as_str());
    o.put("log_name", "gdprport.events");
    o.put("log_provider", "gdprport");
    o.put("log_version", "gdprport.event/1");
}

fn device(event: &Event, o: &mut Object<'_>) {
    o.put("hostname", &event.host.name);
    o.put("name", &event.host.name);
    o.put("boot_uid", &event.host.boot_id);
    // Whether it is a server, a desktop or else is not known.
    o.put("type_id", 0);
    o.object("os", |o| {
        o.put("name", "Linux");
        o.put("type_id", 200);
        if let Body::DaemonStart(start) = &event.body {
            o.put("kernel_release", &start.daemon.kernel);
        }
    });
}

/// gdprport observes and logs; of what is not as declared it raises an alert. What the policy denied was blocked,
/// and what was ended for it was reset.
fn disposition(body: &Body, o: &mut Object<'_>) {
    let is_alert = matches!(body, Body::Violation(_) | Body::Finding(_));
    let denied = body.flow().and_then(|event| match event.flow.outcome {
        Outcome::DeniedByPolicy => Some((2, "Blocked")),
        Outcome::EndedByPolicy => Some((21, "Reset")),
        _ => None,
    });
    if let Some((id, disposition)) = denied {
        o.put("action_id", 2);
        o.put("action", "Denied");
        o.put("disposition_id", id);
        o.put("disposition", disposition);
        return o.put("is_alert", is_alert);
    }
    o.put("action_id", 3);
    o.put("action", "Observed");
    o.put("disposition_id", if is_alert { 15 } else { 17 });
    o.put("disposition", if is_alert { "Detected" } else { "Logged" });
    o.put("is_alert", is_alert);
}
