//! The control socket: HTTP/1.1 and JSON over a Unix socket, the same for people, programs and curl.
//!
//! Belongs here: the messages (`api`), how requests reach the daemon's loop (`handle`), the server and the client.
//! Does not belong here: what the loop replies (`app`) and how replies look to people (`ui`).

mod address;
pub(crate) mod api;
pub(crate) mod client;
mod counters;
pub(crate) mod follower;
pub(crate) mod handle;
pub(crate) mod limits;
pub(crate) mod metrics;
pub(crate) mod server;

pub(crate) use address::{DEFAULT_SOCKET, DELIVER_SOCKET};
