//! Comparing the tables with the host: what was there before the daemon, what of it has ended, and what is missing after
//! records were lost.
//!
//! Belongs here: when the host is listed or polled, and what follows from what was found. Does not belong here: reading
//! the host (`host::listing`), and what a finding does to a table (`monitor`).

mod adopt;
mod background;
mod poll;
mod reconciler;

pub(crate) use adopt::Progress;
pub(crate) use background::Finding;
pub(crate) use reconciler::Reconciler;
