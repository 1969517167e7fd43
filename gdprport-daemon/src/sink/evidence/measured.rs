//! The log as the bench measures it: its writer without queue and thread, the way into both, and the verification of what was written.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gdprport_core::delivery::SecretRef;
use gdprport_core::evidence::verify;
use uuid::Uuid;

use super::disk::Directory;
use super::files::Files;
use super::handle::EvidenceHandle;
use super::key;
use super::settings::EvidenceSettings;
use super::writer::{ThisRun, Writer};
use crate::sink::destination::Target as _;
use crate::sink::{Batch, Sink};

/// Events of one run, each this line with a number of its own.
#[derive(Debug)]
struct Lines {
    run: Uuid,
    /// What stands before and behind the number.
    parts: (String, String),
    next: u64,
}

impl Lines {
    /// Of this native line.
    fn of(line: &str) -> Result<Self, String> {
        let run = Uuid::now_v7();
        let after = |text: &str, key: &str| text.find(key).map(|at| at + key.len());
        let number = after(line, "\"seq\":").ok_or("it has no seq")?;
        let digits = line[number..].bytes().take_while(u8::is_ascii_digit).count();
        let (before, mut behind) = (line[..number].to_owned(), line[number + digits..].to_owned());
        let id = after(&behind, "\"run\":\"").filter(|at| behind.is_char_boundary(at + 36));
        let id = id.ok_or("it has no run behind its seq")?;
        behind.replace_range(id..id + 36, &run.to_string());
        Ok(Self { run, parts: (before, behind), next: 1 })
    }

    fn batch(&mut self, events: u64) -> Arc<Batch> {
        let mut batch = Batch::default();
        let (begin, rest) = &self.parts;
        for seq in self.next..self.next + events {
            batch.add(|line| {
                line.extend_from_slice(begin.as_bytes());
                line.extend_from_slice(seq.to_string().as_bytes());
                line.extend_from_slice(rest.as_bytes());
                line.push(b'\n');
            });
        }
        self.next += events;
        Arc::new(batch)
    }
}

fn settings(dir: &Path) -> EvidenceSettings {
    EvidenceSettings { dir: dir.to_owned(), key: key_of(dir), keep: Duration::MAX, max_bytes: u64::MAX }
}

fn key_of(dir: &Path) -> SecretRef {
    SecretRef::File(dir.with_extension("key"))
}

fn this(run: Uuid) -> ThisRun {
    ThisRun { run, boot: Uuid::nil(), host: "bench".to_owned() }
}

/// A log whose writer is called as its thread calls it.
pub struct Logged {
    writer: Box<Writer>,
    lines: Lines,
    batch: Arc<Batch>,
}

impl fmt::Debug for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logged").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl Logged {
    /// A log in this directory, of events that are this native line, each with a number of its own.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn new(dir: &Path, line: &str) -> Result<Self, String> {
        let lines = Lines::of(line)?;
        let (handle, this) = (EvidenceHandle::default(), this(lines.run));
        let mut writer = Box::new(Writer::new(settings(dir), this, handle, None));
        writer.open();
        Ok(Self { writer, lines, batch: Arc::default() })
    }

    /// Makes the next events, which takes no part in the measurement. Returns the bytes of their lines.
    pub fn prepare(&mut self, events: u64) -> usize {
        self.batch = self.lines.batch(events);
        self.batch.bytes() - self.batch.len()
    }

    /// Writes what was prepared, as one batch, and does what is due then.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub fn write(&mut self) -> Result<(), String> {
        let report = self.writer.write(&self.batch, self.batch.len());
        if let Some(failure) = report.failure {
            return Err(format!("{failure:?}"));
        }
        if self.writer.due().is_some_and(|due| due <= Instant::now()) {
            self.writer.tend()?;
        }
        Ok(())
    }
}

/// The log as a sink with its queue and thread: what handing events over costs.
#[derive(Debug)]
pub struct Handed {
    sink: Sink,
    lines: Lines,
    batches: Vec<Arc<Batch>>,
}

impl Handed {
    /// A sink for a log in this directory, of events as those of [`Logged`].
    ///
    /// # Errors
    /// What is wrong with the line, or why there is no thread.
    pub fn new(dir: &Path, line: &str, capacity: NonZeroUsize) -> Result<Self, String> {
        let lines = Lines::of(line)?;
        let ends = (EvidenceHandle::default(), None);
        let sink = Sink::evidence(settings(dir), this(lines.run), ends, capacity);
        let sink = sink.map_err(|error| error.to_string())?;
        Ok(Self { sink, lines, batches: Vec::new() })
    }

    /// Makes so many batches of so many events, once half of the queue is free. It takes no part in the measurement.
    pub fn prepare(&mut self, batches: usize, events: u64) {
        while !self.sink.has_room() {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.batches.clear();
        self.batches.extend((0..batches).map(|_| self.lines.batch(events)));
    }

    /// Hands over what was prepared, as the loop does it.
    pub fn hand_over(&self) {
        self.batches.iter().for_each(|batch| self.sink.push(batch));
    }

    /// Ends it. Returns how many events it did not take.
    #[must_use]
    pub fn finish(self) -> u64 {
        let stats = self.sink.finish(Instant::now() + Duration::from_secs(60));
        stats.counts.dropped.values().sum()
    }
}

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Entries that are right.
    pub entries: u64,
    /// What is wrong.
    pub findings: u64,
}

/// Verifies a log of [`Logged`], as `gdprport evidence verify` does.
///
/// # Errors
/// Why it cannot be verified.
pub fn verified(dir: &Path) -> Result<Found, String> {
    let key = key::read(&key_of(dir)).map_err(|error| format!("{error:?}"))?;
    let disk = Directory::new(dir.to_owned());
    let verified = verify(&mut Files::new(&disk, |_| {}), key.public(), &[]);
    let verified = verified.map_err(|error| format!("{error:?}"))?;
    Ok(Found { entries: verified.entries, findings: verified.findings.count() })
}
