//! The control socket: HTTP/1.1 and JSON over a Unix socket, the same for people, programs and curl.
//!
//! Belongs here: what is said (`api`), how the daemon's loop is asked (`handle`), the server and the client.
//! Does not belong here: where the answers come from (`app`) and how they look to people (`ui`).

mod address;
pub mod api;
pub mod client;
mod counters;
pub mod follower;
pub mod handle;
mod limits;
pub mod server;

pub use address::DEFAULT_SOCKET;
