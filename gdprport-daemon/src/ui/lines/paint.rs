//! Text on a terminal: colours, cells of a fixed width, quantities for people.
//!
//! Belongs here: everything that does not know what an event is. All text goes through [`clean_cell`]: names come
//! from outside, and a terminal obeys what it is sent.

use std::fmt::Write as _;
use std::io::Write as _;

use anstyle::Style;

use super::super::format::clean_cell;

/// One piece of a line: text in a style.
pub(super) type Piece = (Style, String);

/// Appends pieces of text, with or without colours.
pub(super) struct Painter<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) color: bool,
    /// Blanks after a cell.
    pub(super) gap: usize,
    /// Characters written so far.
    pub(super) column: usize,
}

impl Painter<'_> {
    /// Appends pieces, cut to a width (the last character is then `…`) if one is given. Returns the width used.
    pub(super) fn text(&mut self, width: Option<usize>, pieces: &[Piece]) -> usize {
        let cleaned: Vec<_> = pieces.iter().map(|(style, text)| (*style, clean_cell(text))).collect();
        let total: usize = cleaned.iter().map(|(_, text)| text.chars().count()).sum();
        let limit = width.unwrap_or(usize::MAX);
        let mut left = if total > limit { limit.saturating_sub(1) } else { total };
        let mut used = 0;
        for (style, text) in &cleaned {
            let part: String = text.chars().take(left).collect();
            let count = part.chars().count();
            if count > 0 {
                self.styled(*style, &part);
            }
            left -= count;
            used += count;
        }
        if total > limit && limit > 0 {
            self.styled(Style::new().dimmed(), "…");
            used += 1;
        }
        self.column += used;
        used
    }

    /// Appends pieces as a cell: cut or filled up to exactly the width, and the gap after it.
    pub(super) fn cell(&mut self, width: usize, pieces: &[Piece]) {
        let used = self.text(Some(width), pieces);
        self.blanks(width - used + self.gap);
    }

    fn blanks(&mut self, count: usize) {
        self.out.resize(self.out.len() + count, b' ');
        self.column += count;
    }

    fn styled(&mut self, style: Style, text: &str) {
        let style = if self.color { style } else { Style::new() };
        write!(self.out, "{style}{text}{style:#}").expect("writing to memory cannot fail");
    }
}

/// A number of bytes with a binary unit: `96 B`, `1.8 MiB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut whole, mut unit) = (count, 0);
    while whole >= 1024 * 1024 {
        whole /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", whole / 1024, whole % 1024 * 10 / 1024, UNITS[unit])
}

/// A duration in the two units that matter: `223 ms`, `4.2 s`, `1m23s`, `2h05m`, `3d04h`.
pub(super) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds}.{} s", ms % 1000 / 100),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Words with commas between them.
pub(super) fn list<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for item in items {
        let separator = if text.is_empty() { "" } else { ", " };
        write!(text, "{separator}{item}").expect("writing to memory cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0 B")]
    #[case(1023, "1023 B")]
    #[case(1024, "1.0 KiB")]
    #[case(1_840_412, "1.7 MiB")]
    #[case(u64::MAX, "15.9 EiB")]
    fn bytes_have_a_unit(#[case] count: u64, #[case] expected: &str) {
        assert_eq!(bytes(count), expected);
    }

    #[rstest]
    #[case(0, "0 ms")]
    #[case(999, "999 ms")]
    #[case(4_250, "4.2 s")]
    #[case(83_223, "1m23s")]
    #[case(7_500_000, "2h05m")]
    #[case(273_600_000, "3d04h")]
    fn durations_have_two_units(#[case] ms: u64, #[case] expected: &str) {
        assert_eq!(duration(ms), expected);
    }

    #[rstest]
    #[case("short", "short   |")]
    #[case("exactly6", "exact…  |")]
    #[case("sechs6", "sechs6  |")]
    fn a_cell_has_its_width_whatever_is_in_it(#[case] text: &str, #[case] expected: &str) {
        let mut out = Vec::new();
        let mut painter = Painter { out: &mut out, color: false, gap: 2, column: 0 };
        painter.cell(6, &[(Style::new(), text.to_owned())]);
        assert_eq!(painter.column, 8);
        out.push(b'|');
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }
}
