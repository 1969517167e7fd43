//! What is wrong with a policy: problems with their place, and how they look as text.
//!
//! Belongs here: the public problem types and the collecting `Report`. Knows nothing of what a policy means.
//! Bounded: at most [`SHOWN`] problems of a severity are kept (the rest are counted) and an excerpt is at most
//! [`EXCERPT`] characters, so that a hostile file cannot make its own error report large.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Source;

/// How many problems of each severity are kept in full; more are counted.
pub const SHOWN: usize = 200;
/// How many characters of a source line an excerpt shows.
pub const EXCERPT: usize = 110;
/// How many characters of a value a message quotes.
const QUOTED: usize = 60;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The policy cannot be used.
    Error,
    /// The policy can be used, and is weaker or less complete than it should be.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem of a policy, with its place and what would be right. Its text form has no colour: a caller that
/// wants it paints the parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as it was named to the parser.
    pub source: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The source line (a window of it where it is long), steering characters replaced by spaces.
    pub excerpt: String,
    /// Where the underline starts within `excerpt`, in characters from 0.
    pub underline: usize,
    /// How many characters are underlined, at least 1.
    pub width: usize,
    /// What is wrong, one sentence.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, line, column, message, .. } = self;
        writeln!(f, "{source}:{line}:{column}: {}: {message}", self.severity.as_str())?;
        let gutter = line.to_string().len();
        writeln!(f, " {line} | {}", self.excerpt)?;
        write!(f, " {:gutter$} | {:indent$}{}", "", "", "^".repeat(self.width), indent = self.underline)?;
        if let Some(help) = &self.help {
            write!(f, "\n {:gutter$} = help: {help}", "")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a policy that cannot be used: at least one error, with the warnings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problems {
    /// The problems, in the order of the files and of the places in them.
    pub list: Vec<Problem>,
    /// How many more there are than are listed.
    pub omitted: usize,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        if self.omitted > 0 {
            write!(f, "\n\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A place in the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Loc {
    /// Index of the source.
    pub source: usize,
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
}

impl Loc {
    pub const fn new(source: usize, span: &Range<usize>) -> Self {
        Self { source, start: span.start, end: span.end }
    }
}

/// A value and its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<T> {
    pub value: T,
    pub loc: Loc,
}

struct Found {
    severity: Severity,
    loc: Loc,
    message: String,
    help: Option<String>,
}

/// Collects problems while sources are read.
pub(super) struct Report<'s> {
    sources: &'s [Source],
    /// Byte offset of every line's start, by source; made when a source has its first problem.
    lines: Vec<OnceCell<Vec<usize>>>,
    /// Lines that are not TOML, by source: what stands there is a consequence, not a problem of its own.
    broken: Vec<Vec<usize>>,
    /// Keys that are there and amiss, with the place of their table.
    amiss: HashSet<(Loc, &'static str)>,
    found: Vec<Found>,
    omitted: usize,
    errors: usize,
    warnings: usize,
}

impl<'s> Report<'s> {
    pub fn new(sources: &'s [Source]) -> Self {
        Self {
            sources,
            lines: sources.iter().map(|_| OnceCell::new()).collect(),
            broken: vec![Vec::new(); sources.len()],
            amiss: HashSet::new(),
            found: Vec::new(),
            omitted: 0,
            errors: 0,
            warnings: 0,
        }
    }

    pub const fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many errors there are so far, for a caller that has nothing to add to those of its parts.
    pub const fn errors(&self) -> usize {
        self.errors
    }

    /// Finds what a mistyped word was meant to be; not looked for once no further error would be shown.
    pub fn meant<'a>(&self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        if self.errors >= SHOWN { None } else { nearest_word(word, known) }
    }

    /// The same as help.
    pub fn did_you_mean<'a>(&self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
        self.meant(word, known).map(did_you_mean)
    }

    /// This key of the table at this place is there, with a slip in its name or in its value that is reported: that
    /// it is missing is no problem of its own.
    pub fn amiss(&mut self, table: Loc, key: &'static str) {
        if self.errors <= SHOWN {
            self.amiss.insert((table, key));
        }
    }

    pub fn is_amiss(&self, table: Loc, key: &'static str) -> bool {
        self.amiss.contains(&(table, key))
    }

    /// Something that is not TOML.
    pub fn syntax(&mut self, loc: Loc, message: String) {
        let line = self.line_index(loc);
        if self.broken[loc.source].contains(&line) {
            return;
        }
        self.push(Severity::Error, loc, message, None);
        // Bounded, as every broken line has a problem of its own and those are.
        if self.broken[loc.source].len() < SHOWN {
            self.broken[loc.source].push(line);
        }
    }

    pub fn error(&mut self, loc: Loc, message: impl Into<String>, help: impl Into<Option<String>>) {
        let broken = &self.broken[loc.source];
        if broken.is_empty() || !broken.contains(&self.line_index(loc)) {
            self.push(Severity::Error, loc, message.into(), help.into());
        }
    }

    /// A key that is not there; in a file that is not TOML it may well be, on a line that could not be read.
    pub fn missing(&mut self, loc: Loc, message: impl Into<String>, help: impl Into<Option<String>>) {
        if self.broken[loc.source].is_empty() {
            self.push(Severity::Error, loc, message.into(), help.into());
        }
    }

    pub fn warning(&mut self, loc: Loc, message: impl Into<String>, help: impl Into<Option<String>>) {
        if self.broken[loc.source].is_empty() {
            self.push(Severity::Warning, loc, message.into(), help.into());
        }
    }

    fn push(&mut self, severity: Severity, loc: Loc, message: String, help: Option<String>) {
        // Room for both, so that many warnings do not hide the errors.
        let same = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *same += 1;
        if *same <= SHOWN {
            self.found.push(Found { severity, loc, message, help });
        } else {
            self.omitted += 1;
        }
    }

    /// `file:line:column` of a place, for messages that name a second one.
    pub fn place(&self, loc: Loc) -> String {
        let (line, column) = self.position(loc);
        format!("{}:{line}:{column}", self.sources[loc.source].name)
    }

    /// The problems in order and the number of those left out.
    pub fn finish(mut self) -> (Vec<Problem>, usize) {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|found| found.loc);
        (found.into_iter().map(|found| self.render(found)).collect(), self.omitted)
    }

    fn lines(&self, source: usize) -> &[usize] {
        self.lines[source].get_or_init(|| {
            let ends = self.sources[source].text.match_indices('\n');
            std::iter::once(0).chain(ends.map(|(end, _)| end + 1)).collect()
        })
    }

    fn line_index(&self, loc: Loc) -> usize {
        self.lines(loc.source).partition_point(|start| *start <= loc.start).saturating_sub(1)
    }

    fn position(&self, loc: Loc) -> (usize, usize) {
        let line = self.line_index(loc);
        let text = &self.sources[loc.source].text;
        let before = text.get(self.lines(loc.source)[line]..loc.start).unwrap_or("");
        (line + 1, before.chars().count() + 1)
    }

    fn render(&self, found: Found) -> Problem {
        let Found { severity, loc, message, help } = found;
        let source = &self.sources[loc.source];
        let (line, column) = self.position(loc);
        let start = self.lines(loc.source)[line - 1];
        let full = source.text[start..].lines().next().unwrap_or("");
        let spanned = source.text.get(loc.start..loc.end).unwrap_or("");
        let mut width = spanned.lines().next().unwrap_or("").chars().count().max(1);
        // A window that keeps what is underlined in sight.
        let skip = if column > EXCERPT / 2 { column - EXCERPT / 4 } else { 0 };
        let excerpt: String = full.chars().skip(skip).take(EXCERPT).map(printable).collect();
        let underline = column - 1 - skip;
        width = width.min(EXCERPT.saturating_sub(underline).max(1));
        Problem {
            severity,
            source: source.name.clone(),
            line,
            column,
            excerpt,
            underline,
            width,
            message,
            help,
        }
    }
}

/// Characters that steer a terminal or turn the direction of the text around them (Unicode UAX 9).
pub(super) fn is_steering(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Keeps a hostile file from steering the reader's terminal, and tabs from moving the underline.
fn printable(c: char) -> char {
    if is_steering(c) { ' ' } else { c }
}

/// A value of the file in quotes, escaped and of bounded length.
pub(super) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(QUOTED).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", shown.escape_debug())
}

pub(super) fn did_you_mean(near: &str) -> String {
    format!("did you mean `{near}`?")
}

/// The nearest of the known words, if one is near enough to be a slip.
fn nearest_word<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.chars().count() > QUOTED {
        return None;
    }
    let limit = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap neighbours) from one word to the other: optimal string alignment.
fn edits(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().flat_map(char::to_lowercase).collect();
    let to: Vec<char> = to.chars().flat_map(char::to_lowercase).collect();
    let mut before_last = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replace = last[j] + usize::from(a != b);
            let mut best = replace.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}
