//! What a batch becomes in the database.

mod batch;
mod coverage;
mod edges;
mod entries;
mod listeners;
mod volume;

pub(super) use batch::store;
