//! The spool: events on disk, until every receiver has them. The sensor writes it, the deliverer reads it, and nothing else
//! passes between the two.
//!
//! What holds:
//!
//! - **One sequence.** Every record has an index. Indexes ascend strictly over the life of the spool, by one where nothing is
//!   lost, and no index is used for two events that a reader could have seen. Records stand in the files in the order of their
//!   indexes. So a reader finds every loss by counting.
//! - **Only whole records.** A record is read if both its sums are right. They begin with the spool's id and the segment, so that
//!   bytes of another file that a file system brings back are none.
//! - **Appended only.** A byte that a reader could have read never changes. What is removed goes as a file, or by a file that
//!   takes its name; a reader that has the old one open reads it to its end. (The one exception is the end of a file behind its
//!   last whole record.)
//! - **Nothing is silent.** What could not be written is counted by the sink, has no index, and stands in the stream as a
//!   `coverage` event. What was written and is gone is a [`Loss`] for whoever reads. What the host's own end may have taken is a
//!   loss of an unknown number: indexes are left out there, so that none comes twice.
//! - **Whoever proves stays.** Events that say what violates, what was lost, and who watched are removed after all others
//!   (`retention`).
//! - **Bounded.** Size, age, number of files, length of a record, memory of writer and reader.
//! - **Never in the way.** The writer is a thread behind a queue. Whatever the directory does to it, it counts and goes on.
//!
//! Belongs here: the format (`frame`), writing (`writer`, `log`, `segment`, `retention`, `recover`) and reading (`reader`,
//! `extent`). Does not belong here: who reads it (`deliver`), and what an event says.

mod class;
mod extent;
mod frame;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod item;
mod log;
mod reader;
mod recover;
mod retention;
mod segment;
mod segments;
mod settings;
mod walk;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use item::{Item, Seen, SpoolError};
pub(crate) use reader::{POLL, SpoolReader};
pub(crate) use settings::SpoolSettings;
