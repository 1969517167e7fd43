//! A read-only reader of tables of SQLite databases, in which Podman 5 keeps its state.
//!
//! Belongs here: the format of the file (<https://www.sqlite.org/fileformat2.html>). What is in its tables is the runtime's module.
//! The file is another program's, and perhaps a user's: every number in it is checked, and each view reads within a budget.

mod header;
mod record;
#[cfg(test)]
mod tests;
mod tree;
mod view;

pub use record::Row;
pub use tree::View;
pub use view::view;

/// Fills the bytes from an offset of the file; `false` if it could not fill them all.
pub type Reads<'a> = dyn Fn(u64, &mut [u8]) -> bool + 'a;
