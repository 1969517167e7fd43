//! What the daemon reports about itself: counters, what was lost from when to when, and how far the ring buffer is
//! durable for the next daemon.
//!
//! Belongs here: reading counters, finding gaps, the `coverage` event, the checkpoint. Does not belong here: counting
//! itself, which each part does for itself.

mod checkpoint;
mod gaps;
pub(super) mod reason;
mod report;
mod snapshot;
mod unseen;

pub(crate) use report::{Coverage, write_checkpoint};
pub(crate) use snapshot::Snapshot;
