//! The checkpoints against the tree: the log's own as the tree reaches their sizes, and those that were kept elsewhere.

use jiff::Timestamp;

use super::finding::What;
use super::log::{Elsewhere, Log};
use super::marks;
use super::signed::signed;
use super::state::{Away, Expected, Pass};
use crate::evidence::checkpoint::Checkpoint;
use crate::evidence::proof::Head;
use crate::evidence::stamp::{CLOCK_TOLERANCE, Stamp};

/// Times without a daemon that are kept.
const AWAY_MAX: usize = 1_000;

impl Pass {
    /// A note as a checkpoint of this log that the key of its time signed.
    pub(super) fn checkpoint(&self, note: &[u8]) -> Result<Checkpoint, String> {
        signed(&self.keys, note)
    }

    pub(super) fn latest(&self, note: &[u8]) -> Result<Checkpoint, String> {
        if note.is_empty() {
            return Err("the file `checkpoint` is missing or empty".into());
        }
        self.checkpoint(note).map_err(|error| format!("the file `checkpoint` cannot be used: {error}"))
    }

    pub(super) fn kept_elsewhere(&mut self, elsewhere: &[Elsewhere], latest: Head) {
        let mut expected = Vec::new();
        for Elsewhere { name, note, stamp } in elsewhere {
            if stamp.is_some() {
                self.stamps.get_or_insert_default();
            }
            let stamp = match stamp.clone().transpose() {
                Ok(stamp) => stamp,
                Err(error) => {
                    self.findings.on(What::Timestamp, None, format!("{name}: {error}"));
                    continue;
                }
            };
            match self.checkpoint(note) {
                Ok(read) => {
                    let time = read.facts.map(|facts| facts.time);
                    if let (Some(stamp), Some(time)) = (&stamp, time) {
                        self.made_before(name, time, stamp);
                    }
                    expected.push(Expected { head: read.head, time, elsewhere: Some(name.clone()), stamp });
                }
                Err(error) => self.findings.on(What::Unsigned, None, format!("{name}: {error}")),
            }
        }
        expected.sort_by_key(|expected| expected.head.size);
        for newer in expected.iter().filter(|expected| expected.head.size > latest.size) {
            let name = newer.elsewhere.as_deref().unwrap_or_default();
            let detail = format!(
                "{name} has {} entries and the log {}: its end was cut off, or an older state was put back",
                newer.head.size, latest.size
            );
            self.findings.over(What::RolledBack, (latest.size, newer.head.size), newer.time, detail);
        }
        expected.retain(|expected| expected.head.size <= latest.size);
        self.elsewhere = expected.into();
    }

    /// A checkpoint was made before it was stamped.
    fn made_before(&mut self, name: &str, made: Timestamp, stamp: &Stamp) {
        let tolerance = CLOCK_TOLERANCE.saturating_add(stamp.accuracy);
        if made.duration_since(stamp.time) > tolerance {
            let detail = format!(
                "{name}: the checkpoint says that it was made at {made:.0}, after it was stamped at {:.0}: the host's clock \
                 was wrong",
                stamp.time
            );
            self.findings.on(What::Timestamp, Some(stamp.time), detail);
        }
    }

    /// Compares the root with all checkpoints of this size.
    pub(super) fn heads<L: Log>(&mut self, log: &mut L) -> Result<(), L::Error> {
        self.read_own(log)?;
        let size = self.tree.size();
        while let Some(expected) = self.elsewhere.pop_front_if(|expected| expected.head.size <= size) {
            self.compare(&expected);
        }
        while let Some(expected) = self.own.take_if(|expected| expected.head.size <= size) {
            self.compare(&expected);
            self.read_own(log)?;
        }
        Ok(())
    }

    /// Reads the log's own checkpoints up to the first one that is ahead of the tree.
    pub(super) fn read_own<L: Log>(&mut self, log: &mut L) -> Result<(), L::Error> {
        while self.own.is_none() && !self.own_ended {
            let Some(note) = log.next_checkpoint()? else {
                self.own_ended = true;
                break;
            };
            match self.checkpoint(&note) {
                Ok(read) => self.next_own(&read),
                Err(error) => {
                    let detail = format!("one of the log's own checkpoints: {error}");
                    self.findings.at(What::Unsigned, self.tree.size(), self.time, detail);
                }
            }
        }
        Ok(())
    }

    pub(super) fn next_own(&mut self, read: &Checkpoint) {
        if let Some(facts) = &read.facts
            && let Some((from, to, orderly)) = marks::away(self.marks.last(), facts)
            && self.away.len() < AWAY_MAX
        {
            self.away.push(Away { from, to, orderly });
        }
        self.marks.next(read, &mut self.findings);
        // One that is smaller than the tree is out of order, which the marks say.
        if read.head.size >= self.tree.size() {
            let time = read.facts.map(|facts| facts.time);
            self.own = Some(Expected { head: read.head, time, elsewhere: None, stamp: None });
        }
    }

    pub(super) fn compare(&mut self, expected: &Expected) {
        let Expected { head, time, elsewhere, stamp } = expected;
        if head.size == self.tree.size() && head.root == self.tree.root() {
            self.signed = head.size;
            match stamp {
                Some(stamp) => self.stamps.get_or_insert_default().add(stamp, head.size),
                None => self.counts.elsewhere += u64::from(elsewhere.is_some()),
            }
            return;
        }
        let range = (self.signed.min(head.size), head.size);
        match elsewhere {
            Some(name) => {
                let detail = format!(
                    "{name} has another root for its {} entries: this log is not the one that it was made of",
                    head.size
                );
                self.findings.over(What::Forked, range, *time, detail);
            }
            // Every later checkpoint differs too; the first one says where.
            None if !self.rewritten => {
                self.rewritten = true;
                let detail = format!("the checkpoint of {} entries signs another tree", head.size);
                self.findings.over(What::Rewritten, range, *time, detail);
            }
            None => {}
        }
    }

    /// The log's own checkpoints end with the latest one, and none is of a larger tree.
    pub(super) fn rest<L: Log>(&mut self, log: &mut L, latest: &Checkpoint) -> Result<(), L::Error> {
        let mut beyond = 0_u64;
        loop {
            beyond += u64::from(self.own.take().is_some());
            self.read_own(log)?;
            if self.own.is_none() {
                break;
            }
        }
        let Some(facts) = latest.facts else { return Ok(()) };
        let last = self.marks.last().map(|(_, facts)| facts.sequence);
        if beyond > 0 && self.tree.size() == latest.head.size {
            let detail =
                format!("{beyond} of the log's own checkpoints are newer than the file `checkpoint`");
            self.findings.on(What::RolledBack, Some(facts.time), detail);
        } else if last != Some(facts.sequence) {
            let detail = match last {
                Some(last) => format!(
                    "the log's own checkpoints end with number {last}, and `checkpoint` is number {}",
                    facts.sequence
                ),
                None => "the log's own checkpoints are missing".to_owned(),
            };
            self.findings.on(What::Checkpoints, Some(facts.time), detail);
        }
        Ok(())
    }
}
