//! Ports with their rates and shares.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use gdprport_core::top::{Tenths, sparkline};

use super::super::super::format::{bytes, share, thousands};
use super::super::model::{Day, Model, Pane, PortLine, View};
use super::cells::{Cell, Column, line, titles, width};
use super::frame::{Page, first_shown};
use super::palette::Palette;

/// What stands before a row: whether it is selected.
pub(super) const MARK: usize = 2;

fn columns(room: usize, numbers: usize) -> Vec<Column> {
    let mut columns = vec![
        Column::text("PORT", 14),
        Column::number("NUMBER", numbers),
        Column::number("OPEN", 6),
        Column::number("CONN/S", 6),
        Column::number("BYTES/S", 9),
        Column::number("VIOLATIONS", 10),
        Column::number("DECLARED", 8),
        Column::number("TLS", 4),
    ];
    if room >= 108 {
        columns.insert(6, Column::number("UNDECIDED", 9));
    }
    if room >= 118 {
        columns.push(Column::text("24 HOURS", 24));
    }
    // What is left makes names whole.
    let left = room.saturating_sub(width(&columns)).min(26);
    columns[0].width += left;
    columns
}

fn rate(of: Option<Tenths>, text: impl Fn(Tenths) -> String, palette: Palette) -> Cell {
    match of {
        None => ("-".to_owned(), palette.dim()),
        Some(Tenths(0)) => ("0".to_owned(), palette.dim()),
        Some(rate) => (text(rate), Style::new()),
    }
}

fn count(n: u64, style: Style, palette: Palette) -> Cell {
    (thousands(n), if n == 0 { palette.dim() } else { style })
}

/// A share; nothing of nothing is none.
fn part(n: u64, all: u64, palette: Palette) -> Cell {
    if all == 0 { ("-".to_owned(), palette.dim()) } else { (share(n, all), Style::new()) }
}

fn numbers(port: &PortLine) -> String {
    match port.numbers {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    }
}

fn cells(port: &PortLine, columns: &[Column], model: &Model, palette: Palette) -> Vec<Cell> {
    let of = &port.counters;
    let (all, tls) = port.postures();
    let violating = port.violations.is_some_and(|rate| rate > Tenths(0));
    let bad = if of.violations_total > of.accepted { palette.bad() } else { palette.warn() };
    let name = if port.declared { Style::new() } else { palette.warn() };
    let cell = |column: &Column| match column.title {
        "PORT" => (port.name.to_string(), name),
        "NUMBER" => (numbers(port), Style::new()),
        "OPEN" => count(port.open, Style::new(), palette),
        "CONN/S" => rate(port.began, Tenths::text, palette),
        "BYTES/S" => rate(port.bytes, |rate| bytes(rate.whole()), palette),
        "VIOLATIONS" => {
            let (text, style) = count(of.violations_total, bad, palette);
            // One that comes now is marked, whatever the colours are.
            (if violating { format!("▲ {text}") } else { text }, style)
        }
        "UNDECIDED" => count(of.undecided, palette.warn(), palette),
        "DECLARED" => part(of.declared_flows, port.judged(), palette),
        "TLS" => part(tls, all, palette),
        _ => match &model.day {
            Some(Ok(ledger)) => {
                let at = model.picture.as_ref().map(|picture| picture.at).unwrap_or_default();
                (sparkline(&Day::of_port(ledger, &port.name, at).hours), Style::new())
            }
            Some(Err(_)) => ("not known".to_owned(), palette.dim()),
            None => (String::new(), palette.dim()),
        },
    };
    columns.iter().map(cell).collect()
}

/// The ports, in at most so many lines.
pub(super) fn ports(page: &mut Page<'_>, model: &Model, palette: Palette, lines: usize) {
    let focused = matches!(model.place().view, View::Overview(Pane::Ports));
    let ports = model.ports();
    let widest = ports.iter().map(|port| numbers(port).len()).max().unwrap_or(0).max(6);
    let columns = columns(page.width().saturating_sub(MARK), widest);
    let head = titles(&columns, if focused { palette.accent() } else { palette.dim() });
    page.line(&marked(head, false, palette));
    let selected = model.selected_port(&ports);
    let room = lines.saturating_sub(1);
    let heights = vec![1; ports.len()];
    let first = first_shown(&heights, selected, room);
    for (index, port) in ports.iter().enumerate().skip(first).take(room) {
        let row = line(&columns, cells(port, &columns, model, palette));
        let is_selected = focused && index == selected;
        let row = marked(row, is_selected, palette);
        if is_selected { page.styled(&row, palette.selected()) } else { page.line(&row) }
    }
    if ports.is_empty() {
        let quiet = model.picture.as_ref().map_or(0, |picture| picture.quiet);
        let text = format!("  nothing has happened yet on the {} that are watched", thousands(quiet as u64));
        page.line(&Line::styled(text, palette.dim()));
    }
}

/// One port alone, above its groups.
pub(super) fn one(page: &mut Page<'_>, model: &Model, name: &str, palette: Palette) {
    let ports = model.ports();
    let port = ports.iter().find(|port| &*port.name == name);
    let widest = port.map_or(6, |port| numbers(port).len().max(6));
    let columns = columns(page.width().saturating_sub(MARK), widest);
    page.line(&marked(titles(&columns, palette.dim()), false, palette));
    match port {
        Some(port) => {
            let row = line(&columns, cells(port, &columns, model, palette));
            page.line(&marked(row, false, palette));
        }
        None => page.line(&Line::styled(format!("  {name} is not watched any more"), palette.warn())),
    }
}

/// A line with its mark.
pub(super) fn marked(mut line: Line<'static>, mark: bool, palette: Palette) -> Line<'static> {
    let mark = if mark { Span::styled("▸ ", palette.accent()) } else { Span::raw("  ") };
    line.spans.insert(0, mark);
    line
}
