//! Writes outward: every destination of events, each behind its own bounded queue and on its own thread.
//!
//! Belongs here: sinks and their counters. Does not belong here: which events there are (`gdprport_core::event`), which a
//! port wants (`gdprport_core::suppress`), what a human wants to read (`ui`; a sink is handed a [`Render`]).
//!
//! Nothing in here blocks who publishes. `received = delivered + queued + Σ dropped` holds for every sink in
//! every snapshot of its counters.

mod batch;
mod destination;
mod error;
pub(crate) mod evidence;
mod fanout;
mod file;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod journald;
mod lines;
mod lost;
mod place;
mod queue;
mod report;
pub(crate) mod spool;
mod stats;
mod stdout;
#[cfg(test)]
mod testing;

pub(crate) use batch::Batch;
pub use destination::{DEFAULT_CAPACITY, Sink};
pub(crate) use error::SinkError;
pub use fanout::Fanout;
pub(crate) use fanout::Follower;
pub(crate) use file::exposure;
pub(crate) use format::{Format, Render};
pub(crate) use journald::JOURNALD_SOCKET;
pub(crate) use lost::kind_of;
#[cfg(test)]
pub(crate) use stats::DropReason;
pub(crate) use stats::{Exposed, SinkStats, Spooled};
