//! Comparing the tables with the host: what was there before the daemon, what of it has ended, what is missing after
//! records were lost, and now and then everything, whether or not something is known to be lost.
//!
//! Belongs here: when the host is listed or polled, and what follows from what was found. Does not belong here: reading
//! the host (`host::listing`), and what a finding does to a table (`monitor`).

mod adopt;
mod background;
mod pace;
mod poll;
mod question;
mod reconciler;

pub(crate) use adopt::Progress;
pub(crate) use background::Finding;
pub(crate) use reconciler::Reconciler;
