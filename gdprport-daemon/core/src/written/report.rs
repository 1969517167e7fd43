//! Collecting the problems of all sources while they are read, and giving each its place in the text.
//!
//! Knows nothing of what a policy means. Bounded: at most [`SHOWN`] problems of a severity are kept (the rest are
//! counted) and an excerpt is at most [`EXCERPT`] characters, so that a hostile file cannot make its own error report
//! large.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::message::{did_you_mean, nearest_name, printable};
use super::problem::{Problem, Severity};
use super::source::Source;

/// How many problems of each severity are kept in full; more are counted.
pub(crate) const SHOWN: usize = 200;
/// How many characters of a source line an excerpt shows.
pub(crate) const EXCERPT: usize = 110;
/// A place in the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Loc {
    /// Index of the source.
    pub source: usize,
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
}

impl Loc {
    pub(crate) const fn new(source: usize, span: &Range<usize>) -> Self {
        Self { source, start: span.start, end: span.end }
    }
}

/// A value and its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<T> {
    pub value: T,
    pub loc: Loc,
}

struct Pending {
    severity: Severity,
    loc: Loc,
    message: String,
    help: Option<String>,
    /// What stands there is not shown: it may be a secret.
    hidden: bool,
}

/// Collects problems while sources are read.
pub(crate) struct Report<'s> {
    sources: &'s [Source],
    /// Byte offset of every line's start, by source; made when a source has its first problem.
    lines: Vec<OnceCell<Vec<usize>>>,
    /// Lines that are not TOML, by source: what stands there is a consequence, not a problem of its own.
    broken: Vec<Vec<usize>>,
    /// Keys that are present with a reported error, with the place of their table.
    faulty: HashSet<(Loc, &'static str)>,
    found: Vec<Pending>,
    /// Whether excerpts end where the problem does: the rest of the line may be a secret.
    masked: bool,
    omitted: usize,
    errors: usize,
    warnings: usize,
}

impl<'s> Report<'s> {
    pub(crate) fn new(sources: &'s [Source]) -> Self {
        Self {
            sources,
            lines: sources.iter().map(|_| OnceCell::new()).collect(),
            broken: vec![Vec::new(); sources.len()],
            faulty: HashSet::new(),
            found: Vec::new(),
            masked: false,
            omitted: 0,
            errors: 0,
            warnings: 0,
        }
    }

    /// The same for sources in which somebody may have written a secret, though it does not belong there.
    pub(crate) fn masked(sources: &'s [Source]) -> Self {
        Self { masked: true, ..Self::new(sources) }
    }

    /// One for a part of the same sources whose problems are collected apart. It knows which lines are no TOML.
    pub(crate) fn apart(&self) -> Self {
        Self { broken: self.broken.clone(), masked: self.masked, ..Self::new(self.sources) }
    }

    pub(crate) const fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many errors there are so far, for a caller that has nothing to add to those of its parts.
    pub(crate) const fn errors(&self) -> usize {
        self.errors
    }

    /// The known name that a mistyped one was meant to be; not searched for once no further error would be shown.
    pub(crate) fn meant<'a>(&self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
        if self.errors >= SHOWN { None } else { nearest_name(name, known) }
    }

    /// The same as help.
    pub(crate) fn did_you_mean<'a>(
        &self,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        self.meant(name, known).map(did_you_mean)
    }

    /// This key of the table at this place is present, with an error in its name or value that is reported: that it is
    /// missing is no problem of its own.
    pub(crate) fn mark_faulty(&mut self, table: Loc, key: &'static str) {
        if self.errors <= SHOWN {
            self.faulty.insert((table, key));
        }
    }

    pub(crate) fn is_faulty(&self, table: Loc, key: &'static str) -> bool {
        self.faulty.contains(&(table, key))
    }

    /// Reads a source as TOML: its top-level table. Syntax errors are reported, and what can be recovered is read all the same.
    pub(crate) fn document(&mut self, source: usize) -> Spanned<DeTable<'s>> {
        let (document, errors) = DeTable::parse_recoverable(&self.sources[source].text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            self.syntax(Loc::new(source, &span), format!("this is not TOML: {}", error.message()));
        }
        document
    }

    /// Something that is not TOML.
    pub(crate) fn syntax(&mut self, loc: Loc, message: String) {
        let line = self.line_index(loc);
        if self.broken[loc.source].contains(&line) {
            return;
        }
        self.push(Severity::Error, loc, message, None, self.masked);
        // Bounded, as every broken line has a problem of its own and those are.
        if self.broken[loc.source].len() < SHOWN {
            self.broken[loc.source].push(line);
        }
    }

    pub(crate) fn error(&mut self, loc: Loc, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.error_at(loc, message.into(), help.into(), false);
    }

    /// An error about a value that is not shown, as it may be a secret.
    pub(crate) fn error_unquoted(&mut self, loc: Loc, message: impl Into<String>, help: String) {
        self.error_at(loc, message.into(), Some(help), true);
    }

    fn error_at(&mut self, loc: Loc, message: String, help: Option<String>, hidden: bool) {
        let broken = &self.broken[loc.source];
        if broken.is_empty() || !broken.contains(&self.line_index(loc)) {
            self.push(Severity::Error, loc, message, help, hidden);
        }
    }

    /// A key that is not there; in a file that is not TOML it may well be, on a line that could not be read.
    pub(crate) fn missing(&mut self, loc: Loc, message: impl Into<String>, help: impl Into<Option<String>>) {
        if self.broken[loc.source].is_empty() {
            self.push(Severity::Error, loc, message.into(), help.into(), false);
        }
    }

    pub(crate) fn warning(&mut self, loc: Loc, message: impl Into<String>, help: impl Into<Option<String>>) {
        if self.broken[loc.source].is_empty() {
            self.push(Severity::Warning, loc, message.into(), help.into(), false);
        }
    }

    /// A warning that is only made, not collected: whether it holds depends on the time.
    pub(crate) fn warning_later(&self, loc: Loc, message: String, help: String) -> Problem {
        self.render(Pending { severity: Severity::Warning, loc, message, help: Some(help), hidden: false })
    }

    fn push(&mut self, severity: Severity, loc: Loc, message: String, help: Option<String>, hidden: bool) {
        // Room for both, so that many warnings do not hide the errors.
        let same = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *same += 1;
        if *same <= SHOWN {
            self.found.push(Pending { severity, loc, message, help, hidden });
        } else {
            self.omitted += 1;
        }
    }

    /// `file:line:column` of a place, for messages that name a second one.
    pub(crate) fn place(&self, loc: Loc) -> String {
        let (line, column) = self.position(loc);
        format!("{}:{line}:{column}", self.sources[loc.source].name)
    }

    /// Line and column of a place, from 1, and the name of its file.
    pub(crate) fn whereabouts(&self, loc: Loc) -> (&'s str, usize, usize) {
        let (line, column) = self.position(loc);
        (&self.sources[loc.source].name, line, column)
    }

    /// The problems in order and the number of those left out.
    pub(crate) fn finish(mut self) -> (Vec<Problem>, usize) {
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

    /// The number of a place's line, from 1.
    pub(crate) fn line(&self, loc: Loc) -> u32 {
        u32::try_from(self.line_index(loc) + 1).expect("a file is bounded")
    }

    fn line_index(&self, loc: Loc) -> usize {
        self.lines(loc.source).partition_point(|start| *start <= loc.start).saturating_sub(1)
    }

    fn position(&self, loc: Loc) -> (usize, usize) {
        let line = self.line_index(loc);
        let start = self.lines(loc.source)[line];
        let before = self.sources[loc.source].text.get(start..loc.start).unwrap_or("");
        // Of a line's end the first character may be a carriage return, which no editor counts.
        let column = before.chars().count().min(self.text_of_line(loc.source, start).chars().count());
        (line + 1, column + 1)
    }

    /// The line that begins at this byte, without its end.
    fn text_of_line(&self, source: usize, start: usize) -> &str {
        self.sources[source].text[start..].lines().next().unwrap_or("")
    }

    fn render(&self, found: Pending) -> Problem {
        let Pending { severity, loc, message, help, hidden } = found;
        let source = &self.sources[loc.source];
        let (line, column) = self.position(loc);
        let whole = self.text_of_line(loc.source, self.lines(loc.source)[line - 1]);
        let spanned = source.text.get(loc.start..loc.end).unwrap_or("").lines().next().unwrap_or("");
        let mut width = spanned.chars().count().max(1);
        let masked = (self.masked || hidden).then(|| {
            let before: String = whole.chars().take(column - 1).collect();
            // A quote before it: another value, which may be one too.
            let before = if before.contains(['"', '\'']) { " ".repeat(column - 1) } else { before };
            if hidden { format!("{before}…") } else { format!("{before}{spanned}") }
        });
        let full = masked.as_deref().unwrap_or(whole);
        if hidden {
            width = 1;
        }
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
