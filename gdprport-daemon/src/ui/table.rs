//! Layout: tables without borders that fit their screen, titles, facts and wrapped sentences.
//!
//! Belongs here: where text goes. Does not belong here: its colours (`tone`), what is shown (`status`, `flows`,
//! `doctor`).

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table, Width};

use super::format::{clean, thousands};
use super::tone::Tone;

/// Columns of space between two columns of a table.
const GAP: u16 = 2;

/// Lines that one row may take; what is longer still ends in `…`.
const ROW_LINES: usize = 6;

/// The least room for wrapped text on any screen.
const LEAST_ROOM: usize = 12;

/// One cell: text that is made harmless, and its tone.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(super) fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { text: clean(text.as_ref()).into_owned(), tone }
    }

    pub(super) fn plain(text: impl AsRef<str>) -> Self {
        Self::new(Tone::Plain, text)
    }

    /// A count; zero is dimmed so that the others stand out.
    pub(super) fn count(tone: Tone, n: u64) -> Self {
        Self::new(if n == 0 { Tone::Dim } else { tone }, thousands(n))
    }

    /// The text, made harmless for a terminal.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn styled(&self) -> comfy_table::Cell {
        let cell = comfy_table::Cell::new(&self.text);
        match self.tone {
            Tone::Plain => cell,
            Tone::Strong => cell.add_attribute(Attribute::Bold),
            Tone::Good => cell.fg(Color::DarkGreen),
            Tone::Warn => cell.fg(Color::DarkYellow),
            Tone::Bad => cell.fg(Color::DarkRed).add_attribute(Attribute::Bold),
            Tone::Dim => cell.add_attribute(Attribute::Dim),
            Tone::Note => cell.fg(Color::DarkCyan),
        }
    }
}

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    title: &'static str,
    numeric: bool,
    /// May be narrowed to this width, its text wrapped; `None`: always as wide as its widest cell.
    least: Option<u16>,
    /// Left out on narrow screens, the highest first; 0: never.
    spare: u8,
}

impl Column {
    pub(super) const fn text(title: &'static str) -> Self {
        Self { title, numeric: false, least: None, spare: 0 }
    }

    pub(super) const fn number(title: &'static str) -> Self {
        Self { title, numeric: true, least: None, spare: 0 }
    }

    pub(super) const fn elastic(title: &'static str, least: u16) -> Self {
        Self { title, numeric: false, least: Some(least), spare: 0 }
    }

    pub(super) const fn title(&self) -> &'static str {
        self.title
    }

    pub(super) const fn spare(mut self, rank: u8) -> Self {
        self.spare = rank;
        self
    }
}

/// Lays out a table as [`table`] does, and says below it which columns were left out for want of room.
pub(super) fn table_that_says(columns: &[Column], rows: &[Vec<Cell>], width: u16) -> String {
    let (mut text, left_out) = laid_out(columns, rows, width);
    if !left_out.is_empty() {
        let said = format!("not shown in {width} columns: {}; --json has them", left_out.join(", "));
        for line in wrap(&said, usize::from(width)) {
            text.push_str(&format!("{}\n", Tone::Dim.paint(&line)));
        }
    }
    text
}

/// Lays out a table on lines of at most `width` columns: where it does not fit, elastic columns are narrowed
/// and wrap, then spare ones are left out, as few as can be. So are columns without any text.
pub(super) fn table(columns: &[Column], rows: &[Vec<Cell>], width: u16) -> String {
    laid_out(columns, rows, width).0
}

/// The table, and the titles of the columns that have text and were left out.
fn laid_out(columns: &[Column], rows: &[Vec<Cell>], width: u16) -> (String, Vec<&'static str>) {
    let mut table = Table::new();
    table.load_style(NOTHING).enforce_styling().style_text_only();
    table.set_header(
        columns.iter().map(|column| Cell::new(Tone::Dim, column.title).styled()).collect::<Vec<_>>(),
    );
    for cells in rows {
        let mut row = Row::from(cells.iter().map(Cell::styled).collect::<Vec<_>>());
        row.max_height(ROW_LINES);
        table.add_row(row);
    }
    let natural = table.column_max_content_widths();
    let mut left_out = Vec::new();
    for (i, ((column, fit), spec)) in
        table.column_iter_mut().zip(fit(columns, rows, &natural, width)).zip(columns).enumerate()
    {
        if fit.is_none() && !is_empty(rows, i) {
            left_out.push(spec.title);
        }
        column.set_padding((0, GAP));
        column.set_constraint(match fit {
            Some(width) => ColumnConstraint::Absolute(Width::Fixed(width + GAP)),
            None => ColumnConstraint::Hidden,
        });
        if spec.numeric {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(u16::MAX);
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(&line.trim_end().replace(TIE, " "));
        text.push('\n');
    }
    (text, left_out)
}

/// Whether a column has no text in any row.
fn is_empty(rows: &[Vec<Cell>], column: usize) -> bool {
    rows.iter().all(|row| row.get(column).is_none_or(|cell| cell.text.is_empty()))
}

/// A space at which [`table`] ends no line; it is an ordinary one in what is printed.
pub(super) const TIE: &str = "\u{a0}";

/// A list whose items stay on one line each: `undeclared-peer 12, undeclared-process 5`.
pub(super) fn tied_items(list: &str) -> String {
    list.split(", ").map(|item| item.replace(' ', TIE)).collect::<Vec<_>>().join(", ")
}

/// Columns of the longest item that is tied, in one column.
fn longest_tied(rows: &[Vec<Cell>], column: usize) -> u16 {
    longest(items(rows, column).filter(|item| item.contains(TIE)))
}

/// Columns of the longest word of one column.
fn longest_word(rows: &[Vec<Cell>], column: usize) -> u16 {
    longest(items(rows, column))
}

fn items(rows: &[Vec<Cell>], column: usize) -> impl Iterator<Item = &str> {
    rows.iter().filter_map(move |row| row.get(column)).flat_map(|cell| cell.text.split(' '))
}

fn longest<'i>(items: impl Iterator<Item = &'i str>) -> u16 {
    let columns = items.map(|item| item.chars().count()).max();
    u16::try_from(columns.unwrap_or(0)).unwrap_or(u16::MAX)
}

/// The width of each column, `None` for those left out.
fn fit(columns: &[Column], rows: &[Vec<Cell>], natural: &[u16], width: u16) -> Vec<Option<u16>> {
    // The last column's gap may hang over the edge: it is trimmed.
    let room = width.saturating_add(GAP);
    let taken = |widths: &[Option<u16>]| {
        widths.iter().flatten().fold(0_u16, |sum, width| sum.saturating_add(*width).saturating_add(GAP))
    };
    let mut widths: Vec<Option<u16>> = columns
        .iter()
        .zip(natural)
        .enumerate()
        .map(|(i, (column, natural))| {
            (!is_empty(rows, i)).then_some(column.least.map_or(*natural, |least| {
                // One that can be left out is, rather than that it breaks an item that is tied.
                let tied = if column.spare > 0 { longest_tied(rows, i) } else { 0 };
                least.max(tied).min(*natural)
            }))
        })
        .collect();
    let mut ranks: Vec<u8> = columns.iter().map(|column| column.spare).filter(|rank| *rank > 0).collect();
    ranks.sort_unstable();
    let wanted = widths.clone();
    while taken(&widths) > room {
        let Some(rank) = ranks.pop() else { break };
        for (column, width) in columns.iter().zip(&mut widths) {
            if column.spare == rank {
                *width = None;
            }
        }
    }
    // A wide one that was left out may leave room for narrow ones left out earlier.
    let mut out: Vec<usize> = (0..widths.len()).filter(|i| widths[*i] != wanted[*i]).collect();
    out.sort_by_key(|i| columns[*i].spare);
    for i in out {
        widths[i] = wanted[i];
        if taken(&widths) > room {
            widths[i] = None;
        }
    }
    // What is left goes to the elastic columns, from left to right: first so that no word is broken, as a table that breaks names
    // can be read by nobody; then as much as they can use.
    let mut left = room.saturating_sub(taken(&widths));
    let words: Vec<u16> = (0..widths.len()).map(|i| longest_word(rows, i)).collect();
    for wanted in [&words[..], natural] {
        for ((width, wanted), natural) in widths.iter_mut().zip(wanted).zip(natural) {
            if let Some(width) = width {
                let more = wanted.min(natural).saturating_sub(*width).min(left);
                *width += more;
                left -= more;
            }
        }
    }
    widths
}

/// A section's title, with a remark if there is one.
pub(super) fn title(text: &str, remark: &str) -> String {
    if remark.is_empty() {
        return format!("\n{}\n", Tone::Strong.paint(text));
    }
    format!("\n{}  {}\n", Tone::Strong.paint(text), Tone::Dim.paint(&clean(remark)))
}

/// A named fact, its text wrapped under itself; under the name where that is a long one.
pub(super) fn fact(name: &str, tone: Tone, text: &str, width: u16) -> String {
    const NAME: usize = 13;
    let room = usize::from(width).saturating_sub(NAME + 2);
    let mut shown = String::new();
    let is_long = name.chars().count() >= NAME;
    if is_long {
        shown.push_str(&format!("  {}\n", Tone::Dim.paint(name)));
    }
    for (i, line) in wrap(text, room).iter().enumerate() {
        let name = if i == 0 && !is_long { name } else { "" };
        shown.push_str(&format!("  {}{}\n", Tone::Dim.paint(&format!("{name:NAME$}")), tone.paint(line)));
    }
    shown
}

/// Breaks text from outside into lines of at most `room` characters: at line ends, else at spaces, else
/// within a word.
pub(super) fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(LEAST_ROOM);
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = clean(line);
        let mut rest = line.trim_end();
        while rest.chars().count() > room {
            let end = rest.char_indices().nth(room).map_or(rest.len(), |(at, _)| at);
            // A space just after the last column still ends the line; leading space is indentation.
            let space = rest[..end + usize::from(rest[end..].starts_with(' '))].rfind(' ');
            let cut = space.filter(|at| !rest[..*at].trim().is_empty()).unwrap_or(end);
            lines.push(rest[..cut].trim_end().to_owned());
            rest = rest[cut..].trim_start();
        }
        lines.push(rest.to_owned());
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_its_room_and_no_text_is_lost() {
        let text = "flows accepted without asking for the peer show their listener, not the worker";
        for room in 12..100 {
            let lines = wrap(text, room);
            assert!(lines.iter().all(|line| line.chars().count() <= room), "{room}: {lines:?}");
            assert_eq!(lines.join(" "), text);
        }
        assert_eq!(wrap("aaaaaaaaaaaaaaaaaa", 12), ["aaaaaaaaaaaa", "aaaaaa"]);
    }

    #[test]
    fn no_line_ends_within_an_item_that_is_tied() {
        let rows = [vec![Cell::plain(tied_items("plaintext 4 (100%), undeclared-direction 2, x 1"))]];
        let text = table(&[Column::elastic("WHY", 22)], &rows, 24);
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines, ["plaintext 4 (100%),", "undeclared-direction 2,", "x 1"]);
    }

    #[test]
    fn no_word_is_broken_while_another_column_has_room() {
        let columns = [Column::elastic("A", 10), Column::elastic("B", 4)];
        let rows = [vec![Cell::plain("several words that can be anywhere"), Cell::plain("elasticsearch")]];
        let text = anstream::adapter::strip_str(&table(&columns, &rows, 30)).to_string();
        assert!(text.contains("elasticsearch"), "{text}");
    }

    #[test]
    fn a_narrow_screen_leaves_out_what_would_break_an_item() {
        let columns = [Column::elastic("PORT", 12), Column::elastic("ENCRYPTION", 14).spare(4)];
        let rows =
            [vec![Cell::plain("customers-db"), Cell::plain(tied_items("plaintext 1,234 (100%), tls 1"))]];
        let at = |width| anstream::adapter::strip_str(&table(&columns, &rows, width)).to_string();
        assert!(!at(35).contains("ENCRYPTION"), "{}", at(35));
        for width in 38..60 {
            assert!(at(width).contains("plaintext 1,234 (100%)"), "{}", at(width));
        }
    }

    #[test]
    fn narrow_screens_lose_spare_columns_and_wrap_elastic_ones() {
        let columns = [
            Column::text("A"),
            Column::number("B").spare(1),
            Column::elastic("C", 12),
            Column::text("D").spare(2),
        ];
        let rows = [vec![
            Cell::plain("aaaaaaaaaa"),
            Cell::plain("1"),
            Cell::plain("one two three four five six"),
            Cell::plain("dddd"),
        ]];
        let at = |width| anstream::adapter::strip_str(&table(&columns, &rows, width)).to_string();
        assert!(at(60).contains("six") && at(60).contains("dddd"));
        assert!(!at(32).contains("dddd") && at(32).contains(" 1 "));
        let said = |width| anstream::adapter::strip_str(&table_that_says(&columns, &rows, width)).to_string();
        assert!(!said(60).contains("not shown"), "{}", said(60));
        assert!(said(32).contains("not shown in 32 columns: D;"), "{}", said(32));
        assert!(at(24).contains("aaaaaaaaaa  one two") && at(24).contains("five six"));
        for width in 24..80 {
            assert!(
                at(width).lines().all(|line| line.chars().count() <= usize::from(width)),
                "{}",
                at(width)
            );
        }
    }
}
