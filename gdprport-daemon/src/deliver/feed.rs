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

use super::cursor::Place;
use super::lost::{Loss, Maker};
use super::{Limits, Message};
use crate::sink::spool::{Item, SpoolError, SpoolReader};

/// Records that are looked at in one go: a filter that takes nothing must not keep a thread of the pool for long.
const SCAN_MAX: usize = 4_096;

/// Why a record of the spool did not become an event.
const UNREADABLE: &str = "unreadable";

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
    /// Whether another spool begins in it.
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
    /// Another spool was found while messages of the one before were collected.
    begins: Option<Place>,
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
            Place { spool: Some(spool), index: Some(index) } => reader.resume(spool, index),
            Place { spool: None, index: Some(index) } => reader.seek(index),
            Place { index: None, .. } => {}
        }
        Self { reader, place, maker, filter, encoding, last: None, begins: None, scratch: Vec::new() }
    }

    /// Adds what comes next to a batch, within its bounds.
    ///
    /// # Errors
    /// If the spool cannot be read. What was read before is in the batch.
    pub(super) fn fill(&mut self, batch: &mut Batch, limits: Limits) -> Result<(), SpoolError> {
        if batch.messages.is_empty()
            && let Some(place) = self.begins.take()
        {
            (self.place, batch.anew) = (place, true);
        }
        let read = self.read(batch, limits);
        batch.next = self.place;
        read
    }

    fn read(&mut self, batch: &mut Batch, limits: Limits) -> Result<(), SpoolError> {
        batch.more = true;
        for _ in 0..SCAN_MAX {
            let full = batch.messages.len() >= limits.events || batch.bytes >= limits.bytes;
            if full || self.begins.is_some() {
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
                        since: found.since.or(self.last).unwrap_or(found.until),
                        until: found.until,
                        reason: found.reason.as_str(),
                    };
                    self.lose(batch, loss, found.to.saturating_add(1));
                }
                Item::Anew(spool) => {
                    let place = Place { spool: Some(spool), index: None };
                    self.last = None;
                    if batch.messages.is_empty() {
                        (self.place, batch.anew) = (place, true);
                    } else {
                        self.begins = Some(place);
                    }
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, batch: &mut Batch, index: u64, time: Timestamp, line: &Bytes) {
        let behind = index.saturating_add(1);
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
                self.add(batch, Message { event, record }, 0, index, behind);
            }
            Ok(_) => {
                batch.filtered += 1;
                self.pass(behind);
            }
            // A newer sensor's, or nobody knows whose.
            Err(_) => {
                let since = self.last.unwrap_or(time);
                self.lose(
                    batch,
                    Loss { from: index, events: 1, since, until: time, reason: UNREADABLE },
                    behind,
                );
            }
        }
        self.last = Some(time);
    }

    fn lose(&mut self, batch: &mut Batch, mut loss: Loss, behind: u64) {
        // The clock may have been set back between two records.
        (loss.since, loss.until) = (loss.since.min(loss.until), loss.since.max(loss.until));
        let event = self.maker.lost(self.reader.spool(), &loss);
        self.scratch.clear();
        self.encoding.write(&event, &mut self.scratch);
        let record = Bytes::copy_from_slice(&self.scratch);
        self.add(batch, Message { event, record }, loss.events, loss.from, behind);
        batch.losses.push(loss);
    }

    fn add(&mut self, batch: &mut Batch, message: Message, lost: u64, index: u64, behind: u64) {
        batch.bytes += message.record.len();
        batch.messages.push(message);
        let place = Place { spool: self.reader.spool(), index: Some(index) };
        batch.marks.push(Mark { place, filtered: batch.filtered, lost });
        self.pass(behind);
    }

    fn pass(&mut self, behind: u64) {
        self.place = Place { spool: self.reader.spool(), index: Some(behind) };
    }
}
