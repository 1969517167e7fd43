//! Reads the machine: kernel programs, `/proc`, cgroups, sockets, clocks.

pub mod probes;
//! The host: what this machine tells about processes, sockets, namespaces, cgroups and time.
//!
//! Belongs here: reading the machine. What the readings prove is decided in `core`.

mod cache;
pub mod cgroup;
pub mod clock;
mod file;
mod names;
pub mod netns;
mod pid;
pub mod process;
pub mod snapshot;
pub mod sockets;
