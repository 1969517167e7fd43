//! The host: what this machine shows of processes, sockets, namespaces, cgroups and time, and the kernel programs
//! that report the rest.
//!
//! Belongs here: reading the machine. What the readings prove is decided in `core`.

mod accounts;
mod cache;
pub mod cgroup;
pub mod clock;
pub mod destroy;
mod file;
#[cfg(any(test, fuzzing))]
pub mod hostile;
pub mod listing;
pub mod memory;
pub mod netns;
mod pid;
pub mod probes;
pub mod process;
pub mod sockets;
#[cfg(test)]
mod testing;
