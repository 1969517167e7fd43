//! Wires the parts into the daemon: one loop, one closed set of inputs.
//!
//! Belongs here: what needs more than one layer. Does not belong here: decisions (`core`), reading the
//! machine (`host`), writing outward (`out`), the protocol of the control socket (`control`).

pub mod account;
mod before;
mod config;
pub mod context;
mod daemon;
mod doctor;
mod files;
mod handover;
mod listen;
mod listeners;
mod losses;
mod names;
mod notify;
mod policy;
pub mod publish;
mod run;
mod signals;
mod snapshot;
mod start;
mod status;
mod unpin;

pub use config::{Config, ConfigError};
pub use doctor::examine;
pub use files::{Loaded, PolicyError, PolicyFiles};
pub use run::{RunError, RunOptions, run};
pub use unpin::{DEFAULT_PINS, Ending, Unpinned, unpin};

// What `RunOptions` is made of.
pub use crate::sink::{Format, Render};
