//! A page as Markdown (CommonMark with tables). Nothing in a text from outside is read as markup.

use std::fmt::Write as _;

use super::super::words::{Lang, Words, fill};
use super::page::{Cell, Column, EXPLAIN, Figure, Kind, Page, Section, Table};
use gdprport_core::text::markdown as plain;

/// The file.
pub(crate) fn markdown(page: &Page) -> String {
    let words = page.lang.words();
    let mut text = format!("# {}\n\n", page.title);
    for (name, value) in &page.head {
        put(&mut text, &format!("- **{name}:** {}\n", plain(value)));
    }
    for notice in &page.notices {
        put(&mut text, &format!("\n> {}\n", plain(notice)));
    }
    if page.has_legend {
        put(&mut text, &format!("\n## {}\n\n", words.legend));
        for (kind, meaning) in
            [(Kind::Declared, words.legend_declared), (Kind::Observed, words.legend_observed)]
        {
            put(&mut text, &format!("- {} **{}:** {meaning}\n", kind.mark(), kind.label(words)));
        }
        put(&mut text, &format!("- {} `{EXPLAIN}`\n", plain(words.legend_rows)));
    }
    for section in &page.sections {
        part(&mut text, section, page.lang);
    }
    text.push_str("\n---\n\n");
    for line in &page.foot {
        put(&mut text, &format!("{}  \n", plain(line)));
    }
    text
}

fn put(text: &mut String, more: &str) {
    text.push_str(more);
}

fn part(text: &mut String, section: &Section, lang: Lang) {
    let words = lang.words();
    write!(text, "\n## {}\n", plain(&section.title)).expect("writing to a String cannot fail");
    for line in &section.about {
        put(text, &format!("\n{}\n", plain(line)));
    }
    if let Some(badge) = &section.badge {
        put(text, &format!("\n**{}**\n", cell(badge)));
    }
    if !section.facts.is_empty() {
        let (mark, label) = (section.facts_are.mark(), section.facts_are.label(words));
        put(text, &format!("\n| | {} | {mark} {label} |\n|---|---|---|\n", words.law));
        for fact in &section.facts {
            put(
                text,
                &format!("| {} | {} | {} |\n", fact.name, plain(&lang.law(fact.law)), cell(&fact.cell)),
            );
        }
    }
    for seen in &section.seen {
        put(text, &format!("\n{} {}\n", seen.kind.mark(), cell(seen)));
    }
    if let Some(table) = &section.in_short {
        rows(text, table);
    }
    for one in &section.figures {
        figure(text, one, words);
    }
    for table in &section.tables {
        rows(text, table);
    }
}

/// A drawing that has a file is shown from there; of any other, the numbers are.
fn figure(text: &mut String, figure: &Figure, words: &Words) {
    let Some(file) = figure.file else { return numbers(text, figure, words) };
    let title = plain(&figure.title);
    put(text, &format!("\n### {title}\n\n![{title}]({file})\n\n{}\n", plain(&fill(words.drawn_in, &[file]))));
    for line in &figure.about {
        put(text, &format!("\n{}\n", plain(line)));
    }
}

/// The numbers of a drawing; of many, what it shows in a sentence.
fn numbers(text: &mut String, figure: &Figure, words: &Words) {
    const MOST: usize = 31;
    if figure.table.rows.len() <= MOST {
        return rows(text, &figure.table);
    }
    put(text, &format!("\n### {}\n", plain(&figure.title)));
    for line in figure.about.iter().take(1) {
        put(text, &format!("\n{} {}\n", plain(line), plain(words.in_json)));
    }
}

fn rows(text: &mut String, table: &Table) {
    put(text, &format!("\n### {}\n\n|", table.caption));
    for Column { kind, name, .. } in &table.columns {
        put(text, &format!(" {} {name} |", kind.mark()));
    }
    text.push_str("\n|");
    for column in &table.columns {
        text.push_str(if column.is_number { "---:|" } else { "---|" });
    }
    text.push('\n');
    for row in &table.rows {
        text.push('|');
        for one in row {
            put(text, &format!(" {} |", cell(one)));
        }
        text.push('\n');
    }
}

/// A cell in one line, with the rows behind it.
fn cell(cell: &Cell) -> String {
    let lines: Vec<String> = cell.lines.iter().map(|line| plain(line)).collect();
    let mut text = lines.join("<br>");
    if matches!(cell.kind, Kind::NotDeclared | Kind::NotSeen) {
        text = format!("*{text}*");
    }
    if let Some(rows) = &cell.rows {
        write!(text, "<br>{} ({})", rows.count, rows.numbers).expect("writing to a String cannot fail");
    }
    text
}
