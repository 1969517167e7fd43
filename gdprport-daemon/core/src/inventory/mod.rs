//! What listens and talks on this host now, put together for people: `scan`, `init` and `audit` read it.
//!
//! Belongs here: the values, and recognizing services by port and executable. Reading the host is not known here.

mod build;
mod exposure;
mod found;
mod listener;
mod merge;
mod postures;
mod recognise;
mod seen;
#[cfg(test)]
mod tests;

pub use build::NETWORKS;
pub use exposure::Exposure;
pub use found::{ADDRESSES_EACH, FoundSocket, Holder, Sorted};
pub use listener::{Inventory, Listening, PeerGroup, Recognised, Service, Unread};
pub use recognise::{recognise, recognise_remote};
pub use seen::Seen;
