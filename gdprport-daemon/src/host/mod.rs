//! The host: what this machine shows of processes, sockets, namespaces, cgroups and time, and the kernel programs
//! that report the rest.
//!
//! Belongs here: reading the machine. What the readings prove is decided in `core`.

mod accounts;
pub(crate) mod brake;
mod cache;
pub(crate) mod cgroup;
pub(crate) mod clock;
pub(crate) mod configuration;
pub(crate) mod configured;
pub(crate) mod confine;
pub(crate) mod conntrack;
pub(crate) mod containers;
pub(crate) mod destroy;
pub(crate) mod ending;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
pub(crate) mod listing;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod nat;
pub(crate) mod netns;
pub(crate) mod notify;
mod pid;
pub(crate) mod probes;
pub(crate) mod process;
pub(crate) mod secret;
pub(crate) mod sockets;
pub(crate) mod ssh;
#[cfg(test)]
mod testing;
pub(crate) mod trust;
pub(crate) mod unseen;
pub(crate) mod usage;
