//! Marks of the axis of time: at round moments, as many as there is room for.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use super::axis::Axis;

/// Pixels between two labels, at least.
const BETWEEN: f64 = 10.0;

/// How wide an axis is, at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// From 180 pixels.
    Least,
    /// From 230 pixels: a phone.
    Small,
    /// From 400 pixels.
    Middle,
    /// From 640 pixels.
    Wide,
}

impl Tier {
    /// All of them, the narrowest first.
    pub const ALL: [Self; 4] = [Self::Least, Self::Small, Self::Middle, Self::Wide];

    /// Its least width, in pixels.
    #[must_use]
    pub const fn least(self) -> f64 {
        match self {
            Self::Least => 180.0,
            Self::Small => 230.0,
            Self::Middle => 400.0,
            Self::Wide => 640.0,
        }
    }
}

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// An hour of the day.
    Hour(i8),
    /// A day.
    Day(Date),
    /// The month that begins.
    Month(Date),
    /// The year that begins.
    Year(i16),
}

/// A mark of the axis, with its label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick {
    /// Where, from 0 to 1.
    pub at: f64,
    /// What it says.
    pub mark: Mark,
    /// Whether its label ends there, as it would leave the axis if it began there like all others.
    pub is_before: bool,
}

/// The distance of two marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Hours, a divisor of a day.
    Hours(i64),
    /// Days; of seven, Mondays.
    Days(i64),
    /// Months; of twelve, years.
    Months(i64),
}

const SPANS: [Span; 19] = [
    Span::Hours(1),
    Span::Hours(2),
    Span::Hours(3),
    Span::Hours(6),
    Span::Hours(12),
    Span::Days(1),
    Span::Days(2),
    Span::Days(7),
    Span::Days(14),
    Span::Days(28),
    Span::Months(1),
    Span::Months(2),
    Span::Months(3),
    Span::Months(6),
    Span::Months(12),
    Span::Months(60),
    Span::Months(120),
    Span::Months(1_200),
    Span::Months(12_000),
];

/// The marks of an axis as wide as this, ascending: of the closest distance at which no label meets another one or leaves the axis; if
/// there is none, one mark. `width` is how many pixels a label takes.
#[must_use]
pub fn ticks(axis: &Axis, tier: Tier, width: &dyn Fn(Mark) -> f64) -> Vec<Tick> {
    let label = |mark| width(mark) / tier.least();
    let between = BETWEEN / tier.least();
    let all = || SPANS.into_iter().filter_map(|span| marks(axis, span).filter(|marks| !marks.is_empty()));
    let fitting = all().find_map(|marks| placed(axis, &marks, &label, between));
    let one = || all().find_map(|marks| placed(axis, marks.get(..1)?, &label, between));
    fitting.or_else(one).unwrap_or_default()
}

/// These marks with their labels, whose widths are parts of the axis; `None`: they do not fit.
fn placed(
    axis: &Axis,
    marks: &[(i64, Mark)],
    label: &dyn Fn(Mark) -> f64,
    between: f64,
) -> Option<Vec<Tick>> {
    let mut end = 0.0;
    let place = |(second, mark): &(i64, Mark)| {
        let at = axis.part(Timestamp::from_second(*second).ok()?);
        let wide = label(*mark);
        let is_before = at + wide > 1.0;
        let begin = if is_before { at - wide } else { at };
        let fits = begin >= end;
        end = begin + wide + between;
        fits.then_some(Tick { at, mark: *mark, is_before })
    };
    marks.iter().map(place).collect()
}

/// Round moments of the period, and what they say; `None`: there are far too many.
fn marks(axis: &Axis, span: Span) -> Option<Vec<(i64, Mark)>> {
    const MOST: i64 = 64;
    let (from, to) = (axis.seconds().0, axis.to());
    let at = |second: i64| Timestamp::from_second(second).ok().map(|at| Offset::UTC.to_datetime(at));
    let of_seconds = |length: i64, anchor: i64| {
        let (first, last) = (-(-(from - anchor)).div_euclid(length), (to - 1 - anchor).div_euclid(length));
        if last - first > MOST {
            return None;
        }
        let mark = |ordinal: i64| {
            let second = ordinal * length + anchor;
            let at = at(second)?;
            let mark = if at.hour() == 0 { Mark::Day(at.date()) } else { Mark::Hour(at.hour()) };
            Some((second, mark))
        };
        Some((first..=last).filter_map(mark).collect())
    };
    match span {
        Span::Hours(hours) => of_seconds(hours * 3_600, 0),
        // 1970-01-05 was a Monday.
        Span::Days(days) => of_seconds(days * 86_400, 4 * 86_400),
        Span::Months(months) => {
            let number = |at: DateTime| i64::from(at.year()) * 12 + i64::from(at.month()) - 1;
            let (begin, end) = (number(at(from)?), number(at(to - 1)?));
            let (first, last) = (begin.div_euclid(months), end.div_euclid(months));
            if last - first > MOST {
                return None;
            }
            let mark = |ordinal: i64| {
                let number = ordinal * months;
                let year = i16::try_from(number.div_euclid(12)).ok()?;
                let date = Date::new(year, i8::try_from(number.rem_euclid(12)).ok()? + 1, 1).ok()?;
                let second =
                    Offset::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::midnight())).ok()?;
                let mark = if months < 12 { Mark::Month(date) } else { Mark::Year(year) };
                Some((second.as_second(), mark)).filter(|(second, _)| (from..to).contains(second))
            };
            Some((first..=last).filter_map(mark).collect())
        }
    }
}
