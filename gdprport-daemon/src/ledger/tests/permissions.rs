//! Who can read a ledger: the group of its directory.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::super::{ReadError, Reader};
use super::samples::{at, batch, began, edge};
use super::scene::{Scene, finish, offer, sums, wait_for};

const GROUP: u32 = 64_123;

/// What a user of a group reads.
fn read_as(scene: &Scene, group: u32) -> Result<u64, ReadError> {
    std::thread::scope(|scope| {
        let read = scope.spawn(|| {
            let (uid, gid) = (Uid::from_raw(64_321), Gid::from_raw(group));
            set_thread_groups(&[]).expect("root may");
            set_thread_res_gid(gid, gid, gid).expect("root may");
            set_thread_res_uid(uid, uid, uid).expect("root may");
            Reader::open(&scene.path())?.observed(at(0), at(9)).map(|observed| sums(&observed).opened)
        });
        read.join().expect("it answers")
    })
}

#[test]
fn the_group_of_the_directory_reads_and_nobody_else() {
    let root = rustix::process::geteuid() == Uid::ROOT;
    gdprport_tests::need!(root.then_some(()).ok_or_else(|| gdprport_tests::skip::Missing::of("root")));
    let scene = Scene::new();
    chown(scene.dir.path(), None, Some(GROUP)).expect("root may");
    fs::set_permissions(scene.dir.path(), fs::Permissions::from_mode(0o750)).expect("root may");
    let ledger = scene.open();
    offer(&ledger, vec![began(0, "r", "b"), batch(1, vec![edge("10.0.0.1", 1, 3)])]);
    wait_for(&ledger, |snapshot| snapshot.batches == 2);
    assert_eq!(read_as(&scene, GROUP), Ok(3), "beside the daemon");
    let error = read_as(&scene, GROUP + 1).expect_err("it is private").to_string();
    assert!(error.contains("it may not be read"), "{error}");
    finish(ledger);
    assert_eq!(read_as(&scene, GROUP), Ok(3), "after the daemon");
    fs::set_permissions(scene.dir.path(), fs::Permissions::from_mode(0o755)).expect("root may");
    let error = read_as(&scene, GROUP + 1).expect_err("the file is private too").to_string();
    assert!(error.contains("it may not be read"), "{error}");
}

/// What a killed daemon leaves: a log that nobody has written back.
#[test]
fn the_group_reads_what_a_killed_daemon_left() {
    let root = rustix::process::geteuid() == Uid::ROOT;
    gdprport_tests::need!(root.then_some(()).ok_or_else(|| gdprport_tests::skip::Missing::of("root")));
    let (scene, left) = (Scene::new(), Scene::new());
    let ledger = scene.open();
    offer(&ledger, vec![began(0, "r", "b"), batch(1, vec![edge("10.0.0.1", 1, 3)])]);
    wait_for(&ledger, |snapshot| snapshot.batches == 2);
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let to = left.dir.path().join(name);
        fs::copy(scene.dir.path().join(name), &to).expect("it is there");
        chown(&to, None, Some(GROUP)).expect("root may");
    }
    finish(ledger);
    chown(left.dir.path(), None, Some(GROUP)).expect("root may");
    fs::set_permissions(left.dir.path(), fs::Permissions::from_mode(0o750)).expect("root may");
    assert_eq!(read_as(&left, GROUP), Ok(3));
    fs::remove_file(left.dir.path().join("ledger.db-shm")).expect("it is there");
    let error = read_as(&left, GROUP).expect_err("nobody can make its index").to_string();
    assert!(error.contains("its write-ahead log cannot be used from here"), "{error}");
}
