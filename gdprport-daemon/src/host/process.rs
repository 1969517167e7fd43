//! From the owner that a record names to the [`Process`] that events show.
//!
//! `resolve` puts a [`Process`] together from what `entries` remembers and, for a process that is not known yet, from
//! what `evidence` and `executable` read. What the evidence proves is decided in `core::identity`.
//!
//! [`Process`]: gdprport_core::model::Process

mod appeared;
mod entries;
mod evidence;
mod executable;
mod existing;
mod known;
mod proc_owner;
mod proc_tasks;
mod resolve;
mod resolver;
#[cfg(test)]
mod tests;

pub(crate) use appeared::New;
pub(crate) use proc_tasks::ProcTasks;
pub use resolver::{Resolver, Roots, TaskLookup};
