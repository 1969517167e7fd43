//! TCP sockets as the kernel lists them (`sock_diag`, sock_diag(7)) in the caller's network namespace, and
//! one socket of another process, fetched.
//!
//! Belongs here: requests, reading the replies, and whether a list is whole. Does not belong here: namespaces (`netns`),
//! owners (`listing`).

mod counts;
mod dump;
mod end;
mod error;
mod fetch;
mod in_use;
mod look;
mod ports;
mod query;
mod row;
#[cfg(test)]
mod tests;

pub(crate) use counts::TcpCounts;
pub use dump::read_replies;
pub(crate) use end::{EndError, Ender, Target, can_end};
#[cfg(test)]
pub(crate) use fetch::FetchError;
pub(crate) use fetch::fetch;
pub(crate) use look::{look, look_at_most};
pub use ports::PortSet;
pub(crate) use row::TcpSocket;
pub use row::{Head, Rows};

/// Any bytes as a reply about one socket, or as a count of sockets, are read or rejected.
#[cfg(any(test, fuzzing))]
pub(in crate::host) fn hostile(bytes: &[u8]) {
    let _ = query::read_counts(bytes);
    let _ = end::read_status(bytes);
    let _ = in_use::parse(&String::from_utf8_lossy(bytes), "TCP:");
}
