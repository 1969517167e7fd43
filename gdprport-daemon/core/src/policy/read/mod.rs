//! Reading: the text of one file to typed tables, every value with its place, every problem reported.
//!
//! Knows the grammar of each key and nothing of what the keys mean together.

mod acceptable;
mod enforce;
mod file;
mod inline;
mod labels;
mod scalar;
mod schema;

pub(crate) use acceptable::{Acceptable, PortRef};
pub(crate) use enforce::RawEnforce;
pub(crate) use file::{RawController, RawException, RawPolicy, RawPort, RawProcess, RawRecord, RawRule};
pub(crate) use scalar::{AccountText, PortRange, RawService};

pub use schema::json_schema;
