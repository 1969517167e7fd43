//! One group by the flow that stands for it: who, with whom, why it is judged so, and its history.

use gdprport_core::ledger::Counts;
use gdprport_core::model::{Attribution, Process};
use gdprport_core::top::{Row, sparkline};
use gdprport_core::verdict::Verdict;
use jiff::Timestamp;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::super::explain::{self, Shown};
use super::super::super::format::{bytes, counted, duration, thousands};
use super::super::super::screen::Screen;
use super::super::super::table::wrap;
use super::super::model::{Day, History, Model};
use super::cells::{Column, line};
use super::palette::{Palette, sign};
use super::words::{age, clock, encryption, moment, peer, who, within};
use crate::control::api::FlowRow;

/// Columns of the names of facts.
const NAME: usize = 11;

/// Days of the history that are listed.
const DAYS: usize = 7;

/// Lines of the page, wrapped.
struct Text {
    lines: Vec<Line<'static>>,
    width: usize,
    palette: Palette,
}

impl Text {
    fn title(&mut self, text: &str, remark: &str) {
        self.lines.push(Line::default());
        let remark = Span::styled(format!("  {remark}"), self.palette.dim());
        self.lines.push(Line::from(vec![Span::styled(text.to_owned(), self.palette.strong()), remark]));
    }

    fn fact(&mut self, name: &str, text: &str, style: Style) {
        let room = self.width.saturating_sub(NAME + 2);
        for (index, line) in wrap(text, room).into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            let name = Span::styled(format!("  {name:<NAME$}"), self.palette.dim());
            self.lines.push(Line::from(vec![name, Span::styled(line, style)]));
        }
    }

    fn sentence(&mut self, text: &str, style: Style) {
        for line in wrap(text, self.width.saturating_sub(2)) {
            self.lines.push(Line::from(vec![Span::raw("  "), Span::styled(line, style)]));
        }
    }
}

/// The page. `row`: as it is now, or, if it is not `listed` any more, as it was when it was opened.
pub(super) fn page(
    model: &Model,
    (row, listed): (&Row, bool),
    palette: Palette,
    width: usize,
    now: Timestamp,
) -> Vec<Line<'static>> {
    let mut text = Text { lines: Vec::new(), width, palette };
    let group = &row.group;
    let key = row.key();
    let answer = model.flow.as_ref().filter(|flow| flow.key == key);
    let rank = row.rank();
    let open = match (group.flows, row.ended) {
        _ if !listed => "not listed any more: it ended, or others come before it".to_owned(),
        (0, ended) => format!("none is open, {} ended", thousands(ended)),
        (flows, 0) => format!("{} open", thousands(flows)),
        (flows, ended) => format!("{} open, {} ended", thousands(flows), thousands(ended)),
    };
    text.lines.push(Line::from(vec![
        Span::styled(format!("{} {}", sign(rank), rank.as_str()), palette.rank(rank)),
        Span::raw(format!("  {} {} {}", group.port.name, group.direction, peer(group, 80))),
        Span::styled(format!("  {open}"), palette.dim()),
    ]));
    let explained = answer.and_then(|answer| answer.explained.flows.first());
    let flow = explained.map(|explained| &explained.flow);
    process(&mut text, row, flow);
    connection(&mut text, row, flow, model, now);
    match explained {
        Some(explained) => {
            let remark = if group.flows == 0 { "as it was when it was open" } else { "by the policy, now" };
            text.title("WHY", remark);
            let shown = Shown { explanation: &explained.explanation, about: &[], sources: &[], given: false };
            let columns = u16::try_from(width.saturating_sub(2)).unwrap_or(u16::MAX);
            let said = explain::show(&shown, &Screen { width: columns, now });
            let said = anstream::adapter::strip_str(&said).to_string();
            text.lines.extend(said.lines().map(|said| coloured(said, palette)));
        }
        None => {
            text.title("WHY", if group.flows == 0 { "by the last event about it" } else { "asking" });
            reasons(&mut text, row);
        }
    }
    history(&mut text, model, row, now);
    members(&mut text, answer.map_or(&[], |answer| &answer.members), group.flows, now);
    text.lines
}

/// What the process is, and how it is known.
fn process(text: &mut Text, row: &Row, flow: Option<&FlowRow>) {
    let group = &row.group;
    let Some(of) = flow.and_then(|flow| flow.process.as_deref()).or(group.process.as_deref()) else {
        return text.fact("process", &who(group), text.palette.warn());
    };
    let Process { pid, exe, script, user, uid, attribution, .. } = of;
    let exe = script.as_deref().or(exe.as_deref()).unwrap_or("executable not known");
    let sure = match attribution {
        Attribution::Exact => String::new(),
        other => format!(", known by {other}"),
    };
    let user = user.as_deref().map_or_else(|| format!("uid {uid}"), |user| format!("user {user}"));
    text.fact("process", &format!("{exe}, pid {pid}, {user}{sure}"), Style::new());
    if let Some(within) = within(of, 100) {
        text.fact("in", &within, Style::new());
    }
    if let Some(peer) = flow.and_then(|flow| flow.peer_process.as_deref()) {
        let exe = peer.exe.as_deref().unwrap_or("executable not known");
        text.fact("other end", &format!("{exe}, pid {}, on this host", peer.pid), Style::new());
    }
}

/// The connection that stands for all, and what all have moved.
fn connection(text: &mut Text, row: &Row, flow: Option<&FlowRow>, model: &Model, now: Timestamp) {
    let group = &row.group;
    if let Some(flow) = flow {
        let arrow = if flow.direction.as_str() == "in" { "←" } else { "→" };
        let since =
            duration(u64::try_from(now.as_second().saturating_sub(flow.opened.as_second())).unwrap_or(0));
        let older = if flow.flow.opened.is_none() { "at least " } else { "" };
        text.fact(
            "connection",
            &format!("{} {arrow} {}, open for {older}{since}", flow.local, flow.peer),
            Style::new(),
        );
        text.fact("id", &format!("{}, cookie {}", flow.flow.id, flow.flow.cookie), text.palette.dim());
    } else if group.flows == 0 {
        let last =
            row.last.map(|last| format!("the last event about it came at {}", clock(last, &model.zone)));
        text.fact("connection", &last.unwrap_or_else(|| "it has ended".to_owned()), Style::new());
    }
    let posture = flow.and_then(|flow| flow.posture.as_deref());
    let seen = posture.map(|posture| format!("{}: {}", posture.state.as_str(), posture.evidence));
    text.fact("encryption", &seen.unwrap_or_else(|| encryption(group)), Style::new());
    let all = if group.flows > 1 { "all together: " } else { "" };
    let (sent, received) = (bytes(group.bytes_sent), bytes(group.bytes_received));
    let moved = match (group.uncounted, group.flows) {
        (0, _) => format!("{all}{sent} sent, {received} received"),
        (uncounted, flows) if uncounted == flows => "not read yet: once a minute, and at the end".to_owned(),
        (uncounted, _) => {
            format!(
                "{all}{sent} sent, {received} received, without {} not read yet",
                counted(uncounted, "flow")
            )
        }
    };
    text.fact("bytes", &moved, Style::new());
    if group.flows > 1 {
        let oldest = if group.oldest.is_some() {
            format!("open for {}", age(group, now))
        } else {
            "older than the daemon".to_owned()
        };
        text.fact("oldest", &oldest, Style::new());
    }
}

/// The oldest flows of a group of several.
fn members(text: &mut Text, members: &[FlowRow], all: u64, now: Timestamp) {
    if members.len() < 2 {
        return;
    }
    let listed = members.len() as u64;
    let remark = if all > listed {
        format!("the {} oldest of {}", thousands(listed), thousands(all))
    } else {
        String::new()
    };
    text.title("FLOWS", &remark);
    let columns = [
        Column::text("PEER", 21),
        Column::number("PID", 8),
        Column::number("AGE", 7),
        Column::number("SENT", 10),
        Column::number("RECEIVED", 10),
    ];
    let count = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), bytes);
    for flow in members {
        let pid = flow.process.as_ref().map_or_else(|| "-".to_owned(), |process| process.pid.to_string());
        let open =
            duration(u64::try_from(now.as_second().saturating_sub(flow.opened.as_second())).unwrap_or(0));
        let cells =
            [flow.peer.to_string(), pid, open, count(flow.flow.bytes_sent), count(flow.flow.bytes_received)];
        let cells = cells.into_iter().map(|text| (text, Style::new())).collect();
        let mut row = line(&columns, cells);
        row.spans.insert(0, Span::raw("  "));
        text.lines.push(row);
    }
}

/// What is known of a verdict without an explanation.
fn reasons(text: &mut Text, row: &Row) {
    let verdict = &*row.group.verdict;
    for reason in verdict.reasons() {
        text.sentence(&format!("{}: {}", reason.id, reason.detail), Style::new());
    }
    match verdict {
        Verdict::Declared { rule } => text.fact("rule", rule, Style::new()),
        Verdict::Violation { nearest: Some(nearest), .. }
        | Verdict::Undecided { nearest: Some(nearest), .. } => {
            let by = if nearest.failed.is_empty() {
                String::new()
            } else {
                format!(", fails by {}", nearest.failed.join(", "))
            };
            text.fact("nearest", &format!("{}{by}", nearest.role), Style::new());
        }
        _ => {}
    }
}

/// A line of an explanation: its sign says what it is.
fn coloured(line: &str, palette: Palette) -> Line<'static> {
    let style = match line.trim_start().chars().next() {
        Some('✗') => palette.bad(),
        Some('?') => palette.warn(),
        _ => Style::new(),
    };
    Line::from(vec![Span::raw("  "), Span::styled(line.to_owned(), style)])
}

/// What the ledger has of it.
fn history(text: &mut Text, model: &Model, row: &Row, now: Timestamp) {
    let group = &row.group;
    text.title("HISTORY", "by the ledger; days in UTC");
    match &model.day {
        Some(Ok(ledger)) => {
            let day = Day::of_port(ledger, &group.port.name, now);
            let (line, port) = (sparkline(&day.hours), &group.port.name);
            text.fact("24 hours", &format!("{line}  all connections of {port}, by hour"), Style::new());
        }
        Some(Err(why)) => return text.sentence(&format!("not known: {why}"), text.palette.warn()),
        None => {}
    }
    match model.history.as_ref().filter(|(key, _)| *key == row.key()) {
        None => text.sentence("asking the ledger", text.palette.dim()),
        Some((_, Err(why))) => text.sentence(&format!("not known: {why}"), text.palette.warn()),
        Some((_, Ok(history))) => days(text, history, model),
    }
}

fn days(text: &mut Text, history: &History, model: &Model) {
    let since = moment(history.since, &model.zone);
    if history.days.is_empty() {
        let cut = if history.cut { ", among the rows that were looked through" } else { "" };
        return text.fact("this group", &format!("nothing since {since}{cut}"), Style::new());
    }
    let mut all = Counts::default();
    history.days.iter().for_each(|(_, counts)| all.add(counts));
    let first =
        history.first.map(|first| format!(", first at {}", moment(first, &model.zone))).unwrap_or_default();
    let cut = if history.cut { "; there are more rows than were looked through" } else { "" };
    let connections = counted(all.standing(), "connection");
    let counted_days = counted(history.days.len() as u64, "day");
    text.fact(
        "this group",
        &format!("{connections} on {counted_days} since {since}{first}{cut}"),
        Style::new(),
    );
    for (day, counts) in history.days.iter().take(DAYS) {
        let line = format!(
            "{:>9} connections, {:>10} sent, {:>10} received{}",
            thousands(counts.standing()),
            bytes(counts.bytes_sent),
            bytes(counts.bytes_received),
            if counts.failed > 0 { format!(", {} failed", thousands(counts.failed)) } else { String::new() }
        );
        text.fact(&day.to_string(), &line, Style::new());
    }
}
