//! Wires the parts into the daemon: one loop, one closed set of inputs.
//!
//! Belongs here: what needs more than one layer. Does not belong here: decisions (`gdprport_core`), reading the machine
//! (`host`), writing outward (`sink`), the protocol of the control socket (`control`).

mod applying;
mod audit;
mod config;
mod control_thread;
mod countries;
mod coverage;
mod doctor;
mod drain;
mod enforcer;
mod evidence;
mod first_look;
mod follower;
mod grouping;
mod housekeeping;
mod incident;
mod inputs;
mod keeper;
mod locked_out;
pub(crate) mod monitor;
mod names_thread;
mod options;
mod overload;
mod policy;
mod privacy;
mod proof;
mod reader;
mod reconcile;
mod recorder;
mod records;
mod reload;
mod remedy;
mod run;
mod scan;
mod session;
mod shutdown;
mod signals;
pub(crate) mod stamps;
mod startup;
mod status;
#[cfg(test)]
mod tests;
mod translations;
pub(crate) mod transparency;
mod trial;
mod unpin;

pub(crate) use audit::{Past, judge};
pub(crate) use config::{Config, ConfigError, Subject};
pub(crate) use countries::countries;
pub(crate) use doctor::examine;
pub(crate) use evidence::{Evidence, judge_alone};
pub(crate) use first_look::{FirstLook, FirstLookTo};
pub(crate) use incident::{Asked, PastOf, incident};
pub(crate) use locked_out::locked_out;
pub(crate) use options::{RunError, RunOptions};
pub(crate) use policy::{PolicyError, PolicyFiles, Trust, Written, exposed_where_written};
pub(crate) use privacy::{read_key, rotate};
pub(crate) use proof::Proof;
pub(crate) use records::{Recorded, records};
pub(crate) use run::run;
#[cfg(test)]
pub(crate) use scan::ScanError;
pub(crate) use scan::{Look, Progress, Watch, host_name, look, look_at_all, watch};
pub(crate) use unpin::{DEFAULT_PINS, Ending, Unpinned, unpin};

// What `RunOptions` is made of.
pub(crate) use crate::host::brake::Brake;
pub(crate) use crate::host::probes::{Released, release};
pub(crate) use crate::sink::{Format, Render};
