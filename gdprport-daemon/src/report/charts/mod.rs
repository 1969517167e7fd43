//! Charts of a record: its volume and its violations in the course of time, and how much of each port was encrypted.
//!
//! Belongs here: how the series of `gdprport_core::charts` look. `frame` has places and sizes, `strip` draws one course over its axis,
//! `chart` puts strips together with what belongs to them, `course` has bytes and violations, `protection` the bars of encryption, `overview` has those of all
//! activities, `time` says moments, `alone` makes files.
//!
//! Bars begin at zero and their scale is linear. Colours are signals only: whatever a colour says, a place, a pattern or a word says
//! too. A time that was not watched is hatched.

mod alone;
mod chart;
mod course;
mod frame;
mod overview;
mod protection;
#[cfg(test)]
mod samples;
mod strip;
#[cfg(test)]
mod tests;
mod time;

pub(crate) use course::activity;
pub(crate) use overview::{Charts, NAMES};
