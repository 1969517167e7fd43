//! The inventory on a terminal.

use gdprport_core::inventory::Unread;

use super::super::format::{clean, counted, moment, thousands};
use super::super::screen::Screen;
use super::super::table::{Cell, Column, table, table_that_says, title, wrap};
use super::super::tone::Tone;
use super::report::Report;
use super::section::{Room, Section, known, notes, others, reasons, remote};

/// Screens at least this wide show more of each list.
const WIDE: u16 = 160;

/// All sections, what could not be looked at, and what to do next.
pub(in crate::ui) fn page(report: &Report, screen: &Screen) -> String {
    let room = if screen.width >= WIDE {
        Room { peers: 6, addresses: 4, container: 60 }
    } else {
        Room { peers: 3, addresses: 2, container: 40 }
    };
    let mut text = headline(report, screen.width);
    for section in [known(report, room), others(report, room), remote(report, room)] {
        text.push_str(&shown(&section, screen.width));
    }
    let reasons: Vec<_> = reasons(report)
        .into_iter()
        .map(|(name, why)| vec![Cell::plain(name), Cell::new(Tone::Dim, why)])
        .collect();
    if !reasons.is_empty() {
        text.push_str(&title("Why they count", ""));
        let columns = [Column::elastic("SERVICE", 12), Column::elastic("USUALLY", 30)];
        text.push_str(&table(&columns, &reasons, screen.width));
    }
    let notes = notes(report);
    if !notes.is_empty() {
        text.push_str(&title("Names that others than root can choose", ""));
        notes.iter().for_each(|note| text.push_str(&item(Tone::Warn, note, screen.width)));
    }
    if !report.inventory.unread.is_empty() {
        text.push_str(&title("Not looked at", "what is there is not in this list"));
        report
            .inventory
            .unread
            .iter()
            .for_each(|unread| text.push_str(&item(Tone::Warn, &unread_text(unread), screen.width)));
    }
    text.push_str(&format!("\n{} {}\n", Tone::Dim.paint("next:"), Tone::Note.paint(report.next())));
    text
}

/// How many there are of what.
pub(super) fn summary(report: &Report) -> String {
    let inventory = &report.inventory;
    format!(
        "{}, {} of services that usually carry personal data; {} elsewhere in use",
        counted(inventory.listeners.len() as u64, "listener"),
        thousands(report.known().count() as u64),
        counted(inventory.remote.len() as u64, "such service"),
    )
}

/// When it was looked, and for how long.
pub(super) fn when(report: &Report) -> String {
    match (report.inventory.from, report.inventory.to) {
        (Some(from), Some(to)) if report.inventory.watched => {
            let seconds = to.as_second().saturating_sub(from.as_second()).max(0);
            format!("watched for {seconds} s from {}", moment(from))
        }
        (Some(from), _) => format!("looked at once, {}", moment(from)),
        (None, _) => String::new(),
    }
}

pub(super) fn unread_text(unread: &Unread) -> String {
    format!("{} {}: {}", thousands(unread.count), unread.noun(), unread.why)
}

fn headline(report: &Report, width: u16) -> String {
    let mut text =
        format!("{}  {}\n", Tone::Strong.paint(&clean(&report.host)), Tone::Dim.paint(&when(report)));
    for line in wrap(&summary(report), usize::from(width)) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn shown(section: &Section, width: u16) -> String {
    let mut text = title(section.title, &section.remark);
    if !section.rows.is_empty() {
        text.push_str(&table_that_says(&section.columns, &section.rows, width));
    }
    text
}

/// One sentence with a mark before it, wrapped under itself.
fn item(tone: Tone, sentence: &str, width: u16) -> String {
    let lines = wrap(sentence, usize::from(width).saturating_sub(4));
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        let mark = if i == 0 { tone.paint("!") } else { " ".to_owned() };
        text.push_str(&format!("  {mark} {line}\n"));
    }
    text
}
