//! How the sensor is asked to run: its tables of `gdprport.toml`, as they are written.
//!
//! Belongs here: the grammar of these tables, and within which bounds their values are. Pure. What is not given has a default
//! that is not this module's. The tables of the deliverer are `delivery`'s.

mod file;
mod scalar;
mod settings;
mod tables;
#[cfg(test)]
mod tests;

pub use file::TABLES;
pub use scalar::{SPOOL_BYTES, SpoolSync, Subject};
pub use settings::{
    Containers, Events, Evidence, Intervals, Ledger, Limits, Privacy, Sandbox, Sensor, Spool,
};
