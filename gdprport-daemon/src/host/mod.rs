//! Reads the machine: kernel programs, `/proc`, cgroups, sockets, clocks.

pub mod probes;
