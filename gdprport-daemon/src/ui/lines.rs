//! One line per event for a person at a terminal.
//!
//! Belongs here: which parts of an event are shown, where and in which colour. The full event is in the JSON.
//!
//! Calm by default: what is declared is quiet, what is not stands out. A line reads: when, what, which port,
//! which direction, who, with whom, and the verdict of the policy. `~` before a process: its attribution is not exact.
//! The reasons of a violation stand once, in the `violation` beside the event of the flow or listener.

mod own;
mod paint;
mod summary;
mod words;

use std::num::NonZeroU16;

use jiff::tz::TimeZone;

use super::container::container;
use super::format::{bytes, elapsed, list, program};
use super::tone::Tone;
use gdprport_core::event::{
    Body, Event, FindingEvent, Flow, FlowEvent, FlowSummary, Kind, ListenerEvent, Severity, Violation,
};
use gdprport_core::model::{Attribution, Endpoint, Nat, Outcome, Process};
use gdprport_core::verdict::{Accepted, Verdict};
use own::{audited, coverage, policy, sink_lost, start};
use paint::{Painter, Span};
use words::{arrow, short, state};

/// The narrowest room for the end of a line: below it, the terminal may break the line.
const MIN_TAIL: usize = 14;

/// Writes events as lines.
#[derive(Debug, Clone)]
pub(super) struct LineRenderer {
    color: bool,
    width: Option<usize>,
    zone: TimeZone,
    cells: Cells,
}

/// Widths of the columns, in characters.
#[derive(Debug, Clone, Copy)]
struct Cells {
    /// `%H:%M:%S` with or without milliseconds.
    time: &'static str,
    /// 1: only the sign of the kind.
    head: usize,
    port: usize,
    process: usize,
    peer: usize,
    /// Blanks between columns.
    gap: usize,
}

impl Cells {
    const fn of(width: Option<usize>) -> Self {
        match width {
            Some(..100) => Self { time: "%H:%M:%S", head: 1, port: 12, process: 18, peer: 20, gap: 1 },
            Some(100..150) => Self { time: "%H:%M:%S", head: 11, port: 13, process: 26, peer: 21, gap: 1 },
            Some(150..) | None => {
                Self { time: "%H:%M:%S%.3f", head: 11, port: 18, process: 42, peer: 30, gap: 2 }
            }
        }
    }
}

impl LineRenderer {
    /// Lines for a terminal of this many columns (`None`: nothing is cut at the end), with times in this zone.
    pub(super) fn new(color: bool, width: Option<NonZeroU16>, zone: TimeZone) -> Self {
        let width = width.map(|width| usize::from(width.get()));
        let cells = Cells::of(width);
        Self { color, width, zone, cells }
    }

    /// Appends one line, without a line feed.
    pub(super) fn render(&self, event: &Event, out: &mut Vec<u8>) {
        let mut painter = Painter { out, color: self.color, gap: self.cells.gap, column: 0 };
        let time = self.zone.to_datetime(event.time).strftime(self.cells.time).to_string();
        painter.cell(time.len(), &[(Tone::Dim, time)]);
        let (tone, sign, name) = head(&event.body);
        let kind = if self.cells.head == 1 { sign.to_owned() } else { format!("{sign} {name}") };
        painter.cell(self.cells.head, &[(tone, kind)]);
        match &event.body {
            Body::FlowOpen(flow) | Body::FlowUpdate(flow) => {
                let mut tail = vec![verdict_span(&flow.verdict, flow.policy.is_some())];
                let opens = matches!(event.body, Body::FlowOpen(_));
                tail.extend(counts(&flow.flow, flow.flow.duration_ms.filter(|_| !opens)));
                self.flow(&mut painter, flow, false, &tail);
            }
            Body::FlowPosture(flow) => {
                let mut tail = Vec::from_iter(encryption(flow));
                tail.push(verdict_span(&flow.verdict, flow.policy.is_some()));
                self.flow(&mut painter, flow, false, &tail);
            }
            Body::Finding(finding) => match &**finding {
                FindingEvent::Flow(finding) => {
                    let detail = (Tone::Warn, finding.finding.detail.clone());
                    self.flow(&mut painter, &finding.flow, true, &[detail]);
                }
                FindingEvent::Audit(event) => self.tail(&mut painter, true, &audited(&event.finding)),
            },
            Body::FlowClose(flow) => {
                let mut tail = vec![match &*flow.verdict {
                    Verdict::Undecided { .. } => (Tone::Warn, "? undecided".to_owned()),
                    verdict => verdict_span(verdict, flow.policy.is_some()),
                }];
                tail.extend(counts(&flow.flow, flow.flow.duration_ms));
                self.flow(&mut painter, flow, false, &tail);
            }
            Body::FlowFail(flow) => {
                let outcome = (Tone::Warn, format!("{} ", flow.flow.outcome));
                let mut tail = vec![outcome, verdict_span(&flow.verdict, flow.policy.is_some())];
                tail.extend(words::decided(&flow.flow).filter(|_| flow.flow.would_deny));
                self.flow(&mut painter, flow, false, &tail);
            }
            Body::Violation(violation) => match &**violation {
                Violation::Flow(flow) => {
                    let mut tail = reasons(&flow.verdict, flow.accepted.as_deref());
                    if let Some(volume) = &flow.volume {
                        // What a rule of this name fails by is its volume, which stands here.
                        tail.truncate(1 + usize::from(flow.accepted.is_some()));
                        tail.push(words::moved(volume));
                    }
                    tail.extend(flow.overload.as_ref().map(summary::stands_for));
                    tail.extend(words::decided(&flow.flow));
                    self.flow(&mut painter, flow, true, &tail);
                }
                Violation::Listener(listener) => {
                    let mut tail = reasons(&listener.verdict, listener.accepted.as_deref());
                    tail.extend(words::decided_listener(&listener.listener));
                    self.listener(&mut painter, listener, true, &tail);
                }
            },
            Body::ListenerOpen(listener) | Body::ListenerFail(listener) | Body::ListenerClose(listener) => {
                let verdict = match &listener.verdict {
                    Verdict::Declared { .. } => (Tone::Good, "✓ as declared".to_owned()),
                    verdict => verdict_span(verdict, listener.policy.is_some()),
                };
                let tail: Vec<Span> =
                    [verdict].into_iter().chain(words::decided_listener(&listener.listener)).collect();
                self.listener(&mut painter, listener, false, &tail);
            }
            Body::FlowSummary(summary) => self.summary(&mut painter, summary),
            Body::Coverage(event) => self.tail(&mut painter, true, &coverage(event)),
            Body::PolicyApplied(event) => self.tail(&mut painter, true, &policy(event)),
            Body::DaemonStart(event) => self.tail(&mut painter, true, &start(event)),
            Body::DaemonStop(event) => {
                let text = format!("{} after {}", event.daemon.reason, elapsed(event.daemon.uptime_ms));
                self.tail(&mut painter, true, &[(Tone::Plain, text)]);
            }
            Body::SinkLost(event) => self.tail(&mut painter, true, &sink_lost(event)),
            Body::SinkTest(event) => {
                let text = format!("a test of the sink {}", event.sink.name);
                self.tail(&mut painter, true, &[(Tone::Plain, text)]);
            }
            Body::EvidenceCheckpoint(event) => {
                let of = &event.checkpoint;
                let text = format!("checkpoint {} of {} entries ({})", of.sequence, of.size, of.reason);
                self.tail(&mut painter, true, &[(Tone::Plain, text)]);
            }
        }
    }

    fn flow(&self, painter: &mut Painter<'_>, event: &FlowEvent, keep: bool, tail: &[Span]) {
        let process = who(event.process.as_deref(), self.cells.process);
        self.columns(painter, &event.port.name, arrow(event.flow.direction), &process);
        let mut peer =
            vec![(Tone::Plain, Endpoint::new(event.flow.peer.ip, event.flow.peer.port).to_string())];
        if let Some(name) = &event.flow.peer.name {
            peer.push((Tone::Dim, format!(" {name}")));
        }
        if let Some(behind) = event.flow.nat.as_ref().and_then(Nat::translation).and_then(|nat| nat.peer) {
            peer.push((Tone::Plain, format!(" ({behind})")));
        }
        if let Some(process) = &event.peer_process {
            let used: usize = peer.iter().map(|(_, text)| text.chars().count() + 1).sum();
            peer.push((
                Tone::Dim,
                format!(" {}", short_program(process, self.cells.peer.saturating_sub(used))),
            ));
        }
        painter.cell(self.cells.peer, &peer);
        self.tail(painter, keep, tail);
    }

    fn listener(&self, painter: &mut Painter<'_>, event: &ListenerEvent, keep: bool, tail: &[Span]) {
        let process = who(event.process.as_deref(), self.cells.process);
        self.columns(painter, &event.port.name, "◦", &process);
        painter.cell(self.cells.peer, &[(Tone::Plain, event.listener.local.to_string())]);
        self.tail(painter, keep, tail);
    }

    fn summary(&self, painter: &mut Painter<'_>, event: &FlowSummary) {
        self.columns(painter, &event.port.name, summary::direction(event), &summary::process(event));
        painter.cell(self.cells.peer, &[(Tone::Plain, summary::peer(&event.summary))]);
        // Nothing else shows the reasons of what was counted here.
        let keep = matches!(event.verdict.as_deref(), Some(Verdict::Violation { .. }));
        self.tail(painter, keep, &summary::tail(event, &self.zone));
    }

    fn columns(&self, painter: &mut Painter<'_>, port: &str, direction: &str, process: &[Span]) {
        painter.cell(self.cells.port, &[(Tone::Strong, port.to_owned())]);
        painter.cell(1, &[(Tone::Dim, direction.to_owned())]);
        painter.cell(self.cells.process, process);
    }

    /// The end of the line: cut to the terminal, unless it must stay complete.
    fn tail(&self, painter: &mut Painter<'_>, keep: bool, pieces: &[Span]) {
        let room = self.width.map(|width| width.saturating_sub(painter.column).max(MIN_TAIL));
        painter.text(room.filter(|_| !keep), pieces);
    }
}

/// How a flow is encrypted, and a blank.
fn encryption(event: &FlowEvent) -> Option<Span> {
    event.posture.as_ref().map(|posture| state(posture.state, posture.version))
}

/// Tone, sign and name of a kind.
fn head(body: &Body) -> (Tone, &'static str, &'static str) {
    match body.kind() {
        Kind::FlowOpen => (Tone::Plain, "●", "open"),
        Kind::FlowFail => (Tone::Warn, "✕", "fail"),
        Kind::FlowClose => (Tone::Dim, "○", "close"),
        Kind::FlowUpdate => (Tone::Dim, "·", "update"),
        Kind::FlowPosture => (Tone::Plain, "◈", "posture"),
        Kind::Finding if body.severity() == Severity::Info => (Tone::Plain, "?", "finding"),
        Kind::Finding => (Tone::Warn, "?", "finding"),
        Kind::FlowSummary => (summary::tone(body), "Σ", "summary"),
        Kind::Violation if body.accepted().is_some() => (Tone::Warn, "△", "accepted"),
        Kind::Violation => (Tone::Bad, "▲", "VIOLATION"),
        Kind::ListenerOpen => (Tone::Plain, "◆", "listen"),
        Kind::ListenerFail => (Tone::Warn, "✕", "unbound"),
        Kind::ListenerClose => (Tone::Dim, "◇", "unlisten"),
        Kind::Coverage => (Tone::Note, "≡", "coverage"),
        Kind::PolicyApplied => (Tone::Note, "§", "policy"),
        Kind::DaemonStart => (Tone::Note, "▶", "start"),
        Kind::DaemonStop => (Tone::Note, "■", "stop"),
        Kind::SinkLost => (Tone::Warn, "≡", "lost"),
        Kind::SinkTest => (Tone::Note, "≡", "test"),
        Kind::EvidenceCheckpoint => (Tone::Note, "≡", "evidence"),
    }
}

/// `postgres[4242]`; what is not known exactly with a `~`. In less room the name is cut, not the number.
fn short_program(process: &Process, room: usize) -> String {
    let mark = if process.attribution == Attribution::Exact { "" } else { "~" };
    let (name, pid) = (format!("{mark}{}", program(process)), format!("[{}]", process.pid));
    match room.checked_sub(pid.len()) {
        Some(left @ 3..) if name.chars().count() > left => {
            let begin: String = name.chars().take(left - 1).collect();
            format!("{begin}…{pid}")
        }
        _ => name + &pid,
    }
}

/// How a flow went so far, behind the verdict of the policy.
fn counts(flow: &Flow, lasted_ms: Option<u64>) -> Option<Span> {
    let mut counts = Vec::new();
    match flow.outcome {
        Outcome::Established | Outcome::Closed => {}
        bad @ (Outcome::Reset
        | Outcome::Refused
        | Outcome::TimedOut
        | Outcome::Denied
        | Outcome::DeniedByPolicy
        | Outcome::EndedByPolicy
        | Outcome::Aborted
        | Outcome::Lost) => {
            counts.push(bad.to_string());
        }
    }
    counts.extend(lasted_ms.filter(|&ms| ms > 0).map(elapsed));
    counts.extend(flow.bytes_sent.map(|count| format!("↑{}", bytes(count))));
    counts.extend(flow.bytes_received.map(|count| format!("↓{}", bytes(count))));
    (!counts.is_empty()).then(|| (Tone::Dim, format!(" · {}", counts.join(" "))))
}

fn who(process: Option<&Process>, room: usize) -> Vec<Span> {
    let Some(process) = process else { return vec![(Tone::Warn, "unknown process".to_owned())] };
    let user =
        process.user.as_ref().map_or_else(|| format!(" uid {}", process.uid), |user| format!(" {user}"));
    // One character is kept for the `…` of what does not fit after it.
    let program = short_program(process, room.saturating_sub(1));
    let left = room.saturating_sub(program.chars().count() + 1);
    let mut pieces = vec![(Tone::Strong, program)];
    if let Some(found) = &process.container {
        // Users of a container are those of its image: its own name says more.
        let called = container(found, left);
        let room_for_user = called.chars().count() + user.chars().count() <= left;
        pieces.push((Tone::Plain, format!(" {called}")));
        pieces.extend(room_for_user.then_some((Tone::Dim, user)));
    } else {
        pieces.push((Tone::Plain, user));
        pieces.extend(process.unit.iter().map(|unit| (Tone::Dim, format!(" {}", short(unit)))));
    }
    pieces
}

/// The verdict of the policy; without one, the catalog can only know that nothing is declared.
fn verdict_span(verdict: &Verdict, policy: bool) -> Span {
    match verdict {
        Verdict::Declared { rule } => (Tone::Good, format!("✓ {rule}")),
        Verdict::Undecided { missing, .. } => (Tone::Warn, format!("? undecided: {}", list(missing))),
        Verdict::Violation { .. } if policy => (Tone::Bad, "✗ violation".to_owned()),
        Verdict::Violation { .. } => (Tone::Warn, "✗ undeclared".to_owned()),
    }
}

/// Why it is a violation.
fn reasons(verdict: &Verdict, accepted: Option<&Accepted>) -> Vec<Span> {
    let Verdict::Violation { reasons, nearest } = verdict else { return Vec::new() };
    let tone = if accepted.is_some() { Tone::Warn } else { Tone::Bad };
    let mut pieces = vec![(tone, format!("✗ {}", list(reasons.iter().map(|reason| reason.id))))];
    if let Some(Accepted { why, by, until, .. }) = accepted {
        pieces.push((Tone::Plain, format!(" · accepted by {by} until {until}: {why}")));
    }
    if let Some(nearest) = nearest {
        pieces.push((Tone::Dim, format!(" · nearest {} fails {}", nearest.role, list(&nearest.failed))));
    }
    pieces
}

#[cfg(test)]
mod picture;
#[cfg(test)]
mod tests;
