//! Class and activity of an event.

use crate::audit::Change;
use crate::event::{Body, FindingEvent, Violation};
use crate::model::Outcome;

/// What OCSF calls the classification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) category: (u8, &'static str),
    pub(super) uid: u32,
    pub(super) name: &'static str,
    pub(super) activity: (u8, &'static str),
}

const NETWORK: (u8, &str) = (4, "Network Activity");
const FINDINGS: (u8, &str) = (2, "Findings");

/// The class of an event.
pub(super) fn class(body: &Body) -> Class {
    let network = |activity| Class { category: NETWORK, uid: 4001, name: "Network Activity", activity };
    let compliance = |activity| Class { category: FINDINGS, uid: 2003, name: "Compliance Finding", activity };
    let life = |activity| Class {
        category: (6, "Application Activity"),
        uid: 6002,
        name: "Application Lifecycle",
        activity,
    };
    let log = |activity| Class {
        category: (1, "System Activity"),
        uid: 1008,
        name: "Event Log Activity",
        activity,
    };
    match body {
        Body::FlowOpen(_) => network((1, "Open")),
        Body::FlowFail(event) => network(match event.flow.outcome {
            Outcome::Refused => (5, "Refuse"),
            _ => (4, "Fail"),
        }),
        Body::FlowClose(event) => network(match event.flow.outcome {
            Outcome::Reset | Outcome::EndedByPolicy => (3, "Reset"),
            _ => (2, "Close"),
        }),
        Body::FlowUpdate(_) | Body::FlowPosture(_) | Body::FlowSummary(_) => network((6, "Traffic")),
        Body::ListenerOpen(_) => network((7, "Listen")),
        Body::ListenerFail(_) => network((4, "Fail")),
        Body::ListenerClose(_) => network((99, "Listen End")),
        Body::Violation(violation) => match &**violation {
            // Whether it is the first of its flow is not in the event: `finding_info.uid` is the same in all of them.
            Violation::Flow(_) | Violation::Listener(_) => {
                Class { category: FINDINGS, uid: 2004, name: "Detection Finding", activity: (1, "Create") }
            }
        },
        Body::Finding(finding) => compliance(match &**finding {
            FindingEvent::Flow(_) => (1, "Create"),
            FindingEvent::Audit(event) => match event.finding.state {
                Change::New | Change::Reopened => (1, "Create"),
                Change::Changed => (2, "Update"),
                Change::Settled => (3, "Close"),
            },
        }),
        // The account that the sensor gives of its own log, and the deliverer of its own stream.
        Body::Coverage(_) => log((99, "Coverage")),
        Body::SinkLost(_) => log((99, "Loss")),
        Body::SinkTest(_) => life((99, "Test")),
        Body::EvidenceCheckpoint(_) => log((99, "Checkpoint")),
        Body::PolicyApplied(_) => Class {
            category: (3, "Identity & Access Management"),
            uid: 3004,
            name: "Entity Management",
            activity: (10, "Activate"),
        },
        Body::DaemonStart(_) => life((3, "Start")),
        Body::DaemonStop(_) => life((4, "Stop")),
    }
}

/// `status_id` of what was observed.
pub(super) const fn status(outcome: Outcome) -> (u8, &'static str) {
    match outcome {
        Outcome::Established | Outcome::Closed => (1, "Success"),
        Outcome::Reset
        | Outcome::Refused
        | Outcome::TimedOut
        | Outcome::Denied
        | Outcome::DeniedByPolicy
        | Outcome::EndedByPolicy
        | Outcome::Aborted => (2, "Failure"),
        Outcome::Lost => (0, "Unknown"),
    }
}
