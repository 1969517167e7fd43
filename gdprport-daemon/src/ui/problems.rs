//! Problems of a policy for people: the place, the line, what is under the caret, what would be right.

use anstyle::Style;

use super::format::clean;
use super::tone::Tone;
use gdprport_core::policy::{Problem, Severity};

const fn tone(severity: Severity) -> Style {
    match severity {
        Severity::Error => Tone::Bad.style(),
        Severity::Warning => Tone::Warn.style().bold(),
    }
}

/// A problem that has no place in a file, on one line.
pub(super) fn show_plain(severity: Severity, message: &str) -> String {
    let (tone, word) = (tone(severity), severity.as_str());
    format!("{tone}{word}:{tone:#} {}\n", clean(message))
}

/// Warnings, then errors: what makes a policy invalid is what a terminal still shows when the list is at its end.
pub(super) fn errors_last(list: &[Problem]) -> impl Iterator<Item = &Problem> {
    let of = |severity| list.iter().filter(move |problem| problem.severity == severity);
    of(Severity::Warning).chain(of(Severity::Error))
}

/// One problem, several lines, ended by a line feed.
pub(super) fn show(problem: &Problem) -> String {
    let tone = tone(problem.severity);
    let (strong, dim) = (Tone::Strong.style(), Tone::Dim.style());
    let Problem { source, line, column, excerpt, underline, width, message, help, .. } = problem;
    let gutter = line.to_string().len();
    let word = problem.severity.as_str();
    let mut text = format!(
        "{strong}{}:{line}:{column}:{strong:#} {tone}{word}:{tone:#} {strong}{}{strong:#}\n \
         {dim}{line} |{dim:#} {}\n {:gutter$} {dim}|{dim:#} {:underline$}{tone}{}{tone:#}\n",
        clean(source),
        clean(message),
        clean(excerpt),
        "",
        "",
        "^".repeat(*width),
    );
    if let Some(help) = help {
        text.push_str(&format!(
            " {:gutter$} {dim}={dim:#} {} {}\n",
            "",
            Tone::Note.paint("help:"),
            clean(help)
        ));
    }
    text
}
