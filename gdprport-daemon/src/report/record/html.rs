//! A page as HTML: one file, no script, nothing loaded from anywhere. The template escapes every text.

use askama::Template;

use super::super::words::Words;
use super::page::{EXPLAIN, Kind, Page};

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

/// The file.
pub(crate) fn html(page: &Page) -> String {
    let (declared, observed) = (Kind::Declared, Kind::Observed);
    let template = Html { page, words: page.lang.words(), declared, observed, explain: EXPLAIN };
    visible(&template.render().expect("a String takes every text"))
}

/// Without what would turn the text around, or steer whatever shows the source.
fn visible(html: &str) -> String {
    let hidden = |c: char| c != '\n' && gdprport_core::text::is_control_or_bidi(c);
    html.chars().map(|c| if hidden(c) { '\u{fffd}' } else { c }).collect()
}
