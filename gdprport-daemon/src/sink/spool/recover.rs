//! Opening a spool, in whatever state its writer left it.
//!
//! What is found is never changed, apart from three things: a record at the very end that is not whole is cut off, a second copy
//! of what was tidied is removed, and a file that is no segment yet. Bytes that are damaged stay as they are: readers go on with
//! the segment behind.

use std::fs;
use std::io;
use std::path::PathBuf;

use uuid::Uuid;

use super::frame::{NoHeader, Skip};
use super::log::{Closed, Log, Removed};
use super::segment::{Segment, UNFINISHED};
use super::segments::{self, Summary, Tail};
use super::settings::SpoolSettings;
use super::walk::{Step, Walk};

/// Indexes that are left out where records may have been read that never reached the disk: more than are written before the
/// kernel writes by itself. A reader that has read them would otherwise not see those that get their indexes.
pub(super) const SKIPPED: u64 = 1 << 24;

/// What a writer knows of its spool, whatever becomes of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) spool: Uuid,
    pub(super) next: u64,
    pub(super) skip: Skip,
}

impl Log {
    /// Opens the spool in a directory, or begins one. `before`: the one that was written, if its files were removed since.
    ///
    /// # Errors
    /// Why it cannot be used, and what to do.
    pub(super) fn open(
        dir: PathBuf,
        settings: SpoolSettings,
        boot: Uuid,
        before: Option<Identity>,
    ) -> Result<Self, String> {
        let mut log = Self {
            dir,
            settings,
            boot,
            spool: before.map_or_else(Uuid::now_v7, |before| before.spool),
            next: before.map_or(1, |before| before.next),
            skip: before.map_or_else(Skip::default, |before| before.skip),
            closed: Vec::new(),
            active: None,
            removed: Removed::default(),
            written: None,
            spared_until: 0,
            unsynced: None,
        };
        log.look().map_err(|error| match error {
            Refused::Newer(path, version) => format!(
                "the segment {} is in format {version} of a newer gdprport, and is not touched; update this one, or give the \
                 spool another place (`spool.path`)",
                path.display()
            ),
            Refused::Io(error) => log.failed("cannot be read", &error),
        })?;
        log.go_on(before).map_err(|error| log.failed("cannot be written", &error))?;
        Ok(log)
    }

    /// What a writer knows of it.
    pub(super) const fn identity(&self) -> Identity {
        Identity { spool: self.spool, next: self.next, skip: self.skip }
    }

    /// Looks at every segment.
    fn look(&mut self) -> Result<(), Refused> {
        let _ = fs::remove_file(self.dir.join(UNFINISHED));
        for first in segments::list(&self.dir)? {
            let path = segments::path(&self.dir, first);
            let bytes = fs::symlink_metadata(&path)?.len();
            let summary = match segments::walk(&self.dir, first) {
                Ok(Ok(mut walk)) => Summary::of(&mut walk).ok(),
                Ok(Err(NoHeader::Newer(version))) => return Err(Refused::Newer(path, version)),
                // The host ended before any of it was on the disk.
                Ok(Err(NoHeader::Short)) if fs::remove_file(&path).is_ok() => None,
                Ok(Err(_)) | Err(_) => None,
            };
            self.closed.push(Closed { first, summary, bytes });
        }
        Ok(())
    }

    /// Finds where to go on.
    fn go_on(&mut self, before: Option<Identity>) -> io::Result<()> {
        let Some(newest) = self.closed.iter().rev().find_map(|closed| closed.summary) else {
            if let Some(last) = self.closed.last() {
                self.skip_from(self.next.max(last.first));
            }
            return Ok(());
        };
        // Segments of another spool were put here by somebody; they go when there is no room.
        for closed in &mut self.closed {
            closed.summary = closed.summary.filter(|summary| summary.header.spool == newest.header.spool);
        }
        self.remove_second_copy()?;
        let is_newest_readable =
            self.closed.last().is_some_and(|closed| closed.summary.is_some()) && newest.end != Tail::Bad;
        let before = before.filter(|before| before.spool == newest.header.spool);
        let next = before.map_or(newest.next, |before| before.next.max(newest.next));
        (self.spool, self.next, self.skip) = (newest.header.spool, next, newest.header.skip);
        let same_boot = newest.header.boot == self.boot && !self.boot.is_nil();
        let interrupted = !newest.end.is_closed() && !same_boot;
        // A segment was begun behind it, and somebody removed that: up to where it went only `before` knows.
        let removed = before.is_none() && (newest.end == Tail::Followed || newest.header.kept_only);
        if interrupted || removed || !is_newest_readable {
            let last = self.closed.last().map_or(0, |closed| closed.first);
            self.skip_from(next.max(last));
            return Ok(());
        }
        if next == newest.next
            && !newest.header.kept_only
            && newest.bytes < self.settings.segment_bytes()
            && newest.end != Tail::Bad
        {
            self.closed.pop();
            self.active = Some(Segment::go_on(&self.dir, &newest)?);
        }
        Ok(())
    }

    fn skip_from(&mut self, from: u64) {
        self.next = from.saturating_add(SKIPPED);
        self.skip = Skip { from, to: self.next };
    }

    /// Where a tidied segment was written behind the one before and not removed yet, the copy goes: it may not be whole.
    fn remove_second_copy(&mut self) -> io::Result<()> {
        for which in 1..self.closed.len() {
            let (Some(before), first) = (self.closed[which - 1].summary, self.closed[which].first) else {
                continue;
            };
            let torn = matches!(before.end, Tail::Torn | Tail::Open);
            if !before.header.kept_only || (before.next <= first && !torn) {
                continue;
            }
            let Ok(mut walk) = segments::walk(&self.dir, before.header.first)? else { continue };
            let end = pass_before(&mut walk, first)?;
            let file =
                fs::OpenOptions::new().write(true).open(segments::path(&self.dir, before.header.first))?;
            file.set_len(end)?;
            let Ok(mut walk) = segments::walk(&self.dir, before.header.first)? else { continue };
            let summary = Summary::of(&mut walk)?;
            self.closed[which - 1].summary = Some(summary);
            self.closed[which - 1].bytes = summary.bytes;
        }
        Ok(())
    }
}

/// Where the first frame begins that holds an index of this or more, or that is not whole.
fn pass_before(walk: &mut Walk, index: u64) -> io::Result<u64> {
    while let Step::Frame(frame) = walk.peek()? {
        // Its end holds the index behind it.
        if frame.index >= index && frame.class != super::frame::Class::End || frame.index > index {
            break;
        }
        walk.pass(&frame);
    }
    Ok(walk.at())
}

enum Refused {
    Newer(PathBuf, u16),
    Io(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
