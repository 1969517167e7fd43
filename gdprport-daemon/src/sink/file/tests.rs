//! Promises of the file sink, on real files.

use gdprport_tests::need;
use gdprport_tests::skip::Missing;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::*;
use crate::sink::destination::DEFAULT_CAPACITY;
use crate::sink::testing::{NumberedLines, dropped, published, wait_until};

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
        sink.push(&event);
    }
    wait_until(|| {
        let counts = sink.stats().counts;
        counts.received == settled && counts.queued == 0
    });
}

#[test]
fn events_are_appended_and_others_cannot_read_them() {
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
fn a_file_that_everybody_reads_or_others_own_is_noted() {
    let (_dir, path) = setup();
    let sink = watchful(&path);
    let mode = |bits| fs::set_permissions(&path, fs::Permissions::from_mode(bits)).expect("mode");
    let noted = |wanted: Option<&str>| {
        write(&sink, 1);
        wait_until(|| sink.stats().exposed.map(|exposed| exposed.remedy).as_deref() == wanted);
    };
    noted(None);
    let remedy = format!("chmod 0640 {}", path.display());
    for bits in [0o644, 0o660, 0o642] {
        mode(bits);
        noted(Some(&remedy));
        mode(0o640);
        noted(None);
    }
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(65_534), None).expect("owner");
        noted(Some(&format!("chown root {}", path.display())));
    }
    sink.finish(soon());
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
fn a_deleted_file_is_recreated() {
    let (_dir, path) = setup();
    let sink = watchful(&path);
    write(&sink, 3);
    fs::remove_file(&path).expect("remove");
    write(&sink, 4);
    assert_eq!(read(&path).whole, 4);
    assert_eq!(sink.finish(soon()).counts.delivered, 7);
}

/// It cannot be replaced at once: events are lost and counted until it can.
#[test]
fn what_a_deleted_file_loses_until_it_is_recreated_is_counted() {
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

/// A file system of 64 KiB that only the test sees: it is mounted in the mount namespace of a child, is reached
/// through the child's root in `/proc`, and is gone with the child, however the test ends.
struct SmallDisk(Child);

impl SmallDisk {
    /// `None` where this host does not let the test have one.
    fn new() -> Option<Self> {
        let namespaces = if rustix::process::geteuid().is_root() { "-m" } else { "-Urm" };
        let script = "mount -t tmpfs -o size=64k none /mnt && echo ready && exec cat";
        let mut child = Command::new("unshare")
            .args([namespaces, "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("readable");
        let disk = Self(child);
        (line == "ready\n").then_some(disk)
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/mnt/{name}", self.0.id()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn across_a_full_disk_a_reader_finds_exactly_what_was_counted() {
    let disk = need!(SmallDisk::new().ok_or_else(|| Missing::of("leave to mount a file system of its own")));
    fs::write(disk.path("ballast"), [0; 32 * 1024]).expect("there is room for it");
    let path = disk.path("events.ndjson");
    let sink = Sink::file(&path, DEFAULT_CAPACITY).expect("writable");
    write(&sink, 100);
    let full = sink.stats();
    assert!(full.counts.delivered > 0, "{full:?}");
    assert_eq!(dropped(&full), [("io-error", 100 - full.counts.delivered)]);
    assert!(full.last_error.expect("an error").contains("No space left"));
    fs::remove_file(disk.path("ballast")).expect("remove");
    write(&sink, 5);
    let stats = sink.finish(soon());
    assert_eq!(stats.counts.delivered, full.counts.delivered + 5);
    let read = read(&path);
    assert_eq!(read.whole as u64, stats.counts.delivered);
    assert!(read.broken <= 1);
}
