//! Problems of a policy for people: the place, the line, what is under the caret, what would be right.

use anstyle::{AnsiColor, Style};

use super::format::clean;
use gdprport_core::policy::{Problem, Severity};

const BAD: Style = AnsiColor::Red.on_default().bold();
const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const HELP: Style = AnsiColor::Cyan.on_default();

/// One problem, several lines, ended by a line feed.
pub(super) fn show(problem: &Problem) -> String {
    let tone = match problem.severity {
        Severity::Error => BAD,
        Severity::Warning => UNSURE,
    };
    let Problem { source, line, column, excerpt, underline, width, message, help, .. } = problem;
    let gutter = line.to_string().len();
    let word = problem.severity.as_str();
    let mut text = format!(
        "{BOLD}{}:{line}:{column}:{BOLD:#} {tone}{word}:{tone:#} {BOLD}{}{BOLD:#}\n \
         {DIM}{line} |{DIM:#} {}\n {:gutter$} {DIM}|{DIM:#} {:underline$}{tone}{}{tone:#}\n",
        clean(source),
        clean(message),
        clean(excerpt),
        "",
        "",
        "^".repeat(*width),
    );
    if let Some(help) = help {
        text.push_str(&format!(" {:gutter$} {DIM}={DIM:#} {HELP}help:{HELP:#} {}\n", "", clean(help)));
    }
    text
}
