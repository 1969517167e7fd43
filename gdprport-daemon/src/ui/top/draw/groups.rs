//! Groups of flows, those in violation first and with the reason in words.

use gdprport_core::top::Row;
use jiff::Timestamp;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::super::format::{bytes, counted, thousands};
use super::super::super::table::wrap;
use super::super::model::{Model, Pane, View};
use super::cells::{Cell, Column, cut, line, titles, width};
use super::frame::{Page, first_shown};
use super::palette::{Palette, sign};
use super::ports::{MARK, marked};
use super::words::{age, encryption, has_reason, peer, verdict, who, why};

/// Lines of the reason of the row that is selected.
const MOST_LINES: usize = 3;

/// Where reasons begin.
const INDENT: usize = 4;

fn columns(room: usize, rows: &[Row], of_port: bool) -> Vec<Column> {
    let longest = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let names = longest(|row| row.group.port.name.chars().count()).clamp(4, 14);
    let most = if room >= 108 { 39 } else { 15 };
    let peers = longest(|row| peer(&row.group, 39).chars().count()).clamp(8, most);
    let mut columns = vec![Column::text("VERDICT", 11)];
    if !of_port {
        columns.push(Column::text("PORT", names));
    }
    columns.extend([
        Column::text("DIR", 3),
        Column::text("PEER", peers),
        Column::text("PROCESS", 0),
        Column::number("OPEN", 6),
    ]);
    let process = columns.len() - 2;
    for (least, column) in [
        (96, Column::number("ENDED", 6)),
        (108, Column::text("ENCRYPTION", 12)),
        (118, Column::number("AGE", 7)),
        (132, Column::number("SENT", 10)),
        (132, Column::number("RECEIVED", 10)),
    ] {
        if room >= least {
            columns.push(column);
        }
    }
    columns[process].width = room.saturating_sub(width(&columns));
    columns
}

fn count(n: u64, style: Style, palette: Palette) -> Cell {
    (thousands(n), if n == 0 { palette.dim() } else { style })
}

/// Bytes as far as they were read.
fn moved(n: u64, row: &Row, palette: Palette) -> Cell {
    if row.group.uncounted == row.group.flows && n == 0 {
        ("-".to_owned(), palette.dim())
    } else {
        (bytes(n), Style::new())
    }
}

fn cells(row: &Row, columns: &[Column], now: Timestamp, palette: Palette) -> Vec<Cell> {
    let group = &row.group;
    let rank = palette.rank(row.rank());
    let cell = |column: &Column| match column.title {
        "VERDICT" => (format!("{} {}", sign(row.rank()), verdict(row)), rank),
        "PORT" => (group.port.name.to_string(), Style::new()),
        "DIR" => (group.direction.as_str().to_owned(), Style::new()),
        "PEER" => (peer(group, column.width), Style::new()),
        "PROCESS" => {
            let unknown = group.process.is_none();
            (who(group), if unknown { palette.warn() } else { Style::new() })
        }
        "OPEN" => count(group.flows, Style::new(), palette),
        "ENDED" => count(row.ended, Style::new(), palette),
        "ENCRYPTION" => (encryption(group), Style::new()),
        "AGE" => (age(group, now), Style::new()),
        "SENT" => moved(group.bytes_sent, row, palette),
        _ => moved(group.bytes_received, row, palette),
    };
    columns.iter().map(cell).collect()
}

/// The groups, in what room there is.
pub(super) fn groups(page: &mut Page<'_>, model: &Model, palette: Palette, now: Timestamp) {
    let of_port = matches!(model.place().view, View::Port(_));
    let focused = of_port || matches!(model.place().view, View::Overview(Pane::Groups));
    let rows = model.rows();
    let columns = columns(page.width().saturating_sub(MARK), &rows, of_port);
    let head = titles(&columns, if focused { palette.accent() } else { palette.dim() });
    page.line(&marked(head, false, palette));
    if rows.is_empty() {
        let text = if model.filter.is_empty() {
            "  no flow is open, and no stranger came in the last 15 minutes"
        } else {
            "  nothing matches the filter; Esc takes it away"
        };
        return page.line(&Line::styled(text, palette.dim()));
    }
    let selected = model.selected(&rows);
    let width = page.width().saturating_sub(INDENT);
    let texts: Vec<Vec<String>> = rows
        .iter()
        .enumerate()
        .map(|(index, row)| match has_reason(row) {
            false => Vec::new(),
            // What is selected is read.
            true if focused && index == selected => {
                wrap(&reason(row), width).into_iter().take(MOST_LINES).collect()
            }
            true => vec![cut(&reason(row), width)],
        })
        .collect();
    let heights: Vec<usize> = texts.iter().map(|lines| 1 + lines.len()).collect();
    let room = page.room();
    let first = first_shown(&heights, selected, room);
    for (index, (row, texts)) in rows.iter().zip(&texts).enumerate().skip(first) {
        if page.room() == 0 {
            break;
        }
        let is_selected = focused && index == selected;
        let shown = marked(line(&columns, cells(row, &columns, now, palette)), is_selected, palette);
        if is_selected {
            page.styled(&shown, palette.selected());
        } else {
            page.line(&shown);
        }
        for text in texts {
            let reason = Span::styled(text.clone(), palette.dim());
            page.line(&Line::from(vec![Span::raw(" ".repeat(INDENT)), reason]));
        }
    }
}

/// Why, and how many are over where there is no column for that.
fn reason(row: &Row) -> String {
    let why = why(&row.group);
    if row.group.flows == 0 && row.ended > 0 {
        return format!("{} ended: {why}", thousands(row.ended));
    }
    why
}

/// Which of the groups are shown, for the title.
pub(super) fn remark(model: &Model) -> String {
    let Some(picture) = &model.picture else { return String::new() };
    let of = &picture.groups.groups;
    let (rows, shown) = (picture.rows.len(), model.rows().len());
    let mut text = format!("{} open in {}", thousands(of.flows), counted(of.groups, "group"));
    if !model.filter.is_empty() {
        text.push_str(&format!(
            " · filter {}: {} of {}",
            model.filter_text.trim(),
            thousands(shown as u64),
            thousands(rows as u64)
        ));
    }
    let listed = of.rows.len() as u64;
    if of.groups > listed {
        text.push_str(&format!(" · {} listed", thousands(listed)));
    }
    if of.beyond.all() > 0 {
        text.push_str(&format!(", {} flows in others", thousands(of.beyond.all())));
    }
    let reversed = if model.reverse { " reversed" } else { "" };
    text.push_str(&format!(" · by {}{reversed}", model.sort.as_str()));
    text
}
