//! Writes outward: every destination of events, each behind its own bounded queue and on its own thread.
//!
//! Belongs here: sinks and their books. Does not belong here: which events there are (`core::event`), which a
//! port wants (`core::emit`), what a human wants to read (`ui`; a sink is handed a [`Render`]).
//!
//! Nothing in here blocks who publishes. `received = delivered + queued + Σ dropped` holds for every sink in
//! every snapshot of its books.

mod batch;
mod error;
mod fanout;
mod file;
mod format;
#[cfg(any(test, fuzzing))]
pub mod hostile;
mod journald;
mod lines;
mod queue;
mod sink;
mod stats;
mod stdout;
#[cfg(test)]
mod testing;

pub use batch::Batch;
pub use error::SinkError;
pub use fanout::Fanout;
pub use format::{Format, Render};
pub use journald::JOURNALD_SOCKET;
pub use sink::{DEFAULT_CAPACITY, Sink};
pub use stats::{DropReason, SinkStats};
