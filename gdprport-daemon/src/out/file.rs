//! A file of NDJSON, appended to; made for log rotation, full disks and files that are deleted under it.
//!
//! - Opened for appending, close-on-exec, mode 0640 (less the umask); the directory must exist.
//! - [`Sink::reopen`] (SIGHUP) opens the path anew; if that fails, the old file stays in use and the books say so.
//! - At most once a second, when there is something to write, the path is compared with the open file. If it is
//!   another file or none, it is opened anew. Events written to a deleted file within that second are gone with
//!   it. If a deleted file cannot be replaced, events are counted as lost until it can.
//! - A full disk loses events, counted one by one; `lines` says what a reader then finds. A file that ends
//!   within a line, as after a power cut, is continued on a new line.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lines::Lines;
use super::queue::{Failure, Report};
use super::sink::Target;
use super::{Format, Published, Sink, SinkError};

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
}

impl EventsFile {
    fn open(path: &Path, check_every: Duration) -> Result<Self, SinkError> {
        let (file, torn) = open(path)?;
        let mut lines = Lines::new(Format::Native);
        lines.set_torn(torn);
        Ok(Self {
            path: path.to_owned(),
            file: Some(file),
            lines,
            check_every,
            checked: Instant::now(),
            problem: String::new(),
        })
    }

    fn follow_path(&mut self) {
        if self.checked.elapsed() < self.check_every {
            return;
        }
        self.checked = Instant::now();
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
    fn write(&mut self, events: &[Arc<Published>]) -> Report {
        self.follow_path();
        let Some(file) = &mut self.file else {
            return Report { delivered: 0, bytes: 0, failure: Some(Failure::Io(self.problem.clone())) };
        };
        let outcome = self.lines.write(file, events);
        let failure = outcome.error.map(|error| Failure::Io(format!("{}: {error}", self.path.display())));
        Report { delivered: outcome.delivered, bytes: outcome.bytes, failure }
    }

    fn reopen(&mut self) -> Result<(), SinkError> {
        let (file, torn) = open(&self.path)?;
        self.file = Some(file);
        self.lines.set_torn(torn);
        Ok(())
    }
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
    // Looked at before it is opened: opening a FIFO would wait for its reader.
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
    // Readable too, only for the last byte.
    let file =
        OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    let mut last = [b'\n'];
    if meta.is_file() && meta.len() > 0 {
        file.read_exact_at(&mut last, meta.len() - 1).map_err(failed)?;
    }
    Ok((file, last != [b'\n']))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;
    use crate::out::sink::DEFAULT_CAPACITY;
    use crate::out::testing::{NumberedLines, dropped, published, wait_until};

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    fn read(path: &Path) -> NumberedLines {
        NumberedLines::read(&fs::read(path).expect("the file is there"))
    }

    fn setup() -> (TempDir, PathBuf) {
        let dir = TempDir::new().expect("a temporary directory");
        let path = dir.path().join("events.ndjson");
        (dir, path)
    }

    /// A sink that looks at its path before every write.
    fn watchful(path: &Path) -> Sink {
        let target = EventsFile::open(path, Duration::ZERO).expect("writable");
        Sink::spawn("file", DEFAULT_CAPACITY, target).expect("a thread")
    }

    fn write(sink: &Sink, count: usize) {
        let settled = sink.stats().counts.received + count as u64;
        for event in published(count) {
            sink.push(event);
        }
        wait_until(|| {
            let counts = sink.stats().counts;
            counts.received == settled && counts.queued == 0
        });
    }

    #[test]
    fn events_are_appended_to_what_is_there_and_others_cannot_read_it() {
        let (_dir, path) = setup();
        for _ in 0..2 {
            let sink = Sink::file(&path, DEFAULT_CAPACITY).expect("writable");
            write(&sink, 10);
            sink.finish(soon());
        }
        assert_eq!(read(&path).whole, 20);
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o7, 0);
    }

    #[test]
    fn reopen_writes_to_the_new_file_after_a_rotation() {
        let (dir, path) = setup();
        let sink = Sink::file(&path, DEFAULT_CAPACITY).expect("writable");
        write(&sink, 3);
        let rotated = dir.path().join("events.ndjson.1");
        fs::rename(&path, &rotated).expect("rename");
        write(&sink, 2);
        sink.reopen();
        wait_until(|| path.exists());
        write(&sink, 4);
        assert_eq!(sink.finish(soon()).counts.delivered, 9);
        assert_eq!((read(&rotated).whole, read(&path).whole), (5, 4));
    }

    #[test]
    fn a_failed_reopen_keeps_the_old_file_and_says_so() {
        let (dir, path) = setup();
        let sink = Sink::file(&path, DEFAULT_CAPACITY).expect("writable");
        let rotated = dir.path().join("events.ndjson.1");
        fs::rename(&path, &rotated).expect("rename");
        fs::create_dir(&path).expect("something in the way");
        sink.reopen();
        wait_until(|| sink.stats().last_error.is_some());
        write(&sink, 3);
        assert_eq!(sink.finish(soon()).counts.delivered, 3);
        assert_eq!(read(&rotated).whole, 3);
    }

    #[test]
    fn a_deleted_file_is_made_anew() {
        let (_dir, path) = setup();
        let sink = watchful(&path);
        write(&sink, 3);
        fs::remove_file(&path).expect("remove");
        write(&sink, 4);
        assert_eq!(read(&path).whole, 4);
        assert_eq!(sink.finish(soon()).counts.delivered, 7);
    }

    #[test]
    fn a_deleted_file_that_cannot_be_replaced_loses_events_and_counts_them_until_it_can() {
        let (dir, _) = setup();
        let parent = dir.path().join("log");
        let path = parent.join("events.ndjson");
        fs::create_dir(&parent).expect("mkdir");
        let sink = watchful(&path);
        fs::remove_dir_all(&parent).expect("remove");
        write(&sink, 4);
        assert_eq!(dropped(&sink.stats()), [("io-error", 4)]);
        assert!(sink.stats().last_error.expect("an error").contains("does not exist"));
        fs::create_dir(&parent).expect("mkdir");
        write(&sink, 2);
        assert_eq!(read(&path).whole, 2);
        assert_eq!(dropped(&sink.finish(soon())), [("io-error", 4)]);
    }

    #[test]
    fn a_file_that_ends_within_a_line_is_continued_on_a_new_one() {
        let (_dir, path) = setup();
        fs::write(&path, b"{\"schema\":\"gdprp").expect("write");
        let sink = Sink::file(&path, DEFAULT_CAPACITY).expect("writable");
        write(&sink, 2);
        sink.finish(soon());
        let read = read(&path);
        assert_eq!((read.whole, read.broken), (2, 1));
    }

    #[test]
    fn a_full_disk_is_counted_per_event() {
        let sink = Sink::file(Path::new("/dev/full"), DEFAULT_CAPACITY).expect("every Linux has /dev/full");
        write(&sink, 100);
        let stats = sink.finish(soon());
        assert_eq!(dropped(&stats), [("io-error", 100)]);
        assert_eq!((stats.counts.delivered, stats.bytes), (0, 0));
        assert!(!stats.closed || stats.counts.queued == 0);
    }

    #[test]
    fn what_cannot_be_written_to_is_refused_with_its_remedy() {
        let (dir, _) = setup();
        let cases = [
            (dir.path().join("no/events.ndjson"), "create it or name another file"),
            (dir.path().to_owned(), "neither a regular file nor a character device"),
        ];
        for (path, expected) in cases {
            let error = Sink::file(&path, DEFAULT_CAPACITY).expect_err("refused").to_string();
            assert!(error.contains(expected) && error.contains(&*path.to_string_lossy()), "{error}");
        }
    }
}
