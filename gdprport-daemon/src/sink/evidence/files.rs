//! A log's files for a verifier and for exports. It only reads, and takes no lock: the log may be another host's, or a copy.

use std::io;

use gdprport_core::evidence::{Block, Content, Hash, Log, Text, Tile, WIDTH, divided};
use sha2::{Digest as _, Sha256};

use super::disk::Disk;
use super::log::{CHECKPOINT, CHECKPOINTS};

/// Where the rotations of keys are.
pub(super) const ROTATIONS: &str = "rotations";
/// Where the texts of policies are, by their digests.
pub(super) const POLICIES: &str = "policy";

/// The files of a log.
pub(crate) struct Files<'d, D, P> {
    disk: &'d D,
    /// Names of the files of checkpoints that were not read yet, the last one first.
    names: Option<Vec<String>>,
    /// Checkpoints of the file that is being read, the last one first.
    notes: Vec<Vec<u8>>,
    /// The tile of an upper level that was read last.
    tile: Option<(Tile, Option<Vec<u8>>)>,
    progress: P,
}

impl<'d, D: Disk, P: FnMut(u64)> Files<'d, D, P> {
    /// `progress` is called now and then with the entries that were verified.
    pub(crate) const fn new(disk: &'d D, progress: P) -> Self {
        Self { disk, names: None, notes: Vec::new(), tile: None, progress }
    }

    /// Begins with the last file of checkpoints of which the first one is such that all before it are of no interest: what is older is
    /// not read.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn skip_to(&mut self, is_before: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        let mut names = self.newest_first()?;
        for at in 0..names.len() {
            if divided(&self.checkpoints_in(&names[at])?).next().is_some_and(&is_before) {
                names.truncate(at + 1);
                break;
            }
        }
        self.names = Some(names);
        Ok(())
    }

    /// The names of the files of checkpoints.
    fn newest_first(&self) -> io::Result<Vec<String>> {
        let mut names = self.disk.names(CHECKPOINTS)?;
        names.sort_unstable_by(|left, right| right.cmp(left));
        Ok(names)
    }

    fn checkpoints_in(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(self.disk.read(&format!("{CHECKPOINTS}/{name}"))?.unwrap_or_default())
    }

    /// A full tile or bundle, or what a tree of `size` entries has of it.
    fn either(&self, content: Content, number: u64, width: u16) -> io::Result<Option<Vec<u8>>> {
        let partial = Tile { content, number, width };
        match self.disk.read(&partial.to_string())? {
            None if !partial.is_full() => {
                // A larger tree has it full by now. Its beginning is the same.
                let full = self.disk.read(&partial.full().to_string())?;
                Ok(full.map(|bytes| beginning(content, bytes, width)))
            }
            found => Ok(found),
        }
    }
}

/// The first hashes or entries of a full file.
fn beginning(content: Content, mut bytes: Vec<u8>, width: u16) -> Vec<u8> {
    let width = usize::from(width);
    let length = match content {
        Content::Hashes(_) => width * Hash::BYTES,
        Content::Entries => {
            let mut entries = gdprport_core::evidence::Entries::of(&bytes);
            let _first = entries.by_ref().take(width).count();
            entries.at()
        }
    };
    bytes.truncate(length);
    bytes
}

impl<D: Disk, P: FnMut(u64)> Log for Files<'_, D, P> {
    type Error = io::Error;

    fn rotations(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.disk.read(ROTATIONS)?.unwrap_or_default())
    }

    fn latest(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.disk.read(CHECKPOINT)?.unwrap_or_default())
    }

    fn next_checkpoint(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.names.is_none() {
            self.names = Some(self.newest_first()?);
        }
        while self.notes.is_empty() {
            let Some(name) = self.names.as_mut().and_then(Vec::pop) else { return Ok(None) };
            self.notes = divided(&self.checkpoints_in(&name)?).map(<[u8]>::to_vec).collect();
            self.notes.reverse();
        }
        Ok(self.notes.pop())
    }

    fn block(&mut self, number: u64, width: u16) -> io::Result<Block> {
        Ok(Block {
            tile: self.either(Content::Hashes(0), number, width)?,
            bundle: self.either(Content::Entries, number, width)?,
        })
    }

    fn kept(&mut self, level: u8, index: u64, size: u64) -> io::Result<Option<Hash>> {
        let (content, number) = (Content::Hashes(level), index / WIDTH);
        let partial = Tile::partials(size).find(|tile| tile.content == content && tile.number == number);
        let tile = partial.unwrap_or(Tile { content, number, width: 1 }.full());
        if self.tile.as_ref().is_none_or(|(known, _)| *known != tile) {
            self.tile = Some((tile, self.either(content, number, tile.width)?));
        }
        let bytes = self.tile.as_ref().and_then(|(_, bytes)| bytes.as_deref());
        let at = usize::try_from(index % WIDTH).expect("less than 256");
        Ok(bytes.and_then(|bytes| bytes.as_chunks().0.get(at)).map(|bytes| Hash::from(*bytes)))
    }

    fn policy(&mut self, sha256: &str) -> io::Result<Text> {
        // It comes from an entry: nothing but a digest becomes a path.
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Text::Absent);
        }
        let Some(text) = self.disk.read(&format!("{POLICIES}/{sha256}"))? else { return Ok(Text::Absent) };
        let found = Hash::from(<[u8; 32]>::from(Sha256::digest(&text))).to_string();
        Ok(if found == sha256.to_ascii_lowercase() { Text::Right } else { Text::Wrong })
    }

    fn progress(&mut self, entries: u64) {
        (self.progress)(entries);
    }
}
