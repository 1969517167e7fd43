//! Reading a spool from another process, while it is written.
//!
//! Nothing is locked and nothing is written. What a reader holds is one open segment and a buffer of at most
//! [`LINE_MAX`](super::frame::LINE_MAX) bytes.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use uuid::Uuid;

use super::extent::Survey;
use super::frame::{Class, Frame, NoHeader};
use super::item::{Extent, Item, Lag, Loss, LossReason, Seen, SpoolError, timestamp};
use super::recover::SKIPPED;
use super::segments::{self, list};
use super::walk::{Step, Walk};

/// How often a reader that has read all should [ask again](SpoolReader::next). That costs two calls of fstat(2), so that a
/// poll is cheaper than a notification, which would have to be bounded and can be lost.
pub(crate) const POLL: Duration = Duration::from_millis(200);

/// For how long an unchanged directory is not listed again. Its time has the grain of the kernel's tick, so that two changes can
/// look like one.
const LISTED_FOR: Duration = Duration::from_secs(1);

/// A segment that is removed between being listed and being opened is looked for again, at most so often at once.
const ATTEMPTS: usize = 8;

/// A place in a spool.
#[derive(Debug)]
pub(crate) struct SpoolReader {
    dir: PathBuf,
    /// The spool that is read; `None`: whichever is there.
    spool: Option<Uuid>,
    /// The index of the next record; `None`: the oldest that there is.
    next: Option<u64>,
    segment: Option<Walk>,
    /// The last record that was read.
    seen: Option<Seen>,
    /// Whether what is read now comes behind bytes that could not be read.
    damaged: bool,
    /// The directory as it was when it was listed last and nothing was found.
    listed: Option<(Mark, Instant)>,
    /// Everything up to this segment was read, as far as it can be.
    behind: Option<u64>,
    survey: Survey,
}

/// What of a directory changes when a file is added or removed, or another directory takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark(u64, u64, i64, i64);

impl SpoolReader {
    /// Opens a spool for reading, at its oldest record.
    ///
    /// # Errors
    /// If there is no directory, or it cannot be listed.
    pub(crate) fn open(dir: &Path) -> Result<Self, SpoolError> {
        list(dir).map_err(|error| SpoolError::of(dir, error))?;
        Ok(Self {
            dir: dir.to_owned(),
            spool: None,
            next: None,
            segment: None,
            seen: None,
            damaged: false,
            listed: None,
            behind: None,
            survey: Survey::default(),
        })
    }

    /// Goes to an index of the spool that is there, whichever it is.
    pub(crate) fn seek(&mut self, index: u64) {
        (self.next, self.segment, self.seen, self.damaged) = (Some(index), None, None, false);
        (self.listed, self.behind) = (None, None);
    }

    /// Goes to an index of a spool, behind a record: if another one is there by now, [`Item::Anew`] comes first.
    pub(crate) fn resume(&mut self, spool: Uuid, index: u64, seen: Option<Seen>) {
        self.seek(index);
        (self.spool, self.seen) = (Some(spool), seen.filter(|seen| seen.index < index));
    }

    /// Goes behind the newest record, to get only what comes from now on.
    ///
    /// # Errors
    /// If the spool cannot be read.
    pub(crate) fn seek_end(&mut self) -> Result<(), SpoolError> {
        let extent = self.extent()?;
        self.seek(extent.next);
        self.spool = extent.spool;
        Ok(())
    }

    /// The spool that is read, once something was read of it.
    #[must_use]
    pub(crate) const fn spool(&self) -> Option<Uuid> {
        self.spool
    }

    /// The last record that was read.
    #[must_use]
    pub(crate) const fn seen(&self) -> Option<Seen> {
        self.seen
    }

    /// What comes next; `None`: nothing more for now. It never waits.
    ///
    /// # Errors
    /// If the spool cannot be read. The place stays, so that it can be tried again.
    pub(crate) fn next(&mut self) -> Result<Option<Item>, SpoolError> {
        loop {
            if self.segment.is_none() {
                match self.find()? {
                    Found::Segment => {}
                    Found::Nothing => return Ok(None),
                    Found::Anew(spool) => return Ok(Some(Item::Anew(spool))),
                }
            }
            match self.peek() {
                Ok(Step::Frame(frame)) => {
                    if let Some(item) = self.take(&frame) {
                        return Ok(Some(item));
                    }
                }
                end => match self.leave(end)? {
                    Left::Next => {}
                    Left::Waits => return Ok(None),
                    Left::Anew(spool) => return Ok(Some(Item::Anew(spool))),
                },
            }
        }
    }

    /// Forgets that the directory was listed a moment ago.
    #[cfg(any(test, fuzzing))]
    pub(super) const fn look_again(&mut self) {
        self.listed = None;
    }

    /// What the spool holds.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn extent(&mut self) -> Result<Extent, SpoolError> {
        self.survey.extent(&self.dir)
    }

    /// What lies from an index on. Reads what was appended since it was asked last, and of the index's own segment what lies
    /// between it and the one before.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn lag(&mut self, index: u64) -> Result<Lag, SpoolError> {
        self.survey.lag(&self.dir, index)
    }

    fn peek(&mut self) -> io::Result<Step> {
        self.segment.as_mut().map_or(Ok(Step::End), Walk::peek)
    }

    /// Takes the frame that was peeked at: an item, or nothing of interest.
    fn take(&mut self, frame: &Frame) -> Option<Item> {
        let next = self.next.unwrap_or(frame.index);
        if frame.class != Class::End && self.seen.is_some_and(|seen| is_another(seen, frame)) {
            return self.begin_anew().map(Item::Anew);
        }
        let walk = self.segment.as_mut()?;
        if frame.class == Class::End || frame.index < next {
            walk.pass(frame);
            return None;
        }
        if frame.index > next {
            let skipped = walk.header.skip.within(next, frame.index);
            // Of several ends of the host a header has the last one: each left out so many.
            let events = frame.index - next - skipped;
            let events = if skipped > 0 { events % SKIPPED } else { events };
            let reason = match () {
                () if self.damaged => LossReason::Damaged,
                () if events == 0 => LossReason::Interrupted,
                () => LossReason::Removed,
            };
            let (since, until) = (self.seen.map(Seen::at), timestamp(frame.time));
            self.next = Some(frame.index);
            self.damaged = false;
            let (to, at_least) = (frame.index - 1, skipped > 0);
            return Some(Item::Lost(Loss { from: next, to, events, at_least, since, until, reason }));
        }
        let line = Bytes::copy_from_slice(walk.payload(frame));
        walk.pass(frame);
        self.next = Some(frame.index.saturating_add(1));
        self.seen = Some(Seen { index: frame.index, time: frame.time, sum: frame.sum });
        self.damaged = false;
        Some(Item::Record { index: frame.index, time: timestamp(frame.time), line })
    }

    /// What to do at the end of what can be read of a segment.
    fn leave(&mut self, end: io::Result<Step>) -> Result<Left, SpoolError> {
        let Some(first) = self.segment.as_ref().map(|walk| walk.header.first) else { return Ok(Left::Next) };
        if self.is_listed() {
            return match end {
                Ok(_) => Ok(Left::Waits),
                Err(error) => Err(SpoolError::of(&segments::path(&self.dir, first), error)),
            };
        }
        let mark = self.mark()?;
        let found = self.list()?;
        let behind = found.iter().copied().find(|other| *other > first);
        if behind.is_none() && found.last() == Some(&first) && self.is_same(first) {
            return self.at_newest(first, end, mark);
        }
        // What was appended before the next segment was begun is read first.
        if end.is_ok() && matches!(self.peek(), Ok(Step::Frame(_))) {
            return Ok(Left::Next);
        }
        let whole = matches!(end, Ok(Step::End));
        // One that was tidied or removed since is another file now, or its records are in another one.
        if !whole || self.is_same(first) {
            self.behind = Some(first);
        }
        if !whole {
            self.damaged = true;
            self.next = self.next.or(Some(first));
        }
        self.segment = None;
        Ok(Left::Next)
    }

    /// At the end of the newest segment: more will come, unless this spool ends before the place.
    fn at_newest(&mut self, first: u64, end: io::Result<Step>, mark: Mark) -> Result<Left, SpoolError> {
        let step = end.map_err(|error| SpoolError::of(&segments::path(&self.dir, first), error))?;
        if step == Step::End
            && let Some(next) = self.next
            && next > self.survey.extent(&self.dir)?.next
            // Not where it has grown since.
            && !matches!(self.peek(), Ok(Step::Frame(_)))
        {
            return Ok(self.begin_anew().map_or(Left::Waits, Left::Anew));
        }
        self.listed = Some((mark, Instant::now()));
        Ok(Left::Waits)
    }

    /// Goes to the oldest record; returns the spool.
    fn begin_anew(&mut self) -> Option<Uuid> {
        (self.next, self.segment, self.seen, self.damaged) = (None, None, None, false);
        (self.listed, self.behind) = (None, None);
        self.spool
    }

    /// Opens the segment in which the next record is, or the one behind.
    fn find(&mut self) -> Result<Found, SpoolError> {
        if self.is_listed() {
            return Ok(Found::Nothing);
        }
        for _ in 0..ATTEMPTS {
            let mark = self.mark()?;
            let found = self.list()?;
            let Some(current) = self.current(&found)? else {
                self.listed = Some((mark, Instant::now()));
                return Ok(Found::Nothing);
            };
            if self.spool.is_some_and(|spool| spool != current) {
                self.spool = Some(current);
                return Ok(self.begin_anew().map_or(Found::Nothing, Found::Anew));
            }
            self.spool = Some(current);
            let holds = self.next.map_or(0, |next| found.partition_point(|first| *first <= next));
            let unread = self.behind.map_or(0, |behind| found.partition_point(|first| *first <= behind));
            match self.open_one(&found[holds.saturating_sub(1).max(unread)..], current)? {
                Opened::Segment => {
                    self.behind = None;
                    return Ok(Found::Segment);
                }
                Opened::Changed => {}
                Opened::None => {
                    self.listed = Some((mark, Instant::now()));
                    return Ok(Found::Nothing);
                }
            }
        }
        Ok(Found::Nothing)
    }

    /// Opens the first of these segments that can be read.
    fn open_one(&mut self, found: &[u64], current: Uuid) -> Result<Opened, SpoolError> {
        for first in found.iter().copied() {
            match segments::walk(&self.dir, first) {
                Ok(Ok(walk)) if walk.header.spool == current => {
                    self.segment = Some(walk);
                    return Ok(Opened::Segment);
                }
                Ok(Ok(_) | Err(NoHeader::Damaged | NoHeader::Short)) => self.pass_over(first),
                Ok(Err(NoHeader::Newer(version))) => {
                    return Err(SpoolError::Newer { path: segments::path(&self.dir, first), version });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Changed),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(SpoolError::of(&segments::path(&self.dir, first), error));
                }
                Err(_) => self.pass_over(first),
            }
        }
        Ok(Opened::None)
    }

    /// A segment of which nothing can be read.
    fn pass_over(&mut self, first: u64) {
        self.damaged = true;
        self.next = self.next.or(Some(first));
    }

    /// The spool of the newest segment that can be read.
    fn current(&self, found: &[u64]) -> Result<Option<Uuid>, SpoolError> {
        for first in found.iter().rev().copied() {
            match segments::walk(&self.dir, first) {
                Ok(Ok(walk)) => return Ok(Some(walk.header.spool)),
                Ok(Err(NoHeader::Newer(version))) => {
                    return Err(SpoolError::Newer { path: segments::path(&self.dir, first), version });
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(SpoolError::of(&segments::path(&self.dir, first), error));
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
        Ok(None)
    }

    fn list(&self) -> Result<Vec<u64>, SpoolError> {
        list(&self.dir).map_err(|error| SpoolError::of(&self.dir, error))
    }

    /// Whether the open segment is the file of its name.
    fn is_same(&self, first: u64) -> bool {
        let open = self.segment.as_ref().and_then(|walk| walk.file().metadata().ok());
        let there = fs::symlink_metadata(segments::path(&self.dir, first)).ok();
        open.zip(there).is_some_and(|(open, there)| (open.dev(), open.ino()) == (there.dev(), there.ino()))
    }

    /// Whether the directory is as it was when nothing was found.
    fn is_listed(&self) -> bool {
        let Some((mark, at)) = self.listed else { return false };
        at.elapsed() < LISTED_FOR && self.mark().is_ok_and(|now| now == mark)
    }

    fn mark(&self) -> Result<Mark, SpoolError> {
        let meta = fs::metadata(&self.dir).map_err(|error| SpoolError::of(&self.dir, error))?;
        Ok(Mark(meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec()))
    }
}

/// Whether a record is not the one that was read with its index.
const fn is_another(seen: Seen, frame: &Frame) -> bool {
    seen.index == frame.index && (seen.time != frame.time || seen.sum != frame.sum)
}

enum Found {
    Segment,
    Nothing,
    Anew(Uuid),
}

enum Opened {
    Segment,
    /// It was removed since it was listed.
    Changed,
    None,
}

enum Left {
    /// There may be more.
    Next,
    Waits,
    Anew(Uuid),
}
