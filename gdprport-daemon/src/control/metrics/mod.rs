//! Metrics: what the status says, as OpenMetrics. Nothing is counted here, and nothing is asked again.
//!
//! One file for each part of the status, which says what its numbers are called. Does not belong here: how a scrape is
//! served (`server`).

mod control;
mod coverage;
mod daemon;
mod deliverer;
mod enforcement;
mod events;
mod family;
mod hooks;
mod ledger;
mod owners;
mod policy;
mod ports;
mod render;
mod sensor;
mod spool;
#[cfg(test)]
mod tests;
mod volumes;

pub(crate) use deliverer::deliverer;
pub(crate) use family::Family;
pub(crate) use render::{Format, render};
pub(crate) use sensor::sensor;
