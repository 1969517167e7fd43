//! A summary as a line: who was summed up, with which verdict, and the counts.

use std::fmt::Write as _;

use gdprport_core::event::{Body, FlowSummary, Group, StandsFor, Summary};
use gdprport_core::figures::thousands as count;
use gdprport_core::verdict::Verdict;
use jiff::tz::TimeZone;

use super::super::format::{basename, bytes, list};
use super::super::tone::Tone;
use super::paint::Span;
use super::words::{arrow, short, state};

/// The tone of its sign.
pub(super) fn tone(body: &Body) -> Tone {
    match body.verdict() {
        Some(Verdict::Violation { .. }) if body.accepted().is_none() => Tone::Warn,
        _ => Tone::Plain,
    }
}

/// Which way the flows go.
pub(super) fn direction(event: &FlowSummary) -> &'static str {
    event.summary.group.as_ref().map_or("↔", |group| arrow(group.direction))
}

/// Whose they are.
pub(super) fn process(event: &FlowSummary) -> Vec<Span> {
    let many = || vec![(Tone::Dim, "many processes".to_owned())];
    event.summary.group.as_ref().map_or_else(many, who)
}

/// The verdict, the counts, and since when there are only counts.
pub(super) fn tail(event: &FlowSummary, zone: &TimeZone) -> Vec<Span> {
    let mut tail = vec![verdict(event), (Tone::Dim, counts(&event.summary))];
    tail.extend(encryption(&event.summary));
    if let Some(auto) = &event.summary.auto {
        let since = zone.to_datetime(auto.since).strftime("%H:%M:%S");
        let until = if auto.until.is_some() { ", one by one again" } else { "" };
        tail.push((Tone::Dim, format!(" · {} since {since}{until}", auto.because.as_str())));
    }
    if let Some(overload) = &event.summary.overload {
        tail.push((Tone::Warn, format!(" · {}", overload.why.as_str())));
    }
    tail
}

/// How many connections a violation stands for.
pub(super) fn stands_for(overload: &StandsFor) -> Span {
    let StandsFor { why, connections } = overload;
    (Tone::Warn, format!(" · one of {} counted ({})", count(*connections), why.as_str()))
}

fn who(group: &Group) -> Vec<Span> {
    let exe = group.exe.as_deref().map_or("unknown process", basename);
    let mut process = vec![(Tone::Strong, exe.to_owned())];
    process.extend(group.container.iter().map(|name| (Tone::Plain, format!(" {name}"))));
    process.extend(group.user.iter().map(|user| (Tone::Plain, format!(" {user}"))));
    process.extend(group.uid.iter().map(|uid| (Tone::Plain, format!(" uid {uid}"))));
    process.extend(group.unit.iter().map(|unit| (Tone::Dim, format!(" {}", short(unit)))));
    process
}

/// With whom.
pub(super) fn peer(summary: &Summary) -> String {
    let many = summary.coarse.as_ref().map(|coarse| count(coarse.peers_at_least));
    match (&summary.group, many) {
        (Some(Group { peer_ip, peer_prefix: Some(1..), .. }), Some(many)) => {
            let prefix = summary.group.as_ref().and_then(|group| group.peer_prefix).unwrap_or_default();
            format!("{peer_ip}/{prefix} ({many}+)")
        }
        (Some(Group { peer_ip, peer_prefix: None, .. }), _) => peer_ip.to_string(),
        (_, Some(many)) => format!("{many}+ peers"),
        (_, None) => "many peers".to_owned(),
    }
}

fn encryption(summary: &Summary) -> Option<Span> {
    let posture = summary.group.as_ref().and_then(|group| group.posture)?;
    let (tone, text) = state(posture.state, posture.version);
    Some((tone, format!(" {}", text.trim_end())))
}

fn verdict(event: &FlowSummary) -> Span {
    match (event.verdict.as_deref(), &event.summary.group) {
        (Some(Verdict::Violation { reasons, .. }), _) => {
            let bad = event.accepted.is_none() && event.policy.is_some();
            let tone = if bad { Tone::Bad } else { Tone::Warn };
            let accepted = if event.accepted.is_some() { ", accepted" } else { "" };
            let times = match event.summary.violations {
                0 => String::new(),
                many => format!("{} × ", count(many)),
            };
            (tone, format!("✗ {times}{}{accepted}", list(reasons.iter().map(|reason| reason.id))))
        }
        (Some(Verdict::Undecided { .. }), _) | (None, Some(Group { rule: None, .. })) => {
            (Tone::Warn, "? undecided".to_owned())
        }
        (Some(Verdict::Declared { rule }), _) | (None, Some(Group { rule: Some(rule), .. })) => {
            (Tone::Good, format!("✓ {rule}"))
        }
        (None, None) => (Tone::Dim, "the rest".to_owned()),
    }
}

fn counts(summary: &Summary) -> String {
    let mut text = String::from(" ·");
    for (number, word) in [
        (summary.opened, "opened"),
        (summary.closed, "closed"),
        (summary.ended, "ended by the policy"),
        (summary.failed, "failed"),
        (summary.denied, "denied by the policy"),
        (summary.would_deny, "would be denied"),
        (summary.updated, "updates"),
        (summary.findings, "findings"),
    ] {
        if number > 0 {
            write!(text, " {} {word}", count(number)).expect("writing to memory cannot fail");
        }
    }
    let overload = summary.overload.as_ref();
    let others = overload.map(|overload| (overload.ends_of_described, overload.evicted)).unwrap_or_default();
    for (number, word) in [(others.0, "ends of described flows"), (others.1, "evicted")] {
        if number > 0 {
            write!(text, " {} {word}", count(number)).expect("writing to memory cannot fail");
        }
    }
    if summary.events == 0 && others == (0, 0) {
        text.push_str(" nothing more");
    }
    write!(text, " ↑{} ↓{}", bytes(summary.bytes_sent), bytes(summary.bytes_received))
        .expect("writing to memory cannot fail");
    text
}
