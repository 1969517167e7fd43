//! The control socket: HTTP/1.1 and JSON over a Unix socket, the same for people, programs and curl.
//!
//! Belongs here: what is said (`api`), how the daemon's loop is asked (`handle`), the server and the client.
//! Does not belong here: where the answers come from (`app`) and how they look to people (`ui`).

pub mod api;
pub mod client;
pub mod handle;
pub mod server;

/// Where the daemon listens unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/gdprport/control.sock";

/// The group whose members may read through the socket, if it exists on this host.
pub const GROUP: &str = "gdprport";
