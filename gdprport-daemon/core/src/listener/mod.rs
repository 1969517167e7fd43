//! Listening sockets on watched ports, remembered from listen to close.
//!
//! Belongs here: the table. What the policy demands of a listener is `policy`'s.

mod table;

pub use table::{Listener, ListenerTable};
