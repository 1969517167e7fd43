//! What surrounds the ledger fails: nothing is lost while the tally has room, and the state says what to do.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use gdprport_core::ledger::{Entry, NoteKind};
use gdprport_core::policy::Source;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change, mount_remount};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::super::writer::Tuning;
use super::super::{Ledger, LedgerState};
use super::samples::{at, batch, began, edge};
use super::scene::{EAGER, Scene, finish, offer, sums, unavailable, wait_for};

/// Runs with a file system of 2 MiB at the ledger's directory, which nobody else sees.
fn on_a_small_disk(scene: &Scene, run: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let ran = scope.spawn(|| {
            // SAFETY: nothing but the mounts of this thread and of those that it starts changes.
            unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.expect("root may");
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).expect("root may");
            mount("tmpfs", scene.dir.path(), "tmpfs", MountFlags::empty(), Some(c"size=2m,mode=0700"))
                .expect("root may");
            run();
        });
        ran.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

fn needs_root() -> Result<(), gdprport_tests::skip::Missing> {
    let root = rustix::process::geteuid() == rustix::process::Uid::ROOT;
    root.then_some(()).ok_or_else(|| gdprport_tests::skip::Missing::of("root"))
}

#[test]
fn a_full_disk_loses_nothing_once_there_is_room() {
    gdprport_tests::need!(needs_root());
    let scene = Scene::new();
    on_a_small_disk(&scene, || {
        let ledger = scene.open();
        offer(&ledger, vec![began(0, "r", "b"), batch(1, vec![edge("10.0.0.1", 1, 1)])]);
        wait_for(&ledger, |snapshot| snapshot.batches == 2);
        let filler = scene.dir.path().join("filler");
        let _ = fs::write(&filler, vec![1; 4 << 20]);
        let many = |second: i64| {
            batch(second, (0..200).map(|n| edge(&format!("10.1.{second}.{n}"), second, 1)).collect())
        };
        offer(&ledger, vec![many(2), many(3)]);
        let full = wait_for(&ledger, |snapshot| unavailable(snapshot).is_some());
        assert!(unavailable(&full).is_some_and(|why| why.contains("the disk is full")), "{full:?}");
        fs::remove_file(&filler).expect("it is there");
        wait_for(&ledger, |snapshot| snapshot.batches == 4 && snapshot.state == LedgerState::Ok);
        finish(ledger);
        assert_eq!(sums(&scene.all()).opened, 401);
    });
}

#[test]
fn a_read_only_disk_is_waited_for() {
    gdprport_tests::need!(needs_root());
    let scene = Scene::new();
    on_a_small_disk(&scene, || {
        mount_remount(scene.dir.path(), MountFlags::RDONLY, "size=2m").expect("root may");
        let ledger = scene.open();
        let snapshot = ledger.snapshot();
        assert!(unavailable(&snapshot).is_some_and(|why| why.contains("ledger.lock")), "{snapshot:?}");
        offer(&ledger, vec![batch(1, vec![edge("10.0.0.1", 1, 1)])]);
        mount_remount(scene.dir.path(), MountFlags::empty(), "size=2m").expect("root may");
        wait_for(&ledger, |snapshot| snapshot.batches == 1 && snapshot.state == LedgerState::Ok);
        finish(ledger);
        assert_eq!(sums(&scene.all()).opened, 1);
    });
}

#[test]
fn a_file_system_without_locks_is_named() {
    let scene = Scene::new();
    let flock = |_: &fs::File| Err(io::Error::from(rustix::io::Errno::NOLCK));
    let ledger =
        Ledger::open_with(scene.settings(), Tuning { flock, ..EAGER }).expect("nobody else writes it");
    let snapshot = ledger.snapshot();
    let why = unavailable(&snapshot).expect("it is not written");
    assert!(
        why.contains("ledger.lock cannot be locked; use a file system that has locks (`ledger.path`)"),
        "{why}"
    );
    offer(&ledger, vec![batch(1, Vec::new())]);
    assert_eq!(finish(ledger).waiting, 1, "what was not stored is not hidden");
}

#[test]
fn a_second_writer_learns_who_the_first_one_is() {
    let scene = Scene::new();
    let first = scene.open();
    let error = Ledger::open(scene.settings()).expect_err("it is in use");
    assert_eq!(error.pid, Some(std::process::id()));
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    finish(first);
    // The lock file is still there, and locks nothing.
    assert!(scene.dir.path().join("ledger.lock").exists());
    finish(scene.open());
}

#[test]
fn a_ledger_deleted_under_the_daemon_begins_anew() {
    let scene = Scene::new();
    let ledger = scene.open();
    offer(&ledger, vec![began(0, "r", "b"), batch(1, vec![edge("10.0.0.1", 1, 1)])]);
    wait_for(&ledger, |snapshot| snapshot.batches == 2);
    fs::remove_file(scene.path()).expect("it is there");
    offer(&ledger, vec![batch(2, vec![edge("10.0.0.2", 2, 1)])]);
    wait_for(&ledger, |snapshot| snapshot.batches == 3);
    finish(ledger);
    let all = scene.all();
    assert_eq!(sums(&all).opened, 1, "what was deleted is not claimed");
    assert_eq!(all.notes.iter().map(|note| note.kind).collect::<Vec<_>>(), [NoteKind::SetAside]);
    assert_eq!(&*all.gaps[0].reason, "ledger:set-aside");
    assert_eq!(&*all.runs[0].run, "r", "the run goes on");
}

#[test]
fn a_log_deleted_under_the_daemon_loses_nothing() {
    let scene = Scene::new();
    let ledger = scene.open();
    offer(&ledger, vec![batch(1, vec![edge("10.0.0.1", 1, 1)])]);
    wait_for(&ledger, |snapshot| snapshot.batches == 1);
    fs::remove_file(scene.dir.path().join("ledger.db-wal")).expect("it is there");
    offer(&ledger, vec![batch(2, vec![edge("10.0.0.2", 2, 1)])]);
    wait_for(&ledger, |snapshot| snapshot.batches == 2);
    finish(ledger);
    assert_eq!(sums(&scene.all()).opened, 2);
}

#[test]
fn a_lock_deleted_under_the_daemon_is_taken_anew() {
    let scene = Scene::new();
    let ledger = scene.open();
    offer(&ledger, vec![batch(1, Vec::new())]);
    wait_for(&ledger, |snapshot| snapshot.batches == 1);
    fs::remove_file(scene.dir.path().join("ledger.lock")).expect("it is there");
    offer(&ledger, vec![batch(2, vec![edge("10.0.0.1", 2, 1)])]);
    wait_for(&ledger, |snapshot| snapshot.batches == 2);
    assert!(Ledger::open(scene.settings()).is_err(), "it is locked");
    finish(ledger);
    assert_eq!(sums(&scene.all()).opened, 1);
}

#[test]
fn what_others_can_change_is_refused_with_the_remedy() {
    let mode = |path: &Path, bits| fs::set_permissions(path, fs::Permissions::from_mode(bits)).expect("mode");
    let scene = Scene::new();
    finish(scene.open());
    for (path, bits, remedy) in [
        (scene.path(), 0o666, "`chmod go-w "),
        (scene.dir.path().to_owned(), 0o777, "`chmod go-w "),
        (scene.dir.path().to_owned(), 0o1777, "`chmod go-w "),
    ] {
        let before = fs::metadata(&path).expect("it is there").permissions();
        mode(&path, bits);
        let ledger = scene.open();
        let snapshot = ledger.snapshot();
        assert!(unavailable(&snapshot).is_some_and(|why| why.contains(remedy)), "{snapshot:?}");
        fs::set_permissions(&path, before).expect("mode");
        wait_for(&ledger, |snapshot| snapshot.state == LedgerState::Ok);
        finish(ledger);
    }
}

#[test]
fn symbolic_links_are_not_followed() {
    for name in ["ledger.db", "ledger.lock", "ledger.db-wal"] {
        let scene = Scene::new();
        let other = scene.dir.path().join("other");
        fs::write(&other, "precious").expect("a file");
        symlink(&other, scene.dir.path().join(name)).expect("a link");
        let ledger = scene.open();
        let snapshot = ledger.snapshot();
        assert!(
            unavailable(&snapshot).is_some_and(|why| why.contains("symbolic link")),
            "{name}: {snapshot:?}"
        );
        finish(ledger);
        assert_eq!(fs::read(&other).expect("a file"), b"precious");
    }
}

#[test]
fn a_directory_that_is_missing_is_made() {
    let scene = Scene::new();
    let mut settings = scene.settings();
    settings.path = scene.dir.path().join("var/lib/ledger.db");
    let ledger = scene.open_with(settings.clone());
    offer(&ledger, vec![batch(1, Vec::new())]);
    assert_eq!(finish(ledger).batches, 1);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(settings.path.parent().expect("a directory")) & 0o027, 0);
    assert_eq!(mode(&settings.path) & 0o037, 0);
}

#[test]
fn another_program_that_locks_it_is_waited_for() {
    let scene = Scene::new();
    let ledger = scene.open();
    offer(&ledger, vec![batch(1, Vec::new())]);
    wait_for(&ledger, |snapshot| snapshot.batches == 1);
    let other = scene.sql();
    other.execute_batch("BEGIN IMMEDIATE").expect("it can be locked");
    offer(&ledger, vec![batch(2, vec![edge("10.0.0.1", 2, 1)])]);
    let late = wait_for(&ledger, |snapshot| matches!(snapshot.state, LedgerState::Late { .. }));
    assert!(
        matches!(&late.state, LedgerState::Late { why } if why.contains("another program has locked it"))
    );
    std::thread::sleep(Duration::from_millis(10));
    other.execute_batch("ROLLBACK").expect("it is locked");
    wait_for(&ledger, |snapshot| snapshot.batches == 2 && snapshot.state == LedgerState::Ok);
    finish(ledger);
}

/// One that SQLite will never take must not keep those behind it waiting.
#[test]
fn a_batch_that_can_never_be_stored_is_dropped_and_noted() {
    let scene = Scene::new();
    let ledger = scene.open();
    let mut bad = batch(1, vec![edge("10.0.0.1", 1, 3)]);
    let sources = [Source { name: "a.toml".into(), text: "#".repeat(65 << 20) }].into();
    bad.entries.push(Entry::Policy { digest: Some("d".into()), sources, at: at(1) });
    offer(&ledger, vec![began(0, "r", "b"), bad, batch(2, vec![edge("10.0.0.2", 2, 1)])]);
    wait_for(&ledger, |snapshot| snapshot.batches == 3 && snapshot.state == LedgerState::Ok);
    finish(ledger);
    let all = scene.all();
    assert_eq!(sums(&all).opened, 1);
    assert_eq!((&*all.gaps[0].reason, all.gaps[0].lost), ("ledger:dropped", 3));
    assert!(all.notes.iter().any(|note| note.kind == NoteKind::Dropped), "{:?}", all.notes);
}
