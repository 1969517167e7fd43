//! Lines about the daemon itself: its start, its counters, its policy, and what audits found. Lines about the traffic are `lines`'.

use super::super::format::{counted, list};
use super::super::tone::Tone;
use super::paint::Span;
use gdprport_core::audit::Change;
use gdprport_core::event::{AuditFinding, Bound, CoverageEvent, DaemonStart, PolicyEvent, SinkLost};
use gdprport_core::figures::thousands;

pub(super) fn audited(finding: &AuditFinding) -> Vec<Span> {
    let tone = match finding.state {
        Change::Settled => Tone::Good,
        Change::New | Change::Changed | Change::Reopened => Tone::Warn,
    };
    let mut pieces = vec![
        (tone, finding.state.as_str().to_owned()),
        (Tone::Strong, format!(" {}", finding.id)),
        (Tone::Plain, format!(" · {}", finding.detail)),
    ];
    if let Some(accepted) = &finding.accepted {
        pieces.push((Tone::Dim, format!(" · accepted by {} until {}", accepted.by, accepted.until)));
    }
    pieces
}

pub(super) fn coverage(event: &CoverageEvent) -> Vec<Span> {
    let coverage = &event.coverage;
    let of = event.port.as_ref().map_or("all ports", |port| &port.name);
    let mut pieces = vec![
        (Tone::Strong, of.to_owned()),
        (
            Tone::Plain,
            format!(
                " · {} received, {} delivered, {} suppressed, ",
                coverage.received, coverage.delivered, coverage.suppressed
            ),
        ),
    ];
    // A gap that was counted is among what was lost.
    let uncounted = coverage.gaps.iter().filter_map(|gap| match gap.bound? {
        Bound::AtLeast => Some(format!("not all seen since {} ({})", clock(gap.from), gap.reason)),
        Bound::AtMost => Some(format!("at most {} {}", gap.lost, gap.reason)),
    });
    let uncounted: Vec<String> = uncounted.collect();
    if !uncounted.is_empty() {
        pieces.push((Tone::Warn, format!("{}, ", list(uncounted))));
    }
    let summed: u64 = coverage.gaps.iter().filter_map(|gap| gap.summed).sum();
    if summed > 0 {
        pieces.push((Tone::Warn, format!("{} counted and not described, ", thousands(summed))));
    }
    if coverage.lost() == 0 {
        pieces.push((Tone::Good, "none lost".to_owned()));
        return pieces;
    }
    let kernel =
        coverage.kernel.iter().flat_map(|kernel| &kernel.dropped).map(|(why, n)| format!("{n} {why}"));
    let own = coverage.dropped.iter().map(|(why, n)| format!("{n} {why}"));
    let evicted =
        [(coverage.evicted, "flow-table-full"), (coverage.evicted_listeners, "listener-table-full")];
    let evicted = evicted.into_iter().filter(|(n, _)| *n > 0).map(|(n, why)| format!("{n} {why}"));
    let sinks = coverage
        .sinks
        .iter()
        .flat_map(|sink| sink.dropped.iter().map(move |(why, n)| format!("{n} {why} ({})", sink.name)));
    pieces.push((Tone::Bad, format!("{} LOST", coverage.lost())));
    pieces.push((Tone::Plain, format!(": {}", list(kernel.chain(own).chain(evicted).chain(sinks)))));
    pieces
}

pub(super) fn policy(event: &PolicyEvent) -> Vec<Span> {
    let policy = &event.policy;
    if policy.files.is_empty() {
        return vec![(Tone::Warn, "built-in catalog".to_owned())];
    }
    let (ports, rules) = (counted(policy.ports.into(), "port"), counted(policy.rules.into(), "rule"));
    let mut pieces = vec![(Tone::Plain, format!("{ports}, {rules} from {}", list(&policy.files)))];
    if !policy.warnings.is_empty() {
        let warnings = counted(policy.warnings.len() as u64, "warning");
        pieces.push((Tone::Warn, format!(" · {warnings}: see `gdprport policy check`")));
    }
    pieces
}

pub(super) fn start(event: &DaemonStart) -> Vec<Span> {
    let daemon = &event.daemon;
    let missing: Vec<&str> =
        daemon.hooks.iter().filter(|hook| !hook.attached).map(|hook| &*hook.name).collect();
    let in_use = daemon.hooks.len() - missing.len();
    let mut pieces = vec![(
        Tone::Plain,
        format!("watching with {in_use} of {} hooks on Linux {}", daemon.hooks.len(), daemon.kernel),
    )];
    if daemon.previous.as_ref().is_some_and(|previous| previous.adopted) {
        pieces.push((Tone::Plain, " · continues where the previous daemon ended".to_owned()));
    }
    if !missing.is_empty() {
        pieces.push((Tone::Warn, format!(" · without {}", list(missing))));
    }
    if event.policy.is_none() {
        pieces.push((Tone::Warn, " · no policy: the catalog applies".to_owned()));
    }
    pieces
}

pub(super) fn sink_lost(event: &SinkLost) -> Vec<Span> {
    let SinkLost { sink, gap } = event;
    let lost = match gap.bound {
        None => format!("{} LOST", gap.lost),
        Some(Bound::AtLeast) => format!("at least {} LOST", gap.lost),
        Some(Bound::AtMost) => format!("at most {} LOST", gap.lost),
    };
    vec![
        (Tone::Strong, sink.name.to_string()),
        (Tone::Plain, " · ".to_owned()),
        (Tone::Warn, lost),
        (Tone::Plain, format!(" since {}: {}", clock(gap.from), gap.reason)),
    ]
}

fn clock(at: jiff::Timestamp) -> String {
    at.strftime("%H:%M:%S UTC").to_string()
}
