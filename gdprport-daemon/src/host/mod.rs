//! The host: what this machine tells about processes, sockets, namespaces, cgroups and time, and the kernel
//! programs that tell the rest.
//!
//! Belongs here: reading the machine. What the readings prove is decided in `core`.

mod cache;
pub mod cgroup;
pub mod clock;
pub mod farewell;
mod file;
#[cfg(any(test, fuzzing))]
pub mod hostile;
pub mod memory;
mod names;
pub mod netns;
mod pid;
pub mod probes;
pub mod process;
pub mod snapshot;
pub mod sockets;
#[cfg(test)]
mod testing;
