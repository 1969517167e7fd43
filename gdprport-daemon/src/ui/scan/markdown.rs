//! The inventory as a page of Markdown, for a ticket or a wiki.

use gdprport_core::text::markdown as escaped;

use super::super::table::TIE;
use super::page::{summary, unread_text, when};
use super::report::Report;
use super::section::{Room, Section, known, notes, others, reasons, remote};

/// A page is as wide as it has to be.
const ROOM: Room = Room { peers: 20, addresses: 8, container: 200 };

/// The page. All that comes from the host is escaped.
pub(in crate::ui) fn markdown(report: &Report) -> String {
    let mut text = format!("# What listens on {}\n\n", escaped(&report.host));
    text.push_str(&format!("{}. {}.\n", capital(&when(report)), summary(report)));
    for section in [known(report, ROOM), others(report, ROOM), remote(report, ROOM)] {
        text.push_str(&shown(&section));
    }
    let reasons = reasons(report);
    if !reasons.is_empty() {
        text.push_str("\n## Why they count\n\n");
        for (name, why) in reasons {
            text.push_str(&format!("- **{}**: {}\n", escaped(&name), escaped(&why)));
        }
    }
    let lists = [
        ("Names that others than root can choose", notes(report)),
        ("Not looked at", report.inventory.unread.iter().map(unread_text).collect()),
    ];
    for (title, items) in lists {
        if !items.is_empty() {
            text.push_str(&format!("\n## {title}\n\n"));
            items.iter().for_each(|item| text.push_str(&format!("- {}\n", escaped(item))));
        }
    }
    text.push_str(&format!("\nNext: `{}`\n", report.next()));
    text
}

fn shown(section: &Section) -> String {
    let mut text = format!("\n## {}\n\n", section.title);
    // Columns without any text say nothing.
    let filled: Vec<usize> = (0..section.columns.len())
        .filter(|at| section.rows.iter().any(|row| row.get(*at).is_some_and(|cell| !cell.text().is_empty())))
        .collect();
    if filled.is_empty() {
        return text + &capital(&section.remark) + ".\n";
    }
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    text.push_str(&line(filled.iter().map(|at| section.columns[*at].title().to_lowercase()).collect()));
    text.push_str(&format!("|{}\n", "---|".repeat(filled.len())));
    for row in &section.rows {
        let cell = |at: &usize| {
            row.get(*at).map_or_else(String::new, |cell| escaped(&cell.text().replace(TIE, " ")))
        };
        text.push_str(&line(filled.iter().map(cell).collect()));
    }
    text
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
