//! An open spool: appending to it, and closing segments.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use uuid::Uuid;

use super::class::class;
use super::frame::{Header, LINE_MAX, Skip};
use super::item::timestamp;
use super::segment::{Entry, Segment};
use super::segments::{self, Summary, Tail};
use super::settings::{SpoolSettings, SpoolSync};
use crate::sink::Spooled;

/// A segment that was begun before is closed: what is kept by age is kept in steps of this, and a reader that waits behind
/// damage waits so long at most.
const SEGMENT_AGE_MS: i64 = 3_600_000;

/// An open spool.
#[derive(Debug)]
pub(super) struct Log {
    /// By a path without links.
    pub(super) dir: PathBuf,
    pub(super) settings: SpoolSettings,
    pub(super) boot: Uuid,
    pub(super) spool: Uuid,
    /// The index of the next record.
    pub(super) next: u64,
    pub(super) skip: Skip,
    /// Segments that are not written any more, oldest first.
    pub(super) closed: Vec<Closed>,
    pub(super) active: Option<Segment>,
    pub(super) removed: Removed,
    /// When something was written last, and until when nothing is removed by age; ms since 1970.
    pub(super) written: Option<i64>,
    pub(super) spared_until: i64,
    /// When something was written that may not be on the disk.
    pub(super) unsynced: Option<Instant>,
}

/// A segment that is not written any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) first: u64,
    /// What it holds; `None`: it cannot be read.
    pub(super) summary: Option<Summary>,
    /// Bytes of the file.
    pub(super) bytes: u64,
}

/// Events that were removed, since the spool was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) ordinary: u64,
    pub(super) kept: u64,
}

/// What became of some lines.
#[derive(Debug)]
pub(super) struct Appended {
    /// How many were written.
    pub(super) lines: usize,
    /// Their bytes.
    pub(super) bytes: usize,
    /// Why the others were not.
    pub(super) error: Option<String>,
}

/// Whether a record holds a line.
pub(super) const fn fits(line: &[u8]) -> bool {
    line.len() <= LINE_MAX
}

impl Log {
    /// Appends events, in order. `now`: ms since 1970.
    pub(super) fn append<'a>(&mut self, lines: impl Iterator<Item = &'a [u8]> + Clone, now: i64) -> Appended {
        let mut done = Appended { lines: 0, bytes: 0, error: None };
        if let Err(error) = self.begin_segment_if_due(now) {
            done.error = Some(self.failed("cannot be written", &error));
            return done;
        }
        if let Some(long) = lines.clone().find(|line| !fits(line)) {
            done.error = Some(format!("an event of {} bytes is more than a record holds", long.len()));
        }
        let next = self.next;
        let entries = lines.filter(|line| fits(line)).zip(next..).map(|(line, index)| Entry {
            class: class(line),
            index,
            time: now,
            line,
        });
        let Some(active) = &mut self.active else { return done };
        let (written, error) = active.append(entries.clone());
        done.lines = written;
        done.bytes = entries.take(written).map(|entry| entry.line.len() + 1).sum();
        self.next = active.next;
        let mut problem = error.map(|error| self.failed("cannot be written", &error));
        if written > 0 {
            self.unsynced.get_or_insert_with(Instant::now);
            if self.settings.sync == SpoolSync::Batch
                && let Err(error) = self.sync()
            {
                problem = Some(error);
            }
        }
        done.error = problem.or(done.error);
        self.make_room(now);
        done
    }

    /// When what was written has to be put on the disk.
    pub(super) fn sync_due(&self) -> Option<Instant> {
        match self.settings.sync {
            SpoolSync::Within(period) => self.unsynced.map(|since| since + period),
            SpoolSync::Batch | SpoolSync::Never => None,
        }
    }

    /// Puts what was written on the disk.
    pub(super) fn sync(&mut self) -> Result<(), String> {
        self.unsynced = None;
        let synced = self.active.as_ref().map_or(Ok(()), Segment::sync);
        synced.map_err(|error| self.failed("cannot be put on the disk", &error))
    }

    /// Closes the segment in order, at the end.
    pub(super) fn close(&mut self) {
        self.close_active(false);
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        let active = self.active.as_ref().map_or(0, |active| active.bytes);
        active + self.closed.iter().map(|closed| closed.bytes).sum::<u64>()
    }

    /// What it holds.
    pub(super) fn spooled(&self) -> Spooled {
        let summaries = self.closed.iter().filter_map(|closed| closed.summary);
        let active = self.active.as_ref().map(|active| active.summary(Tail::Open));
        let mut spooled = Spooled {
            bytes: self.bytes(),
            max_bytes: self.settings.max_bytes,
            removed: self.removed.ordinary,
            removed_kept: self.removed.kept,
            ..Spooled::default()
        };
        for summary in summaries.chain(active) {
            spooled.records += summary.counts.records;
            spooled.oldest = spooled.oldest.or_else(|| Some(timestamp(summary.header.created)));
        }
        spooled
    }

    pub(super) fn failed(&self, what: &str, error: &io::Error) -> String {
        let remedy = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "make room there, or give it another place (`spool.path`)"
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                "make it writable for the daemon, or give it another place (`spool.path`)"
            }
            _ => "look at its file system, or give it another place (`spool.path`)",
        };
        format!("the spool {} {what}: {error}; {remedy}", self.dir.display())
    }

    fn begin_segment_if_due(&mut self, now: i64) -> io::Result<()> {
        if let Some(active) = &self.active {
            let age = now.saturating_sub(active.header.created);
            // A clock that was set back is no reason to write for ever into one segment.
            let is_old = !(-SEGMENT_AGE_MS..SEGMENT_AGE_MS).contains(&age);
            if active.bytes < self.settings.segment_bytes() && !is_old {
                return Ok(());
            }
            self.close_active(true);
            self.forget_missing();
        }
        let header = Header {
            spool: self.spool,
            boot: self.boot,
            first: self.next,
            created: now,
            skip: self.skip,
            kept_only: false,
        };
        let segment = Segment::create(&self.dir, header)?;
        segment.publish()?;
        self.active = Some(segment);
        Ok(())
    }

    /// `followed`: another segment is begun behind it.
    fn close_active(&mut self, followed: bool) {
        let Some(mut active) = self.active.take() else { return };
        // Without an end it is read through once more than needed.
        let ended = active.end(followed);
        if self.settings.sync != SpoolSync::Never || ended.is_err() {
            let _ = active.sync();
        }
        self.unsynced = None;
        let end = match (ended, followed) {
            (Err(_), _) => Tail::Open,
            (Ok(()), false) => Tail::Closed,
            (Ok(()), true) => Tail::Followed,
        };
        self.closed.push(Closed {
            first: active.header.first,
            summary: Some(active.summary(end)),
            bytes: active.bytes,
        });
    }

    /// Somebody may have removed files.
    fn forget_missing(&mut self) {
        if let Ok(found) = segments::list(&self.dir) {
            self.closed.retain(|closed| found.binary_search(&closed.first).is_ok());
        }
    }
}
