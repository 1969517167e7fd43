//! Merging: all files of a policy together, every reference resolved, every contradiction reported.

mod bounds;
mod builder;
mod exception;
mod intern;
mod overlap;
mod peers;
mod rule;
mod site;
mod void;

pub(crate) use builder::merge;
