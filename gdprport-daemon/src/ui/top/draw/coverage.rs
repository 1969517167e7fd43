//! What was seen and lost: one line that is always there, and a page with everything.

use gdprport_core::event::ByReason;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::super::format::{bytes, counted, counts, thousands};
use super::super::model::Model;
use super::cells::cut;
use super::palette::Palette;
use super::words::{clock, moment};
use crate::control::api::{HealthState, LedgerStanding, Status};

fn sum(of: &ByReason) -> u64 {
    of.values().sum()
}

/// All that was lost since the daemon started: in the kernel, in the daemon, by sinks, on the way to the ledger.
fn lost(status: &Status) -> u64 {
    let coverage = &status.coverage;
    let sinks: u64 = status.sinks.iter().map(|sink| sum(&sink.counts.dropped)).sum();
    [
        sum(&coverage.kernel.dropped),
        sum(&coverage.dropped),
        coverage.evicted,
        coverage.evicted_listeners,
        coverage.overload.missing,
        sinks,
        status.ledger.lost,
    ]
    .into_iter()
    .fold(0, u64::saturating_add)
}

/// Connections that were counted and not described.
const fn summed(status: &Status) -> u64 {
    let counts = &status.coverage.overload.counts;
    counts.began().saturating_add(counts.ends_of_described)
}

/// The line.
pub(super) fn line(model: &Model, palette: Palette, width: usize) -> Line<'static> {
    let Some(picture) = &model.picture else { return Line::styled("coverage  not known yet", palette.dim()) };
    let status = &picture.status.status;
    let mut parts: Vec<(String, Style)> = Vec::new();
    match lost(status) {
        0 => parts.push(("nothing lost".to_owned(), Style::new())),
        lost => {
            let when = status.coverage.last_loss;
            let when =
                when.map(|at| format!(", last {}", near(at, picture.at, &model.zone))).unwrap_or_default();
            let losing = picture.status.health.state == HealthState::Losing;
            let style = if losing { palette.bad() } else { palette.warn() };
            parts.push((format!("✗ {} lost{when}", thousands(lost)), style));
        }
    }
    match summed(status) {
        0 => parts.push(("no overload".to_owned(), Style::new())),
        summed => parts.push((format!("! {} only counted", thousands(summed)), palette.warn())),
    }
    parts.push(gaps(model, palette));
    let unseen = sum(&status.coverage.unseen);
    if unseen > 0 {
        parts.push((format!("! {} not looked at", thousands(unseen)), palette.warn()));
    }
    let ring = &status.coverage.ring;
    let share = u128::from(ring.unread) * 100 / u128::from(ring.bytes.max(1));
    parts.push((format!("ring {share}%"), if share >= 50 { palette.warn() } else { Style::new() }));
    let mut spans = vec![Span::styled("coverage  ", palette.dim())];
    let mut taken = 10;
    for (index, (text, style)) in parts.into_iter().enumerate() {
        let separator = if index > 0 { " · " } else { "" };
        taken += separator.chars().count() + text.chars().count();
        if taken > width {
            break;
        }
        spans.push(Span::styled(separator, palette.dim()));
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

fn gaps(model: &Model, palette: Palette) -> (String, Style) {
    match &model.day {
        None => ("gaps not known yet".to_owned(), palette.dim()),
        Some(Err(_)) => ("gaps not known".to_owned(), palette.warn()),
        Some(Ok(ledger)) => match ledger.gaps.len() as u64 {
            0 => ("no gap in 24 h".to_owned(), Style::new()),
            n => (format!("! {} in 24 h", counted(n, "gap")), palette.warn()),
        },
    }
}

/// The time of day, with the day if it is another one.
fn near(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let same = zone.to_datetime(at).date() == zone.to_datetime(now).date();
    if same { clock(at, zone) } else { moment(at, zone) }
}

/// The page.
pub(super) fn page(model: &Model, palette: Palette, width: usize) -> Vec<Line<'static>> {
    let Some(picture) = &model.picture else { return Vec::new() };
    let (status, health) = (&picture.status.status, &picture.status.health);
    let mut lines = Vec::new();
    let title = |text: &str| Line::styled(text.to_owned(), palette.strong());
    let fact = |name: &str, text: &str, style: Style| {
        let name = if name.is_empty() { "  ".to_owned() } else { format!("  {name:<14}") };
        let text = cut(text, width.saturating_sub(name.len()));
        Line::from(vec![Span::styled(name, palette.dim()), Span::styled(text, style)])
    };
    lines.push(title("HEALTH"));
    if health.reasons.is_empty() {
        lines.push(fact("", "healthy: nothing is missing, and nothing was lost", Style::new()));
    }
    lines.extend(health.reasons.iter().map(|reason| fact("", reason, palette.health(health.state))));
    let coverage = &status.coverage;
    lines.push(Line::default());
    lines.push(title("SEEN AND LOST"));
    lines.push(fact("since", &moment(coverage.since, &model.zone), Style::new()));
    let bad = |of: &ByReason| if sum(of) > 0 { palette.bad() } else { Style::new() };
    let or_none = |of: &ByReason| {
        if sum(of) == 0 {
            "nothing lost".to_owned()
        } else {
            format!("lost: {}", counts(of.iter().map(|(reason, n)| (reason, *n))))
        }
    };
    let kernel = &coverage.kernel;
    lines.push(fact(
        "kernel",
        &format!("{} seen; {}", thousands(kernel.seen), or_none(&kernel.dropped)),
        bad(&kernel.dropped),
    ));
    lines.push(fact(
        "daemon",
        &format!("{} received; {}", thousands(coverage.received), or_none(&coverage.dropped)),
        bad(&coverage.dropped),
    ));
    let table = format!(
        "{} of {} flows, {} left it because it was full",
        thousands(coverage.flows_open),
        thousands(coverage.flows_cap),
        thousands(coverage.evicted)
    );
    lines.push(fact("flow table", &table, if coverage.evicted > 0 { palette.bad() } else { Style::new() }));
    let overload = format!("{} connections were counted and not described", thousands(summed(status)));
    lines.push(fact("overload", &overload, if summed(status) > 0 { palette.warn() } else { Style::new() }));
    if sum(&coverage.unseen) > 0 {
        let unseen = counts(coverage.unseen.iter().map(|(reason, n)| (reason, *n)));
        lines.push(fact("not looked at", &unseen, palette.warn()));
    }
    lines.push(Line::default());
    lines.push(title("SINKS"));
    for sink in &status.sinks {
        let of = &sink.counts;
        let text = format!("{} delivered; {}", thousands(of.delivered), or_none(&of.dropped));
        let text = sink.last_error.as_ref().map_or(text.clone(), |error| format!("{text}; fails: {error}"));
        let style = if sink.last_error.is_some() { palette.bad() } else { bad(&of.dropped) };
        lines.push(fact("", &format!("{}: {text}", of.name), style));
    }
    if status.sinks.is_empty() {
        lines.push(fact("", "none: events are counted and go nowhere", palette.warn()));
    }
    lines.push(Line::default());
    lines.push(title("LEDGER"));
    let ledger = &status.ledger;
    let (word, style) = match ledger.state {
        LedgerStanding::Off => ("none is kept", palette.dim()),
        LedgerStanding::Ok => ("written", Style::new()),
        LedgerStanding::Late => ("late", palette.warn()),
        LedgerStanding::Unavailable => ("cannot be written", palette.bad()),
    };
    let why = ledger.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    lines.push(fact("", &format!("{word}{why}; {}", bytes(ledger.bytes)), style));
    match &model.day {
        Some(Err(why)) => lines.push(fact("24 hours", why, palette.warn())),
        Some(Ok(day)) => {
            for gap in day.gaps.iter().rev().take(10) {
                let (from, to) = (moment(gap.from, &model.zone), clock(gap.to, &model.zone));
                let text = format!("{from} to {to}: {} lost, {}", thousands(gap.lost), gap.reason);
                lines.push(fact("gap", &text, palette.warn()));
            }
        }
        None => {}
    }
    lines.push(Line::default());
    lines.push(title("THIS VIEW"));
    let events = match (&model.unfollowed, model.missed) {
        (Some(why), _) => (format!("strangers that are gone are not shown: {why}"), palette.warn()),
        (None, 0) => ("events are followed, none was missed".to_owned(), Style::new()),
        (None, missed) => (
            format!("{} events came too fast for this view; the daemon has them", thousands(missed)),
            palette.warn(),
        ),
    };
    lines.push(fact("events", &events.0, events.1));
    lines
}
