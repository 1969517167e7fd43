//! Text on a terminal, in tones and in cells of a fixed width.
//!
//! Belongs here: everything that does not know what an event is. All text goes through [`clean_cell`]: names come
//! from outside, and a terminal obeys control characters.

use std::io::Write as _;

use anstyle::Style;

use super::super::format::clean_cell;
use super::super::tone::Tone;

/// One piece of a line: text in a tone.
pub(super) type Span = (Tone, String);

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
    pub(super) fn text(&mut self, width: Option<usize>, pieces: &[Span]) -> usize {
        let cleaned: Vec<_> = pieces.iter().map(|(tone, text)| (*tone, clean_cell(text))).collect();
        let total: usize = cleaned.iter().map(|(_, text)| text.chars().count()).sum();
        let limit = width.unwrap_or(usize::MAX);
        let mut left = if total > limit { limit.saturating_sub(1) } else { total };
        let mut used = 0;
        for (tone, text) in &cleaned {
            let part: String = text.chars().take(left).collect();
            let count = part.chars().count();
            if count > 0 {
                self.toned(*tone, &part);
            }
            left -= count;
            used += count;
        }
        if total > limit && limit > 0 {
            self.toned(Tone::Dim, "…");
            used += 1;
        }
        self.column += used;
        used
    }

    /// Appends pieces as a cell: cut or filled up to exactly the width, and the gap after it.
    pub(super) fn cell(&mut self, width: usize, pieces: &[Span]) {
        let used = self.text(Some(width), pieces);
        self.blanks(width - used + self.gap);
    }

    fn blanks(&mut self, count: usize) {
        self.out.resize(self.out.len() + count, b' ');
        self.column += count;
    }

    fn toned(&mut self, tone: Tone, text: &str) {
        let style = if self.color { tone.style() } else { Style::new() };
        write!(self.out, "{style}{text}{style:#}").expect("writing to memory cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("short", "short   |")]
    #[case("exactly6", "exact…  |")]
    #[case("sechs6", "sechs6  |")]
    fn a_cell_has_its_width_for_any_content(#[case] text: &str, #[case] expected: &str) {
        let mut out = Vec::new();
        let mut painter = Painter { out: &mut out, color: false, gap: 2, column: 0 };
        painter.cell(6, &[(Tone::Plain, text.to_owned())]);
        assert_eq!(painter.column, 8);
        out.push(b'|');
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }
}
