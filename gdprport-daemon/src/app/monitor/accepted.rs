//! Which violations exceptions of the policy accept at the moment that they are reported. They are reported all the same.

use gdprport_core::counters::PortCounters;
use gdprport_core::flow::{Change, Flow, Standing};
use gdprport_core::listener::Listener;
use gdprport_core::policy::ActivePolicy;
use gdprport_core::shared::Shared;
use gdprport_core::verdict::{Accepted, ReasonId, Verdict};
use jiff::Timestamp;

/// Of the violation that a change shows; counted if it is a new one.
pub(super) fn of_change(
    policy: &ActivePolicy,
    change: &Change,
    counters: &mut PortCounters,
    now: Timestamp,
) -> Option<Shared<Accepted>> {
    let accepted = of_flow(policy, &change.flow, now);
    if change.is_new_violation() {
        let was = change.was == Some(Standing::Violation)
            && ask(policy, &change.flow, |id| !change.new_reasons.contains(id), now).is_some();
        counters.accepted(was, accepted.is_some());
    }
    accepted
}

/// Of a flow in violation.
pub(super) fn of_flow(policy: &ActivePolicy, flow: &Flow, now: Timestamp) -> Option<Shared<Accepted>> {
    ask(policy, flow, |_| true, now)
}

fn ask(
    policy: &ActivePolicy,
    flow: &Flow,
    wanted: impl Fn(ReasonId) -> bool,
    now: Timestamp,
) -> Option<Shared<Accepted>> {
    let Verdict::Violation { reasons, .. } = &*flow.verdict else { return None };
    let port = policy.policy().port_at(flow.port_index?)?;
    let reasons = reasons.iter().map(|reason| reason.id).filter(|id| wanted(*id));
    policy.accepted(&flow.facts(), port, reasons, now)
}

/// Of a listener in violation.
pub(super) fn of_listener(
    policy: &ActivePolicy,
    listener: &Listener,
    now: Timestamp,
) -> Option<Shared<Accepted>> {
    let Verdict::Violation { reasons, .. } = &listener.verdict else { return None };
    let port = policy.port(listener.local.port)?;
    let process = listener.process.as_deref();
    policy.accepted_listener(port, process, reasons.iter().map(|reason| reason.id), now)
}
