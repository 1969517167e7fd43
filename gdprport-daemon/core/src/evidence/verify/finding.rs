//! What a verification finds: where, since when, and what it means.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

/// Findings that are kept; of more, only how many there are. The first one says where something was changed.
const KEPT_MAX: usize = 1_000;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// An entry is not the one that the tree has at its place.
    Changed,
    /// Entries of the tree stand in another order.
    Reordered,
    /// A bundle has more entries than the tree has there.
    Inserted,
    /// A bundle or a tile ends too early.
    Truncated,
    /// Entries are not there, and nothing declares that they were erased.
    Missing,
    /// A tile is not the one that belongs to the entries.
    TileChanged,
    /// The tree is not the one that was signed.
    Rewritten,
    /// A checkpoint that was kept elsewhere is of another tree.
    Forked,
    /// A checkpoint that was kept elsewhere is newer than the log: an older state was put back, or the end was cut off.
    RolledBack,
    /// A checkpoint is not signed by the key, or is none.
    Unsigned,
    /// Checkpoints are missing, stand in another order, or contradict each other.
    Checkpoints,
    /// The daemon said nothing for longer than it may.
    Silent,
    /// Events were emitted and are not in the log, and nothing declares the gap.
    Unlogged,
    /// Entries that were declared erased are there.
    NotErased,
    /// The text of a policy is missing or another one.
    Policy,
    /// A timestamp is none of its checkpoint, is not by a trusted authority, or contradicts the checkpoint's own time.
    Timestamp,
    /// Something cannot be read by this version.
    Unreadable,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub what: What,
    /// Index of the first entry that it is about; absent: it is about no entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// Index behind the last one, if they are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// When what is near to it was emitted or made, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// As a sentence.
    pub detail: String,
}

/// Findings in the order in which they were made, of which the first are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    count: u64,
}

impl Findings {
    /// Adds one.
    pub(super) fn add(&mut self, finding: Finding) {
        self.count += 1;
        if self.kept.len() < KEPT_MAX {
            self.kept.push(finding);
        }
    }

    /// Adds one about an entry.
    pub(in crate::evidence) fn at(
        &mut self,
        what: What,
        entry: u64,
        time: Option<Timestamp>,
        detail: impl Into<String>,
    ) {
        self.add(Finding { what, entry: Some(entry), to: None, time, detail: detail.into() });
    }

    /// Adds one about the entries `from..to`.
    pub(in crate::evidence) fn over(
        &mut self,
        what: What,
        range: (u64, u64),
        time: Option<Timestamp>,
        detail: impl Into<String>,
    ) {
        self.add(Finding { what, entry: Some(range.0), to: Some(range.1), time, detail: detail.into() });
    }

    /// Adds one about no entry.
    pub(in crate::evidence) fn on(&mut self, what: What, time: Option<Timestamp>, detail: impl Into<String>) {
        self.add(Finding { what, entry: None, to: None, time, detail: detail.into() });
    }

    /// The first ones.
    #[must_use]
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "changed",
            Self::Reordered => "reordered",
            Self::Inserted => "inserted",
            Self::Truncated => "truncated",
            Self::Missing => "missing",
            Self::TileChanged => "tile changed",
            Self::Rewritten => "rewritten",
            Self::Forked => "forked",
            Self::RolledBack => "rolled back",
            Self::Unsigned => "unsigned",
            Self::Checkpoints => "checkpoints",
            Self::Silent => "silent",
            Self::Unlogged => "unlogged",
            Self::NotErased => "not erased",
            Self::Policy => "policy",
            Self::Timestamp => "timestamp",
            Self::Unreadable => "unreadable",
        })
    }
}
