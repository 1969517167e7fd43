//! A note as a checkpoint of one log.

use crate::evidence::checkpoint::{Checkpoint, CheckpointError};
use crate::evidence::note::Note;
use crate::evidence::rotation::Keys;

/// A note as a checkpoint of the log of these keys, which the key of its time signed.
///
/// # Errors
/// A part of a sentence: why it is none.
pub(in crate::evidence) fn signed(keys: &Keys, note: &[u8]) -> Result<Checkpoint, String> {
    let note = Note::parse(note).map_err(|error| error.to_string())?;
    let read: Checkpoint =
        note.unverified_text().parse().map_err(|error: CheckpointError| error.to_string())?;
    let key = keys.at(read.head.size);
    note.verified(std::slice::from_ref(key)).map_err(|error| error.to_string())?;
    if read.origin != *key.name() {
        return Err(format!("it is of the log {}, and this one is {}", read.origin, key.name()));
    }
    Ok(read)
}
