//! Carrying out an order, in the daemon or in a command beside it.

use std::io;

use gdprport_core::delivery::SecretRef;
use gdprport_core::evidence::{Note, Reason, Sums};
use jiff::Timestamp;

use super::disk::Disk;
use super::erase::Done;
use super::key;
use super::log::Log;
use super::next_key;
use super::order::{Carried, Order};

/// Why an order cannot be carried out, if that is known before anything is changed.
///
/// # Errors
/// A sentence: the key is one that cannot be replaced here.
pub(super) fn refused(order: &Order, key: &SecretRef) -> Result<(), String> {
    match order {
        Order::Erase(_) => Ok(()),
        Order::Rotate => key::file(key).map(drop),
    }
}

/// Carries out an order that is not [refused](refused). Returns what came of it and the checkpoint that was made. `key`: the log's.
///
/// # Errors
/// If a file cannot be read or written. What was begun is finished when the log is opened anew.
pub(super) fn carry<D: Disk>(
    log: &mut Log<D>,
    key: &SecretRef,
    order: &Order,
    sums: Sums,
) -> io::Result<(Carried, Option<Note>)> {
    let now = Timestamp::now();
    let Done { entries, note } = match order {
        Order::Erase(erasure) => log.erase(erasure, now, sums)?,
        Order::Rotate => {
            let key = key::file(key).map_err(io::Error::other)?;
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
