//! What is removed when the spool is full or events are too old.
//!
//! - By age: a segment whose last event is older than `keep` goes as a whole.
//! - By size: the oldest segment that holds ordinary events is **tidied**, which leaves what is kept longest. Only when no such
//!   segment is left, the oldest goes as a whole.
//! - The newest eighth of the size is spared as long as anything else is there: a reader that keeps up gets ordinary events,
//!   however many of the others there are.
//!
//! Tidying writes the records that stay behind those of the segment before, if that was tidied too and has room, and otherwise
//! into a file that takes the segment's name in one step. A reader that has the old file open reads it to its end. Whenever the
//! daemon is killed, the records are in one of the two, or in both; `recover` removes the second copy.

use std::fs;
use std::io;

use super::frame::{Class, Header};
use super::log::{Closed, Log};
use super::segment::{Entry, Segment};
use super::segments::{self, Summary};
use super::walk::Step;

const DAY_MS: i64 = 86_400_000;

/// Segments there may be.
const CLOSED_MAX: usize = 2_048;

/// Records of a segment that stay, in memory: at most the bytes of a segment.
#[derive(Debug, Default)]
struct Stay {
    /// Class is kept; index, time and where the line ends.
    entries: Vec<(u64, i64, usize)>,
    lines: Vec<u8>,
}

impl Stay {
    fn entries(&self) -> impl Iterator<Item = Entry<'_>> + Clone {
        let begins = std::iter::once(0).chain(self.entries.iter().map(|(.., end)| *end));
        self.entries.iter().zip(begins).map(|((index, time, end), begin)| Entry {
            class: Class::Kept,
            index: *index,
            time: *time,
            line: &self.lines[begin..*end],
        })
    }

    const fn bytes(&self) -> u64 {
        (self.lines.len() + self.entries.len() * super::frame::FRAME) as u64
    }
}

impl Log {
    /// Removes what is too old, and what is too much.
    pub(super) fn make_room(&mut self, now: i64) {
        let keep = i64::try_from(self.settings.keep.as_millis()).unwrap_or(i64::MAX);
        let old = if self.clock_jumped(now) { i64::MIN } else { now.saturating_sub(keep) };
        while let Some(Closed { summary: Some(summary), .. }) = self.closed.first()
            && summary.last_time < old
            && self.remove(0)
        {}
        // Room for the segment that is written, and for one that is tidied.
        let most = self.settings.max_bytes.saturating_sub(2 * self.settings.segment_bytes());
        while !self.closed.is_empty() && (self.bytes() > most || self.closed.len() > CLOSED_MAX) {
            let done = match self.oldest_ordinary() {
                Some(which) if self.closed.len() <= CLOSED_MAX => self.tidy(which),
                _ => self.remove(0),
            };
            if !done {
                break;
            }
        }
    }

    /// Whether the clock jumped ahead a short while ago: one that is wrong for a minute must not cost a week. A daemon that runs
    /// has something to write every few minutes.
    fn clock_jumped(&mut self, now: i64) -> bool {
        if self.written.is_some_and(|before| now.saturating_sub(before) > 2 * DAY_MS) {
            self.spared_until = now.saturating_add(DAY_MS);
        }
        self.written = Some(now);
        (self.spared_until.saturating_sub(DAY_MS)..self.spared_until).contains(&now)
    }

    /// The oldest segment that holds ordinary events, unless it is among the newest.
    fn oldest_ordinary(&self) -> Option<usize> {
        let spared = self.settings.max_bytes / 8;
        let holds = |closed: &Closed| closed.summary.is_some_and(|summary| summary.counts.ordinary > 0);
        let which = self.closed.iter().position(holds)?;
        let newer: u64 = self.closed[which + 1..].iter().map(|closed| closed.bytes).sum();
        // If nothing but the newest is left, they are all there is to remove.
        (which == 0 || newer >= spared).then_some(which)
    }

    /// Removes a segment; returns whether that could be done, as not on a read-only file system.
    fn remove(&mut self, which: usize) -> bool {
        if !self.unlink(self.closed[which].first) {
            return false;
        }
        let closed = self.closed.remove(which);
        if let Some(Summary { counts, .. }) = closed.summary {
            self.removed.ordinary += counts.ordinary;
            self.removed.kept += counts.records.saturating_sub(counts.ordinary);
        }
        true
    }

    fn unlink(&self, first: u64) -> bool {
        match fs::remove_file(segments::path(&self.dir, first)) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Removes the ordinary events of a segment; returns whether that could be done.
    pub(super) fn tidy(&mut self, which: usize) -> bool {
        let Some(summary) = self.closed[which].summary else { return self.remove(which) };
        let counts = summary.counts;
        let stay = match self.read_kept(summary.header.first) {
            Ok(stay) if !stay.entries.is_empty() => stay,
            Ok(_) | Err(_) => return self.remove(which),
        };
        let before = which.checked_sub(1).and_then(|before| self.closed[before].summary);
        let before = before.filter(|before| {
            let fits = before.bytes + stay.bytes() <= self.settings.segment_bytes();
            before.header.kept_only && before.end != segments::Tail::Bad && fits
        });
        let written = match before {
            Some(before) => self.append_to(which, before, &stay),
            None => self.replace(which, &summary, &stay),
        };
        if let Err(error) = written {
            // The disk has no room for both: the old one goes first. Killed in between, what it kept is gone.
            if !self.unlink(summary.header.first) {
                return false;
            }
            tracing::warn!(%error, "the spool is tidied without a copy");
            if let Err(error) = self.replace(which, &summary, &stay) {
                let lost = stay.entries.len();
                tracing::warn!(%error, lost, "events of the spool are lost that should be kept longest");
                self.removed.kept += counts.records.saturating_sub(counts.ordinary);
                self.closed.remove(which);
            }
        }
        self.removed.ordinary += counts.ordinary;
        true
    }

    fn read_kept(&self, first: u64) -> io::Result<Stay> {
        let mut stay = Stay::default();
        let Ok(mut walk) = segments::walk(&self.dir, first)? else { return Ok(stay) };
        while let Step::Frame(frame) = walk.peek()? {
            if frame.class == Class::Kept {
                stay.lines.extend_from_slice(walk.payload(&frame));
                stay.entries.push((frame.index, frame.time, stay.lines.len()));
            }
            walk.pass(&frame);
        }
        Ok(stay)
    }

    /// Writes what stays of a segment behind what stayed of the one before, and removes it.
    fn append_to(&mut self, which: usize, before: Summary, stay: &Stay) -> io::Result<()> {
        let mut segment = Segment::go_on(&self.dir, &before)?;
        let written = match segment.append(stay.entries()) {
            (_, None) => {
                segment.next = self.closed[which].summary.map_or(segment.next, |summary| summary.next);
                segment.end(true).and_then(|()| segment.sync())
            }
            (_, Some(error)) => Err(error),
        };
        if let Err(error) = written {
            segment.shorten(&before);
            return Err(error);
        }
        fs::remove_file(segments::path(&self.dir, self.closed[which].first))?;
        self.closed[which - 1] = closed(&segment);
        self.closed.remove(which);
        Ok(())
    }

    /// Writes what stays of a segment into a file in its place.
    fn replace(&mut self, which: usize, summary: &Summary, stay: &Stay) -> io::Result<()> {
        let mut segment = Segment::create(&self.dir, Header { kept_only: true, ..summary.header })?;
        if let (_, Some(error)) = segment.append(stay.entries()) {
            return Err(error);
        }
        // Indexes behind the last record that stays were used.
        segment.next = summary.next;
        segment.end(true)?;
        segment.sync()?;
        segment.publish()?;
        self.closed[which] = closed(&segment);
        Ok(())
    }
}

const fn closed(segment: &Segment) -> Closed {
    Closed {
        first: segment.header.first,
        summary: Some(segment.summary(segments::Tail::Followed)),
        bytes: segment.bytes,
    }
}
