//! What listens and talks on this host now, without a daemon.
//!
//! Belongs here: one look at the host, put together from what the host layer reads. What is made of it is
//! `core::inventory`'s, how it is shown is `ui`'s.

mod holders;
mod look;
mod progress;

pub(crate) use look::{Look, host_name, look};
pub(crate) use progress::Progress;
