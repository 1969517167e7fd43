//! A file of NDJSON, appended to; made for log rotation, full disks and files that are deleted under it.
//!
//! - Opened for appending, close-on-exec, mode 0640 (less the umask); the directory must exist. One that everybody may
//!   read, or that others may write or own, is used, with a warning: events name people.
//! - [`Sink::reopen`] (SIGHUP) reopens the path; if that fails, the old file stays in use and `last_error` says so.
//! - At most once a second, when there is something to write, the path is compared with the open file. If it is
//!   another file or none, it is reopened. Events written to a deleted file within that second are gone with
//!   it. If a deleted file cannot be replaced, events are counted as lost until it can.
//! - A full disk loses events, counted one by one; `lines` says what a reader then finds. A file that ends
//!   within a line, as after a power cut, is continued on a new line.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};

use super::destination::Target;
use super::lines::Lines;
use super::report::{Failure, Report};
use super::{Batch, Exposed, Format, Sink, SinkError};
use crate::host::trust::is_own;

/// How often the path is compared with the open file, at most.
const CHECK_EVERY: Duration = Duration::from_secs(1);

impl Sink {
    /// A sink that appends NDJSON to a file, which it creates if it is missing.
    ///
    /// # Errors
    /// If the directory is missing, the path is taken by something else, the file cannot be opened, or the
    /// thread cannot be started.
    pub fn file(path: &Path, capacity: NonZeroUsize) -> Result<Self, SinkError> {
        Self::spawn(format!("file:{}", path.display()), capacity, EventsFile::open(path, CHECK_EVERY)?)
    }
}

struct EventsFile {
    path: PathBuf,
    /// `None` while a deleted file could not be replaced.
    file: Option<File>,
    lines: Lines,
    check_every: Duration,
    checked: Instant,
    /// Why the file could not be replaced.
    problem: String,
    /// Who may read or change the open file and should not.
    exposed: Option<Exposed>,
}

impl EventsFile {
    fn open(path: &Path, check_every: Duration) -> Result<Self, SinkError> {
        let (file, torn) = open(path)?;
        let mut lines = Lines::new(Format::Native);
        lines.set_torn(torn);
        let mut opened = Self {
            path: path.to_owned(),
            file: Some(file),
            lines,
            check_every,
            checked: Instant::now(),
            problem: String::new(),
            exposed: None,
        };
        opened.examine();
        Ok(opened)
    }

    /// Looks at who may read or change the open file.
    fn examine(&mut self) {
        let meta = self.file.as_ref().and_then(|file| file.metadata().ok());
        self.exposed = meta.and_then(|meta| exposure(&self.path, &meta));
    }

    fn follow_path(&mut self) {
        if self.checked.elapsed() < self.check_every {
            return;
        }
        self.checked = Instant::now();
        self.examine();
        if self.file.as_ref().is_some_and(|file| is_at(file, &self.path)) {
            return;
        }
        if let Err(error) = self.reopen() {
            // A file that was renamed but has a name is as good a place as any; one without a name is none.
            let kept =
                self.file.as_ref().and_then(|file| file.metadata().ok()).is_some_and(|meta| meta.nlink() > 0);
            if !kept {
                self.file = None;
            }
            self.problem = error.to_string();
        }
    }
}

impl Target for EventsFile {
    fn places(&self) -> Vec<PathBuf> {
        vec![self.path.clone()]
    }

    fn write(&mut self, batch: &Batch, count: usize) -> Report {
        self.follow_path();
        let Some(file) = &mut self.file else {
            return Report::none(Failure::Io(self.problem.clone()));
        };
        let outcome = self.lines.write(file, batch, count);
        let failure = outcome.error.map(|error| Failure::Io(format!("{}: {error}", self.path.display())));
        Report { delivered: outcome.delivered, bytes: outcome.bytes, skipped: Vec::new(), failure }
    }

    fn reopen(&mut self) -> Result<(), SinkError> {
        let (file, torn) = open(&self.path)?;
        self.file = Some(file);
        self.lines.set_torn(torn);
        self.examine();
        Ok(())
    }

    fn exposed(&self) -> Option<&Exposed> {
        self.exposed.as_ref()
    }
}

/// Who may read or change a file of events and should not. The group may read: it is how an
/// administrator lets somebody.
pub(crate) fn exposure(path: &Path, meta: &Metadata) -> Option<Exposed> {
    const EVERYBODY_READS: u32 = 0o004;
    const OTHERS_WRITE: u32 = 0o022;
    if !meta.is_file() {
        return None;
    }
    let (place, mode) = (path.display(), meta.mode() & 0o7777);
    if !is_own(meta.uid()) {
        let found = format!("the events file {place} belongs to user {}", meta.uid());
        return Some(Exposed { found, remedy: format!("chown root {place}") });
    }
    let what = match () {
        () if mode & OTHERS_WRITE != 0 => "can be changed by others than root",
        () if mode & EVERYBODY_READS != 0 => "can be read by everybody, and events name people and addresses",
        () => return None,
    };
    let found = format!("the events file {place} {what} (mode {mode:04o})");
    Some(Exposed { found, remedy: format!("chmod 0640 {place}") })
}

/// Whether the path still leads to the file.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Opens a file for appending; also says whether it ends within a line.
fn open(path: &Path) -> Result<(File, bool), SinkError> {
    let failed = |source| SinkError::Open { path: path.to_owned(), source };
    // Looked at before it is opened, as opening a device may do something.
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() || meta.file_type().is_char_device() => {}
        Ok(_) => return Err(SinkError::NotAFile { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            if !directory.is_dir() {
                return Err(SinkError::NoDirectory {
                    path: path.to_owned(),
                    directory: directory.to_owned(),
                });
            }
        }
        Err(error) => return Err(failed(error)),
    }
    // Readable too, only for the last byte. Without O_NONBLOCK a FIFO that was put there meanwhile would be waited for.
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o640);
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    let file = options.open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() && !meta.file_type().is_char_device() {
        return Err(SinkError::NotAFile { path: path.to_owned() });
    }
    // From here on a terminal that is slow is waited for, on this thread of its own.
    fcntl_setfl(&file, OFlags::APPEND).map_err(|errno| failed(errno.into()))?;
    let mut last = [b'\n'];
    if meta.is_file() && meta.len() > 0 {
        file.read_exact_at(&mut last, meta.len() - 1).map_err(failed)?;
    }
    Ok((file, last != [b'\n']))
}

#[cfg(test)]
mod tests;
