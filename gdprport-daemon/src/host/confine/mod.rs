//! What the daemon itself may do: its capabilities, the system calls and the places that it gives up once it runs.
//!
//! Belongs here: giving up, and what of it is in force. What each right is for stands in `docs/privileges.md`, which a test
//! compares with a running daemon.

mod calls;
mod capability;
mod files;
mod numbers;
mod role;
mod state;

pub(crate) use capability::{Capability, missing};
pub(crate) use files::landlock_version;
pub(crate) use role::{Role, enter, raise_for_namespaces};
pub(crate) use state::{Confined, Sandbox, begin, filter_calls, in_force, settle};
