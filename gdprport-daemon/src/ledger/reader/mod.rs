//! Questions to a ledger, by whoever may read the file: beside a running daemon, after it, or of a copy.

mod dimensions;
mod edges;
mod error;
mod findings;
mod observed;
mod open;
mod periods;
mod policy;
mod summary;
mod volumes;

pub(crate) use edges::{EdgeFilter, StoredEdge};
pub(crate) use error::ReadError;
#[cfg(test)]
pub(super) use error::Why;
pub(crate) use findings::StoredFinding;
pub(super) use findings::findings;
pub(super) use observed::read_all;
pub(crate) use open::Reader;
pub(super) use volumes::volumes;
