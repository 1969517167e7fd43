//! Rules that end.

use jiff::civil::Time;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};

use crate::audit::context::Context;
use crate::audit::count::Connections;
use crate::audit::draft::Draft;
use crate::audit::finding::{Edit, FindingId, Severity};
use crate::audit::{propose, wording};
use crate::ledger::VerdictKey;
use crate::policy::{DeclaredPort, DeclaredRule};
use crate::verdict::ReasonId;

/// How many days before the end a rule or an exception is found: time for a decision in a team that meets every two weeks.
pub(super) const SOON_DAYS: i64 = 30;

/// `rule-expired`: its `until` has passed. `rule-expiring`: it passes within 30 days.
///
/// Evidence: the end; of an expired one the flows that were refused since, where there is a ledger.
/// Severity: expired `low`, as it allows nothing any more; `medium` if flows were refused because of it, which somebody still
/// needs or should have stopped. Expiring `low`.
pub(super) fn check(context: &mut Context<'_>) {
    let soon = context.now.saturating_add(Span::new().hours(24 * SOON_DAYS)).unwrap_or(context.now);
    for port in context.ports() {
        for rule in &port.rules {
            match rule.until {
                Some(until) if until < context.now => expired(context, port, rule, until),
                Some(until) if until <= soon => expiring(context, port, rule, until),
                _ => {}
            }
        }
    }
}

fn expired(context: &mut Context<'_>, port: &DeclaredPort, rule: &DeclaredRule, until: Timestamp) {
    let edges = context.edges(port);
    let refused = Connections::of(edges.iter().copied().filter(|edge| match &*edge.key.verdict {
        VerdictKey::Violation { reasons, nearest } => {
            reasons.contains(&ReasonId::RuleExpired) && nearest.as_ref() == Some(&rule.role)
        }
        _ => false,
    }));
    let severity = if refused > 0 { Severity::Medium } else { Severity::Low };
    let message = format!("Rule {} of {} ended at {}", rule.role, port.name, wording::moment(until));
    let mut draft = Draft::new(FindingId::RuleExpired, severity, Context::rule_subject(port, rule), message)
        .place(&rule.place)
        .evidence("ended", wording::moment(until));
    if context.observed.is_some() {
        draft = draft.evidence("refused", format!("{} since", wording::counted(refused, "flow")));
    }
    context.add(draft.proposal(
        "Remove the rule, or extend `until` if it is still needed",
        Edit::Remove,
        String::new(),
    ));
}

fn expiring(context: &mut Context<'_>, port: &DeclaredPort, rule: &DeclaredRule, until: Timestamp) {
    let left = wording::span(until.as_second() - context.now.as_second());
    let message = format!("Rule {} of {} ends in {left}", rule.role, port.name);
    let draft =
        Draft::new(FindingId::RuleExpiring, Severity::Low, Context::rule_subject(port, rule), message)
            .place(&rule.place)
            .evidence("ends", wording::moment(until));
    let next = wording::day(until).saturating_add(Span::new().years(1)).saturating_add(Span::new().days(1));
    let end = Offset::UTC.to_timestamp(next.to_datetime(Time::midnight())).ok();
    let until = end.and_then(|end| end.checked_sub(Span::new().nanoseconds(1)).ok()).unwrap_or(until);
    let proposed = DeclaredRule { until: Some(until), ..rule.clone() };
    context.add(propose::replace_rule(
        draft,
        port,
        rule,
        &proposed,
        "Extend it if it is still needed, otherwise let it end and remove it",
    ));
}
