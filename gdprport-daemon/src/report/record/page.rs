//! A page as every rendering shows it: texts in their language, each with what kind of statement it is.
//!
//! Belongs here: the form only. Texts are plain: each rendering escapes them for its format.

use super::super::svg::Svg;
use super::super::words::{Lang, Words, fill};
use super::limits::Limits;
use gdprport_core::records::Rows;

/// What kind of statement a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Neither: what the page says in its own name.
    Plain,
    /// Somebody wrote it into the policy.
    Declared,
    /// Nobody did.
    NotDeclared,
    /// The ledger has it.
    Observed,
    /// It does not.
    NotSeen,
    /// A person has to write it.
    ToFill,
}

impl Kind {
    /// Its class in a style sheet.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Declared => "declared",
            Self::NotDeclared => "absent",
            Self::Observed => "observed",
            Self::NotSeen => "unseen",
            Self::ToFill => "fill",
        }
    }

    /// Its mark, which shows in print without colours too.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Declared | Self::NotDeclared => "■",
            Self::Observed | Self::NotSeen => "○",
            Self::ToFill => "✎",
        }
    }

    /// Its name.
    pub(crate) const fn label(self, words: &Words) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Declared | Self::NotDeclared => words.declared,
            Self::Observed | Self::NotSeen => words.observed,
            Self::ToFill => words.to_fill,
        }
    }
}

/// A text, or several.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// What kind of statement it is.
    pub(crate) kind: Kind,
    /// The texts, each a line; not empty.
    pub(crate) lines: Vec<String>,
    /// A number, which stands at the right.
    pub(crate) is_number: bool,
    /// How it is to be noticed: `good`, `bad`, `open` or nothing.
    pub(crate) tone: &'static str,
    /// The rows of the ledger behind it.
    pub(crate) rows: Option<Behind>,
}

impl Cell {
    pub(crate) fn new(kind: Kind, line: impl Into<String>) -> Self {
        Self { kind, lines: vec![line.into()], is_number: false, tone: "", rows: None }
    }

    pub(crate) fn lines(kind: Kind, lines: Vec<String>) -> Self {
        Self { lines, ..Self::new(kind, "") }
    }

    pub(crate) fn number(mut self) -> Self {
        self.is_number = true;
        self
    }

    pub(crate) const fn tone(mut self, tone: &'static str) -> Self {
        self.tone = tone;
        self
    }

    pub(crate) fn rows(self, rows: &Rows, lang: Lang) -> Self {
        self.rows_within(rows, Limits::ALONE, lang)
    }

    pub(in super::super) fn rows_within(mut self, rows: &Rows, limits: Limits, lang: Lang) -> Self {
        self.rows = Behind::of(rows, limits.ranges, lang);
        self
    }
}

/// The rows of the ledger behind a statement.
#[derive(Debug, Clone)]
pub(crate) struct Behind {
    /// How many.
    pub(crate) count: String,
    /// Their numbers, as ranges.
    pub(crate) numbers: String,
}

impl Behind {
    fn of(rows: &Rows, most: usize, lang: Lang) -> Option<Self> {
        let ranges = rows.ranges();
        ranges.first()?;
        let mut texts: Vec<String> = ranges
            .iter()
            .take(most)
            .map(|(a, b)| if a == b { a.to_string() } else { format!("{a}–{b}") })
            .collect();
        if ranges.len() > most {
            texts.push(format!("… (+{}, record.json)", ranges.len() - most));
        }
        let count = lang.count(rows.0.len() as u64);
        Some(Self { count: fill(lang.words().rows_of, &[&count]), numbers: texts.join(", ") })
    }
}

/// A statement with its name.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    /// What it is about.
    pub(crate) name: &'static str,
    /// Which part of the law asks for it; empty: none does.
    pub(crate) law: &'static str,
    /// What is said.
    pub(crate) cell: Cell,
}

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// What kind of statement it has.
    pub(crate) kind: Kind,
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether it has numbers.
    pub(crate) is_number: bool,
}

impl Column {
    pub(crate) const fn new(kind: Kind, name: &'static str) -> Self {
        Self { kind, name, is_number: false }
    }

    pub(crate) const fn number(kind: Kind, name: &'static str) -> Self {
        Self { kind, name, is_number: true }
    }
}

/// A table. The first cell of a row names it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// What it has.
    pub(crate) caption: &'static str,
    /// The columns.
    pub(crate) columns: Vec<Column>,
    /// The rows, with a cell for each column.
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Table {
    /// The cells of a row with their columns.
    pub(crate) fn cells<'t>(&'t self, row: &'t [Cell]) -> Vec<(&'t Column, &'t Cell)> {
        self.columns.iter().zip(row).collect()
    }
}

/// A sample of what a drawing has, and what it means.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// The sample.
    pub(crate) sample: Svg,
    /// What it means.
    pub(crate) meaning: String,
}

/// How wide a drawing has to be for its texts to be read; where there is less room, it is moved sideways within itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Any: it is as wide as there is room, and nothing in it is scaled.
    Any,
    /// The width of a page.
    Page,
}

impl Room {
    /// Whether it may be wider than there is room.
    pub(crate) const fn is_moved(self) -> bool {
        !matches!(self, Self::Any)
    }

    /// Its class in the style sheet.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Page => "page",
        }
    }
}

/// A drawing with all that belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// Its anchor; the drawing's id, which begins those of its parts, is another one.
    pub(crate) id: String,
    /// Its title.
    pub(crate) title: String,
    /// Below the title.
    pub(crate) about: Vec<String>,
    /// What a pointer or a keyboard does to it; `None`: nothing. It is not for paper.
    pub(crate) hint: Option<&'static str>,
    /// How wide it has to be.
    pub(crate) room: Room,
    /// The drawing.
    pub(crate) drawing: Svg,
    /// What its marks mean.
    pub(crate) keys: Vec<Key>,
    /// The same as a table.
    pub(crate) table: Table,
    /// The file beside the page that has the drawing alone; `None`: there is none.
    pub(crate) file: Option<&'static str>,
}

impl Figure {
    /// Whether its table has many rows of few short cells, which a phone has room for.
    pub(crate) const fn is_series(&self) -> bool {
        !self.room.is_moved() && self.table.columns.len() <= 4 && self.table.rows.len() > 12
    }
}

/// A part of a page.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    /// Its anchor.
    pub(crate) id: String,
    /// Its title.
    pub(crate) title: String,
    /// Below the title.
    pub(crate) about: Vec<String>,
    /// What it is, in a word; `None`: nothing to say.
    pub(crate) badge: Option<Cell>,
    /// What kind of statements the facts are.
    pub(crate) facts_are: Kind,
    /// Statements, each with its name.
    pub(crate) facts: Vec<Fact>,
    /// What was watched, and what was seen in all.
    pub(crate) seen: Vec<Cell>,
    /// What it comes to, before the drawings.
    pub(crate) in_short: Option<Table>,
    /// Drawings.
    pub(crate) figures: Vec<Figure>,
    /// Tables, after the drawings.
    pub(crate) tables: Vec<Table>,
}

impl Section {
    /// One with a title and nothing else.
    pub(crate) fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            about: Vec::new(),
            badge: None,
            facts_are: Kind::Plain,
            facts: Vec::new(),
            seen: Vec::new(),
            in_short: None,
            figures: Vec::new(),
            tables: Vec::new(),
        }
    }
}

#[cfg(test)]
impl Section {
    /// Whether it has a title and nothing else.
    pub(crate) const fn is_empty(&self) -> bool {
        self.about.is_empty()
            && self.facts.is_empty()
            && self.seen.is_empty()
            && self.in_short.is_none()
            && self.figures.is_empty()
            && self.tables.is_empty()
    }
}

/// What shows the rows behind an observation.
pub(crate) const EXPLAIN: &str = "gdprport policy explain --row N";

/// A page.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Its language.
    pub(crate) lang: Lang,
    /// Above the title: which law or framework it is for.
    pub(crate) kicker: &'static str,
    /// Its title.
    pub(crate) title: &'static str,
    /// Of what and when.
    pub(crate) head: Vec<(&'static str, String)>,
    /// What has to be known before reading on.
    pub(crate) notices: Vec<String>,
    /// The parts.
    pub(crate) sections: Vec<Section>,
    /// Whether anything on it was declared or observed, so that the difference has to be explained.
    pub(crate) has_legend: bool,
    /// At its end.
    pub(crate) foot: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_rows_are_written_as_ranges() {
        let of = |rows: &[i64]| Behind::of(&Rows(rows.to_vec()), 200, Lang::En).map(|behind| behind.numbers);
        assert_eq!(of(&[1, 2, 3, 7, 9, 10]).as_deref(), Some("1–3, 7, 9–10"));
        assert_eq!(of(&[]), None);
        let many: Vec<i64> = (0..500).map(|n| 2 * n).collect();
        assert!(of(&many).expect("rows").ends_with("… (+300, record.json)"));
    }
}
