//! The Markdown of a topic on a terminal: what these pages use of it, and no more.

use super::super::table::{title, wrap};
use super::super::tone::Tone;
use super::topic::{TOPICS, Topic};

/// Lines longer than this are tiring to read, however wide the screen is.
const WIDEST: u16 = 80;

/// Terms of a table that are longer than this stand on a line of their own.
const LONGEST_TERM: usize = 24;

/// How a longer page is named, before its name.
const NAMED: &str = "docs/";

/// One part of a page.
enum Block<'t> {
    Paragraph(String),
    Code(Vec<&'t str>),
    /// The rows of a table, the first of which is its header.
    Table(Vec<(&'t str, &'t str)>),
}

/// The page of a topic, on a screen of so many columns. `docs`: where the longer pages are, which it names as `docs/PAGE.md`.
pub(in crate::ui) fn page(topic: &Topic, width: u16, docs: Option<&str>) -> String {
    let room = usize::from(width.min(WIDEST));
    let mut text = format!("{}: {}\n", Tone::Strong.paint(topic.name), topic.summary());
    for block in blocks(topic.text) {
        text.push('\n');
        match block {
            Block::Paragraph(words) => {
                let words = docs.map_or_else(|| words.clone(), |at| words.replace(NAMED, &format!("{at}/")));
                wrap(&words, room).iter().for_each(|line| text.push_str(&format!("{line}\n")));
            }
            Block::Code(lines) => lines.iter().for_each(|line| text.push_str(&indented(line))),
            Block::Table(rows) => text.push_str(&table(&rows, room)),
        }
    }
    text
}

/// All topics, a line each. `docs`: where the longer pages are.
pub(in crate::ui) fn contents(docs: Option<&str>) -> String {
    let heading = title("Topics", "`gdprport help TOPIC` shows one");
    let mut text = heading.trim_start().to_owned();
    let longest = TOPICS.iter().map(|topic| topic.name.len()).max().unwrap_or(0);
    for topic in TOPICS {
        text.push_str(&format!(
            "  {}  {}\n",
            Tone::Strong.paint(&format!("{:longest$}", topic.name)),
            topic.summary()
        ));
    }
    if let Some(at) = docs {
        text.push_str(&format!("\nWhat is called {NAMED}… elsewhere is in {at}/\n"));
    }
    text
}

fn indented(line: &str) -> String {
    if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }
}

/// Everything behind the title.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().skip(1).peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if line.starts_with("```") {
            blocks.push(Block::Code(lines.by_ref().take_while(|line| !line.starts_with("```")).collect()));
        } else if let Some(first) = row(line) {
            let mut rows = vec![first];
            // The line below the header only draws it.
            let _ = lines.next();
            while let Some(next) = lines.peek().and_then(|line| row(line)) {
                rows.push(next);
                let _ = lines.next();
            }
            blocks.push(Block::Table(rows));
        } else {
            let mut words = line.to_owned();
            while let Some(more) = lines.next_if(|line| !line.is_empty()) {
                words.push(' ');
                words.push_str(more);
            }
            blocks.push(Block::Paragraph(without_links(&words)));
        }
    }
    blocks
}

/// The two cells of a line of a table.
fn row(line: &str) -> Option<(&str, &str)> {
    let (term, meaning) = line.strip_prefix("| ")?.strip_suffix('|')?.split_once(" |")?;
    Some((term.trim(), meaning.trim()))
}

fn table(rows: &[(&str, &str)], room: usize) -> String {
    let Some((header, rows)) = rows.split_first() else { return String::new() };
    let term = |text: &str| text.replace('`', "");
    let longest = rows.iter().map(|(text, _)| term(text).chars().count()).max().unwrap_or(0);
    let longest = longest.max(term(header.0).chars().count());
    let stacked = longest > LONGEST_TERM;
    let indent = if stacked { 6 } else { longest + 4 };
    let mut text = String::new();
    let mut add = |tone: Tone, rest: Tone, (name, meaning): &(&str, &str)| {
        let name = term(name);
        if stacked {
            text.push_str(&format!("  {}\n", tone.paint(&name)));
        }
        for (at, line) in wrap(&without_links(meaning), room.saturating_sub(indent)).iter().enumerate() {
            let before = match (stacked, at) {
                (false, 0) => format!("  {}  ", tone.paint(&format!("{name:longest$}"))),
                _ => " ".repeat(indent),
            };
            text.push_str(&format!("{before}{}\n", rest.paint(line)));
        }
    };
    // One that names its first column only says nothing that the page does not.
    if !header.1.is_empty() {
        add(Tone::Dim, Tone::Dim, header);
    }
    rows.iter().for_each(|row| add(Tone::Strong, Tone::Plain, row));
    text
}

/// `[docs/x.md](../x.md)` as `docs/x.md`.
fn without_links(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        match (before.rsplit_once('['), after.split_once(')')) {
            (Some((ahead, words)), Some((_, behind))) => {
                shown.push_str(ahead);
                shown.push_str(words);
                rest = behind;
            }
            _ => {
                shown.push_str(before);
                shown.push_str("](");
                rest = after;
            }
        }
    }
    shown + rest
}
