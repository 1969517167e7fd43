//! Lines of columns: texts that fit their width, numbers to the right.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::super::format::clean_cell;

/// Columns of space between two columns.
const GAP: usize = 2;

/// One column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) width: usize,
    number: bool,
}

impl Column {
    pub(super) const fn text(title: &'static str, width: usize) -> Self {
        Self { title, width, number: false }
    }

    pub(super) const fn number(title: &'static str, width: usize) -> Self {
        Self { title, width, number: true }
    }
}

/// A text and its style.
pub(super) type Cell = (String, Style);

/// How wide columns are together.
pub(super) fn width(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width).sum::<usize>() + GAP * columns.len().saturating_sub(1)
}

/// Cells below their columns.
pub(super) fn line(columns: &[Column], cells: Vec<Cell>) -> Line<'static> {
    let mut spans = Vec::with_capacity(2 * cells.len());
    for (index, (column, (text, style))) in columns.iter().zip(cells).enumerate() {
        if index > 0 {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        let text = if column.number { right(&text, column.width) } else { left(&text, column.width) };
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

/// The titles.
pub(super) fn titles(columns: &[Column], style: Style) -> Line<'static> {
    line(columns, columns.iter().map(|column| (column.title.to_owned(), style)).collect())
}

/// How many columns of a terminal a text takes.
pub(super) fn columns_of(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(text).width() }
}

/// Text from outside made harmless, cut with `…` where it is too long.
pub(super) fn cut(text: &str, width: usize) -> String {
    let text = clean_cell(text);
    if columns_of(&text) <= width {
        return text.into_owned();
    }
    let mut taken = 0;
    let mut end = 0;
    let mut buffer = [0; 4];
    for (at, c) in text.char_indices() {
        taken += columns_of(c.encode_utf8(&mut buffer));
        if taken + 1 > width {
            break;
        }
        end = at + c.len_utf8();
    }
    let mut cut = text[..end].to_owned();
    // Some characters are wider together than alone.
    while !cut.is_empty() && columns_of(&cut) + 1 > width {
        cut.pop();
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// The same, with spaces behind it.
pub(super) fn left(text: &str, width: usize) -> String {
    let mut text = cut(text, width);
    text.push_str(&" ".repeat(width.saturating_sub(columns_of(&text))));
    text
}

/// The same, with spaces before it.
pub(super) fn right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    format!("{}{text}", " ".repeat(width.saturating_sub(columns_of(&text))))
}

/// One line with something at its end: that goes first where there is no room.
pub(super) fn with_end(mut spans: Vec<Span<'static>>, end: Span<'static>, width: usize) -> Line<'static> {
    let taken: usize = spans.iter().map(Span::width).sum();
    if taken + end.width() < width {
        spans.push(Span::raw(" ".repeat(width - taken - end.width())));
        spans.push(end);
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_too_long_ends_in_an_ellipsis() {
        for (text, width, shown) in [
            ("postgres", 8, "postgres"),
            ("postgres", 7, "postgr…"),
            ("漢字漢字", 5, "漢字…"),
            ("漢字漢字", 4, "漢…"),
            ("a\u{1b}[2Jb\u{202e}", 9, "a\u{fffd}[2Jb\u{fffd}"),
            ("x", 0, ""),
        ] {
            assert_eq!(cut(text, width), shown, "{text} in {width}");
        }
        assert_eq!((left("ab", 4), right("ab", 4)), ("ab  ".to_owned(), "  ab".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_takes_its_width_and_no_more(text in any::<String>(), width in 0..40_usize) {
            prop_assert_eq!(columns_of(&left(&text, width)), width);
            prop_assert_eq!(columns_of(&right(&text, width)), width);
            prop_assert!(!cut(&text, width).contains(char::is_control));
        }
    }
}
