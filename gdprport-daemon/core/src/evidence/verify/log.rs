//! What a verifier is handed of a log.

use crate::evidence::hash::Hash;
use crate::evidence::stamp::{Stamp, StampError};

/// The files of a log, which are input: anything may be in them, or missing.
pub trait Log {
    /// Why a file cannot be read, other than that it is not there.
    type Error;

    /// The rotations of keys, `rotations`; nothing if it is not there.
    ///
    /// # Errors
    /// If it cannot be read.
    fn rotations(&mut self) -> Result<Vec<u8>, Self::Error>;

    /// The latest checkpoint, `checkpoint`; nothing if it is not there.
    ///
    /// # Errors
    /// If it cannot be read.
    fn latest(&mut self) -> Result<Vec<u8>, Self::Error>;

    /// The next of the checkpoints that the log keeps, each a note, in the order of the files; `None` behind the last.
    ///
    /// # Errors
    /// If it cannot be read.
    fn next_checkpoint(&mut self) -> Result<Option<Vec<u8>>, Self::Error>;

    /// The tile of level 0 and the bundle with this number, of so many entries (256, or fewer at the end of the log).
    ///
    /// # Errors
    /// If one of them cannot be read.
    fn block(&mut self, number: u64, width: u16) -> Result<Block, Self::Error>;

    /// A hash of a tile of a level from 1 on, in a tree of `size` entries; `None` if it is not there.
    ///
    /// # Errors
    /// If it cannot be read.
    fn kept(&mut self, level: u8, index: u64, size: u64) -> Result<Option<Hash>, Self::Error>;

    /// Whether the text of a policy is there and has this SHA-256 (hexadecimal).
    ///
    /// # Errors
    /// If it cannot be read.
    fn policy(&mut self, sha256: &str) -> Result<Text, Self::Error>;

    /// Called now and then with the entries that were verified.
    fn progress(&mut self, entries: u64);
}

/// 256 entries and their hashes, or fewer at the end of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    /// The bytes of the tile of level 0, if it is there.
    pub tile: Option<Vec<u8>>,
    /// The bytes of the bundle, if it is there.
    pub bundle: Option<Vec<u8>>,
}

/// What became of the text of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// It is there and the right one.
    Right,
    /// It is another one.
    Wrong,
    /// It is not there.
    Absent,
}

/// A checkpoint that was kept elsewhere: on paper, by a receiver of events, by a hub; or one that an authority stamped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// What it is called in findings: its file.
    pub name: String,
    /// The note.
    pub note: Vec<u8>,
    /// The timestamp that is said to be of it, if there is one, or why there is none after all. A checkpoint with one need not have
    /// been kept elsewhere.
    pub stamp: Option<Result<Stamp, StampError>>,
}
