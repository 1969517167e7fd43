//! What listens and talks on this host now, without a daemon.
//!
//! Belongs here: a look at the host, put together from what the host layer reads, and watching it for a while. What is made of it is
//! `core::inventory`'s, how it is shown is `ui`'s.

mod holders;
mod look;
mod progress;
mod watch;

pub(crate) use look::{Look, ScanError, host_name, look, look_at_all};
pub(crate) use progress::Progress;
pub(crate) use watch::{Watch, watch};
