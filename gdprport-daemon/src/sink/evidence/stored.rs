//! The hashes of tiles that are on a disk, for roots and proofs.

use std::io;

use gdprport_core::evidence::{Content, Hash, Hashes, Tile, WIDTH};

use super::disk::Disk;

/// The tiles on a disk, for a tree of `size` entries.
pub(super) struct Stored<'a, D> {
    pub(super) disk: &'a D,
    pub(super) size: u64,
}

impl<D: Disk> Hashes for Stored<'_, D> {
    type Error = io::Error;

    fn hashes(&mut self, level: u8, first: u64, count: u16) -> io::Result<Vec<Hash>> {
        let number = first / WIDTH;
        let full = Tile { content: Content::Hashes(level), number, width: 1 }.full();
        let partial =
            Tile::partials(self.size).find(|tile| tile.content == full.content && tile.number == number);
        let bytes = match self.disk.read(&full.to_string())? {
            None => partial.map(|partial| self.disk.read(&partial.to_string())).transpose()?.flatten(),
            bytes => bytes,
        };
        let absent = || io::Error::new(io::ErrorKind::NotFound, format!("{full} is missing or too short"));
        let bytes = bytes.ok_or_else(absent)?;
        let from = usize::try_from(first % WIDTH).expect("less than 256");
        let hashes = bytes.as_chunks::<{ Hash::BYTES }>().0.get(from..from + usize::from(count));
        Ok(hashes.ok_or_else(absent)?.iter().map(|bytes| Hash::from(*bytes)).collect())
    }
}
