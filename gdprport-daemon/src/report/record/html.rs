//! A page as HTML: one file, no script, nothing loaded from anywhere. The template escapes every text.

use std::fmt;
use std::io::{self, Write};

use askama::Template;

use super::super::words::Words;
use super::breaks::Breaks;
use super::page::{EXPLAIN, Kind, Page};
use gdprport_core::text::is_control_or_bidi;

/// `templates/record.html`.
#[derive(Debug, Template)]
#[template(path = "record.html")]
struct Html<'p> {
    page: &'p Page,
    words: &'static Words,
    declared: Kind,
    observed: Kind,
    explain: &'static str,
}

impl Html<'_> {
    /// A text, which may go on in the next line where nobody reads it as another one.
    #[expect(clippy::unused_self, reason = "templates call nothing else")]
    const fn broken<'t>(&self, text: &'t str) -> Breaks<'t> {
        Breaks(text)
    }
}

/// Writes the file.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn html(page: &Page, out: &mut dyn Write) -> io::Result<()> {
    let (declared, observed) = (Kind::Declared, Kind::Observed);
    let template = Html { page, words: page.lang.words(), declared, observed, explain: EXPLAIN };
    let mut visible = Visible { out, failed: None };
    let rendered = template.render_into(&mut visible);
    match visible.failed.take() {
        Some(failed) => Err(failed),
        None => rendered.map_err(io::Error::other),
    }
}

/// Leaves out what would turn the text around, or steer whatever shows the source.
struct Visible<'o> {
    out: &'o mut dyn Write,
    /// Why nothing could be written any more: a `fmt::Error` says nothing.
    failed: Option<io::Error>,
}

impl Visible<'_> {
    fn put(&mut self, text: &str) -> io::Result<()> {
        let mut from = 0;
        // Most texts have nothing to look for: a byte of printable ASCII is no part of any other character.
        if !text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
            for (at, c) in text.char_indices().filter(|(_, c)| *c != '\n' && is_control_or_bidi(*c)) {
                self.out.write_all(&text.as_bytes()[from..at])?;
                self.out.write_all("\u{fffd}".as_bytes())?;
                from = at + c.len_utf8();
            }
        }
        self.out.write_all(&text.as_bytes()[from..])
    }
}

impl fmt::Write for Visible<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}
