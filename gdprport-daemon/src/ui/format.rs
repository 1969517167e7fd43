//! Numbers, times and hostile text as people can read them.
//!
//! Belongs here: values to text, without colour (`tone`) or layout (`table`, `lines`).

use std::borrow::Cow;
use std::fmt::{Display, Write};

pub(super) use gdprport_core::figures::{bytes, counted, duration, thousands};
use gdprport_core::model::{Attribution, Process};
use gdprport_core::text::{is_control_or_bidi, is_invisible};

/// Milliseconds in the two units that matter: `223 ms`, `4.2 s`, `1m23s`, `2h05m`, `3d04h`.
pub(super) fn elapsed(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds}.{} s", ms % 1000 / 100),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// `2026-11-23 13:00:00 UTC`: to the second, in the time zone that events have too.
pub(super) fn moment(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Items with commas between them.
pub(super) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        let separator = if text.is_empty() { "" } else { ", " };
        write!(text, "{separator}{item}").expect("writing to memory cannot fail");
    }
    text
}

/// Counts by name: `undeclared-peer 12, undeclared-process 5`.
pub(super) fn counts<K: AsRef<str>>(of: impl IntoIterator<Item = (K, u64)>) -> String {
    list(of.into_iter().map(|(name, n)| format!("{} {}", name.as_ref(), thousands(n))))
}

/// The same, each with its share of all, rounded down: what is not all of them is never 100 %.
pub(super) fn shares<K: AsRef<str>>(of: impl Iterator<Item = (K, u64)> + Clone) -> String {
    let all: u64 = of.clone().map(|(_, n)| n).sum();
    list(of.map(|(name, n)| format!("{} {} ({})", name.as_ref(), thousands(n), share(n, all))))
}

/// A share of all, rounded down: `<1%`, `99%`, `100%`.
pub(super) fn share(n: u64, all: u64) -> String {
    match u128::from(n) * 100 / u128::from(all.max(1)) {
        0 if n > 0 => "<1%".to_owned(),
        share => format!("{share}%"),
    }
}

/// The last part of a path.
pub(super) fn basename(path: &str) -> &str {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path)
}

/// The name of what runs: a script's own, or the executable's. Where the process goes by a name that this does
/// not begin with (one executable for many programs, a named thread), both: `redis-server (redis-check-rdb)`. The
/// executable stays in sight, as a process may choose its name.
pub(super) fn program(process: &Process) -> String {
    let file = process.script.as_deref().or(process.exe.as_deref()).map(basename);
    match file.or(process.comm.as_deref()) {
        Some(name) => with_alias(name, process.goes_by()),
        None => "?".to_owned(),
    }
}

/// A program by the name that it goes by, with its own.
pub(super) fn with_alias(program: &str, goes_by: Option<&str>) -> String {
    goes_by.map_or_else(|| program.to_owned(), |alias| format!("{alias} ({program})"))
}

/// The process in short: `postgres 1203`; marked when it is not known exactly.
pub(super) fn process(process: Option<&Process>) -> String {
    let Some(process) = process else { return "unknown".to_owned() };
    let name = program(process);
    match process.attribution {
        Attribution::Exact => format!("{name} {}", process.pid),
        other => format!("{name} {} ({other})", process.pid),
    }
}

/// Text from outside, made harmless for a terminal: what would steer it or turn the text around becomes `�`.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    without(text, is_control_or_bidi)
}

/// The same for a cell of a fixed width, in which every character has to take its place.
pub(super) fn clean_cell(text: &str) -> Cow<'_, str> {
    without(text, is_invisible)
}

fn without(text: &str, harmful: fn(char) -> bool) -> Cow<'_, str> {
    if text.contains(harmful) { Cow::Owned(text.replace(harmful, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// `clean` for text of several lines, which stay lines.
pub(super) fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        assert_eq!(
            shares([("tls1.3", 1_204), ("unknown", 2)].into_iter()),
            "tls1.3 1,204 (99%), unknown 2 (<1%)"
        );
        assert_eq!(shares([("plaintext", 3)].into_iter()), "plaintext 3 (100%)");
        assert_eq!(shares([("plaintext", 0)].into_iter()), "plaintext 0 (0%)");
        assert_eq!(shares(std::iter::empty::<(&str, u64)>()), "");
    }

    #[test]
    fn elapsed_time_shows_the_two_units_that_matter() {
        let shown = [0, 999, 4_250, 83_223, 7_500_000, 273_600_000].map(elapsed);
        assert_eq!(shown, ["0 ms", "999 ms", "4.2 s", "1m23s", "2h05m", "3d04h"]);
    }

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[2Jb\u{9b}c\u{202e}d\ne"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e");
        assert!(matches!(clean("plain é 漢 \u{200d}"), Cow::Borrowed(_)));
        assert_eq!(
            clean_cell("a\u{1b}]0;owned\u{7}b\u{9b}31m\u{202e}c\u{200d}"),
            "a\u{fffd}]0;owned\u{fffd}b\u{fffd}31m\u{fffd}c\u{fffd}"
        );
    }
}
