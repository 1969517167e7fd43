//! What a batch becomes in the database.

mod batch;
mod coverage;
mod edges;
mod entries;
mod listeners;
mod memory;
mod volume;

pub(super) use batch::store;
pub(super) use entries::{add_gap, add_note};
pub(super) use memory::Memory;
