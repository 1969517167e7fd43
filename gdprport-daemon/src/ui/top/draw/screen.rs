//! The whole screen: who it is about, coverage, what is looked at, and the keys.

use jiff::{SignedDuration, Timestamp};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::super::format::{clean, counted, duration};
use super::super::super::table::wrap;
use super::super::model::{Model, View};
use super::cells::{columns_of, cut, with_end};
use super::frame::Page;
use super::palette::Palette;
use super::words::clock;
use super::{coverage, flow, groups, help, ports};
use crate::control::api::HealthState;

/// The least that anything can be read on.
const LEAST: (u16, u16) = (60, 12);

/// What is older than this is said to be.
const LATE: SignedDuration = SignedDuration::from_secs(3);

/// Lines above the body, and the one below it.
const HEAD: u16 = 3;
const FOOT: u16 = 1;

/// Draws everything. What the screen has room for is noted in the model, for keys that go by pages.
pub(in crate::ui::top) fn screen(frame: &mut Frame<'_>, model: &mut Model, palette: Palette, now: Timestamp) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text =
            format!("{} by {} is too small: at least {} by {}", area.width, area.height, LEAST.0, LEAST.1);
        frame.buffer_mut().set_string(area.x, area.y, cut(&text, usize::from(area.width)), Style::new());
        return;
    }
    let stale = notice(model, palette, usize::from(area.width));
    let more = u16::try_from(stale.len().saturating_sub(1)).unwrap_or(0);
    let head = Rect { height: HEAD + more, ..area };
    let foot = Rect { y: area.bottom() - FOOT, height: FOOT, ..area };
    let body = Rect { y: area.y + head.height, height: area.height - head.height - FOOT, ..area };
    let mut page = Page::new(frame.buffer_mut(), head);
    page.line(&title(model, palette, now, usize::from(area.width)));
    page.line(&coverage::line(model, palette, usize::from(area.width)));
    stale.iter().for_each(|line| page.line(line));
    draw_body(Page::new(frame.buffer_mut(), body), model, palette, now);
    if let Some(at) = footer(&mut Page::new(frame.buffer_mut(), foot), model, palette) {
        frame.set_cursor_position(Position { x: area.x + at.min(area.width - 1), y: foot.y });
    }
}

fn title(model: &Model, palette: Palette, now: Timestamp, width: usize) -> Line<'static> {
    let mut spans = vec![
        Span::styled("gdprport top", palette.strong()),
        Span::raw("  "),
        Span::raw(clean(&model.host).into_owned()),
        Span::raw("  "),
    ];
    match (&model.failure, &model.picture) {
        (Some(_), _) => spans.push(Span::styled("✗ not connected", palette.bad())),
        (None, None) => spans.push(Span::styled("connecting", palette.dim())),
        (None, Some(picture)) => {
            let health = &picture.status.health;
            let sign = match health.state {
                HealthState::Healthy => "●",
                HealthState::Degraded => "!",
                HealthState::Losing => "✗",
            };
            spans.push(Span::styled(
                format!("{sign} {}", health.state.as_str()),
                palette.health(health.state),
            ));
            let status = &picture.status.status;
            let up = duration(status.uptime_s);
            let rules = counted(status.policy.rules.into(), "rule");
            let policy = match &status.policy.source {
                crate::control::api::PolicySource::Files(_) => rules,
                crate::control::api::PolicySource::Catalog => "no policy: all is undeclared".to_owned(),
            };
            spans.push(Span::styled(format!("  up {up} · {policy}"), palette.dim()));
            // A busy machine answers late.
            if model.paused.is_none() && now.duration_since(picture.at) >= LATE {
                spans.push(Span::styled(
                    format!("  as of {}", clock(picture.at, &model.zone)),
                    palette.warn(),
                ));
            }
        }
    }
    with_end(spans, Span::raw(clock(now, &model.zone)), width)
}

/// What has to be known of what is shown: that it is old, that it stands, or why the daemon is not healthy.
fn notice(model: &Model, palette: Palette, width: usize) -> Vec<Line<'static>> {
    if let Some(typing) = &model.typing
        && let Some(error) = &typing.error
    {
        return vec![Line::styled(cut(&format!("✗ {error}"), width), palette.bad())];
    }
    if let Some((at, why)) = model.stale() {
        let as_of = at
            .map_or_else(|| "nothing is known".to_owned(), |at| format!("as of {}", clock(at, &model.zone)));
        let lines = wrap(&format!("{as_of}, not connected: {why}"), width);
        return lines.into_iter().take(3).map(|line| Line::styled(line, palette.bad())).collect();
    }
    if let Some(paused) = model.paused {
        let text = format!("‖ paused: as of {}; p goes on", clock(paused, &model.zone));
        return vec![Line::styled(cut(&text, width), palette.warn())];
    }
    let reasons =
        model.picture.as_ref().map(|picture| (&picture.status.health.reasons, picture.status.health.state));
    if let Some((reasons, state)) = reasons
        && let Some(first) = reasons.first()
    {
        let more = reasons.len() - 1;
        let more = if more == 0 { "  (c)".to_owned() } else { format!("  (c: and {more} more)") };
        let text = cut(first, width.saturating_sub(columns_of(&more)));
        return vec![Line::from(vec![
            Span::styled(text, palette.health(state)),
            Span::styled(more, palette.dim()),
        ])];
    }
    vec![Line::default()]
}

fn draw_body(mut page: Page<'_>, model: &mut Model, palette: Palette, now: Timestamp) {
    let width = page.width();
    let text = match model.place().view.clone() {
        View::Overview(_) => {
            let most = model.ports().len().clamp(1, page.room() / 3) + 1;
            ports::ports(&mut page, model, palette, most);
            page.skip();
            page.line(&Line::styled(cut(&groups::remark(model), width), palette.dim()));
            model.page = page.room().saturating_sub(1);
            return groups::groups(&mut page, model, palette, now);
        }
        View::Port(name) => {
            ports::one(&mut page, model, &name, palette);
            page.skip();
            page.line(&Line::styled(cut(&groups::remark(model), width), palette.dim()));
            model.page = page.room().saturating_sub(1);
            return groups::groups(&mut page, model, palette, now);
        }
        View::Flow(opened) => {
            let key = opened.key();
            let rows = model.picture.iter().flat_map(|picture| &picture.rows);
            let row = rows.into_iter().find(|row| row.key() == key).cloned();
            let listed = row.is_some();
            flow::page(model, (&row.unwrap_or(*opened), listed), palette, width, now)
        }
        View::Coverage => coverage::page(model, palette, width),
        View::Help => help::page(palette),
    };
    scrolled(&mut page, model, &text, palette);
}

/// A text from the line on that it is scrolled to.
fn scrolled(page: &mut Page<'_>, model: &mut Model, text: &[Line<'static>], palette: Palette) {
    let room = page.room();
    model.page = room.saturating_sub(1);
    let most = text.len().saturating_sub(room);
    let scroll = model.clamp_scroll(most);
    let end = (scroll + room).min(text.len());
    let below = text.len() - end;
    for (index, line) in text[scroll..end].iter().enumerate() {
        if below > 0 && index + 1 == room {
            let more = counted(below as u64 + 1, "line");
            page.line(&Line::styled(format!("  … {more} below: ↓ PgDn"), palette.dim()));
        } else {
            page.line(line);
        }
    }
}

/// The keys, what just happened, or the filter that is typed; then where the cursor is.
fn footer(page: &mut Page<'_>, model: &Model, palette: Palette) -> Option<u16> {
    let width = page.width();
    if let Some(typing) = &model.typing {
        let before = "filter: ";
        // The end where the cursor is stays in sight.
        let text: Vec<char> = typing.input.text().chars().collect();
        let room = width.saturating_sub(before.len() + 1);
        let from = typing.input.cursor().saturating_sub(room);
        let shown: String = text.iter().skip(from).collect();
        let typed: String = text[from..typing.input.cursor()].iter().collect();
        let spans = vec![Span::styled(before, palette.accent()), Span::raw(cut(&shown, room))];
        page.line(&Line::from(spans));
        return u16::try_from(before.len() + columns_of(&clean(&typed))).ok();
    }
    if let Some((text, _, wrong)) = &model.message {
        let style = if *wrong { palette.bad() } else { palette.strong() };
        page.line(&Line::styled(cut(text, width), style));
        return None;
    }
    let keys: &[(&str, &str)] = match &model.place().view {
        View::Overview(_) => &[
            ("↑↓", "move"),
            ("Enter", "open"),
            ("Tab", "pane"),
            ("/", "filter"),
            ("o", "order"),
            ("p", "pause"),
            ("s", "save"),
            ("?", "help"),
            ("q", "quit"),
        ],
        View::Port(_) => &[
            ("↑↓", "move"),
            ("Enter", "open"),
            ("Esc", "back"),
            ("/", "filter"),
            ("o", "order"),
            ("p", "pause"),
            ("s", "save"),
            ("?", "help"),
            ("q", "quit"),
        ],
        View::Flow(_) | View::Coverage | View::Help => {
            &[("↑↓", "scroll"), ("Esc", "back"), ("p", "pause"), ("s", "save"), ("?", "help"), ("q", "quit")]
        }
    };
    let mut spans = Vec::new();
    // How one moves is found without being said.
    for (key, what) in keys.iter().skip(usize::from(width < 90)) {
        spans.push(Span::styled((*key).to_owned(), palette.accent()));
        spans.push(Span::styled(format!(" {what}  "), palette.dim()));
    }
    page.line(&Line::from(spans));
    None
}
