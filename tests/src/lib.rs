//! The harness of the end-to-end promises: guards that make a piece of the world and take it away again.
//!
//! Belongs here: what more than one promise needs (processes, cgroups, network namespaces, servers, the
//! daemon itself, its events). Does not belong here: the promises; they stand in `tests/tests/`.
//!
//! Every guard cleans up in `Drop`, so that a failed promise leaves nothing behind either. The guards panic
//! with a sentence instead of returning errors: a promise whose world cannot be made has failed.

pub mod books;
pub mod bpf;
pub mod cgroup;
pub mod child;
pub mod daemon;
pub mod event;
pub mod journal;
pub mod log;
pub mod memory;
pub mod netns;
pub mod pair;
pub mod pins;
pub mod policy;
pub mod ports;
pub mod posture;
pub mod puppet;
pub mod schema;
pub mod servers;
pub mod skip;
pub mod succession;
pub mod temp;
pub mod tls;
pub mod truth;
pub mod wait;
