//! The log that is being written: entries into bundles, hashes into tiles, checkpoints.
//!
//! In which order things reach the disk, so that no moment at which the host ends leaves a checkpoint without its entries:
//!
//! 1. Entries are appended to `pending.entries`, then their hashes to `pending.hashes`. An entry is whole when both have it.
//! 2. With 256 entries both files take their names below `tile/`, the hashes first.
//! 3. Before a checkpoint all of this is synced; then the files that are not full are written as partial ones, each in one step.
//! 4. The checkpoint is appended to the log's own checkpoints and synced; then it takes the place of `checkpoint`.
//! 5. What the checkpoint before needed, and no later one does, is removed.

use std::collections::BTreeSet;
use std::io;

use gdprport_core::evidence::{
    Checkpoint, Content, Facts, Hash, Head, Kind, Note, Reason, SALT_BYTES, Salt, SecretKey, Sums, Tile,
    Tree, WIDTH, append,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::disk::{Disk, directory_of};

/// Entries of the block that is not full.
pub(super) const ENTRIES: &str = "pending.entries";
/// Their hashes.
pub(super) const HASHES: &str = "pending.hashes";
/// The latest checkpoint.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// Where all checkpoints are.
pub(super) const CHECKPOINTS: &str = "checkpoints";

/// Checkpoints in one file: 18 hours with one a minute, some 500 KB.
const CHECKPOINTS_A_FILE: u64 = 1_024;

/// The files of a full block, in the order in which they take their names.
const FULL_BLOCK: &[(&str, Content)] = &[(HASHES, Content::Hashes(0)), (ENTRIES, Content::Entries)];

/// Levels of tiles.
pub(super) const LEVELS: usize = 8;

/// The file that a checkpoint is appended to.
pub(super) fn checkpoints_of(sequence: u64) -> String {
    format!("{CHECKPOINTS}/{:08}", sequence / CHECKPOINTS_A_FILE)
}

/// A source of randomness. It must be one for secrets.
pub(super) type Random = fn(&mut [u8]);

/// An entry's content is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// A log that is open, and written by nobody else.
pub(super) struct Log<D> {
    pub(super) disk: D,
    pub(super) key: SecretKey,
    pub(super) boot: Uuid,
    pub(super) tree: Tree,
    /// Hashes of the tiles that are not full, by level.
    pub(super) open: [Vec<Hash>; LEVELS],
    /// Upper tiles that are full and not written yet.
    pub(super) full: Vec<(Tile, Vec<Hash>)>,
    /// Bytes of `pending.entries`.
    pub(super) entries_bytes: u64,
    /// Entries that are not written yet, with their hashes.
    pub(super) buffer: Vec<u8>,
    pub(super) hashes: Vec<Hash>,
    /// The number of a full block whose files have not their names yet, and which of them.
    pub(super) unplaced: Option<(u64, &'static [(&'static str, Content)])>,
    /// Files that were renamed since the last sync, and their directories.
    pub(super) unsynced: Vec<String>,
    /// The number of the next checkpoint.
    pub(super) sequence: u64,
    /// Bytes of the file of checkpoints that it is appended to.
    pub(super) checkpoints_bytes: u64,
    pub(super) signed: Option<Head>,
    /// When and why the last checkpoint was made.
    pub(super) made: Option<Facts>,
    /// The partial files of the last checkpoint.
    pub(super) partials: BTreeSet<Tile>,
    pub(super) salts: Salts,
}

/// Salts, of which the randomness is fetched for many at a time.
pub(super) struct Salts {
    random: Random,
    bytes: [u8; 4096],
    used: usize,
}

impl Salts {
    pub(super) const fn new(random: Random) -> Self {
        Self { random, bytes: [0; 4096], used: 4096 }
    }

    fn next(&mut self) -> Salt {
        if self.used == self.bytes.len() {
            (self.random)(&mut self.bytes);
            self.used = 0;
        }
        let salt = &mut self.bytes[self.used..self.used + SALT_BYTES];
        self.used += SALT_BYTES;
        let taken = (*salt).try_into().expect("of this length");
        // It stands in the bundle only, which may be erased.
        salt.fill(0);
        taken
    }
}

impl<D: Disk> Log<D> {
    /// Whether nothing is in memory that is not written.
    pub(super) fn is_written(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Appends an entry, in memory until the next [`commit`](Self::commit), or until its block is full.
    ///
    /// # Errors
    /// If the content is too long, or what is in memory cannot be written; then that is taken back.
    pub(super) fn append(&mut self, kind: Kind, content: &[u8]) -> io::Result<Result<(), TooLong>> {
        if self.unplaced.is_some() {
            self.place()?;
        }
        let salt = self.salts.next();
        let Some(hash) = append(&mut self.buffer, kind, &salt, content) else { return Ok(Err(TooLong)) };
        self.hashes.push(hash);
        if (self.open[0].len() + self.hashes.len()) as u64 == WIDTH {
            self.commit()?;
        }
        Ok(Ok(()))
    }

    /// Writes what is in memory. From here on the end of the daemon loses none of it.
    ///
    /// # Errors
    /// If it cannot be written; then it is taken back, and the log is as before.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        let written = self.place().and_then(|()| self.write());
        if written.is_err() {
            self.buffer.clear();
            self.hashes.clear();
            return written;
        }
        for hash in std::mem::take(&mut self.hashes) {
            self.grow(hash);
        }
        self.entries_bytes += self.buffer.len() as u64;
        self.buffer.clear();
        if self.open[0].len() as u64 == WIDTH {
            self.unplaced = Some((self.tree.size() / WIDTH - 1, FULL_BLOCK));
            // What is written is whole; the names come with the next attempt at the latest.
            let _later = self.place();
        }
        Ok(())
    }

    /// Appends the hash of an entry that is written to the tree and to the tiles that are not full.
    pub(super) fn grow(&mut self, hash: Hash) {
        let Self { tree, open, full, .. } = self;
        tree.append(hash, |kept| {
            let level = usize::from(kept.level);
            open[level].push(kept.hash);
            if level > 0 && open[level].len() as u64 == WIDTH {
                let content = Content::Hashes(kept.level);
                let tile = Tile { content, number: kept.index / WIDTH, width: 1 }.full();
                full.push((tile, std::mem::take(&mut open[level])));
            }
        });
    }

    fn write(&mut self) -> io::Result<()> {
        if self.hashes.is_empty() {
            return Ok(());
        }
        let hashes_bytes = (self.open[0].len() * Hash::BYTES) as u64;
        let written = self
            .disk
            .append(ENTRIES, &self.buffer)
            .and_then(|()| self.disk.append(HASHES, &bytes_of(&self.hashes)));
        if written.is_err() {
            // If this fails too, the next attempt appends behind a torn entry: a start cuts it off, and so does the next line.
            self.disk.cut(ENTRIES, self.entries_bytes)?;
            self.disk.cut(HASHES, hashes_bytes)?;
        }
        written
    }

    /// Gives the files of a full block their names.
    fn place(&mut self) -> io::Result<()> {
        while let Some((number, [(pending, content), rest @ ..])) = self.unplaced {
            let path = Tile { content: *content, number, width: 1 }.full().to_string();
            self.disk.rename(pending, &path)?;
            self.unsynced.push(path);
            self.unplaced = (!rest.is_empty()).then_some((number, rest));
            if rest.is_empty() {
                self.open[0].clear();
                self.entries_bytes = 0;
            }
        }
        Ok(())
    }

    /// All that was written is on the disk.
    ///
    /// # Errors
    /// If that fails: then it is not known what is.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.place()?;
        let directories: BTreeSet<&str> = self.unsynced.iter().map(|path| directory_of(path)).collect();
        for path in &self.unsynced {
            self.disk.sync(path)?;
        }
        for directory in directories {
            self.disk.sync_directory(directory)?;
        }
        self.unsynced.clear();
        if !self.open[0].is_empty() {
            self.disk.sync(ENTRIES)?;
            self.disk.sync(HASHES)?;
            self.disk.sync_directory("")?;
        }
        Ok(())
    }

    /// Makes a checkpoint of all entries, and returns it.
    ///
    /// # Errors
    /// If a file cannot be written. The checkpoint before is in force then; a part of this one's files may be there.
    pub(super) fn checkpoint(&mut self, reason: Reason, time: Timestamp, sums: Sums) -> io::Result<Note> {
        self.commit()?;
        self.sync()?;
        while let Some((tile, hashes)) = self.full.first() {
            self.disk.replace(&tile.to_string(), &bytes_of(hashes))?;
            self.full.remove(0);
        }
        let partials = self.write_partials()?;
        let head = Head { size: self.tree.size(), root: self.tree.root() };
        let facts = Facts { sequence: self.sequence, time, boot: self.boot, reason, sums };
        let origin = self.key.public().name().clone();
        let checkpoint = Checkpoint { origin, head, facts: Some(facts) };
        let note = Note::sign(checkpoint.to_string(), &[&self.key]);
        self.publish(&note)?;
        self.signed = Some(head);
        self.made = Some(facts);
        self.sequence += 1;
        for tile in self.partials.difference(&partials) {
            self.disk.remove(&tile.to_string())?;
        }
        self.partials = partials;
        Ok(note)
    }

    /// Writes the partial tiles and the partial bundle of this size, those that are not there yet.
    fn write_partials(&mut self) -> io::Result<BTreeSet<Tile>> {
        let size = self.tree.size();
        let mut partials: BTreeSet<Tile> = Tile::partials(size).collect();
        for tile in partials.difference(&self.partials) {
            let Content::Hashes(level) = tile.content else { continue };
            self.disk.replace(&tile.to_string(), &bytes_of(&self.open[usize::from(level)]))?;
        }
        let width = (size % WIDTH) as u16;
        if width > 0 {
            let bundle = Tile { content: Content::Entries, number: size / WIDTH, width };
            if !self.partials.contains(&bundle) {
                let entries = self.disk.read(ENTRIES)?.unwrap_or_default();
                self.disk.replace(&bundle.to_string(), &entries)?;
            }
            partials.insert(bundle);
        }
        Ok(partials)
    }

    fn publish(&mut self, note: &Note) -> io::Result<()> {
        let (path, text) = (checkpoints_of(self.sequence), note.to_string());
        if self.sequence.is_multiple_of(CHECKPOINTS_A_FILE) {
            self.checkpoints_bytes = 0;
        }
        if let Err(error) = self.disk.append(&path, text.as_bytes()) {
            self.disk.cut(&path, self.checkpoints_bytes)?;
            return Err(error);
        }
        self.checkpoints_bytes += text.len() as u64;
        self.disk.sync(&path)?;
        self.disk.sync_directory(CHECKPOINTS)?;
        self.disk.replace(CHECKPOINT, text.as_bytes())
    }
}

pub(super) fn bytes_of(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
