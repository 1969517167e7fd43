//! The newest checkpoint of the evidence log, from the spool. Reads files, so it runs on the blocking pool.

use std::path::PathBuf;

use gdprport_core::event::{Body, Event};
use gdprport_core::evidence::{Checkpoint, Hash};

use crate::sink::spool::{Item, SpoolError, SpoolReader};

/// Records before the end of the spool where it begins: an old checkpoint is of no use, as the next one comes within a minute of the
/// next event, and within an hour without one.
const LOOKED_BACK: u64 = 20_000;

/// Records that are read in one go.
const SCAN_MAX: usize = 100_000;

/// What the line of a checkpoint has in it; others are not parsed.
const KIND: &[u8] = b"\"evidence.checkpoint\"";

/// A checkpoint, as the daemon made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// The signed note, byte for byte.
    pub(super) note: String,
    pub(super) sequence: u64,
    /// Entries of the log that it covers.
    pub(super) entries: u64,
    pub(super) root: Hash,
}

/// The way through the spool.
#[derive(Debug)]
pub(super) struct Newest {
    spool: PathBuf,
    reader: Option<SpoolReader>,
    newest: Option<Seen>,
}

impl Newest {
    pub(super) const fn of(spool: PathBuf) -> Self {
        Self { spool, reader: None, newest: None }
    }

    /// Reads what is new, and returns the newest checkpoint so far.
    ///
    /// # Errors
    /// If the spool cannot be read.
    pub(super) fn look(&mut self) -> Result<Option<Seen>, SpoolError> {
        let read = self.read();
        if read.is_err() {
            self.reader = None;
        }
        read.map(|()| self.newest.clone())
    }

    fn read(&mut self) -> Result<(), SpoolError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let mut reader = SpoolReader::open(&self.spool)?;
                let extent = reader.extent()?;
                reader.seek(extent.next.saturating_sub(LOOKED_BACK).max(extent.first));
                self.reader.insert(reader)
            }
        };
        for _ in 0..SCAN_MAX {
            match reader.next()? {
                None => break,
                Some(Item::Record { line, .. }) => {
                    if let Some(seen) = seen(&line) {
                        self.newest = Some(seen);
                    }
                }
                // What is lost was older than what comes next.
                Some(Item::Lost(_) | Item::Anew(_)) => {}
            }
        }
        Ok(())
    }
}

fn seen(line: &[u8]) -> Option<Seen> {
    line.windows(KIND.len()).any(|part| part == KIND).then_some(())?;
    let Body::EvidenceCheckpoint(of) = serde_json::from_slice::<Event>(line).ok()?.body else { return None };
    let note = of.checkpoint.note;
    let end = note.find("\n\n")?;
    let Checkpoint { head, facts, .. } = note[..=end].parse().ok()?;
    Some(Seen { sequence: facts?.sequence, entries: head.size, root: head.root, note })
}
