//! The Open Cybersecurity Schema Framework 1.8.0: events for data lakes and SIEMs that read OCSF.
//!
//! Belongs here: which field of an event is which attribute of which class. What has no attribute stands under `unmapped`,
//! as OCSF has it; docs/encodings.md shows both. Names of attributes are checked by the schema in `testdata`.

mod class;
mod event;
mod finding;
mod network;
mod other;
mod process;
#[cfg(test)]
mod tests;
mod time;

pub use event::ocsf;
