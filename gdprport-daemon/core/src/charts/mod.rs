//! What charts of a record show: series on an axis of time, scales, ticks, and what was not watched. Geometry without pixels.
//!
//! Belongs here: the numbers. `axis` divides the period, `ticks` marks it, `scale` measures values, `watching` says what was not
//! watched, `course` has values in the course of time, `shares` how much of each port was encrypted, `width` how wide a text is
//! at most. How it looks is the layer `report`'s.
//!
//! Nothing is smoothed, left out or estimated: the sum of each series is the sum in the record.

mod axis;
mod course;
mod scale;
mod shares;
#[cfg(test)]
mod tests;
mod ticks;
mod watching;
mod width;

pub use axis::{Axis, Step};
pub use course::{Course, Point, courses, violations, volume};
pub use scale::Scale;
pub use shares::{Bar, Percent, Protection, bars};
pub use ticks::{Mark, Span, Tick, Tier, ticks};
pub use watching::{Unwatched, Why};
pub use width::{shortened, width};
