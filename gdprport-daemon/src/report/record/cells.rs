//! Cells that several parts of a page have alike.

use jiff::Timestamp;

use super::super::words::{Lang, Words, fill};
use super::page::{Cell, Kind};
use gdprport_core::model::Direction;

/// A moment, in UTC.
pub(in super::super) fn day_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The same without the time.
pub(in super::super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Who calls whom.
pub(in super::super) const fn direction(direction: Direction, words: &Words) -> &'static str {
    match direction {
        Direction::In => words.called_here,
        Direction::Out => words.called_there,
    }
}

/// A text that may not be declared.
pub(in super::super) fn text(value: Option<&str>, lang: Lang) -> Cell {
    match value {
        Some(value) => Cell::new(Kind::Declared, value),
        None => Cell::new(Kind::NotDeclared, lang.words().not_declared),
    }
}

/// A list that may not be declared, or declared to be empty.
pub(in super::super) fn list<T: AsRef<str>>(values: Option<&[T]>, lang: Lang) -> Cell {
    match values {
        Some([]) => Cell::new(Kind::Declared, lang.words().declared_none),
        Some(values) => {
            Cell::lines(Kind::Declared, values.iter().map(|value| value.as_ref().to_owned()).collect())
        }
        None => text(None, lang),
    }
}

/// A row that counts what is not shown.
pub(in super::super) fn rest(count: usize, columns: usize, lang: Lang) -> Option<Vec<Cell>> {
    (count > 0).then(|| {
        let mut cells = vec![Cell::new(Kind::Plain, "–"); columns];
        cells[0] = Cell::new(Kind::Plain, fill(lang.words().more, &[&lang.count(count as u64)]));
        cells
    })
}
