//! Moments and slots of an axis as people read them.

use super::super::words::{Lang, fill};
use gdprport_core::charts::{Axis, Mark, Step};
use jiff::civil::Date;

/// `3 Nov`.
pub(super) fn day(date: Date, lang: Lang) -> String {
    fill(lang.words().day_month, &[&date.day().to_string(), month(date, lang)])
}

fn month(date: Date, lang: Lang) -> &'static str {
    let month = usize::try_from(date.month() - 1).unwrap_or(0);
    lang.words().months.split(' ').nth(month).unwrap_or_default()
}

/// What a mark of the axis says.
pub(super) fn mark(mark: Mark, lang: Lang) -> String {
    match mark {
        Mark::Hour(hour) => format!("{hour:02}:00"),
        Mark::Day(date) => day(date, lang),
        Mark::Month(date) => format!("{} {}", month(date, lang), date.year()),
        Mark::Year(year) => year.to_string(),
    }
}

/// A slot: an hour, a day, or from one to another.
pub(super) fn slot(axis: &Axis, slot: usize) -> String {
    let begin = axis.begin(slot);
    match axis.step() {
        Step::Hour => begin.strftime("%Y-%m-%d %H:00").to_string(),
        Step::Days(1) => begin.strftime("%Y-%m-%d").to_string(),
        Step::Days(_) => {
            let last = axis.begin(slot + 1).as_second() - 1;
            let last = jiff::Timestamp::from_second(last).unwrap_or(begin);
            format!("{} – {}", begin.strftime("%Y-%m-%d"), last.strftime("%Y-%m-%d"))
        }
    }
}

/// From one slot to another, or that one.
pub(super) fn slots(axis: &Axis, first: usize, last: usize) -> String {
    if first == last {
        return slot(axis, first);
    }
    let (begin, end) = (axis.begin(first), axis.begin(last + 1));
    if axis.step() == Step::Hour {
        return format!("{} – {}", begin.strftime("%Y-%m-%d %H:00"), end.strftime("%Y-%m-%d %H:00"));
    }
    let end = jiff::Timestamp::from_second(end.as_second() - 1).unwrap_or(begin);
    format!("{} – {}", begin.strftime("%Y-%m-%d"), end.strftime("%Y-%m-%d"))
}

/// How long the slots are.
pub(super) fn resolution(axis: &Axis, lang: Lang) -> String {
    let words = lang.words();
    match axis.step() {
        Step::Hour => words.by_hour.to_owned(),
        Step::Days(1) => words.by_day.to_owned(),
        Step::Days(days) => fill(words.by_days, &[&days.to_string()]),
    }
}
