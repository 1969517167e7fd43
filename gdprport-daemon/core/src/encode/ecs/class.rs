//! The categories of ECS: `event.kind`, `category`, `type`, `outcome`.

use crate::audit::Change;
use crate::event::{Body, FindingEvent};
use crate::model::Outcome;

/// What ECS calls the categorization fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Class {
    pub(super) kind: &'static str,
    pub(super) category: &'static str,
    pub(super) types: &'static [&'static str],
    pub(super) outcome: &'static str,
}

/// The class of an event. Nothing is ever “allowed”: an alert says that something was
/// seen, and one of a connect that was denied says that too.
pub(super) fn class(body: &Body) -> Class {
    let of = |kind, category, types, outcome| Class { kind, category, types, outcome };
    match body {
        Body::FlowOpen(_) => of("event", "network", &["connection", "start"], "success"),
        Body::FlowFail(event) if matches!(event.flow.outcome, Outcome::Denied | Outcome::DeniedByPolicy) => {
            of("event", "network", &["connection", "denied"], "failure")
        }
        Body::FlowFail(_) => of("event", "network", &["connection", "start"], "failure"),
        Body::FlowClose(event) => of("event", "network", &["connection", "end"], ended(event.flow.outcome)),
        Body::FlowUpdate(_) => of("event", "network", &["connection", "info"], "success"),
        Body::FlowPosture(_) => of("event", "network", &["connection", "protocol", "info"], "success"),
        Body::FlowSummary(_) => of("metric", "network", &["connection", "info"], "unknown"),
        Body::Violation(violation) => match &**violation {
            crate::event::Violation::Flow(event) => {
                of("alert", "network", &["connection", "info"], ended(event.flow.outcome))
            }
            crate::event::Violation::Listener(event) => {
                of("alert", "network", &["info"], if event.listener.denied { "failure" } else { "success" })
            }
        },
        Body::Finding(finding) => match &**finding {
            FindingEvent::Flow(event) => {
                of("alert", "network", &["connection", "info"], ended(event.flow.flow.outcome))
            }
            FindingEvent::Audit(event) if event.finding.state == Change::Settled => {
                of("state", "configuration", &["info"], "success")
            }
            FindingEvent::Audit(_) => of("alert", "configuration", &["info"], "failure"),
        },
        Body::ListenerOpen(_) | Body::ListenerClose(_) => of("event", "network", &["info"], "success"),
        Body::ListenerFail(_) => of("event", "network", &["info"], "failure"),
        Body::Coverage(event) => {
            let whole = event.coverage.lost() == 0 && event.coverage.gaps.is_empty();
            of("metric", "host", &["info"], if whole { "success" } else { "failure" })
        }
        Body::SinkLost(_) => of("metric", "host", &["info"], "failure"),
        Body::SinkTest(_) => of("event", "host", &["info"], "success"),
        Body::EvidenceCheckpoint(_) => of("state", "host", &["info"], "success"),
        Body::PolicyApplied(_) => of("event", "configuration", &["change"], "success"),
        Body::DaemonStart(_) => of("event", "process", &["start"], "success"),
        Body::DaemonStop(_) => of("event", "process", &["end"], "success"),
    }
}

/// Whether a connection succeeded, as far as it has.
const fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Established | Outcome::Closed => "success",
        Outcome::Reset
        | Outcome::Refused
        | Outcome::TimedOut
        | Outcome::Denied
        | Outcome::DeniedByPolicy
        | Outcome::EndedByPolicy
        | Outcome::Aborted => "failure",
        Outcome::Lost => "unknown",
    }
}
