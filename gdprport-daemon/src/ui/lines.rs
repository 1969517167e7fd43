//! One line per event for a person at a terminal.
//!
//! Belongs here: which parts of an event are shown, where and in which colour. The full event is in the JSON.
//!
//! Calm by default: what is declared is quiet, what is not stands out. A line reads: when, what, which port,
//! which way, who, with whom, and what the policy says. `~` before a process: its attribution is not exact. Why
//! something is a violation is said once, by the `violation` beside the event of the flow or listener.

mod own;
mod paint;

use std::fmt::Write as _;
use std::num::NonZeroU16;

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;

use super::format::{basename, program};
use gdprport_core::event::{Body, Event, Flow, FlowEvent, FlowSummary, Kind, ListenerEvent, Violation};
use gdprport_core::model::{Attribution, Direction, Endpoint, Outcome, PostureState, Process};
use gdprport_core::verdict::Verdict;
use own::{coverage, policy, start};
use paint::{Painter, Piece, bytes, duration, list};

const PLAIN: Style = Style::new();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const UNSURE: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OWN: Style = AnsiColor::Cyan.on_default();

/// The narrowest room for the end of a line: below it, the terminal may break the line.
const MIN_TAIL: usize = 14;

/// Writes events as lines.
#[derive(Debug, Clone)]
pub struct Lines {
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

impl Lines {
    /// Lines for a terminal of this many columns (`None`: nothing is cut at the end), with times in this zone.
    #[must_use]
    pub fn new(color: bool, width: Option<NonZeroU16>, zone: TimeZone) -> Self {
        let width = width.map(|width| usize::from(width.get()));
        let cells = Cells::of(width);
        Self { color, width, zone, cells }
    }

    /// Appends one line, without a line feed.
    pub fn render(&self, event: &Event, out: &mut Vec<u8>) {
        let mut painter = Painter { out, color: self.color, gap: self.cells.gap, column: 0 };
        let time = self.zone.to_datetime(event.time).strftime(self.cells.time).to_string();
        painter.cell(time.len(), &[(DIM, time)]);
        let (style, sign, word) = head(&event.body);
        let kind = if self.cells.head == 1 { sign.to_owned() } else { format!("{sign} {word}") };
        painter.cell(self.cells.head, &[(style, kind)]);
        match &event.body {
            Body::FlowOpen(flow) | Body::FlowUpdate(flow) => {
                let mut tail = vec![judged(&flow.verdict, flow.policy.is_some())];
                let opens = matches!(event.body, Body::FlowOpen(_));
                tail.extend(counts(&flow.flow, flow.flow.duration_ms.filter(|_| !opens)));
                self.flow(&mut painter, flow, false, &tail);
            }
            Body::FlowPosture(flow) => {
                let mut tail = encryption(flow);
                tail.push(judged(&flow.verdict, flow.policy.is_some()));
                self.flow(&mut painter, flow, false, &tail);
            }
            Body::Finding(finding) => {
                self.flow(&mut painter, &finding.flow, true, &[(UNSURE, finding.finding.detail.clone())]);
            }
            Body::FlowClose(flow) => {
                let mut tail = vec![match &*flow.verdict {
                    Verdict::Undecided { .. } => (UNSURE, "? undecided".to_owned()),
                    verdict => judged(verdict, flow.policy.is_some()),
                }];
                tail.extend(counts(&flow.flow, flow.flow.duration_ms));
                self.flow(&mut painter, flow, false, &tail);
            }
            Body::FlowFail(flow) => {
                let outcome = (UNSURE, format!("{} ", flow.flow.outcome));
                self.flow(
                    &mut painter,
                    flow,
                    false,
                    &[outcome, judged(&flow.verdict, flow.policy.is_some())],
                );
            }
            Body::Violation(violation) => match &**violation {
                Violation::Flow(flow) => self.flow(&mut painter, flow, true, &reasons(&flow.verdict)),
                Violation::Listener(listener) => {
                    self.listener(&mut painter, listener, true, &reasons(&listener.verdict));
                }
            },
            Body::ListenerOpen(listener) | Body::ListenerClose(listener) => {
                let says = match &listener.verdict {
                    Verdict::Declared { .. } => (GOOD, "✓ as declared".to_owned()),
                    verdict => judged(verdict, listener.policy.is_some()),
                };
                self.listener(&mut painter, listener, false, &[says]);
            }
            Body::FlowSummary(summary) => self.summary(&mut painter, summary),
            Body::Coverage(event) => self.tail(&mut painter, true, &coverage(event)),
            Body::PolicyApplied(event) => self.tail(&mut painter, true, &policy(event)),
            Body::DaemonStart(event) => self.tail(&mut painter, true, &start(event)),
            Body::DaemonStop(event) => {
                let text = format!("{} after {}", event.daemon.reason, duration(event.daemon.uptime_ms));
                self.tail(&mut painter, true, &[(PLAIN, text)]);
            }
        }
    }

    fn flow(&self, painter: &mut Painter<'_>, event: &FlowEvent, keep: bool, tail: &[Piece]) {
        let process = who(event.process.as_deref(), self.cells.process);
        self.columns(painter, &event.port.name, arrow(event.flow.direction), &process);
        let mut peer = vec![(PLAIN, Endpoint::new(event.flow.peer.ip, event.flow.peer.port).to_string())];
        if let Some(name) = &event.flow.peer.name {
            peer.push((DIM, format!(" {name}")));
        }
        if let Some(process) = &event.peer_process {
            let used: usize = peer.iter().map(|(_, text)| text.chars().count() + 1).sum();
            peer.push((DIM, format!(" {}", short_program(process, self.cells.peer.saturating_sub(used)))));
        }
        painter.cell(self.cells.peer, &peer);
        self.tail(painter, keep, tail);
    }

    fn listener(&self, painter: &mut Painter<'_>, event: &ListenerEvent, keep: bool, tail: &[Piece]) {
        let process = who(event.process.as_deref(), self.cells.process);
        self.columns(painter, &event.port.name, "◦", &process);
        painter.cell(self.cells.peer, &[(PLAIN, event.listener.local.to_string())]);
        self.tail(painter, keep, tail);
    }

    fn summary(&self, painter: &mut Painter<'_>, event: &FlowSummary) {
        let counts = &event.summary;
        let (way, process, peer, says) = match &event.summary.group {
            Some(group) => {
                let exe = group.exe.as_deref().map_or("unknown process", basename);
                let mut process = vec![(BOLD, exe.to_owned())];
                process.extend(group.user.iter().map(|user| (PLAIN, format!(" {user}"))));
                process.extend(group.unit.iter().map(|unit| (DIM, format!(" {}", short(unit)))));
                let says = match &group.rule {
                    Some(rule) => (GOOD, format!("✓ {rule}")),
                    None => (UNSURE, "? undecided".to_owned()),
                };
                (arrow(group.direction), process, group.peer_ip.to_string(), says)
            }
            None => (
                "↔",
                vec![(DIM, "many processes".to_owned())],
                "many peers".to_owned(),
                (DIM, "the rest".to_owned()),
            ),
        };
        self.columns(painter, &event.port.name, way, &process);
        painter.cell(self.cells.peer, &[(PLAIN, peer)]);
        let mut text = String::from(" ·");
        for (count, word) in [
            (counts.opened, "opened"),
            (counts.closed, "closed"),
            (counts.failed, "failed"),
            (counts.updated, "still open"),
        ] {
            if count > 0 {
                write!(text, " {count} {word}").expect("writing to memory cannot fail");
            }
        }
        write!(text, " ↑{} ↓{}", bytes(counts.bytes_sent), bytes(counts.bytes_received))
            .expect("writing to memory cannot fail");
        self.tail(painter, false, &[says, (DIM, text)]);
    }

    fn columns(&self, painter: &mut Painter<'_>, port: &str, way: &str, process: &[Piece]) {
        painter.cell(self.cells.port, &[(BOLD, port.to_owned())]);
        painter.cell(1, &[(DIM, way.to_owned())]);
        painter.cell(self.cells.process, process);
    }

    /// The end of the line: cut to the terminal, unless it must be read whole.
    fn tail(&self, painter: &mut Painter<'_>, keep: bool, pieces: &[Piece]) {
        let room = self.width.map(|width| width.saturating_sub(painter.column).max(MIN_TAIL));
        painter.text(room.filter(|_| !keep), pieces);
    }
}

/// How a flow is encrypted, and a blank.
fn encryption(event: &FlowEvent) -> Vec<Piece> {
    let Some(posture) = &event.posture else { return Vec::new() };
    let style = match posture.state {
        PostureState::Tls13 | PostureState::Tls12 | PostureState::StarttlsUpgraded => GOOD,
        PostureState::EncryptedOther => PLAIN,
        PostureState::WeakTls | PostureState::StarttlsRefused | PostureState::Plaintext => BAD,
        PostureState::Unknown => UNSURE,
    };
    let version = match (posture.state, posture.version) {
        (PostureState::StarttlsUpgraded | PostureState::WeakTls, Some(version)) => format!(" {version}"),
        _ => String::new(),
    };
    vec![(style, format!("{}{version} ", posture.state.as_str()))]
}

/// Style, sign and word of a kind.
fn head(body: &Body) -> (Style, &'static str, &'static str) {
    match body.kind() {
        Kind::FlowOpen => (PLAIN, "●", "open"),
        Kind::FlowFail => (UNSURE, "✕", "fail"),
        Kind::FlowClose => (DIM, "○", "close"),
        Kind::FlowUpdate => (DIM, "·", "update"),
        Kind::FlowPosture => (PLAIN, "◈", "posture"),
        Kind::Finding => (UNSURE, "?", "finding"),
        Kind::FlowSummary => (PLAIN, "Σ", "summary"),
        Kind::Violation => (BAD, "▲", "VIOLATION"),
        Kind::ListenerOpen => (PLAIN, "◆", "listen"),
        Kind::ListenerClose => (DIM, "◇", "unlisten"),
        Kind::Coverage => (OWN, "≡", "coverage"),
        Kind::PolicyApplied => (OWN, "§", "policy"),
        Kind::DaemonStart => (OWN, "▶", "start"),
        Kind::DaemonStop => (OWN, "■", "stop"),
    }
}

const fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "←",
        Direction::Out => "→",
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

/// How a flow went so far, behind what the policy says.
fn counts(flow: &Flow, lasted_ms: Option<u64>) -> Option<Piece> {
    let mut counts = Vec::new();
    match flow.outcome {
        Outcome::Established | Outcome::Closed => {}
        bad @ (Outcome::Reset
        | Outcome::Refused
        | Outcome::TimedOut
        | Outcome::Denied
        | Outcome::Aborted
        | Outcome::Lost) => {
            counts.push(bad.to_string());
        }
    }
    counts.extend(lasted_ms.filter(|&ms| ms > 0).map(duration));
    counts.extend(flow.bytes_sent.map(|count| format!("↑{}", bytes(count))));
    counts.extend(flow.bytes_received.map(|count| format!("↓{}", bytes(count))));
    (!counts.is_empty()).then(|| (DIM, format!(" · {}", counts.join(" "))))
}

fn who(process: Option<&Process>, room: usize) -> Vec<Piece> {
    let Some(process) = process else { return vec![(UNSURE, "unknown process".to_owned())] };
    let user =
        process.user.as_ref().map_or_else(|| format!(" uid {}", process.uid), |user| format!(" {user}"));
    // One character is kept for the `…` of what does not fit after it.
    let mut pieces = vec![(BOLD, short_program(process, room.saturating_sub(1))), (PLAIN, user)];
    if let Some(container) = &process.container {
        // Twelve digits, as container tools show it.
        pieces.push((DIM, format!(" {}", container.id.get(..12).unwrap_or(&container.id))));
    } else if let Some(unit) = &process.unit {
        pieces.push((DIM, format!(" {}", short(unit))));
    }
    pieces
}

/// Most units are services: that need not be said.
fn short(unit: &str) -> &str {
    unit.strip_suffix(".service").unwrap_or(unit)
}

/// What the policy says; without one, the catalog can only say that nothing is declared.
fn judged(verdict: &Verdict, policy: bool) -> Piece {
    match verdict {
        Verdict::Declared { rule } => (GOOD, format!("✓ {rule}")),
        Verdict::Undecided { missing, .. } => (UNSURE, format!("? undecided: {}", list(missing))),
        Verdict::Violation { .. } if policy => (BAD, "✗ violation".to_owned()),
        Verdict::Violation { .. } => (UNSURE, "✗ undeclared".to_owned()),
    }
}

/// Why it is a violation.
fn reasons(verdict: &Verdict) -> Vec<Piece> {
    let Verdict::Violation { reasons, nearest } = verdict else { return Vec::new() };
    let mut pieces = vec![(BAD, format!("✗ {}", list(reasons.iter().map(|reason| reason.id))))];
    if let Some(nearest) = nearest {
        pieces.push((DIM, format!(" · nearest {} fails {}", nearest.role, list(&nearest.failed))));
    }
    pieces
}

#[cfg(test)]
mod tests;
