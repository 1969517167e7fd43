//! Carrying out an order, in the daemon or in a command beside it.

use std::io;
use std::path::Path;

use gdprport_core::evidence::{Note, Reason, Sums};
use jiff::Timestamp;

use super::disk::Disk;
use super::erase::Done;
use super::log::Log;
use super::next_key;
use super::order::{Carried, Order};

/// Carries out an order. Returns what came of it and the checkpoint that was made. `key`: the file of the log's key.
///
/// # Errors
/// If a file cannot be read or written. What was begun is finished when the log is opened anew.
pub(super) fn carry<D: Disk>(
    log: &mut Log<D>,
    key: &Path,
    order: &Order,
    sums: Sums,
) -> io::Result<(Carried, Option<Note>)> {
    let now = Timestamp::now();
    let Done { entries, note } = match order {
        Order::Erase(erasure) => log.erase(erasure, now, sums)?,
        Order::Rotate => {
            let name = log.key.public().name().clone();
            let next = next_key::make(key, &name).map_err(io::Error::other)?;
            log.rotate(next, now)?;
            next_key::take(key)?;
            let note = log.checkpoint(Reason::Rotation, now, sums)?;
            log.rotated()?;
            Done { entries: 0, note: Some(note) }
        }
    };
    let checkpoint = note.as_ref().map(Note::to_string);
    Ok((Carried { entries, checkpoint, key: log.key.public().to_string() }, note))
}
