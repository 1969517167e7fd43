//! TOML that people write, read into typed tables: every value with its place, every problem reported instead of the first.
//!
//! Belongs here: what every such file has in common, tables with known keys, texts, lists, dates, problems and how they look.
//! What the keys of one file are and mean is its own module's (`policy`, `delivery`, `sensor`).

mod message;
mod node;
mod problem;
mod report;
mod scalar;
mod source;
mod table;

pub(crate) use message::quoted;
pub(crate) use node::{Named, Node, OneOrMany, Read, TEXT_MAX, TableReader, Text, Until, last_moment};
pub(crate) use report::{At, Loc, Report, SHOWN};
pub(crate) use scalar::{AbsolutePath, Loopback, Period, Size, number_within, one_of};
pub(crate) use table::{schema, tables};

pub use message::nearest_name;
pub use problem::{Problem, Problems, Severity};
pub use source::{FILE_BYTES_MAX, FILES_MAX, Source, TOTAL_BYTES_MAX};
