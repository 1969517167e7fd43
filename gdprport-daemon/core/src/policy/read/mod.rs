//! Reading: the text of one file to typed tables, every value with its place, every problem reported.
//!
//! Knows the grammar of each key and nothing of what the keys mean together.

mod acceptable;
mod file;
mod inline;
mod labels;
mod message;
mod node;
mod problem;
mod report;
mod scalar;
mod schema;
mod table;

pub(crate) use acceptable::{Acceptable, PortRef};
pub(crate) use file::{RawController, RawException, RawPolicy, RawPort, RawProcess, RawRecord, RawRule};
pub(crate) use message::quoted;
pub(crate) use node::{OneOrMany, Text};
pub(crate) use report::{At, Loc, Report, SHOWN};
pub(crate) use scalar::{AccountText, PortRange, RawService};

pub use message::nearest_name;
pub use problem::{Problem, Problems, Severity};
pub use schema::json_schema;
