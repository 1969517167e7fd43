//! A host picture of real servers: what an audit is proven on. Everything is in network namespaces of its own.
//!
//! Belongs here: the servers and clients, the policies for them, and days before today in the ledger. Does not belong here:
//! what an audit has to say of it; that is in `tests/tests/`.

mod audited;
mod history;
mod host;
mod policy;

pub use audited::{Audited, audit, evidence};
pub use history::went_on_for;
pub use host::Host;
pub use policy::{in_order, out_of_order};
