//! Promises of the audit.

mod certificates;
mod count;
mod countries;
mod coverage;
mod encryption;
mod enforced;
mod exceptions;
mod listeners;
mod proposals;
mod recording;
mod records;
mod usage;
mod volume;
mod whole;
mod world;
