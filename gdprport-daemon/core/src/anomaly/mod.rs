//! Hours of a series that moved far more than its history, and what they were compared with.
//!
//! Belongs here: series of numbers by hour (`series`), what an hour is compared with (`baseline`), and which hours are unusual
//! (`judge`). Where the numbers come from, and how a finding is worded, is `audit::checks::volume`'s.

mod baseline;
mod hour;
mod judge;
mod rule;
mod series;
#[cfg(test)]
mod tests;

pub use baseline::{Bucket, Comparison};
pub use hour::Hour;
pub use judge::{Episode, Judgement, Unusual, judge};
pub use rule::Rule;
pub use series::{Moved, Watched};
