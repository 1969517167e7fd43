//! The harness of the end-to-end promises: guards that set up a piece of the environment and remove it again.
//!
//! Belongs here: what more than one test needs (processes, cgroups, network namespaces, servers, the
//! daemon itself, its events). Does not belong here: the tests; they are in `tests/tests/`.
//!
//! Every guard cleans up in `Drop`, so that a failed test leaves nothing behind either. The guards panic
//! with a message instead of returning errors: a test whose environment cannot be set up has failed.

pub mod authority;
pub mod bpf;
pub mod browser;
pub mod cgroup;
pub mod child;
pub mod client;
pub mod commands;
pub mod containers;
pub mod counters;
pub mod daemon;
pub mod daemon_status;
pub mod deliver;
pub mod enforce;
pub mod event;
pub mod evidence;
pub mod import;
pub mod journal;
mod launch;
pub mod ledger;
pub mod log;
pub mod manifest;
pub mod memory;
pub mod nat;
pub mod netns;
pub mod pair;
pub mod pins;
pub mod pod;
pub mod policy;
pub mod ports;
pub mod posture;
pub mod prometheus;
pub mod puppet;
pub mod receivers;
pub mod rights;

pub mod runtime;
pub mod scene;
pub(crate) mod schema;
pub mod serial;
pub mod servers;
pub mod service;
pub mod skip;
pub mod spool;
pub mod takeover;
pub mod temp;
pub mod tls;
pub mod tmux;
pub mod truth;
pub mod user;
pub mod wait;
