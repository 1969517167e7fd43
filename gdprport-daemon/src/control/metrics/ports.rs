//! What happened on the watched ports.
//!
//! Their number is bounded here: what exceeds it is added up as one more, so that nothing is left out.

use std::borrow::Cow;

use super::family::{Family, Samples};
use crate::control::api::PortStatus;
use gdprport_core::counters::PortCounters;
use gdprport_core::verdict::ReasonId;

/// Ports that have values of their own. A busy one has some thirty, so that a scrape stays below a megabyte; the catalog has
/// fewer than a hundred.
pub(super) const PORTS_MAX: usize = 200;

/// The name of all others together. It has no number, which every port has.
const OTHER: &str = "other";

/// A port, or all that have no values of their own.
struct Row<'s> {
    name: &'s str,
    number: String,
    open: u64,
    /// Whether the policy declares it.
    declared: bool,
    counters: Cow<'s, PortCounters>,
}

/// Declared ports first, each by number: which ports these are changes with the policy only.
fn rows<'s>(ports: &'s [PortStatus]) -> (Vec<Row<'s>>, usize) {
    let mut order: Vec<&'s PortStatus> = ports.iter().collect();
    order.sort_by_key(|port| (!port.declared, port.number));
    let (own, others) = order.split_at(order.len().min(PORTS_MAX));
    let row = |port: &&'s PortStatus| Row {
        name: &port.name,
        number: port.number.to_string(),
        open: port.open,
        declared: port.declared,
        counters: Cow::Borrowed(&port.counters),
    };
    let mut rows: Vec<Row<'s>> = own.iter().map(row).collect();
    if !others.is_empty() {
        let mut sum = PortCounters::default();
        others.iter().for_each(|port| sum.add(&port.counters));
        let open = others.iter().map(|port| port.open).sum();
        rows.push(Row {
            name: OTHER,
            number: String::new(),
            open,
            declared: false,
            counters: Cow::Owned(sum),
        });
    }
    (rows, others.len())
}

const PORT: &[&str] = &["port", "number"];

pub(super) fn metrics(ports: &[PortStatus]) -> Vec<Family> {
    let (rows, others) = rows(ports);
    let each = |value: fn(&PortCounters) -> u64| {
        rows.iter().fold(Samples::default(), |samples, row| {
            samples.with([row.name, &row.number], value(&row.counters))
        })
    };
    let mut open = Samples::default();
    for row in &rows {
        open.add([row.name, &row.number], row.open);
    }
    let mut all = vec![
        Family::gauge(
            "gdprport_ports_together",
            &[],
            "Watched ports without values of their own: they are added up as the port `other`.",
            Samples::one(others as u64),
        ),
        Family::gauge("gdprport_flows_open", PORT, "Flows that are open.", open),
        Family::counter(
            "gdprport_flows_opened_total",
            PORT,
            "Flows that were established, or found open.",
            each(|port| port.opened),
        ),
        Family::counter(
            "gdprport_flows_closed_total",
            PORT,
            "Flows that have ended.",
            each(|port| port.closed),
        ),
        Family::counter(
            "gdprport_flows_ended_by_policy_total",
            PORT,
            "Of the flows that have ended, those that were ended because the policy denies them (`existing` and `posture = \"reset\"`).",
            each(|port| port.ended),
        ),
        Family::counter(
            "gdprport_connects_failed_total",
            PORT,
            "Connects that led to no flow: refused, timed out, denied, aborted.",
            each(|port| port.failed),
        ),
        Family::counter(
            "gdprport_connects_denied_total",
            PORT,
            "Of the connections that led to no flow, those that the policy denied (`mode = \"enforce\"`).",
            each(|port| port.denied),
        ),
        Family::counter(
            "gdprport_would_deny_total",
            PORT,
            "Connections that passed and would have been denied (`mode = \"warn\"`).",
            each(|port| port.would_deny),
        ),
    ];
    all.extend(judged(&rows));
    all
}

fn judged(rows: &[Row<'_>]) -> Vec<Family> {
    let (mut verdicts, mut violations, mut accepted) =
        (Samples::default(), Samples::default(), Samples::default());
    let (mut reasons, mut postures) = (Samples::default(), Samples::default());
    for Row { name, number, declared, counters, .. } in rows {
        verdicts.add([name, number, "declared"], counters.declared_flows);
        verdicts.add([name, number, "undecided"], counters.undecided);
        violations.add([name, number], counters.violations_total);
        accepted.add([name, number], counters.accepted);
        for reason in ReasonId::ALL {
            let count = counters.violations.get(&reason).copied().unwrap_or(0);
            // Whoever watches a count needs its zero, or the first one is no increase.
            if *declared || count > 0 {
                reasons.add([name, number, reason.as_str()], count);
            }
        }
        for (state, count) in &counters.posture {
            postures.add([name, number, state.as_str()], *count);
        }
    }
    vec![
        Family::gauge(
            "gdprport_flows_judged",
            &["port", "number", "verdict"],
            "Flows since the start by their last verdict, `declared` or `undecided`; a verdict changes with what is known. Violations are counted apart.",
            verdicts,
        ),
        Family::counter(
            "gdprport_violations_total",
            PORT,
            "Flows, connects and listeners in violation, each once.",
            violations,
        ),
        Family::counter(
            "gdprport_violation_reasons_total",
            &["port", "number", "reason"],
            "The same by reason; one violation may have several.",
            reasons,
        ),
        Family::gauge(
            "gdprport_violations_accepted",
            PORT,
            "Of the violations, those that exceptions of the policy accepted when they were last reported.",
            accepted,
        ),
        Family::gauge(
            "gdprport_flows_by_posture",
            &["port", "number", "state"],
            "Flows since the start, open and ended, by how they are or were encrypted; that of an open one may become known.",
            postures,
        ),
    ]
}
