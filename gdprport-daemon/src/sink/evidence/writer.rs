//! The sink that writes the log: on its own thread, whatever state the directory is in.

use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gdprport_core::evidence::{
    Before, FORMAT_VERSION, Found, Hash, Kind, LineHead, Note, Own, Reason, id_of,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::carry::{carry, refused};
use super::disk::Directory;
use super::erase::Erasure;
use super::handle::EvidenceHandle;
use super::key;
use super::order::Order;
use super::outlet::Outlet;
use super::place::{LOCK, prepare, random, set_aside};
use super::recover::{Unusable, open};
use super::running::{Due, Running, settle_next, signers};
use super::settings::EvidenceSettings;
use crate::host::lock::{Lock, LockError, flock};
use crate::sink::destination::Target;
use crate::sink::report::{Failure, Report};
use crate::sink::{Batch, Sink, SinkError};

/// How often it is looked whether something is due, and whether a log that cannot be used can be by now.
const TEND_EVERY: Duration = Duration::from_secs(1);

/// The run that is logged.
#[derive(Debug, Clone)]
pub(crate) struct ThisRun {
    /// `agent.run` of its events.
    pub(crate) run: Uuid,
    /// The boot.
    pub(crate) boot: Uuid,
    /// The host's name, which a new key is called by.
    pub(crate) host: String,
}

impl Sink {
    /// A sink that writes the evidence log. Whatever is wrong with its directory is no error: events are then counted as lost until
    /// it is mended.
    ///
    /// # Errors
    /// If another daemon writes this log, or the thread cannot be started.
    pub(crate) fn evidence(
        settings: EvidenceSettings,
        this: ThisRun,
        (handle, outlet): (EvidenceHandle, Option<Outlet>),
        capacity: NonZeroUsize,
    ) -> Result<Self, SinkError> {
        let name = format!("evidence:{}", settings.dir.display());
        let mut writer = Writer::new(settings, this, handle, outlet);
        writer.open();
        match writer.held_by.take() {
            Some(pid) => Err(SinkError::EvidenceInUse { dir: writer.settings.dir.clone(), pid }),
            None => Ok(Self::spawn(name, capacity, writer)?.into_another()),
        }
    }
}

/// The log, or why there is none.
pub(super) struct Writer {
    settings: EvidenceSettings,
    this: ThisRun,
    handle: EvidenceHandle,
    outlet: Option<Outlet>,
    log: Option<Running>,
    /// Why it cannot be used.
    problem: String,
    opened: Instant,
    held_by: Option<Option<u32>>,
    /// The `seq` that the next event of this run has.
    next_seq: u64,
    /// Whether the last events could not be written, rather than having been dropped before.
    failed: bool,
}

impl Writer {
    pub(super) fn new(
        settings: EvidenceSettings,
        this: ThisRun,
        handle: EvidenceHandle,
        outlet: Option<Outlet>,
    ) -> Self {
        handle.stands(|standing| standing.dir = settings.dir.clone());
        Self {
            settings,
            this,
            handle,
            outlet,
            log: None,
            problem: String::new(),
            opened: Instant::now(),
            held_by: None,
            next_seq: 1,
            failed: false,
        }
    }

    pub(super) fn open(&mut self) {
        self.opened = Instant::now();
        match self.try_open() {
            Ok(running) => self.log = Some(running),
            Err(problem) => self.fails(problem),
        }
    }

    fn try_open(&mut self) -> Result<Running, String> {
        self.held_by = None;
        let dir = prepare(&self.settings.dir)?;
        let lock =
            Lock::take(&dir.join(LOCK.0), LOCK.1, "evidence.path", flock).map_err(|error| match error {
                LockError::Held(pid) => {
                    self.held_by = Some(pid);
                    SinkError::EvidenceInUse { dir: dir.clone(), pid }.to_string()
                }
                LockError::Unavailable(why) => format!("{why}; make the directory writable for the daemon"),
            })?;
        let (place, host) = (&self.settings.key, &self.this.host);
        let keys = || signers(key::read_or_make(place, host)?, place);
        let mut before = None;
        let opened = match open(Directory::new(dir.clone()), keys()?, self.this.boot, random) {
            Err(Unusable::Wrong(why)) => {
                before = Some(set_aside(&dir, &why)?);
                open(Directory::new(dir.clone()), keys()?, self.this.boot, random)
            }
            opened => opened,
        };
        let opened = opened.map_err(|error| match error {
            Unusable::Io(error) => format!("the log {} cannot be used: {error}", dir.display()),
            Unusable::Wrong(why) => format!("the log {} cannot be used: {why}", dir.display()),
        })?;
        settle_next(&opened, place)?;
        let mut running = Running::new(opened.log, lock);
        self.begin(&mut running, opened.found, before)
            .map_err(|error| format!("the log {} cannot be written: {error}", dir.display()))?;
        Ok(running)
    }

    /// Says in the log that this daemon writes it from now on.
    fn begin(
        &mut self,
        running: &mut Running,
        found: Option<Found>,
        before: Option<Before>,
    ) -> io::Result<()> {
        let (time, ThisRun { run, boot, .. }) = (Timestamp::now(), self.this.clone());
        if found.is_none() {
            let key = running.log.key.public().to_string();
            running.state(&Own::Begun { time, format: FORMAT_VERSION, key, before })?;
        }
        let found = found.unwrap_or(Found { signed: 0, unsigned: 0, torn_bytes: 0, orderly: true });
        let version = env!("CARGO_PKG_VERSION").to_owned();
        running.state(&Own::Started { time, run, boot, version, found })?;
        // First: the checkpoint after an end, in whatever way, is of a start, or the time between would be one of silence.
        self.checkpoint(running, Reason::Start)?;
        if let Some(note) = running.log.finish_erasing(time, self.handle.sums())? {
            self.made(running, &note);
        }
        Ok(())
    }

    fn checkpoint(&mut self, running: &mut Running, reason: Reason) -> io::Result<()> {
        let note = running.log.checkpoint(reason, Timestamp::now(), self.handle.sums())?;
        self.made(running, &note);
        Ok(())
    }

    /// A checkpoint of all entries was made: it leaves the host.
    fn made(&mut self, running: &mut Running, note: &Note) {
        running.checkpointed();
        if let Some(outlet) = &mut self.outlet {
            outlet.send(note);
        }
        let facts = running.log.made;
        let (key, size) = (running.log.key.public().to_string(), running.log.tree.size());
        self.handle.stands(|standing| {
            (standing.key, standing.size, standing.problem) = (Some(key), size, None);
            standing.facts = facts;
        });
    }

    fn fails(&mut self, problem: String) {
        self.handle.stands(|standing| standing.problem = Some(problem.clone()));
        self.problem = problem;
    }

    /// The log, tried anew once a second.
    fn ready(&mut self) -> bool {
        if self.log.is_none() && self.opened.elapsed() >= TEND_EVERY {
            self.open();
        }
        self.log.is_some()
    }

    /// Appends the first events of a batch.
    fn append(&mut self, batch: &Batch, count: usize) -> Report {
        if !self.ready() {
            self.failed = true;
            return Report::none(Failure::Io(self.problem.clone()));
        }
        let Some(mut running) = self.log.take() else {
            return Report::none(Failure::Io(self.problem.clone()));
        };
        let next_seq = self.next_seq;
        let (mut stored, mut bytes, mut stored_seq) = (0, 0, next_seq);
        let mut result = Ok(());
        for index in 0..count {
            let line = batch.line(index);
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            result = self.append_one(&mut running, line);
            if result.is_err() {
                break;
            }
            bytes += line.len();
            if running.log.is_written() {
                (stored, stored_seq) = (index + 1, self.next_seq);
            }
        }
        let result = result.and_then(|()| running.log.commit());
        if result.is_ok() {
            (stored, stored_seq) = (count, self.next_seq);
            self.failed = false;
        }
        // What was not stored is a gap before whatever comes next.
        self.next_seq = stored_seq;
        running.active |= stored > 0;
        running.unsynced |= stored > 0;
        self.log = Some(running);
        let failure = result.err().map(|error| {
            self.failed = true;
            // A log whose files are in an unknown state is opened anew.
            self.log = None;
            self.unwritten(&error);
            Failure::Io(self.problem.clone())
        });
        Report { delivered: stored, bytes, skipped: Vec::new(), failure }
    }

    fn append_one(&mut self, running: &mut Running, line: &[u8]) -> io::Result<()> {
        let head = LineHead::of(line);
        if let Some(LineHead { seq, run }) = head.filter(|head| head.run == self.this.run) {
            let missing = seq.saturating_sub(self.next_seq);
            if missing > 0 {
                let reason = if self.failed { "io-error" } else { "queue-full" }.to_owned();
                running.state(&Own::Gap { time: Timestamp::now(), run, events: missing, reason })?;
            }
            self.next_seq = seq.saturating_add(1);
        }
        if running.log.append(Kind::Event, line)?.is_err() {
            let LineHead { seq, run } = head.unwrap_or(LineHead { seq: 0, run: self.this.run });
            let id = id_of(line).unwrap_or(Uuid::nil());
            let (bytes, sha256) = (line.len() as u64, Hash::of(line).to_string());
            running.state(&Own::Oversized { time: Timestamp::now(), id, run, seq, bytes, sha256 })?;
        }
        Ok(())
    }

    /// Logs the policies that became active since the last call; returns whether there were any.
    fn log_policies(&self, running: &mut Running) -> io::Result<bool> {
        let mut any = false;
        while let Some(policy) = self.handle.next_policy() {
            running.policy(&policy)?;
            any = true;
        }
        Ok(any)
    }

    /// Does what is due.
    fn tend_running(&mut self, running: &mut Running) -> io::Result<()> {
        running.tended = Instant::now();
        if self.log_policies(running)? {
            self.checkpoint(running, Reason::Policy)?;
        }
        if running.unsynced {
            running.log.sync()?;
            running.unsynced = false;
        }
        match running.checkpoint_due() {
            Some(Due::Activity) => self.checkpoint(running, Reason::Activity)?,
            Some(Due::Heartbeat) => self.checkpoint(running, Reason::Heartbeat)?,
            None => {}
        }
        self.carry_orders(running)?;
        if running.retention_due() {
            self.retain(running)?;
        }
        Ok(())
    }

    /// Erases what is older than it is kept, and the oldest for which there is no room.
    fn retain(&mut self, running: &mut Running) -> io::Result<()> {
        let (now, sums) = (Timestamp::now(), self.handle.sums());
        let before = now.checked_sub(self.settings.keep).unwrap_or(Timestamp::MIN);
        let (why, by) = ("retention".to_owned(), "gdprport".to_owned());
        let old = running.log.erase(&Erasure { from: None, before, why, by }, now, sums)?;
        let beyond = running.log.erase_beyond(self.settings.max_bytes, now, sums)?;
        for done in [old, beyond] {
            if let Some(note) = done.note {
                self.made(running, &note);
                let entries = done.entries;
                tracing::info!(entries, "entries of the evidence log were erased, by `keep` or `max_size`");
            }
        }
        Ok(())
    }

    /// Does what somebody asked for.
    fn carry_orders(&mut self, running: &mut Running) -> io::Result<()> {
        while let Some(waiting) = self.handle.next_order() {
            if let Err(why) = refused(&waiting.order, &self.settings.key) {
                waiting.to.reply(Err(why));
                continue;
            }
            let carried = carry(&mut running.log, &self.settings.key, &waiting.order, self.handle.sums());
            match carried {
                Ok((carried, note)) => {
                    match waiting.order {
                        Order::Erase(_) => tracing::info!(
                            entries = carried.entries,
                            "entries of the evidence log were erased"
                        ),
                        Order::Rotate => {
                            tracing::info!(public = %carried.key, "another key signs the evidence log");
                        }
                    }
                    if let Some(note) = note {
                        self.made(running, &note);
                    }
                    waiting.to.reply(Ok(carried));
                }
                Err(error) => {
                    let dir = self.settings.dir.display();
                    waiting.to.reply(Err(format!("the log {dir} cannot be written: {error}")));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn unwritten(&mut self, error: &io::Error) {
        self.fails(format!("the log {} cannot be written: {error}", self.settings.dir.display()));
    }
}

impl Target for Writer {
    fn places(&self) -> Vec<PathBuf> {
        self.settings.places()
    }

    fn write(&mut self, batch: &Batch, count: usize) -> Report {
        self.append(batch, count)
    }

    fn due(&self) -> Option<Instant> {
        let last = self.log.as_ref().map_or(self.opened, |running| running.tended);
        Some(last + TEND_EVERY)
    }

    fn tend(&mut self) -> Result<(), String> {
        if !self.ready() {
            return Err(self.problem.clone());
        }
        let Some(mut running) = self.log.take() else { return Ok(()) };
        let result = self.tend_running(&mut running);
        match result {
            Ok(()) => {
                self.log = Some(running);
                Ok(())
            }
            Err(error) => {
                self.opened = Instant::now();
                self.unwritten(&error);
                Err(self.problem.clone())
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Some(mut running) = self.log.take() else { return };
        let (time, run) = (Timestamp::now(), self.this.run);
        let emitted = self.handle.sums().emitted;
        let ended = self
            .log_policies(&mut running)
            .and_then(|_| running.state(&Own::Stopped { time, run, emitted }))
            .and_then(|()| self.checkpoint(&mut running, Reason::Stop));
        if let Err(error) = ended {
            tracing::warn!(%error, "the evidence log has no last checkpoint");
        }
    }
}
