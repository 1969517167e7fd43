//! The sink that writes the spool: on its own thread, whatever state the directory is in.
//!
//! A spool that cannot be used is tried again once a second while there is something to write. Until then events are lost and
//! counted, like those of any sink, and the reason with its remedy is the sink's last error.

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use super::log::{Log, fits};
use super::recover::Identity;
use super::settings::SpoolSettings;
use crate::host::lock::{Lock, LockError, flock};
use crate::sink::destination::Target;
use crate::sink::place::own_directory;
use crate::sink::report::{Failure, Report};
use crate::sink::{Batch, Sink, SinkError, Spooled};

/// How often it is looked whether the files are still there, and whether a spool that cannot be used can be by now.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The lock. Only root may open it: a reader that could would keep the daemon from writing.
const LOCK: (&str, u32) = ("spool.lock", 0o600);

impl Sink {
    /// A sink that writes a spool. Whatever is wrong with its directory is no error: events are then counted as lost until it is
    /// mended.
    ///
    /// # Errors
    /// If another daemon writes this spool, or the thread cannot be started.
    pub(crate) fn spool(settings: SpoolSettings, capacity: NonZeroUsize) -> Result<Self, SinkError> {
        let name = format!("spool:{}", settings.dir.display());
        let mut writer = Writer::new(settings, boot_id());
        writer.open();
        match writer.held_by.take() {
            Some(pid) => Err(SinkError::SpoolInUse { dir: writer.settings.dir.clone(), pid }),
            None => Self::spawn(name, capacity, writer),
        }
    }
}

/// The boot; nil where it cannot be read: then every start is taken for one after the host's end.
fn boot_id() -> Uuid {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().parse().unwrap_or(Uuid::nil())
}

/// A spool, or why there is none.
#[derive(Debug)]
pub(super) struct Writer {
    settings: SpoolSettings,
    boot: Uuid,
    log: Option<Open>,
    /// What is known of the spool that was open last.
    identity: Option<Identity>,
    /// Why it cannot be used.
    problem: String,
    checked: Instant,
    check_every: Duration,
    /// Set if another daemon writes it: its process id, where that is known.
    held_by: Option<Option<u32>>,
}

/// An open spool.
#[derive(Debug)]
struct Open {
    log: Log,
    lock: Lock,
    /// Which directory it is.
    dir: (u64, u64),
}

impl Writer {
    pub(super) fn new(settings: SpoolSettings, boot: Uuid) -> Self {
        Self {
            settings,
            boot,
            log: None,
            identity: None,
            problem: String::new(),
            checked: Instant::now(),
            check_every: CHECK_EVERY,
            held_by: None,
        }
    }

    /// Looks at the files before every batch.
    #[cfg(test)]
    pub(super) const fn look_always(&mut self) {
        self.check_every = Duration::ZERO;
    }

    /// Opens the spool; if that fails, `problem` says why.
    pub(super) fn open(&mut self) {
        self.checked = Instant::now();
        match self.try_open() {
            Ok(open) => self.log = Some(open),
            Err(problem) => self.problem = problem,
        }
    }

    fn try_open(&mut self) -> Result<Open, String> {
        self.held_by = None;
        let dir = own_directory(&self.settings.dir, "spool", "spool.path")?;
        let lock =
            Lock::take(&dir.join(LOCK.0), LOCK.1, "spool.path", flock).map_err(|error| match error {
                LockError::Held(pid) => {
                    self.held_by = Some(pid);
                    SinkError::SpoolInUse { dir: dir.clone(), pid }.to_string()
                }
                LockError::Unavailable(why) => format!("{why}; make the directory writable for the daemon"),
            })?;
        let id = id(&dir).ok_or_else(|| format!("the spool {} is gone again", dir.display()))?;
        let log = Log::open(dir, self.settings.clone(), self.boot, self.identity)?;
        Ok(Open { log, lock, dir: id })
    }

    /// The spool, looked at anew once a second.
    fn ready(&mut self) -> Option<&mut Log> {
        if self.checked.elapsed() >= self.check_every {
            self.checked = Instant::now();
            if self.log.as_ref().is_none_or(|open| !open.is_whole()) {
                self.let_go();
                self.open();
            }
        }
        self.log.as_mut().map(|open| &mut open.log)
    }

    fn let_go(&mut self) {
        if let Some(open) = self.log.take() {
            self.identity = Some(open.log.identity());
        }
    }

    /// Appends the first events of a batch. `now`: ms since 1970.
    pub(super) fn append(&mut self, batch: &Batch, count: usize, now: i64) -> Report {
        let Some(log) = self.ready() else {
            return Report::none(Failure::Io(self.problem.clone()));
        };
        let line = |index| batch.line(index).strip_suffix(b"\n").unwrap_or(batch.line(index));
        let done = log.append((0..count).map(line), now);
        let mut report = Report {
            delivered: done.lines,
            bytes: done.bytes,
            skipped: Vec::new(),
            failure: done.error.map(Failure::Io),
        };
        if done.lines < count {
            // One that is too long is left out, and the next one is stored.
            let mut stored = 0;
            report.skipped = (0..count)
                .filter(|index| {
                    let is_stored = fits(line(*index)) && stored < done.lines;
                    stored += usize::from(is_stored);
                    !is_stored
                })
                .collect();
        }
        report
    }
}

impl Open {
    /// Whether what is written is still what the paths lead to.
    fn is_whole(&self) -> bool {
        self.lock.is_there()
            && id(&self.log.dir) == Some(self.dir)
            && self.log.active.as_ref().is_none_or(super::segment::Segment::is_there)
    }
}

impl Target for Writer {
    fn places(&self) -> Vec<PathBuf> {
        vec![self.settings.dir.join(LOCK.0)]
    }

    fn write(&mut self, batch: &Batch, count: usize) -> Report {
        self.append(batch, count, Timestamp::now().as_millisecond())
    }

    fn spooled(&self) -> Option<Spooled> {
        Some(self.log.as_ref().map_or_else(Spooled::default, |open| open.log.spooled()))
    }

    fn due(&self) -> Option<Instant> {
        self.log.as_ref().and_then(|open| open.log.sync_due())
    }

    fn tend(&mut self) -> Result<(), String> {
        self.log.as_mut().map_or(Ok(()), |open| open.log.sync())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(open) = &mut self.log {
            open.log.close();
        }
    }
}

fn id(dir: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(dir).ok().map(|meta| (meta.dev(), meta.ino()))
}
