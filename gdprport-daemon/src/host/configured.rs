//! Reading files that somebody configured: any path, on any file system, leading to anything.
//!
//! Belongs here: that reading one never waits and never ends in too much memory. A FIFO or a device is no file to read, and
//! a file system that hangs is waited for on a thread that can be left behind. Who may change the file is `trust`'s.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a file system may take at the start, when the whole machine may be starting.
pub(crate) const START_WITHIN: Duration = Duration::from_secs(5);

/// Threads that may be left behind, stuck in a file system: each is one attempt to read.
const STUCK_MAX: usize = 8;

/// How many are running or stuck.
static READING: AtomicUsize = AtomicUsize::new(0);

/// Reads a regular file, at most so many bytes: one that has more is the caller's to refuse.
///
/// # Errors
/// If it cannot be read, or is no regular file; the text says what it is.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // Without O_NONBLOCK opening a FIFO waits for its writer; of a regular file it changes nothing.
    let flags = (OFlags::PATH | OFlags::CLOEXEC).bits().cast_signed();
    let there = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    is_regular(&there.metadata()?)?;
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    // Somebody may have put another one there.
    is_regular(&file.metadata()?)?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads whatever is there, and waits for it: for a person who can interrupt it, and for pipes.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn read_waiting(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_regular(meta: &Metadata) -> io::Result<()> {
    let kind = meta.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, not a regular file")))
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// It took too long; its thread is left behind.
    Stuck,
    /// So many threads were left behind that no more are started.
    TooMany,
}

impl From<Late> for io::Error {
    fn from(late: Late) -> Self {
        let why = match late {
            Late::Stuck => "the file system does not answer",
            Late::TooMany => "earlier attempts to read it still wait for the file system",
        };
        Self::new(io::ErrorKind::TimedOut, why)
    }
}

/// Counts a thread as long as it runs.
struct Running(&'static AtomicUsize);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs something that may hang in a file system on a thread of its own, and waits at most so long for it.
///
/// # Errors
/// If it takes longer, if too many hang already, or if there can be no thread (which is [`Late::TooMany`] too).
pub(crate) fn within<T: Send + 'static>(
    most: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Late> {
    counted(&READING, most, work)
}

fn counted<T: Send + 'static>(
    threads: &'static AtomicUsize,
    most: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Late> {
    let before = threads.fetch_add(1, Ordering::Relaxed);
    let running = Running(threads);
    if before >= STUCK_MAX {
        return Err(Late::TooMany);
    }
    let (to, result) = channel();
    let work = move || {
        let _running = running;
        // Nobody receives it any more if it was late.
        let _ = to.send(work());
    };
    // A thread that is not started drops what it was given, and is no longer counted.
    let thread = std::thread::Builder::new().name("files".to_owned()).spawn(work);
    thread.map_err(|_| Late::TooMany)?;
    result.recv_timeout(most).map_err(|error| match error {
        RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected => Late::Stuck,
    })
}

/// What is read apart, by what it is called, and since when. A thread takes its own out when it ends.
static APART: Mutex<Vec<Apart>> = Mutex::new(Vec::new());

/// Threads that read apart at most: each of the deliverer's 64 sinks may hang at one file, and others go on. `TasksMax=` of its unit
/// is above it.
const APART_MAX: usize = 96;

struct Apart {
    number: u64,
    what: String,
    since: Instant,
}

/// The entry of a thread.
struct Entry(u64);

impl Entry {
    fn make(what: &str, most: Duration) -> Option<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let mut apart = APART.lock().unwrap_or_else(PoisonError::into_inner);
        let hangs = apart.iter().any(|other| other.what == what && other.since.elapsed() >= most);
        if hangs || apart.len() >= APART_MAX {
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        apart.push(Apart { number, what: what.to_owned(), since: Instant::now() });
        Some(Self(number))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        APART.lock().unwrap_or_else(PoisonError::into_inner).retain(|apart| apart.number != self.0);
    }
}

/// As [`within`], for tasks: runs something that may hang in a file system on a thread of its own, so that no other task waits for
/// it, nor the end of the runtime. What hangs is not tried again until it goes on; `what` says what it is.
///
/// # Errors
/// If it takes longer, or hangs since an earlier attempt.
pub(crate) async fn apart<T: Send + 'static>(
    what: &str,
    most: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Late> {
    let entry = Entry::make(what, most).ok_or(Late::TooMany)?;
    let (to, result) = oneshot::channel();
    let work = move || {
        let _entry = entry;
        // Nobody receives it any more if it was late.
        let _ = to.send(work());
    };
    let thread = std::thread::Builder::new().name("files".to_owned()).spawn(work);
    thread.map_err(|_| Late::TooMany)?;
    match timeout(most, result).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) | Err(_) => Err(Late::Stuck),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What else is read goes on, and what hangs is one thread, however often it is tried.
    #[tokio::test]
    async fn what_hangs_apart_stops_nothing_else_and_is_one_thread() {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let most = Duration::from_millis(50);
        let hangs = move || held.recv().unwrap_or_default();
        let (hung, other) = tokio::join!(apart("a", most, hangs), apart("b", Duration::from_secs(10), || 7));
        assert_eq!((hung, other), (Err(Late::Stuck), Ok(7)));
        for _ in 0..3 {
            assert_eq!(apart("a", most, || 7).await, Err(Late::TooMany));
        }
        drop(release);
        assert_eq!(once_it_is_over("a").await, Ok(7));
        // It takes a while to say where it fails.
        assert!(apart("a", most, || panic!("it fails")).await.is_err());
        assert_eq!(once_it_is_over("a").await, Ok(7));
    }

    /// Tries until the thread before has ended, five seconds at most.
    async fn once_it_is_over(name: &'static str) -> Result<i32, Late> {
        let mut later = Err(Late::TooMany);
        for _ in 0..1000 {
            later = apart(name, Duration::from_millis(50), || 7).await;
            if later.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        later
    }

    #[test]
    fn only_a_regular_file_is_read_and_nothing_waits() {
        let dir = tempfile::tempdir().expect("a directory");
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o644.into(), 0)
            .expect("a FIFO");
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        for (path, what) in [
            (fifo.as_path(), "a FIFO"),
            (socket.as_path(), "a socket"),
            (Path::new("/dev/zero"), "a device"),
            (dir.path(), "a directory"),
        ] {
            let error = read(path, 10).expect_err(what).to_string();
            assert_eq!(error, format!("it is {what}, not a regular file"));
        }
        let file = dir.path().join("file");
        std::fs::write(&file, "0123456789abc").expect("a file");
        assert_eq!(read(&file, 10).expect("readable"), b"0123456789");
        assert_eq!(read_waiting(&file, 99).expect("readable"), b"0123456789abc");
    }

    #[test]
    fn what_hangs_is_left_behind_and_not_without_bound() {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = std::sync::Arc::new(std::sync::Mutex::new(held));
        let mut outcomes = Vec::new();
        for _ in 0..=STUCK_MAX {
            let held = std::sync::Arc::clone(&held);
            outcomes.push(counted(&THREADS, Duration::from_millis(1), move || {
                let _ = held.lock().map(|held| held.recv());
            }));
        }
        assert!(outcomes.contains(&Err(Late::Stuck)), "{outcomes:?}");
        assert_eq!(outcomes.last(), Some(&Err(Late::TooMany)));
        drop(release);
        // Once they go on, there is room again.
        let free = || counted(&THREADS, Duration::from_secs(10), || 7) == Ok(7);
        let later = (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            free()
        });
        assert!(later);
    }
}
