//! Erasing entries: whole bundles go, their hashes stay, and an entry says what went, when, why and by whose wish.
//!
//! In which order, so that no moment at which the host ends leaves something erased that nothing declares: the intent is written
//! down; the entry is appended and a checkpoint made; the bundles are removed; the intent becomes what was erased. A start that
//! finds an intent does all of it again.

use std::io;

use gdprport_core::evidence::{
    Content, Entries, Erased, ErasedRange, Kind, Note, Own, Reason, Sums, Tile, WIDTH, time_of,
};
use jiff::Timestamp;

use super::disk::{Disk, directory_of};
use super::log::Log;

/// What was erased so far, as the last entry about it states it.
pub(super) const ERASED: &str = "erased";
/// What is being erased.
const ERASING: &str = "erasing";

/// Which entries are to be erased, and what the log says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Erasure {
    /// Those emitted from this time on; absent: from the beginning.
    pub(crate) from: Option<Timestamp>,
    /// Those emitted before this time.
    pub(crate) before: Timestamp,
    /// Why.
    pub(crate) why: String,
    /// Who asked for it.
    pub(crate) by: String,
}

/// What an erasure has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// Entries that are gone.
    pub(crate) entries: u64,
    /// The checkpoint that covers it; absent: nothing was erased.
    pub(crate) note: Option<Note>,
}

impl<D: Disk> Log<D> {
    /// Erases the whole bundles whose entries all lie in the time that is asked for. The rest of a bundle at either end stays until
    /// its time has come too.
    ///
    /// # Errors
    /// If a file cannot be read or written. What was begun is finished by the next erasure or start.
    pub(super) fn erase(&mut self, erasure: &Erasure, now: Timestamp, sums: Sums) -> io::Result<Done> {
        self.finish_erasing(now, sums)?;
        let ranges = self.erased()?;
        if !ranges.has_room() {
            return Err(io::Error::other(
                "there are as many erased ranges as an entry can state; erase the entries between them first",
            ));
        }
        let chosen = self.chosen(erasure, &ranges)?;
        let Erasure { why, by, .. } = erasure;
        self.erase_chosen(&chosen, ranges, (why, by), (now, sums))
    }

    /// Erases the oldest bundles if entries have more than so many bytes, and some more, so that it is not always due.
    ///
    /// # Errors
    /// As [`erase`](Self::erase).
    pub(super) fn erase_beyond(&mut self, most: u64, now: Timestamp, sums: Sums) -> io::Result<Done> {
        self.finish_erasing(now, sums)?;
        let ranges = self.erased()?;
        let full = self.signed.map_or(0, |head| head.size / WIDTH);
        let mut sizes = Vec::new();
        for number in (0..full).filter(|number| !ranges.contains(number * WIDTH)) {
            let bytes = self.disk.size(&bundle(number))?;
            // One that is missing was not erased by this log: it must not be declared so.
            if bytes > 0 {
                sizes.push((number, bytes));
            }
        }
        let mut beyond = sizes.iter().map(|(_, bytes)| bytes).sum::<u64>().saturating_sub(most);
        if beyond > 0 {
            beyond += most / 20;
        }
        let mut chosen: Vec<(u64, u64)> = Vec::new();
        for (number, bytes) in sizes {
            if beyond == 0 {
                break;
            }
            beyond = beyond.saturating_sub(bytes);
            choose(&mut chosen, number);
        }
        self.erase_chosen(&chosen, ranges, ("room", "gdprport"), (now, sums))
    }

    fn erase_chosen(
        &mut self,
        chosen: &[(u64, u64)],
        mut ranges: Erased,
        (why, by): (&str, &str),
        (now, sums): (Timestamp, Sums),
    ) -> io::Result<Done> {
        let entries = chosen.iter().map(|(from, to)| to - from).sum();
        if entries == 0 {
            return Ok(Done { entries: 0, note: None });
        }
        for (from, to) in chosen {
            let (why, by) = (why.to_owned(), by.to_owned());
            ranges.add(ErasedRange { from: *from, to: *to, time: now, why, by });
        }
        let intent = serde_json::to_vec(&ranges).map_err(io::Error::other)?;
        self.disk.replace(ERASING, &intent)?;
        let note = self.finish_erasing(now, sums)?;
        Ok(Done { entries, note })
    }

    /// Does what an intent says, if there is one.
    pub(super) fn finish_erasing(&mut self, now: Timestamp, sums: Sums) -> io::Result<Option<Note>> {
        let Some(intent) = self.disk.read(ERASING)? else { return Ok(None) };
        let ranges: Erased = serde_json::from_slice(&intent).map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the file `{ERASING}` is not one of the log: {error}"),
            )
        })?;
        let before = self.erased()?;
        let statement = Own::Erased { time: now, ranges: ranges.clone() };
        // It is shorter than an entry may be: the ranges are bounded.
        let _fits = self.append(Kind::Own, &statement.content())?;
        let note = self.checkpoint(Reason::Erasure, now, sums)?;
        for range in ranges.ranges() {
            for number in range.from / WIDTH..range.to / WIDTH {
                if before.contains(number * WIDTH) {
                    continue;
                }
                let bundle = bundle(number);
                self.disk.remove(&bundle)?;
                if number + 1 == range.to / WIDTH || number % 1000 == 999 {
                    self.disk.sync_directory(directory_of(&bundle))?;
                }
            }
        }
        self.disk.rename(ERASING, ERASED)?;
        self.disk.sync_directory("")?;
        Ok(Some(note))
    }

    /// What was erased so far.
    pub(super) fn erased(&self) -> io::Result<Erased> {
        let Some(bytes) = self.disk.read(ERASED)? else { return Ok(Erased::none()) };
        serde_json::from_slice(&bytes).map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the file `{ERASED}` is not one of the log: {error}"),
            )
        })
    }

    /// The ranges of whole bundles that are asked for and are there. The last full bundle that is signed is the last that can go.
    fn chosen(&self, erasure: &Erasure, erased: &Erased) -> io::Result<Vec<(u64, u64)>> {
        let full = self.signed.map_or(0, |head| head.size / WIDTH);
        let mut chosen: Vec<(u64, u64)> = Vec::new();
        for number in 0..full {
            if erased.contains(number * WIDTH) {
                continue;
            }
            let Some((first, last)) = self.times(number)? else { continue };
            if first >= erasure.before {
                break;
            }
            if last >= erasure.before || erasure.from.is_some_and(|from| first < from) {
                continue;
            }
            choose(&mut chosen, number);
        }
        Ok(chosen)
    }

    /// When the earliest and the latest of a bundle's entries were emitted; `None` if it is not there or says nothing of it.
    fn times(&self, number: u64) -> io::Result<Option<(Timestamp, Timestamp)>> {
        let Some(bytes) = self.disk.read(&bundle(number))? else { return Ok(None) };
        let times = Entries::of(&bytes).filter_map(|entry| time_of(&entry.ok()?));
        Ok(times.fold(None, |range, time| {
            let (first, last) = range.unwrap_or((time, time));
            Some((first.min(time), last.max(time)))
        }))
    }
}

/// Adds a bundle to ranges of entries.
fn choose(chosen: &mut Vec<(u64, u64)>, number: u64) {
    let (from, to) = (number * WIDTH, (number + 1) * WIDTH);
    match chosen.last_mut() {
        Some(range) if range.1 == from => range.1 = to,
        _ => chosen.push((from, to)),
    }
}

fn bundle(number: u64) -> String {
    Tile { content: Content::Entries, number, width: 1 }.full().to_string()
}
