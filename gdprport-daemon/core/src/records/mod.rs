//! The record of processing activities (Art. 30 GDPR): what the policy declares and what the ledger has observed, side by
//! side.
//!
//! Belongs here: the model, how it is gathered (`gather`, `sums`, `timeline`, `windows`, `zone`), and its form for programs
//! (`document`). How it looks to people (HTML, Markdown, CSV, …) is the layer `report`'s; reading the ledger is `app`'s.
//!
//! Two kinds of statement, never mixed: *declared* is what somebody wrote into the policy, and may be absent; *observed*
//! is what the ledger has, with the numbers of its rows, for the time that was watched.

mod document;
mod gather;
mod measures;
mod model;
mod own;
mod sums;
#[cfg(test)]
mod tests;
mod timeline;
mod windows;
mod zone;

pub use document::{Document, FORMAT, json_schema};
pub use gather::{Past, gather};
pub use model::{
    About, Activity, Capacity, Counterpart, CoverageOf, DayOf, HourOf, MostMoved, Outcomes, Posed, ProcessOf,
    Records, Rows, RuleUse, Seen, Shares, Timeline, Use, Volume, WatchedHours, Where, Zone,
};
pub use own::{KeptFor, KeptLog, Own, OwnReceiver, SentTo, ShownAs};
pub use windows::most_around;
