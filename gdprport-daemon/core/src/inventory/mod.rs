//! What listens and talks on this host now, put together for people: `scan`, `init` and `audit` read it.
//!
//! Belongs here: the values, and recognizing services by port and executable. Reading the host is not known here.

mod exposure;
mod listener;

pub use exposure::Exposure;
pub use listener::{Inventory, Listening, PeerGroup, Recognised, Service, Unread};
