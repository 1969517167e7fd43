//! Flows of a rule that has moved more than it may.

use jiff::Timestamp;

use crate::event::{Body, Bound, FlowEvent, RuleVolume, Violation};
use crate::policy::Window;
use crate::shared::Shared;
use crate::verdict::{Nearest, Reason, ReasonId, Verdict};

fn time(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

/// What the rule of a flow beyond its volume has moved.
pub fn moved() -> RuleVolume {
    RuleVolume {
        rule: "orders-api".into(),
        bytes: 53_690_237_952,
        bound: Some(Bound::AtLeast),
        max: 50 << 30,
        per: Window::Day,
        from: time("2026-11-23T00:00:00Z"),
        to: time("2026-11-24T00:00:00Z"),
        since: time("2026-11-23T08:15:30Z"),
    }
}

/// The same flow beyond the volume of its rule.
pub fn beyond(flow: FlowEvent) -> FlowEvent {
    let detail = "orders-api has moved at least 50.0 GiB since 2026-11-23T08:15:30Z; from \
                  2026-11-23T00:00:00Z to 2026-11-24T00:00:00Z at most 50.0 GiB are declared";
    let verdict = Verdict::Violation {
        reasons: vec![Reason { id: ReasonId::VolumeExceeded, detail: detail.to_owned() }],
        nearest: Some(Nearest { role: "orders-api".into(), failed: vec!["volume".to_owned()] }),
    };
    FlowEvent { verdict: Shared::new(verdict), volume: Some(Box::new(moved())), ..flow }
}

/// One that goes on, and the violation.
pub(super) fn bodies(flow: &FlowEvent) -> impl Iterator<Item = Body> {
    let flow = beyond(flow.clone());
    [Body::FlowUpdate(Box::new(flow.clone())), Body::Violation(Box::new(Violation::Flow(flow)))].into_iter()
}
