//! Another key takes the place of the one that signs.
//!
//! In which order, so that no moment at which the host ends leaves a log that nobody can sign or verify: the new key is written
//! beside the old one; the note that both keys sign is written down as what is intended; the entry that states it is appended and
//! synced; the note is added to `rotations`; the new key takes the old one's place; a checkpoint is made. A start that finds a part
//! of it does the rest.

use std::io;

use gdprport_core::evidence::{Kind, Note, Own, Rotation, SecretKey};
use jiff::Timestamp;

use super::disk::Disk;
use super::files::ROTATIONS;
use super::log::Log;

/// The note of a rotation that is not done yet.
const ROTATING: &str = "rotating";

/// What becomes of a new key that lies beside the one that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// There is none.
    Absent,
    /// The log is signed by it from now on: it takes the other's place.
    Signs,
    /// Nothing was signed by it: it is removed.
    Void,
}

impl<D: Disk> Log<D> {
    /// Signs with another key from the next entry on. The caller puts it in the old one's place then, makes a checkpoint, and calls
    /// [`rotated`](Self::rotated).
    ///
    /// # Errors
    /// If a file cannot be written. The log has to be opened anew then.
    pub(super) fn rotate(&mut self, new: SecretKey, now: Timestamp) -> io::Result<()> {
        self.commit()?;
        let note = Rotation::sign(&self.key, &new, self.tree.size(), now);
        self.disk.replace(ROTATING, note.to_string().as_bytes())?;
        self.state_rotation(&note, now)?;
        self.sign_with(new, &note)
    }

    fn state_rotation(&mut self, note: &Note, now: Timestamp) -> io::Result<()> {
        let own = Own::Rotated { time: now, note: note.to_string() };
        // It is shorter than an entry may be: names have bounds.
        let _fits = self.append(Kind::Own, &own.content())?;
        self.commit()?;
        self.sync()
    }

    fn sign_with(&mut self, new: SecretKey, note: &Note) -> io::Result<()> {
        let mut notes = self.disk.read(ROTATIONS)?.unwrap_or_default();
        notes.extend_from_slice(note.to_string().as_bytes());
        self.disk.replace(ROTATIONS, &notes)?;
        self.key = new;
        Ok(())
    }

    /// The rotation is done.
    ///
    /// # Errors
    /// If a file cannot be removed; a start does it then.
    pub(super) fn rotated(&mut self) -> io::Result<()> {
        self.disk.remove(ROTATING)
    }

    /// Does the rest of a rotation whose writer ended. `next`: a new key that the log is not signed by yet.
    pub(super) fn finish_rotating(&mut self, next: Option<SecretKey>) -> io::Result<Next> {
        let without = if next.is_some() { Next::Void } else { Next::Absent };
        let Some(bytes) = self.disk.read(ROTATING)? else { return Ok(without) };
        let note = Note::parse(&bytes).ok();
        let rotation = note.and_then(|note| Some((Rotation::verified(&note).ok()?, note)));
        let pending = rotation.zip(next).filter(|((rotation, _), next)| {
            *next.public() == rotation.new
                && *self.key.public() == rotation.old
                // Or entries before it were lost with the host: then nothing of it is in the log.
                && self.tree.size() >= rotation.entry
        });
        let Some(((rotation, note), next)) = pending else {
            self.rotated()?;
            return Ok(without);
        };
        if self.tree.size() == rotation.entry {
            self.state_rotation(&note, rotation.time)?;
        }
        self.sign_with(next, &note)?;
        self.rotated()?;
        Ok(Next::Signs)
    }
}
