//! Numbers, times and hostile text as people can read them.
//!
//! Belongs here: values to text, without colour (`tone`) or layout (`table`, `lines`).

use std::borrow::Cow;
use std::fmt::{Display, Write};

use gdprport_core::model::{Attribution, Process};
use gdprport_core::text::{is_control_or_bidi, is_invisible};

/// `1482113` → `1,482,113`.
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 port`, `7 rules`.
pub(super) fn counted(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(n))
}

/// Bytes in binary units with one decimal: `412 B`, `1.4 GiB`. Rounded down, so that a bound never seems passed.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1_024 {
        return format!("{n} B");
    }
    let power = n.ilog2() / 10;
    let unit = 1_u128 << (10 * power);
    let tenths = u128::from(n) * 10 / unit;
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power as usize - 1])
}

/// Seconds in the two largest units: `4s`, `2m 5s`, `3d 5h`.
pub(super) fn duration(seconds: u64) -> String {
    let (d, h, m, s) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let two =
        |a: u64, x: &str, b: u64, y: &str| if b == 0 { format!("{a}{x}") } else { format!("{a}{x} {b}{y}") };
    match (d, h, m) {
        (0, 0, 0) => format!("{s}s"),
        (0, 0, _) => two(m, "m", s, "s"),
        (0, _, _) => two(h, "h", m, "m"),
        _ => two(d, "d", h, "h"),
    }
}

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
    list(of.map(|(name, n)| {
        let share = match u128::from(n) * 100 / u128::from(all.max(1)) {
            0 if n > 0 => "<1".to_owned(),
            share => share.to_string(),
        };
        format!("{} {} ({share}%)", name.as_ref(), thousands(n))
    }))
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
    match (file, process.comm.as_deref()) {
        (Some(file), Some(comm)) if process.script.is_none() && !file.starts_with(comm) => {
            format!("{comm} ({file})")
        }
        (Some(name), _) | (None, Some(name)) => name.to_owned(),
        (None, None) => "?".to_owned(),
    }
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
    fn numbers_are_grouped() {
        let shown = [0, 999, 1_000, 12_345, 1_234_567, u64::MAX].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567", "18,446,744,073,709,551,615"]);
    }

    #[test]
    fn bytes_have_a_unit_and_are_never_rounded_up() {
        let shown = [0, 1_023, 1_024, 1_048_575, 1_840_412, 1_503_238_553, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1023.9 KiB", "1.7 MiB", "1.3 GiB", "15.9 EiB"]);
    }

    #[test]
    fn durations_show_the_two_largest_units() {
        let shown = [0, 59, 60, 125, 3_600, 7_260, 86_400, 277_503].map(duration);
        assert_eq!(shown, ["0s", "59s", "1m", "2m 5s", "1h", "2h 1m", "1d", "3d 5h"]);
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
