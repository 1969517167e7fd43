//! A part of a log for somebody else: read from its files, while a daemon may write it, and written with the hashes that prove it.

use std::io::{self, Write};

use gdprport_core::evidence::{
    Anchor, Block, Checkpoint, EXPORT, Entries, Entry, ExportHead, ExportLine, Hash, Head, Included, Kind,
    Log as _, Own, WIDTH, beside_range, consistency, divided, inclusion,
};
use jiff::Timestamp;

use super::disk::Disk;
use super::files::Files;
use super::stored::Stored;

/// What is to be exported.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// What was logged from this time on,
    pub(crate) from: Timestamp,
    /// and before this time.
    pub(crate) to: Timestamp,
    /// Checkpoints that were kept elsewhere, as notes: the export has a proof for each.
    pub(crate) elsewhere: Vec<Vec<u8>>,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Exported {
    /// Index of the first entry.
    pub(crate) from: u64,
    /// Index behind the last.
    pub(crate) to: u64,
    /// Entries of which only the hash is there.
    pub(crate) hidden: u64,
}

/// Why nothing was.
#[derive(Debug)]
pub(crate) enum NotExported {
    /// A file cannot be read, or the export not written.
    Io(io::Error),
    /// A part of a sentence.
    Wrong(String),
}

impl From<io::Error> for NotExported {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A checkpoint of the log, with its note.
#[derive(Debug, Clone)]
struct Signed {
    note: String,
    head: Head,
    time: Option<Timestamp>,
}

impl Signed {
    fn of(note: &[u8]) -> Option<Self> {
        let note = String::from_utf8(note.to_vec()).ok()?;
        let (text, _) = note.split_once("\n\n")?;
        let read: Checkpoint = format!("{text}\n").parse().ok()?;
        Some(Self { note, head: read.head, time: read.facts.map(|facts| facts.time) })
    }
}

/// Writes all entries between the last checkpoint that is not after the beginning of the time and the first that is not before its
/// end: so the export shows that nothing of the time is left out.
///
/// # Errors
/// If there is nothing to export, or a file cannot be read or written.
pub(crate) fn export<D: Disk>(
    disk: &D,
    wanted: &Wanted,
    out: &mut impl Write,
) -> Result<Exported, NotExported> {
    let mut files = Files::new(disk, |_| {});
    let no_checkpoint = || NotExported::Wrong("the file `checkpoint` is missing or none".into());
    let latest = Signed::of(&files.latest()?).ok_or_else(no_checkpoint)?;
    let (mut since, mut until) = (None, None);
    while let Some(note) = files.next_checkpoint()? {
        let Some(read) = Signed::of(&note).filter(|read| read.head.size <= latest.head.size) else {
            continue;
        };
        let Some(time) = read.time else { continue };
        if time <= wanted.from {
            since = Some(read);
        } else if time >= wanted.to {
            until = Some(read);
            break;
        }
    }
    let until = until.unwrap_or_else(|| latest.clone());
    let (from, to) = (since.as_ref().map_or(0, |since| since.head.size), until.head.size);
    if from >= to {
        return Err(NotExported::Wrong("nothing was logged in that time".into()));
    }
    let rotations = String::from_utf8(files.rotations()?)
        .map_err(|_| NotExported::Wrong("the file `rotations` is no text".into()))?;
    let statement = statement(disk, latest.head.size)?;
    let mut stored = Stored { disk, size: latest.head.size };
    let hashes = base64(&beside_range(&mut stored, (from, to), latest.head.size)?);
    let mut anchor = |signed: &Signed| -> io::Result<Anchor> {
        let proof = consistency(&mut stored, signed.head.size, latest.head.size)?;
        Ok(Anchor { note: signed.note.clone(), consistency: base64(&proof) })
    };
    let mut elsewhere = Vec::new();
    for note in wanted.elsewhere.iter().flat_map(|notes| divided(notes)) {
        let read = Signed::of(note).filter(|read| read.head.size <= latest.head.size);
        let read = read.ok_or_else(|| {
            NotExported::Wrong(
                "a checkpoint from elsewhere is none, or newer than the log: verify the log with it".into(),
            )
        })?;
        elsewhere.push(anchor(&read)?);
    }
    let (since, until) = (since.as_ref().map(&mut anchor).transpose()?, anchor(&until)?);
    let erased = statement
        .map(|entry| -> io::Result<Included> {
            let inclusion = base64(&inclusion(&mut stored, entry.index, latest.head.size)?);
            Ok(Included { entry, inclusion })
        })
        .transpose()?;
    let (schema, checkpoint) = (EXPORT.to_owned(), latest.note);
    write(
        out,
        &ExportHead { schema, checkpoint, rotations, from, to, hashes, since, until, elsewhere, erased },
    )?;
    let hidden = entries(disk, (from, to), latest.head.size, out)?;
    out.flush()?;
    Ok(Exported { from, to, hidden })
}

fn base64(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::base64).collect()
}

fn write(out: &mut impl Write, line: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// The block with this number, of a tree of so many entries.
fn block<D: Disk>(disk: &D, number: u64, size: u64) -> io::Result<Block> {
    #[expect(clippy::cast_possible_truncation, reason = "at most 256")]
    let width = WIDTH.min(size - number * WIDTH) as u16;
    Files::new(disk, |_| {}).block(number, width)
}

/// Writes the entries of a range; returns of how many only the hash is there.
fn entries<D: Disk>(disk: &D, (from, to): (u64, u64), size: u64, out: &mut impl Write) -> io::Result<u64> {
    let mut hidden = 0;
    for number in from / WIDTH..to.div_ceil(WIDTH) {
        let Block { tile, bundle } = block(disk, number, size)?;
        let bundle = bundle.unwrap_or_default();
        let mut entries = Entries::of(&bundle);
        let hashes = tile.unwrap_or_default();
        let mut hashes = hashes.as_chunks::<{ Hash::BYTES }>().0.iter();
        for index in number * WIDTH..(number + 1) * WIDTH {
            let (entry, hash) = (entries.next().and_then(Result::ok), hashes.next());
            if !(from..to).contains(&index) {
                continue;
            }
            let line = match (entry.and_then(|entry| ExportLine::of_entry(index, &entry)), hash) {
                (Some(line), _) => line,
                (None, Some(hash)) => {
                    hidden += 1;
                    ExportLine::of_hash(index, Hash::from(*hash))
                }
                (None, None) => {
                    let what = format!("neither entry {index} nor its hash is there: verify the log");
                    return Err(io::Error::new(io::ErrorKind::NotFound, what));
                }
            };
            write(out, &line)?;
        }
    }
    Ok(hidden)
}

/// The last entry that states what was erased; `None`: nothing was, or that entry was erased itself.
fn statement<D: Disk>(disk: &D, size: u64) -> io::Result<Option<ExportLine>> {
    if disk.read(super::erase::ERASED)?.is_none() {
        return Ok(None);
    }
    for number in (0..size.div_ceil(WIDTH)).rev() {
        let Some(bundle) = block(disk, number, size)?.bundle else { continue };
        let states = |entry: &Entry<'_>| {
            entry.kind == Some(Kind::Own) && matches!(Own::parse(entry.content), Some(Own::Erased { .. }))
        };
        let entries = Entries::of(&bundle).map_while(Result::ok).zip(number * WIDTH..);
        if let Some((entry, index)) = entries.filter(|(entry, _)| states(entry)).last() {
            return Ok(ExportLine::of_entry(index, &entry));
        }
    }
    Ok(None)
}
