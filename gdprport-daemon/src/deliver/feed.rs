//! From the spool to a batch: reads, filters, encodes, within bounds.
//!
//! Belongs here: everything that reads the spool's files and may therefore wait for a disk. It runs on the blocking pool. What
//! becomes of a batch is `worker`'s.
//!
//! A feed holds no more than its batch: of `limits.events` events and `limits.bytes` bytes, or one event that is larger. An event
//! in memory takes two to three times the bytes of its line; so a sink holds at most four times `limits.bytes`, plus one event.

use bytes::Bytes;
use gdprport_core::delivery::Filter;
use gdprport_core::encode::Encoding;
use gdprport_core::event::Event;
use jiff::Timestamp;
use uuid::Uuid;

use super::cursor::{Place, Unread};
use super::lost::{Loss, Maker, REPLACED, UNREADABLE};
use super::{Limits, Message};
use crate::sink::spool::{Item, Seen, SpoolError, SpoolReader};

/// Records that are looked at in one go: a filter that takes nothing must not keep a thread of the pool for long.
const SCAN_MAX: usize = 4_096;

/// What is to be sent, and where the sink is when it was.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) messages: Vec<Message>,
    /// What belongs to each message.
    pub(super) marks: Vec<Mark>,
    /// The place behind all of them.
    pub(super) next: Place,
    /// Bytes of all records.
    pub(super) bytes: usize,
    /// Events that the filter left out, in all of it.
    pub(super) filtered: u64,
    /// How many of these are in the sink's totals.
    pub(super) counted: u64,
    /// What was lost, beside the messages that report it.
    pub(super) losses: Vec<Loss>,
    /// Whether another spool begins in it; the loss that this is stands among the messages.
    pub(super) anew: bool,
    /// Whether there may be more to read at once.
    pub(super) more: bool,
}

/// What stands in the cursor when everything before a message is done, and what comes with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// The next to be read as long as the message is not done.
    pub(super) place: Place,
    /// Events of the batch before it that the filter left out.
    pub(super) filtered: u64,
    /// Events whose loss it reports.
    pub(super) lost: u64,
    /// Whether they may be more.
    pub(super) uncounted: bool,
}

/// What a feed cannot find in the files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) now: Timestamp,
    /// What lies in the spool, from the last look at all of it.
    pub(super) unread: Option<Unread>,
}

/// One sink's way through the spool.
#[derive(Debug)]
pub(super) struct Feed {
    reader: SpoolReader,
    place: Place,
    maker: Maker,
    filter: Filter,
    encoding: Encoding,
    /// Time of the record before.
    last: Option<Timestamp>,
    scratch: Vec<u8>,
}

impl Feed {
    /// Begins at a place.
    pub(super) fn new(
        mut reader: SpoolReader,
        place: Place,
        maker: Maker,
        filter: Filter,
        encoding: Encoding,
    ) -> Self {
        match place {
            Place { spool: Some(spool), index: Some(index), seen } => reader.resume(spool, index, seen),
            Place { spool: None, index: Some(index), .. } => reader.seek(index),
            Place { index: None, .. } => {}
        }
        let last = place.seen.map(Seen::at);
        Self { reader, place, maker, filter, encoding, last, scratch: Vec::new() }
    }

    /// Adds what comes next to a batch, within its bounds.
    ///
    /// # Errors
    /// If the spool cannot be read. What was read before is in the batch.
    pub(super) fn fill(&mut self, batch: &mut Batch, limits: Limits, known: Known) -> Result<(), SpoolError> {
        let read = self.read(batch, limits, known);
        batch.next = self.place;
        read
    }

    fn read(&mut self, batch: &mut Batch, limits: Limits, known: Known) -> Result<(), SpoolError> {
        batch.more = true;
        for _ in 0..SCAN_MAX {
            if batch.messages.len() >= limits.events || batch.bytes >= limits.bytes {
                return Ok(());
            }
            let Some(item) = self.reader.next()? else {
                batch.more = false;
                return Ok(());
            };
            match item {
                Item::Record { index, time, line } => self.record(batch, index, time, &line),
                Item::Lost(found) => {
                    let loss = Loss {
                        from: found.from,
                        events: found.events,
                        at_least: found.at_least,
                        since: found.since.or(self.last).unwrap_or(found.until),
                        until: found.until,
                        reason: found.reason.as_str(),
                    };
                    let behind = self.behind(found.to);
                    self.lose(batch, loss, behind);
                }
                Item::Anew(spool) => {
                    let loss = self.replaced(known);
                    batch.anew = true;
                    self.lose(batch, loss, Place { spool: Some(spool), ..Place::default() });
                    self.last = None;
                }
            }
        }
        Ok(())
    }

    /// What is lost because another spool is there.
    fn replaced(&self, known: Known) -> Loss {
        // Nothing older was in it than it.
        let begun = self.place.spool.and_then(|spool| spool.get_timestamp());
        let begun = begun.and_then(|at| Timestamp::from_second(i64::try_from(at.to_unix().0).ok()?).ok());
        Loss {
            from: self.place.index.unwrap_or(0),
            events: known.unread.map_or(0, |unread| unread.at(self.place)),
            at_least: true,
            since: self.last.or(begun).unwrap_or(known.now),
            until: known.now,
            reason: REPLACED,
        }
    }

    fn record(&mut self, batch: &mut Batch, index: u64, time: Timestamp, line: &Bytes) {
        let behind = Place { seen: self.reader.seen(), ..self.behind(index) };
        match serde_json::from_slice::<Event>(line) {
            Ok(event) if self.filter.takes(&event) => {
                // As the sensor wrote it.
                let record = if self.encoding == Encoding::Native {
                    line.clone()
                } else {
                    self.scratch.clear();
                    self.encoding.write(&event, &mut self.scratch);
                    Bytes::copy_from_slice(&self.scratch)
                };
                self.add(batch, Message { event, record }, Some(index), behind, None);
            }
            Ok(_) => {
                batch.filtered += 1;
                self.place = behind;
            }
            // A newer sensor's, or nobody knows whose.
            Err(_) => {
                let since = self.last.unwrap_or(time);
                let (events, at_least, reason) = (1, false, UNREADABLE);
                self.lose(batch, Loss { from: index, events, at_least, since, until: time, reason }, behind);
            }
        }
        self.last = Some(time);
    }

    fn lose(&mut self, batch: &mut Batch, mut loss: Loss, behind: Place) {
        // The clock may have been set back between two records.
        (loss.since, loss.until) = (loss.since.min(loss.until), loss.since.max(loss.until));
        let event = self.maker.lost(self.spool(), &loss);
        self.scratch.clear();
        self.encoding.write(&event, &mut self.scratch);
        let record = Bytes::copy_from_slice(&self.scratch);
        let index = self.place.index.map(|_| loss.from);
        self.add(batch, Message { event, record }, index, behind, Some(&loss));
        batch.losses.push(loss);
    }

    /// Adds a message that stands at an index; `behind`: the place once it is done.
    fn add(
        &mut self,
        batch: &mut Batch,
        message: Message,
        index: Option<u64>,
        behind: Place,
        loss: Option<&Loss>,
    ) {
        batch.bytes += message.record.len();
        batch.messages.push(message);
        let place = Place { spool: self.spool(), index, seen: self.place.seen };
        let lost = loss.map_or(0, |loss| loss.events);
        let uncounted = loss.is_some_and(|loss| loss.at_least);
        batch.marks.push(Mark { place, filtered: batch.filtered, lost, uncounted });
        self.place = behind;
    }

    /// The spool in which the sink is: where another one begins still the one before.
    fn spool(&self) -> Option<Uuid> {
        self.place.spool.or(self.reader.spool())
    }

    /// The place behind an index of the spool that is read.
    fn behind(&self, index: u64) -> Place {
        Place { spool: self.reader.spool(), index: Some(index.saturating_add(1)), seen: self.place.seen }
    }
}
