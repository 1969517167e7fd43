//! Opening a log as its last writer left it, whenever that ended: up to the last whole entry. What is torn is cut off and counted.

use std::collections::BTreeSet;
use std::io;

use gdprport_core::evidence::{
    Checkpoint, Content, Entries, Facts, Found, Hash, Hashes as _, Head, Keys, Note, PublicKey, Reason,
    RotationError, SecretKey, Tile, WIDTH, divided, is_torn, tree,
};
use uuid::Uuid;

use super::disk::Disk;
use super::files::ROTATIONS;
use super::log::{CHECKPOINT, ENTRIES, HASHES, LEVELS, Log, Random, Salts, bytes_of, checkpoints_of};
use super::rotate::Next;
use super::stored::Stored;

/// What stands in the way of going on with a log.
#[derive(Debug)]
pub(super) enum Unusable {
    /// A file cannot be read or written: it may work later.
    Io(io::Error),
    /// The log is not what its checkpoint signs, or another key signed it: it is set aside.
    Wrong(String),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// An open log.
pub(super) struct Opened<D> {
    pub(super) log: Log<D>,
    /// How it was found; `None`: there was none.
    pub(super) found: Option<Found>,
    /// What is to be done with the next key.
    pub(super) next: Next,
}

/// The private keys that are there.
pub(super) struct Signers {
    /// The one in its place.
    pub(super) key: SecretKey,
    /// One of a rotation that was begun.
    pub(super) next: Option<SecretKey>,
}

impl From<SecretKey> for Signers {
    fn from(key: SecretKey) -> Self {
        Self { key, next: None }
    }
}

impl Signers {
    /// Who signs a log with these keys, and a next one that it is not signed by yet.
    fn signing(self, keys: &Keys) -> Result<(SecretKey, Option<SecretKey>), Unusable> {
        let current = keys.at(u64::MAX);
        match self {
            Self { key, next } if key.public() == current => Ok((key, next)),
            Self { next: Some(next), .. } if next.public() == current => Ok((next, None)),
            Self { .. } => Err(Unusable::Wrong(format!("another key signs it by now: {current}"))),
        }
    }
}

/// Opens the log that is on this disk, or begins one.
pub(super) fn open<D: Disk>(
    mut disk: D,
    signers: impl Into<Signers>,
    boot: Uuid,
    random: Random,
) -> Result<Opened<D>, Unusable> {
    let signers = signers.into();
    let keys = keys_of(&disk, signers.key.public())?;
    let was = signers.key.public().clone();
    let (key, next) = signers.signing(&keys)?;
    let has_taken_next = *key.public() != was;
    let last = last_checkpoint(&mut disk, &keys)?;
    let (head, facts) = match &last {
        Some((checkpoint, facts)) => (checkpoint.head, Some(*facts)),
        None if is_empty(&disk)? => (Head { size: 0, root: Hash::of_no_leaf() }, None),
        None => return Err(Unusable::Wrong("it has entries and no checkpoint".into())),
    };
    let mut stored = Stored { disk: &disk, size: head.size };
    let tree = tree(&mut stored, head.size).map_err(missing)?;
    if tree.root() != head.root {
        return Err(Unusable::Wrong("its tiles are not those that its checkpoint signs".into()));
    }
    let mut open: [Vec<Hash>; LEVELS] = Default::default();
    for tile in Tile::partials(head.size) {
        let Content::Hashes(level) = tile.content else { continue };
        let first = tile.number * WIDTH;
        open[usize::from(level)] = stored.hashes(level, first, tile.width).map_err(missing)?;
    }
    let sequence = facts.map_or(0, |facts| facts.sequence + 1);
    let checkpoints = disk.read(&checkpoints_of(sequence))?;
    let mut log = Log {
        disk,
        key,
        boot,
        tree,
        open,
        full: Vec::new(),
        entries_bytes: 0,
        buffer: Vec::new(),
        hashes: Vec::new(),
        unplaced: None,
        unsynced: Vec::new(),
        sequence,
        checkpoints_bytes: checkpoints.map_or(0, |bytes| bytes.len() as u64),
        signed: last.is_some().then_some(head),
        made: facts,
        partials: BTreeSet::new(),
        salts: Salts::new(random),
    };
    let torn_bytes = go_on(&mut log)?;
    log.partials = partials_of(&log, head)?;
    let unsigned = log.tree.size() - head.size;
    let found = last.map(|(_, facts)| Found {
        signed: head.size,
        unsigned,
        torn_bytes,
        orderly: facts.reason == Reason::Stop && unsigned == 0 && torn_bytes == 0,
    });
    let next = log.finish_rotating(next)?;
    Ok(Opened { log, found, next: if has_taken_next { Next::Signs } else { next } })
}

/// The keys that signed the log so far.
fn keys_of<D: Disk>(disk: &D, key: &PublicKey) -> Result<Keys, Unusable> {
    let bytes = disk.read(ROTATIONS)?.unwrap_or_default();
    let wrong = |error: RotationError| Unusable::Wrong(format!("its rotations cannot be used: {error}"));
    let notes: Result<Vec<Note>, _> = divided(&bytes).map(Note::parse).collect();
    Keys::of(key, &notes.map_err(|error| wrong(error.into()))?).map_err(wrong)
}

fn is_empty<D: Disk>(disk: &D) -> io::Result<bool> {
    // Entries that no checkpoint covers yet are the beginning of a log whose writer ended before its first one.
    Ok(disk.names("tile")?.is_empty())
}

/// The newest checkpoint of `checkpoint` and of the file of the log's own, which may be ahead by one. What is torn behind the last
/// one of the file is cut off, and `checkpoint` is the newest.
fn last_checkpoint<D: Disk>(disk: &mut D, keys: &Keys) -> Result<Option<(Checkpoint, Facts)>, Unusable> {
    let latest = disk.read(CHECKPOINT)?.map(|note| read_checkpoint(&note, keys)).transpose()?;
    let sequence = latest.as_ref().map_or(0, |(_, facts)| facts.sequence);
    let mut newest = latest;
    for path in BTreeSet::from([checkpoints_of(sequence), checkpoints_of(sequence + 1)]) {
        let Some(bytes) = disk.read(&path)? else { continue };
        let mut whole = 0;
        for note in divided(&bytes) {
            let Ok(read) = read_checkpoint(note, keys) else {
                let at_the_end = whole + note.len() == bytes.len();
                if at_the_end && is_torn(note) {
                    disk.cut(&path, whole as u64)?;
                }
                break;
            };
            whole += note.len();
            if newest.as_ref().is_none_or(|(_, facts)| facts.sequence < read.1.sequence) {
                disk.replace(CHECKPOINT, note)?;
                newest = Some(read);
            }
        }
    }
    Ok(newest)
}

fn read_checkpoint(note: &[u8], keys: &Keys) -> Result<(Checkpoint, Facts), Unusable> {
    let wrong = |why: String| Unusable::Wrong(format!("its checkpoint cannot be used: {why}"));
    let note = Note::parse(note).map_err(|error| wrong(error.to_string()))?;
    let checkpoint: Checkpoint = note.unverified_text().parse().map_err(|error| wrong(format!("{error}")))?;
    let key = keys.at(checkpoint.head.size);
    note.verified(std::slice::from_ref(key)).map_err(|error| wrong(error.to_string()))?;
    if checkpoint.origin != *key.name() {
        return Err(wrong(format!("it is one of the log {}", checkpoint.origin)));
    }
    let facts = checkpoint.facts.ok_or_else(|| wrong("it has no sequence and no time".into()))?;
    Ok((checkpoint, facts))
}

fn missing(error: io::Error) -> Unusable {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidData => Unusable::Wrong(error.to_string()),
        _ => Unusable::Io(error),
    }
}

/// Appends to the tree what stands behind the checkpoint, up to the last whole entry. Returns how many bytes were cut off.
fn go_on<D: Disk>(log: &mut Log<D>) -> Result<u64, Unusable> {
    let mut torn = 0;
    loop {
        let number = log.tree.size() / WIDTH;
        let block = Block::read(&log.disk, number, log.tree.size())?;
        let signed = log.open[0].len();
        let whole = block.whole();
        if whole.count < signed {
            let detail =
                format!("the last {} entries that its checkpoint signs are not there", signed - whole.count);
            return Err(Unusable::Wrong(detail));
        }
        if whole.hashes[..signed] != log.open[0] {
            return Err(Unusable::Wrong("its last entries are not those that its checkpoint signs".into()));
        }
        torn += block.settle(&mut log.disk, &whole)?;
        whole.hashes[signed..].iter().for_each(|hash| log.grow(*hash));
        if (whole.count as u64) < WIDTH {
            log.entries_bytes = whole.bytes as u64;
            return Ok(torn);
        }
        log.open[0].clear();
    }
}

/// The files of a block, wherever its writer left them.
struct Block {
    number: u64,
    entries: Vec<u8>,
    hashes: Vec<u8>,
    /// Bytes that are in the way of a block that is not full.
    is_placed: (bool, bool),
}

/// The whole entries at the beginning of a block.
struct Whole {
    count: usize,
    /// Their bytes.
    bytes: usize,
    hashes: Vec<Hash>,
}

impl Block {
    fn path(number: u64, content: Content) -> String {
        Tile { content, number, width: 1 }.full().to_string()
    }

    fn read<D: Disk>(disk: &D, number: u64, size: u64) -> io::Result<Self> {
        let placed_entries = disk.read(&Self::path(number, Content::Entries))?;
        let placed_hashes = disk.read(&Self::path(number, Content::Hashes(0)))?;
        let is_placed = (placed_entries.is_some(), placed_hashes.is_some());
        let pending = |path| disk.read(path).map(Option::unwrap_or_default);
        let mut entries = placed_entries.map_or_else(|| pending(ENTRIES), Ok)?;
        let mut hashes = placed_hashes.map_or_else(|| pending(HASHES), Ok)?;
        // Of what the checkpoint signs there is a copy, which was synced before it.
        let width = (size % WIDTH) as u16;
        for (bytes, content) in [(&mut entries, Content::Entries), (&mut hashes, Content::Hashes(0))] {
            if width > 0
                && let Some(partial) = disk.read(&Tile { content, number, width }.to_string())?
                && !bytes.starts_with(&partial)
            {
                *bytes = partial;
            }
        }
        Ok(Self { number, entries, hashes, is_placed })
    }

    /// The entries that are whole and whose hashes are there.
    fn whole(&self) -> Whole {
        let hashes = self.hashes.as_chunks::<{ Hash::BYTES }>().0.iter().map(|bytes| Hash::from(*bytes));
        let mut entries = Entries::of(&self.entries);
        let mut whole = Whole { count: 0, bytes: 0, hashes: Vec::new() };
        for hash in hashes.take(usize::try_from(WIDTH).expect("256")) {
            match entries.next() {
                Some(Ok(entry)) if entry.hash() == hash => whole.hashes.push(hash),
                _ => break,
            }
            whole.bytes = entries.at();
        }
        whole.count = whole.hashes.len();
        whole
    }

    /// Leaves the files as a writer that goes on needs them: under their own names if the block is full, else pending and without
    /// what is torn. Returns how many bytes of entries were cut off.
    fn settle<D: Disk>(&self, disk: &mut D, whole: &Whole) -> io::Result<u64> {
        let torn = (self.entries.len() - whole.bytes) as u64;
        let is_full = whole.count as u64 == WIDTH;
        if is_full && self.is_placed == (true, true) && torn == 0 {
            // A name that was given and one that was not taken away: the next block does not begin with this one.
            for (pending, placed) in [(ENTRIES, &self.entries), (HASHES, &self.hashes)] {
                if disk.read(pending)?.is_some_and(|bytes| !bytes.is_empty() && placed.starts_with(&bytes)) {
                    disk.remove(pending)?;
                }
            }
            return Ok(0);
        }
        let (entries, hashes) = (&self.entries[..whole.bytes], bytes_of(&whole.hashes));
        let of = |content| Self::path(self.number, content);
        if is_full {
            disk.replace(&of(Content::Hashes(0)), &hashes)?;
            disk.replace(&of(Content::Entries), entries)?;
            disk.remove(ENTRIES)?;
            disk.remove(HASHES)?;
            return Ok(torn);
        }
        disk.replace(ENTRIES, entries)?;
        disk.replace(HASHES, &hashes)?;
        // What was synced out of order behind this place has no whole entry before it.
        disk.remove(&of(Content::Entries))?;
        disk.remove(&of(Content::Hashes(0)))?;
        let mut more = 0;
        for number in self.number + 1.. {
            let paths = [Content::Entries, Content::Hashes(0)].map(|content| Self::path(number, content));
            let mut any = false;
            for path in paths {
                if let Some(bytes) = disk.read(&path)? {
                    any = true;
                    more += bytes.len() as u64;
                    disk.remove(&path)?;
                }
            }
            if !any {
                break;
            }
        }
        Ok(torn + more)
    }
}

/// The partial files that are there for the last checkpoint.
fn partials_of<D: Disk>(log: &Log<D>, head: Head) -> io::Result<BTreeSet<Tile>> {
    let mut partials: BTreeSet<Tile> = Tile::partials(head.size).collect();
    let width = (head.size % WIDTH) as u16;
    if width > 0 {
        partials.insert(Tile { content: Content::Entries, number: head.size / WIDTH, width });
    }
    let mut there = BTreeSet::new();
    for tile in partials {
        if log.disk.read(&tile.to_string())?.is_some() {
            there.insert(tile);
        }
    }
    Ok(there)
}
