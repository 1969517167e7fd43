//! Connects and listeners that the policy denied, or would have.

use crate::event::*;
use crate::model::Outcome;
use crate::shared::Shared;
use crate::verdict::Verdict;

/// An attempt that was denied and its violation, one that would have been denied, and one that was and of which not all is
/// known (`on_unknown = "deny"`); a flow that was ended; and what was counted of more.
pub(super) fn bodies(forbidden: &FlowEvent, summary: &FlowSummary, exposed: &ListenerEvent) -> Vec<Body> {
    let again = unbound(exposed.clone());
    let mut unbound = again.clone();
    unbound.listener.repeated = 0;
    let mut bound = exposed.clone();
    bound.listener.would_deny = true;
    let mut denied = forbidden.clone();
    denied.flow.outcome = Outcome::DeniedByPolicy;
    (denied.flow.duration_ms, denied.flow.rtt_us) = (Some(0), None);
    (denied.flow.bytes_sent, denied.flow.bytes_received) = (Some(0), Some(0));
    let mut warned = forbidden.clone();
    warned.flow.would_deny = true;
    let undecided = Verdict::Undecided { missing: vec!["the file that it runs".to_owned()], nearest: None };
    let unknown = FlowEvent { verdict: Shared::new(undecided), ..denied.clone() };
    let mut ended = forbidden.clone();
    ended.flow.outcome = Outcome::EndedByPolicy;
    let mut sum = summary.clone();
    sum.verdict = Some(forbidden.verdict.clone());
    (sum.summary.opened, sum.summary.closed, sum.summary.ended) = (3, 3, 1);
    (sum.summary.failed, sum.summary.denied, sum.summary.would_deny) = (9_000, 8_995, 3);
    (sum.summary.violations, sum.summary.events) = (9_003, 18_009);
    vec![
        Body::FlowFail(Box::new(denied.clone())),
        Body::Violation(Box::new(Violation::Flow(denied))),
        Body::FlowOpen(Box::new(warned)),
        Body::FlowFail(Box::new(unknown)),
        Body::FlowClose(Box::new(ended)),
        Body::FlowSummary(Box::new(sum)),
        Body::ListenerFail(Box::new(unbound.clone())),
        Body::Violation(Box::new(Violation::Listener(unbound))),
        Body::ListenerOpen(Box::new(bound)),
    ]
}

/// One that was denied, many times.
pub(super) fn unbound(mut event: ListenerEvent) -> ListenerEvent {
    (event.listener.denied, event.listener.repeated) = (true, 41);
    event
}
