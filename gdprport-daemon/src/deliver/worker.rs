//! One sink at work: read, send, note how far it is, and wait where something fails.
//!
//! A task of its own for each sink. It holds one batch (`feed` states its bound) and waits only for its own receiver; reading the
//! spool and writing the cursor happen on the blocking pool.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gdprport_core::delivery::{Backoff, Sink, Target};
use gdprport_core::event::Host;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::cursor::{CursorFile, Place, Unread};
use super::feed::{Batch, Feed, Known};
use super::lost::Maker;
use super::standing::Standing;
use super::{Limits, Outcome, Transport};
use crate::control::api::SinkState;
use crate::sink::spool::{POLL, SpoolError, SpoolReader};

/// How often a cursor is written at most: what is sent twice after a crash is what was sent in so long.
const NOTED_EVERY: Duration = Duration::from_secs(1);

/// How long a batch that is on its way may take once the sink is to stop.
const GRACE: Duration = Duration::from_secs(3);

/// The least pause after a panic.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// A receiver that said that something is too large is given more again after so many batches that went well.
const GROWS_AFTER: u32 = 16;

/// So many events in a row that are too large alone: then it is the receiver's settings that are wrong, and events are kept.
const SYSTEMIC: u32 = 8;

/// What a sink needs to work.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) sink: Sink,
    pub(super) standing: Standing,
    pub(super) cursor: Arc<Mutex<CursorFile>>,
    pub(super) spool: std::path::PathBuf,
    pub(super) host: Host,
}

/// A worker in the middle of its work.
struct Work {
    worker: Worker,
    transport: Result<Box<dyn Transport>, String>,
    feed: Option<Feed>,
    batch: Batch,
    /// How many of the batch are done.
    done: usize,
    /// Events at once, after the receiver found a batch too large.
    most: usize,
    went_well: u32,
    /// Events in a row that were too large alone.
    alone: u32,
    backoff: Backoff,
    /// When the cursor was written; `None`: it is due at once.
    noted: Option<Instant>,
    /// Whether something is not in the cursor.
    dirty: bool,
    /// What the cursor says to lie in the spool.
    unread: Option<Unread>,
    /// Whether "now" still has to be found.
    seek_end: bool,
}

impl Worker {
    /// Works until it is told to stop. Where a transport panics, its sink begins again at its place, with a new one, and the others
    /// never notice. `seek_end`: it begins behind the newest record.
    pub(super) async fn run_always(
        self,
        make: impl Fn(&Target) -> Result<Box<dyn Transport>, String>,
        seek_end: bool,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut backoff = Backoff::default();
        while !*stop.borrow() {
            // Once a place is known, "now" is not sought again.
            let seek_end = seek_end && self.standing.facts().place == Place::default();
            let run = self.clone().run(make(&self.sink.target), seek_end, stop.clone());
            let Err(panic) = tokio::spawn(run).await else { return };
            tracing::error!(sink = %self.sink.name, %panic, "the sink broke off and begins again: this is a fault of gdprport");
            let next = backoff.next(fastrand::u32(..), Some(AFTER_PANIC));
            let why = "gdprport itself failed while it sent; the log has more";
            self.standing.facts().failed(why.to_owned(), SinkState::Failing, Timestamp::now(), next);
            pause(&mut stop, next).await;
        }
    }

    /// Works until it is told to stop.
    pub(super) async fn run(
        self,
        transport: Result<Box<dyn Transport>, String>,
        seek_end: bool,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut work = Work {
            worker: self,
            transport,
            feed: None,
            batch: Batch::default(),
            done: 0,
            most: usize::MAX,
            went_well: 0,
            alone: 0,
            backoff: Backoff::default(),
            noted: None,
            dirty: false,
            unread: None,
            seek_end,
        };
        let mut late = stop.clone();
        tokio::select! {
            () = work.go(&mut stop) => {}
            () = async {
                stopped(&mut late).await;
                sleep(GRACE).await;
            } => {}
        }
        work.note().await;
    }
}

/// Waits until a sink is to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone asks for nothing else.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits, and returns whether the sink is to stop.
async fn pause(stop: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::select! {
        () = stopped(stop) => true,
        () = sleep(time) => false,
    }
}

impl Work {
    async fn go(&mut self, stop: &mut watch::Receiver<bool>) {
        while !*stop.borrow() {
            if self.dirty && self.noted.is_none_or(|noted| noted.elapsed() >= NOTED_EVERY) {
                self.note().await;
            }
            let pause_for =
                if self.done < self.batch.messages.len() { self.send().await } else { self.read(stop).await };
            if !pause_for.is_zero() {
                if pause_for > NOTED_EVERY {
                    self.note().await;
                }
                if pause(stop, pause_for).await {
                    return;
                }
            }
        }
    }

    /// What is taken at once: by the transport, the sink's settings, and what the receiver found too large.
    fn limits(&self) -> Limits {
        let of = self.transport.as_ref().map_or(Limits { events: 1, bytes: 1 }, |t| t.limits());
        let batch = &self.worker.sink.batch;
        Limits {
            events: batch.events.map_or(of.events, |events| events.get().min(of.events)).max(1),
            bytes: batch.bytes.map_or(of.bytes, |bytes| bytes.get().min(of.bytes)).max(1),
        }
    }

    /// Reads the next batch. Returns for how long there is nothing to do.
    async fn read(&mut self, stop: &mut watch::Receiver<bool>) -> Duration {
        self.batch = self.empty();
        self.done = 0;
        let limits = self.limits();
        let filled = self.fill(limits).await;
        let wait = self.worker.sink.batch.wait.unwrap_or_default();
        let some = !self.batch.messages.is_empty();
        if some && !self.batch.more && !wait.is_zero() {
            if pause(stop, wait).await {
                return Duration::ZERO;
            }
            // What cannot be read now is read again behind this batch.
            let _ = self.fill(limits).await;
        }
        self.advance(0);
        let mut facts = self.worker.standing.facts();
        for loss in &self.batch.losses {
            facts.lost(loss);
        }
        if self.batch.anew {
            tracing::warn!(sink = %self.worker.sink.name, "another spool is there: it is read from its beginning");
            facts.began = "at the beginning of a spool that was created anew".to_owned();
        }
        if some {
            facts.state = SinkState::Sending;
        } else if !self.batch.more && filled.is_ok() {
            facts.works();
            facts.state = SinkState::Idle;
        }
        match filled {
            Err(pause) => pause,
            Ok(()) if some || self.batch.more => Duration::ZERO,
            Ok(()) => POLL,
        }
    }

    /// A batch with nothing in it, at the place of the sink.
    fn empty(&self) -> Batch {
        Batch { next: self.worker.standing.facts().place, ..Batch::default() }
    }

    /// Opens the spool if it is not open, and reads from it, on the blocking pool.
    async fn fill(&mut self, limits: Limits) -> Result<(), Duration> {
        let (feed, mut batch) = (self.feed.take(), std::mem::take(&mut self.batch));
        let opened = feed.is_none();
        let opening = feed.is_none().then(|| {
            let sink = &self.worker.sink;
            let maker = Maker::new(sink, &self.worker.host);
            let place = self.worker.standing.facts().place;
            (self.worker.spool.clone(), maker, sink.filter.clone(), sink.encoding, place, self.seek_end)
        });
        let known = Known { now: Timestamp::now(), unread: self.worker.standing.facts().unread };
        let read = spawn_blocking(move || {
            let mut feed = match (feed, opening) {
                (Some(feed), _) => feed,
                (None, Some((spool, maker, filter, encoding, mut place, seek_end))) => {
                    let mut reader = SpoolReader::open(&spool)?;
                    if seek_end {
                        reader.seek_end()?;
                        let extent = reader.extent()?;
                        place = Place { spool: extent.spool, index: Some(extent.next), seen: None };
                    }
                    Feed::new(reader, place, maker, filter, encoding)
                }
                (None, None) => unreachable!("it is opened if it is not there"),
            };
            let read = feed.fill(&mut batch, limits, known);
            Ok((feed, batch, read))
        });
        self.batch = self.empty();
        let error = match read.await {
            Ok(Ok((feed, batch, read))) => {
                self.seek_end = false;
                (self.feed, self.batch) = (Some(feed), batch);
                if opened {
                    // Where it begins is noted before anything is sent: a new sink that is killed at once begins there again,
                    // also where "now" is later by then.
                    self.advance(0);
                    (self.dirty, self.noted) = (true, None);
                }
                match read {
                    Ok(()) => return Ok(()),
                    // What was read before is sent first.
                    Err(_) if !self.batch.messages.is_empty() => return Ok(()),
                    Err(error) => error,
                }
            }
            Ok(Err(error)) => {
                if self.seek_end && matches!(error, SpoolError::Missing { .. }) {
                    // Whatever is in the spool that is to come, comes from now on.
                    self.seek_end = false;
                    self.dirty = true;
                }
                error
            }
            Err(panic) => {
                tracing::error!(sink = %self.worker.sink.name, %panic, "reading the spool failed; it is opened again");
                return Err(POLL);
            }
        };
        let pause = self.backoff.next(fastrand::u32(..), None);
        let mut facts = self.worker.standing.facts();
        facts.failed(error.to_string(), SinkState::NoSpool, Timestamp::now(), pause);
        Err(pause)
    }

    /// Sends what is left of the batch, or as much of it as is taken at once. Returns how long to wait before the next attempt.
    async fn send(&mut self) -> Duration {
        let limits = self.limits();
        let rest = &self.batch.messages[self.done..];
        let mut bytes = 0;
        let fits = rest.iter().take(limits.events.min(self.most)).take_while(|message| {
            bytes += message.record.len();
            bytes <= limits.bytes
        });
        let count = fits.count().max(1);
        let outcome = match &mut self.transport {
            Ok(transport) => transport.send(&rest[..count]).await,
            Err(why) => Outcome::failed(why.clone()),
        };
        self.settle(count, outcome)
    }

    /// Counts what became of a number of events.
    fn settle(&mut self, count: usize, outcome: Outcome) -> Duration {
        let Outcome { done, refused, failure } = outcome;
        let done = done.min(count);
        // A transport that says nothing of the rest must not be asked again at once.
        let failure = match failure {
            None if done < count => Outcome::failed("it took only a part").failure,
            failure => failure,
        };
        let now = Timestamp::now();
        let mut facts = self.worker.standing.facts();
        let sent = &self.batch.messages[self.done..self.done + done];
        let mut bytes: usize = sent.iter().map(|message| message.record.len()).sum();
        let mut delivered = done;
        let mut behind = 0;
        for refusal in refused {
            // Ascending, each once; what is not is no refusal of this batch.
            let Some(message) = sent.get(refusal.index).filter(|_| refusal.index >= behind) else { continue };
            behind = refusal.index + 1;
            bytes -= message.record.len();
            delivered -= 1;
            facts.refused(&message.event, &refusal.why, now);
        }
        facts.delivered(delivered as u64, bytes as u64, now);
        let mut pause = Duration::ZERO;
        let mut done = done;
        if done > 0 {
            self.backoff.reset();
            self.alone = 0;
        }
        match failure {
            None => {
                facts.works();
                facts.state = SinkState::Sending;
                self.went_well += 1;
                if self.went_well >= GROWS_AFTER {
                    (self.went_well, self.most) = (0, self.most.saturating_mul(2));
                }
            }
            Some(failure) if failure.too_large && count == 1 && self.alone < SYSTEMIC => {
                self.alone += 1;
                facts.refused(&self.batch.messages[self.done].event, &failure.why, now);
                done = 1;
            }
            Some(failure) if failure.too_large && count == 1 => {
                pause = self.backoff.next(fastrand::u32(..), failure.after);
                let why = format!("even one event is too large, so it may be the settings: {}", failure.why);
                facts.failed(why, SinkState::Failing, now, pause);
            }
            Some(failure) if failure.too_large => {
                (self.went_well, self.most) = (0, ((count - done) / 2).max(1));
            }
            Some(failure) => {
                self.went_well = 0;
                pause = self.backoff.next(fastrand::u32(..), failure.after);
                facts.failed(failure.why, SinkState::Failing, now, pause);
            }
        }
        drop(facts);
        self.advance(done);
        pause
    }

    /// So many more of the batch are done. The place and the totals of what lies before it change together: whoever goes on at a
    /// place counts nothing twice.
    fn advance(&mut self, done: usize) {
        let from = self.done;
        self.done += done;
        let marks = &self.batch.marks[from..self.done];
        let lost: u64 = marks.iter().map(|mark| mark.lost).sum();
        let uncounted = marks.iter().filter(|mark| mark.uncounted).count() as u64;
        let (place, filtered) = match self.batch.marks.get(self.done) {
            Some(mark) => (mark.place, mark.filtered),
            None => (self.batch.next, self.batch.filtered),
        };
        let mut facts = self.worker.standing.facts();
        facts.totals.lost += lost;
        facts.totals.uncounted += uncounted;
        facts.totals.filtered += filtered - self.batch.counted;
        self.batch.counted = filtered;
        self.dirty |= done > 0 || facts.place != place;
        facts.place = place;
    }

    /// Writes the cursor.
    async fn note(&mut self) {
        self.noted = Some(Instant::now());
        let kept = self.worker.standing.facts().kept();
        if !self.dirty && kept.unread == self.unread {
            return;
        }
        let cursor = Arc::clone(&self.worker.cursor);
        let number = self.worker.standing.facts().number();
        let written =
            spawn_blocking(move || cursor.lock().unwrap_or_else(PoisonError::into_inner).write(number, kept));
        match written.await {
            Ok(Ok(())) => (self.dirty, self.unread) = (false, kept.unread),
            Ok(Err(error)) => {
                self.worker.standing.facts().unwritten(&error);
            }
            Err(panic) => tracing::error!(%panic, "the cursor was not written"),
        }
    }
}
