//! What a spool holds, and what of it lies before a reader: looked at again and again, so that only what is new is read.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::frame::NoHeader;
use super::item::{Extent, Lag, SpoolError, timestamp};
use super::segments::{Summary, list, walk};
use super::walk::{Step, Walk};

/// What is known of the segments of a spool.
#[derive(Debug, Default)]
pub(super) struct Survey {
    segments: BTreeMap<u64, Known>,
    /// Where the last question began.
    place: Option<Place>,
}

/// A segment as it was read.
#[derive(Debug)]
struct Known {
    file: FileId,
    summary: Summary,
    /// Of one that may grow: where it was read up to.
    walk: Option<Walk>,
}

/// Which file, and how long it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64, u64);

impl FileId {
    fn of(meta: &Metadata) -> Self {
        Self(meta.dev(), meta.ino(), meta.size())
    }

    const fn is_same_file(self, other: Self) -> bool {
        self.0 == other.0 && self.1 == other.1
    }
}

/// A place in a segment, with the records before it.
#[derive(Debug)]
struct Place {
    file: FileId,
    walk: Walk,
    index: u64,
    records: u64,
}

impl Survey {
    /// What the spool holds.
    pub(super) fn extent(&mut self, dir: &Path) -> Result<Extent, SpoolError> {
        self.refresh(dir)?;
        let mut extent = Extent::default();
        for (first, Known { summary, .. }) in &self.segments {
            if extent.spool.is_none() {
                extent.spool = Some(summary.header.spool);
                extent.first = *first;
                extent.oldest = Some(timestamp(summary.header.created));
            }
            extent.next = summary.next;
            extent.records += summary.counts.records;
            extent.bytes += summary.bytes;
        }
        Ok(extent)
    }

    /// What lies from an index on.
    pub(super) fn lag(&mut self, dir: &Path, index: u64) -> Result<Lag, SpoolError> {
        self.refresh(dir)?;
        let mut lag = Lag::default();
        let Self { segments, place } = self;
        for (first, Known { file, summary, .. }) in segments {
            if summary.next <= index || summary.counts.records == 0 {
                continue;
            }
            let (records, bytes, oldest) = if *first >= index {
                (summary.counts.records, summary.bytes, Some(summary.header.created))
            } else {
                let failed = |error| SpoolError::of(&super::segments::path(dir, *first), error);
                match before(place, dir, *first, *file, index).map_err(failed)? {
                    Some((records, bytes, oldest)) => (
                        summary.counts.records.saturating_sub(records),
                        summary.bytes.saturating_sub(bytes),
                        oldest,
                    ),
                    // It was removed a moment ago.
                    None => continue,
                }
            };
            lag.events += records;
            lag.bytes += bytes;
            lag.oldest = lag.oldest.or(oldest.map(timestamp));
        }
        Ok(lag)
    }

    fn refresh(&mut self, dir: &Path) -> Result<(), SpoolError> {
        let found = list(dir).map_err(|error| SpoolError::of(dir, error))?;
        self.segments.retain(|first, _| found.binary_search(first).is_ok());
        let newest = found.last().copied();
        for first in found {
            let failed = |error| SpoolError::of(&super::segments::path(dir, first), error);
            let known = match self.segments.remove(&first) {
                Some(known) => again(known, dir, first),
                None => anew(dir, first),
            };
            match known {
                Ok(Ok(mut known)) => {
                    if newest != Some(first) {
                        known.walk = None;
                    }
                    self.segments.insert(first, known);
                }
                // As a reader does, which waits before it.
                Ok(Err(NoHeader::Newer(version))) => {
                    return Err(SpoolError::Newer { path: super::segments::path(dir, first), version });
                }
                // What cannot be read holds nothing that a reader gets.
                Ok(Err(NoHeader::Short | NoHeader::Damaged)) => {}
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(failed(error)),
                Err(_) => {}
            }
        }
        // Segments of another spool are not read.
        if let Some(spool) = self.segments.last_key_value().map(|(_, known)| known.summary.header.spool) {
            self.segments.retain(|_, known| known.summary.header.spool == spool);
        }
        Ok(())
    }
}

fn anew(dir: &Path, first: u64) -> io::Result<Result<Known, NoHeader>> {
    let mut walk = match walk(dir, first)? {
        Ok(walk) => walk,
        Err(none) => return Ok(Err(none)),
    };
    let file = FileId::of(&walk.file().metadata()?);
    let summary = Summary::of(&mut walk)?;
    let open = !summary.end.is_closed();
    Ok(Ok(Known { file, summary, walk: open.then_some(walk) }))
}

fn again(mut known: Known, dir: &Path, first: u64) -> io::Result<Result<Known, NoHeader>> {
    let file = FileId::of(&std::fs::symlink_metadata(super::segments::path(dir, first))?);
    if file == known.file {
        return Ok(Ok(known));
    }
    match &mut known.walk {
        Some(walk) if file.is_same_file(known.file) && file.2 > known.file.2 => {
            known.summary.go_on(walk)?;
            known.file = file;
            Ok(Ok(known))
        }
        _ => anew(dir, first),
    }
}

/// Records of a segment before an index, where the next one begins, and its time.
fn before(
    place: &mut Option<Place>,
    dir: &Path,
    first: u64,
    file: FileId,
    index: u64,
) -> io::Result<Option<(u64, u64, Option<i64>)>> {
    let usable = place.as_ref().is_some_and(|place| {
        place.walk.header.first == first && place.file.is_same_file(file) && place.index <= index
    });
    if !usable {
        let Ok(Ok(walk)) = walk(dir, first) else { return Ok(None) };
        let file = FileId::of(&walk.file().metadata()?);
        *place = Some(Place { file, walk, index: 0, records: 0 });
    }
    let Some(Place { walk, index: at, records, .. }) = place else { return Ok(None) };
    *at = index;
    loop {
        match walk.peek()? {
            Step::Frame(frame) if frame.index < index => {
                *records += u64::from(frame.class != super::frame::Class::End);
                walk.pass(&frame);
            }
            Step::Frame(frame) => return Ok(Some((*records, walk.at(), Some(frame.time)))),
            Step::End | Step::Torn | Step::Bad => return Ok(Some((*records, walk.at(), None))),
        }
    }
}
