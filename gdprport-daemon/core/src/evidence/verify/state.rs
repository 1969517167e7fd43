//! What a verification has seen so far, and what comes of it.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::finding::Findings;
use super::marks::Marks;
use super::runs::Runs;
use crate::evidence::checkpoint::Facts;
use crate::evidence::erased::Erased;
use crate::evidence::proof::Head;
use crate::evidence::rotation::{Keys, RotationError};
use crate::evidence::stamp::Stamp;
use crate::evidence::tree::Tree;

/// Why there is nothing that could be verified.
#[derive(Debug, PartialEq, Eq)]
pub enum Stopped<E> {
    /// A file cannot be read.
    Unreadable(E),
    /// There is no checkpoint that the key signed.
    NoCheckpoint(String),
    /// The file `rotations` is not a chain of keys that the given one is part of.
    Keys(RotationError),
}

impl<E> From<E> for Stopped<E> {
    fn from(error: E) -> Self {
        Self::Unreadable(error)
    }
}

/// A time in which no daemon wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Away {
    /// The last checkpoint before.
    pub from: Timestamp,
    /// The start after it.
    pub to: Timestamp,
    /// Whether the daemon was stopped in an orderly way.
    pub orderly: bool,
}

/// What was verified and found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The log's name.
    pub origin: String,
    /// What the latest checkpoint signs.
    pub head: Head,
    /// When it was made, and what was watched by then.
    pub facts: Option<Facts>,
    /// Entries that are there and right.
    pub entries: u64,
    /// Events among them.
    pub events: u64,
    /// Bytes of their content.
    pub bytes: u64,
    /// Events that the log says are missing in it.
    pub declared_missing: u64,
    /// Checkpoints of the log's own.
    pub checkpoints: u64,
    /// Checkpoints from elsewhere that are of this log.
    pub elsewhere: u64,
    /// Timestamps of checkpoints that are of this log; `None`: none was given.
    pub stamps: Option<Stamps>,
    /// What was erased, by the last entry that says so.
    pub erased: Erased,
    /// When nobody wrote, the first ones.
    pub away: Vec<Away>,
    /// What is wrong.
    pub findings: Findings,
}

/// Timestamps of checkpoints that are of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stamps {
    /// How many.
    pub count: u64,
    /// The latest of them.
    pub latest: Option<LatestStamp>,
}

/// A timestamp of a checkpoint that is of a log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LatestStamp {
    /// When the authority saw the checkpoint.
    pub time: Timestamp,
    /// The entries that the checkpoint covers: the first ones of the log.
    pub entries: u64,
    /// The name of the authority's certificate.
    pub authority: String,
}

impl Stamps {
    pub(super) fn add(&mut self, stamp: &Stamp, entries: u64) {
        self.count += 1;
        if self.latest.as_ref().is_none_or(|latest| latest.time < stamp.time) {
            let Stamp { time, authority, .. } = stamp.clone();
            self.latest = Some(LatestStamp { time, entries, authority });
        }
    }
}

/// A checkpoint whose root is compared when the tree has its size.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) head: Head,
    pub(super) time: Option<Timestamp>,
    /// The file of one that was kept elsewhere.
    pub(super) elsewhere: Option<String>,
    /// Its timestamp.
    pub(super) stamp: Option<Stamp>,
}

/// One pass through a log.
pub(super) struct Pass {
    pub(super) keys: Keys,
    pub(super) tree: Tree,
    pub(super) runs: Runs,
    pub(super) marks: Marks,
    pub(super) findings: Findings,
    /// The next of the log's own checkpoints that is ahead of the tree.
    pub(super) own: Option<Expected>,
    pub(super) own_ended: bool,
    pub(super) elsewhere: VecDeque<Expected>,
    /// Size of the last tree whose root a checkpoint has.
    pub(super) signed: u64,
    pub(super) stamps: Option<Stamps>,
    pub(super) rewritten: bool,
    /// Entries that are not there, as ranges in order.
    pub(super) absent: Vec<Absent>,
    pub(super) erased: Erased,
    pub(super) time: Option<Timestamp>,
    pub(super) away: Vec<Away>,
    pub(super) counts: Counts,
}

/// Entries `from..to` that are not there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absent {
    pub(super) from: u64,
    pub(super) to: u64,
    /// When the last one before them was emitted.
    pub(super) time: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) entries: u64,
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) elsewhere: u64,
}

impl Pass {
    pub(super) fn new(keys: Keys) -> Self {
        Self {
            keys,
            tree: Tree::new(),
            runs: Runs::default(),
            marks: Marks::default(),
            findings: Findings::default(),
            own: None,
            own_ended: false,
            elsewhere: VecDeque::new(),
            signed: 0,
            stamps: None,
            rewritten: false,
            absent: Vec::new(),
            erased: Erased::none(),
            time: None,
            away: Vec::new(),
            counts: Counts::default(),
        }
    }
}
