//! The resolver against real processes; `made_up` against processes that cannot be produced at will.

mod helpers;
mod made_up;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;
use std::sync::atomic::Ordering;

use gdprport_common::SocketRole;
use gdprport_core::executed::{Executable, components};
use gdprport_core::identity::OwnerRef;
use gdprport_core::model::Attribution;
use gdprport_tests::need;
use gdprport_tests::skip::Missing;

use self::helpers::{Maps, Running, executable, owner, program, real};
use super::Resolver;
use super::resolve::INCOMPLETE_NS;
use crate::host::accounts::AccountNames;
use crate::host::clock::boottime_ns;

/// It is resolved without names until then.
#[test]
fn a_process_with_pending_names_gets_them_later() {
    let (release, hang) = std::sync::mpsc::channel::<()>();
    let mut resolver = real();
    resolver.names = AccountNames::with_lookup(move |_| {
        // Ends when the other side is dropped.
        let _ = hang.recv();
        Some("etl".into())
    });
    let me = owner(std::process::id(), 5, 1);
    let process = resolver.resolve(&me, &Maps::default());
    assert_eq!((process.user.as_deref(), process.names_pending), (None, true));
    assert_eq!(resolver.with_names(&process), None);
    assert!(!resolver.late_names_arrived());
    assert_eq!((resolver.counters().names_late, resolver.counters().names_awaited), (1, 2));
    drop(release);
    let named = (0..2_000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        resolver.with_names(&process)
    });
    let named = named.expect("the results have come");
    assert_eq!((named.user.as_deref(), named.group.as_deref()), (Some("etl"), Some("etl")));
    assert!(resolver.late_names_arrived());
    let later = OwnerRef { time_ns: me.time_ns + INCOMPLETE_NS, ..me };
    assert_eq!(resolver.resolve(&later, &Maps::default()).user.as_deref(), Some("etl"));
}

#[test]
fn a_live_process_shows_its_executable_through_a_link() {
    let dir = tempfile::tempdir().expect("a directory");
    let link = dir.path().join("nap");
    symlink(program("sleep"), &link).expect("link");
    let child = Running::start(Command::new(&link).arg("60"));
    let start_ns = child.start_ns();
    let mut maps = Maps::default();
    maps.task(child.tgid(), 5, start_ns);
    let mut resolver = real();
    resolver.learn_exec(&Executable::named(5, child.tgid(), 0, link.to_str().expect("utf-8").as_bytes()));
    let process = resolver.resolve(&owner(child.tgid(), 5, start_ns), &maps);
    assert_eq!(process.exe, Some(program("sleep").into()));
    assert_eq!(process.script, None);
    assert_eq!(process.user.as_deref(), Some("root"));
    assert_eq!(process.attribution, Attribution::Exact);
    assert_eq!(process.parent.as_ref().map(|parent| parent.pid), Some(std::process::id()));
    assert_eq!(resolver.counters().exe_live, 1);
}

#[test]
fn a_known_owner_costs_no_further_look_up() {
    let child = Running::start(Command::new("/bin/sleep").arg("60"));
    let start_ns = child.start_ns();
    let mut maps = Maps::default();
    maps.task(child.tgid(), 5, start_ns);
    let mut resolver = real();
    resolver.learn_exec(&Executable::named(5, child.tgid(), 0, b"/bin/sleep"));
    let asked = owner(child.tgid(), 5, start_ns);
    let first = resolver.resolve(&asked, &maps);
    child.end();
    let before = maps.look_ups.load(Ordering::Relaxed);
    let again = resolver.resolve(&asked, &maps);
    assert_eq!(maps.look_ups.load(Ordering::Relaxed), before);
    assert_eq!(again, first);
    let other_comm = OwnerRef { comm: *b"thread-2\0\0\0\0\0\0\0\0", ..asked };
    assert_eq!(resolver.resolve(&other_comm, &maps).exe, first.exe);
    assert_eq!(maps.look_ups.load(Ordering::Relaxed), before, "another thread of it costs none either");
}

#[test]
fn a_script_shows_interpreter_and_script_alive_and_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("job");
    // `read` waits on the pipe without starting another process.
    executable(&path, "#!/bin/sh\nread line\n");
    let name = path.to_str().expect("utf-8").to_owned();
    let child = Running::start(&mut Command::new(&path));
    let start_ns = child.start_ns();
    let mut maps = Maps::default();
    maps.task(child.tgid(), 5, start_ns);
    maps.task(std::process::id(), 9, 1);
    let mut resolver = real();
    resolver.learn_exec(&Executable::named(5, child.tgid(), 0, name.as_bytes()));
    // spawn() returns once execve has happened, so that the executable is the interpreter already.
    let alive = resolver.resolve(&owner(child.tgid(), 5, start_ns), &maps);
    assert_eq!((alive.exe.as_deref(), alive.script.as_deref()), (Some(&*program("sh")), Some(&*name)));

    let tgid = child.tgid();
    child.end();
    let mut later = real();
    later.learn_exec(&Executable::named(5, tgid, 0, name.as_bytes()));
    later.learn_cgroup(77, b"/system.slice/job.service");
    let gone = OwnerRef { cgroup_id: 77, ..owner(tgid, 5, start_ns) };
    let gone = later.resolve(&gone, &maps);
    assert_eq!((gone.exe.as_deref(), gone.script.as_deref()), (Some(&*program("sh")), Some(&*name)));
    assert_eq!(gone.unit.as_deref(), Some("job.service"));
    assert_eq!(later.counters().exe_named, 1);
}

#[test]
fn a_script_that_env_interprets_is_shown_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("job");
    executable(&path, "#!/usr/bin/env sh\nread line\n");
    let name = path.to_str().expect("utf-8").to_owned();
    let child = Running::start(&mut Command::new(&path));
    let (tgid, start_ns) = (child.tgid(), child.start_ns());
    let mut maps = Maps::default();
    maps.task(tgid, 5, start_ns);
    maps.named(4, tgid, &name);
    let resolve = |resolver: &mut Resolver, maps: &Maps, owner: &OwnerRef| {
        resolver.learn_exec(&Executable::named(5, tgid, 4, b"/usr/bin/sh"));
        let process = resolver.resolve(owner, maps);
        (process.exe.clone(), process.script.clone())
    };
    let expected = (Some(program("sh").into()), Some(name.as_str().into()));
    // spawn() returns once the first execve has happened; env's own comes a moment later.
    while child.exe() != program("sh") {
        std::thread::yield_now();
    }
    assert_eq!(resolve(&mut real(), &maps, &owner(tgid, 5, start_ns)), expected);

    child.end();
    let mut later = real();
    later.learn_cgroup(77, b"/system.slice/job.service");
    let gone = OwnerRef { cgroup_id: 77, ..owner(tgid, 5, start_ns) };
    assert_eq!(resolve(&mut later, &maps, &gone), expected);
    maps.named(4, tgid, "/bin/sleep");
    let mut other = real();
    other.learn_cgroup(77, b"/system.slice/job.service");
    assert_eq!(resolve(&mut other, &maps, &gone).1, None, "a program that executes another is no script");
}

#[test]
fn a_deleted_executable_keeps_its_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("brief");
    fs::copy(program("sleep"), &path).expect("copy");
    let child = Running::start(Command::new(&path).arg("60"));
    fs::remove_file(&path).expect("remove");
    let start_ns = child.start_ns();
    let mut maps = Maps::default();
    maps.task(child.tgid(), 5, start_ns);
    let mut resolver = real();
    let name = path.to_str().expect("utf-8");
    resolver.learn_exec(&Executable::named(5, child.tgid(), 0, name.as_bytes()));
    let process = resolver.resolve(&owner(child.tgid(), 5, start_ns), &maps);
    assert_eq!(process.exe.as_deref(), Some(name));
}

#[test]
fn a_process_that_executed_something_else_is_not_read() {
    let child = Running::start(Command::new("/bin/sleep").arg("60"));
    let start_ns = child.start_ns();
    let mut maps = Maps::default();
    maps.task(child.tgid(), 6, start_ns);
    let mut resolver = real();
    resolver.learn_exec(&Executable::named(5, child.tgid(), 0, b"./relative"));
    let process = resolver.resolve(&owner(child.tgid(), 5, start_ns), &maps);
    assert_eq!(process.exe, None, "what it runs now proves nothing about what it ran then");
    assert!(process.started.is_some());
}

#[test]
fn another_process_with_the_same_pid_is_not_the_owner() {
    let child = Running::start(Command::new("/bin/sleep").arg("60"));
    let long_ago = child.start_ns() / 2;
    let mut maps = Maps::default();
    maps.task(child.tgid(), 5, child.start_ns());
    let mut resolver = real();
    resolver.learn_exec(&Executable::named(5, child.tgid(), 0, b"./gone"));
    let process = resolver.resolve(&owner(child.tgid(), 5, long_ago), &maps);
    assert_eq!(process.exe, None);
    let started = process.started.expect("the record has it");
    assert_eq!(started, resolver.clock.timestamp(long_ago));
}

#[test]
fn forked_workers_share_what_one_of_them_shows() {
    let child = Running::start(Command::new("sleep").arg("60").current_dir("/usr/bin"));
    let start_ns = child.start_ns();
    let mut maps = Maps::default();
    let mut resolver = real();
    resolver.learn_exec(&Executable::named(5, 4_000_000, 0, b"./sleep"));
    // A worker that is gone: nothing is known of a relative name.
    let worker = OwnerRef { parent_tgid: 4_000_000, ..owner(4_000_001, 5, start_ns + 50) };
    assert_eq!(resolver.resolve(&worker, &maps).exe, None);
    // Another worker lives and shows the executable.
    maps.task(child.tgid(), 5, start_ns);
    let sibling = owner(child.tgid(), 5, start_ns);
    assert_eq!(resolver.resolve(&sibling, &maps).exe, Some(program("sleep").into()));
    let later = OwnerRef { time_ns: worker.time_ns + INCOMPLETE_NS, ..worker };
    let process = resolver.resolve(&later, &maps);
    assert_eq!(process.exe, Some(program("sleep").into()));
    assert_eq!(process.pid, 4_000_001);
}

#[test]
fn a_forked_worker_names_its_master_as_parent() {
    let mut resolver = real();
    resolver.learn_exec(&Executable::named(5, 4_000_000, 0, b"/bin/sleep"));
    resolver.learn_cgroup(77, b"/system.slice/x.service");
    let worker = OwnerRef { parent_tgid: 4_000_000, cgroup_id: 77, ..owner(4_000_001, 5, 1_000) };
    let process = resolver.resolve(&worker, &Maps::default());
    let parent = process.parent.as_ref().expect("known by the record");
    assert_eq!((parent.pid, parent.exe.clone()), (4_000_000, Some(program("sleep").into())));
}

/// What the kernel side has for it is what it was forked from.
#[test]
fn without_the_hook_for_execve_no_executable_is_named() {
    let child = Running::start(Command::new("/bin/sleep").arg("60"));
    let start_ns = child.start_ns();
    let mut maps = Maps::default();
    maps.task(child.tgid(), 5, start_ns);
    maps.task(std::process::id(), 5, 1);
    let mut resolver = real();
    resolver.set_execs_unseen();
    resolver.learn_exec(&Executable::named(5, child.tgid(), 0, b"/bin/sleep"));
    let process = resolver.resolve(&owner(child.tgid(), 5, start_ns), &maps);
    assert_eq!((process.exe.clone(), process.pid), (None, child.tgid()));
    assert_eq!(process.parent.as_ref().and_then(|parent| parent.exe.clone()), None);
}

#[test]
fn the_unknown_owner_is_nobody_and_not_root() {
    let mut resolver = real();
    let process = resolver.resolve(&owner(0, 0, 0), &Maps::default());
    assert_eq!((process.pid, process.uid, process.gid), (0, u32::MAX, u32::MAX));
    assert_eq!(process.attribution, Attribution::Unknown);
    let roleless = OwnerRef { role: SocketRole::None, ..owner(std::process::id(), 0, 0) };
    assert_eq!(resolver.resolve(&roleless, &Maps::default()).pid, 0);
}

/// Its children inherit the executable.
#[test]
fn every_existing_process_is_seeded_with_its_executable() {
    let child = Running::start(Command::new("/bin/sleep").arg("60"));
    let mut resolver = real();
    let existing: Vec<_> = resolver.existing_processes().expect("/proc can be listed").collect();
    let found = existing.iter().find(|process| process.tgid == child.tgid()).expect("it was there");
    assert_eq!(found.identity.parent_tgid, std::process::id());
    assert!(found.identity.exec_id >= gdprport_common::EXEC_ID_SEEDED);
    let mut ids: Vec<_> = existing.iter().map(|process| process.identity.exec_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), existing.len());
    let file = components(program("sleep").as_bytes());
    assert_eq!(&found.exec.file[..usize::from(found.exec.header.file_len)], file);

    let child_of_it =
        OwnerRef { parent_tgid: child.tgid(), ..owner(4_000_002, found.identity.exec_id, boottime_ns()) };
    let process = resolver.resolve(&child_of_it, &Maps::default());
    assert_eq!(process.exe, Some(program("sleep").into()));
    assert_eq!(process.parent.as_ref().and_then(|parent| parent.exe.clone()), process.exe);
}

#[test]
fn the_namespace_of_the_socket_is_named_by_its_inode() {
    let cookie = need!(
        crate::host::netns::current_cookie()
            .ok_or_else(|| Missing::of("a kernel with cookies of network namespaces"))
    );
    let child = Running::start(Command::new("/bin/sleep").arg("60"));
    let start_ns = child.start_ns();
    let mut resolver = real();
    let at_home = OwnerRef { netns_cookie: cookie, ..owner(child.tgid(), 0, start_ns) };
    let inode = fs::metadata("/proc/self/ns/net").expect("readable").ino();
    assert_eq!(resolver.resolve(&at_home, &Maps::default()).netns, Some(inode));
    let elsewhere = OwnerRef { netns_cookie: u64::MAX, ..at_home };
    assert_eq!(resolver.resolve(&elsewhere, &Maps::default()).netns, None, "not the namespace of its socket");
}
