//! The decisions, case by case.

use proptest::prelude::*;

use super::*;

const TICK: u64 = NS_PER_TICK;

fn owner(role: SocketRole, start_ns: u64, time_ns: u64) -> OwnerRef {
    OwnerRef {
        tgid: 7,
        parent_tgid: 1,
        uid: 0,
        gid: 0,
        euid: 0,
        egid: 0,
        exec_id: 5,
        cgroup_id: 1,
        netns_cookie: 1,
        start_ns,
        time_ns,
        comm: *b"worker\0\0\0\0\0\0\0\0\0\0",
        role,
        withheld: None,
    }
}

#[test]
fn only_the_process_of_the_fork_is_the_owner() {
    let forked = owner(SocketRole::Bound, 100 * TICK + 5, 900 * TICK);
    for (ticks, wanted) in [(97, false), (98, true), (100, true), (101, false), (500, false), (0, false)] {
        assert_eq!(is_owner(&forked, ticks), wanted, "started in tick {ticks}");
    }
}

/// Only a caller can be the owner at all.
#[test]
fn without_a_fork_time_the_owner_started_before_its_call() {
    for role in [SocketRole::Connected, SocketRole::Accepted] {
        let seen = owner(role, 0, 100 * TICK + 5);
        assert!(is_owner(&seen, 99));
        assert!(!is_owner(&seen, 100), "in the same tick the order is not known");
        assert!(!is_owner(&seen, 101), "the number was given again");
    }
    for role in [SocketRole::None, SocketRole::Bound, SocketRole::Seeded] {
        assert!(!is_owner(&owner(role, 0, 100 * TICK), 3), "{role:?} may lie arbitrarily far back");
    }
}

#[test]
fn the_same_task_has_the_same_fork_and_executable() {
    let known = owner(SocketRole::Connected, 42, 100);
    let now = |exec_id, start_ns| TaskIdentity {
        exec_id,
        start_ns,
        parent_tgid: 1,
        threads: 0,
        ..TaskIdentity::default()
    };
    assert!(is_same_task(&known, &now(5, 42)));
    assert!(!is_same_task(&known, &now(6, 42)), "it executed something else");
    assert!(!is_same_task(&known, &now(5, 43)), "another process forked from the same executable");
}

#[test]
fn a_parent_started_before_its_child() {
    assert!(is_parent(5, 6));
    assert!(!is_parent(6, 6));
    assert!(!is_parent(7, 6), "somebody else got its number after the fork");
    assert!(!is_parent(0, 6));
    assert!(!is_parent(5, 0));
}

#[test]
fn exec_names_are_sorted_by_what_they_prove() {
    let absolute = |text: &str| ExecName::Absolute(text.to_owned());
    assert_eq!(ExecName::parse(b"/usr/bin/psql"), absolute("/usr/bin/psql"));
    assert_eq!(ExecName::parse(b"./run.sh"), ExecName::Relative("./run.sh".to_owned()));
    for opaque in [&b""[..], b"/proc/self/exe", b"/dev/fd/3", b"/x\xff", b"/a\0b", &[b'/'; PATH_CAP - 1]] {
        assert_eq!(ExecName::parse(opaque), ExecName::Opaque, "{opaque:?}");
    }
    assert_eq!(absolute("/usr/bin/a-very-long-program").comm(), Some(&b"a-very-long-pro"[..]));
    assert_eq!(ExecName::Opaque.comm(), None);
}

#[test]
fn interpreters_are_read_as_the_kernel_reads_them() {
    let long = [b"#!/".as_slice(), &[b'x'; SHEBANG_CAP]].concat();
    let cases: [(&[u8], Option<&str>); 9] = [
        (b"#!/bin/sh\necho", Some("/bin/sh")),
        (b"#! \t/usr/bin/env python3\n", Some("/usr/bin/env")),
        (b"#!/bin/sh", Some("/bin/sh")),
        (b"#!/bin/sh\0rest", Some("/bin/sh")),
        (b"#!\n/bin/sh", None),
        (b"#!   ", None),
        (b"\x7fELF", None),
        (b"", None),
        (&long, None),
    ];
    for (head, wanted) in cases {
        assert_eq!(shebang(head), wanted, "{}", String::from_utf8_lossy(head));
    }
}

const PYTHON: FileId = FileId { dev: 1, ino: 10 };

fn file(path: &str, ino: u64) -> NamedFile {
    NamedFile { path: path.to_owned(), id: FileId { dev: 1, ino }, interpreter: None }
}

fn script(path: &str, ino: u64, interpreter: NamedFile) -> NamedFile {
    NamedFile { interpreter: Some(Box::new(interpreter)), ..file(path, ino) }
}

fn live(path: &str, ino: u64, comm: &str) -> LiveExe {
    LiveExe { path: path.to_owned(), id: Some(FileId { dev: 1, ino }), comm: comm.as_bytes().to_vec() }
}

fn exe(exe: Option<&str>, script: Option<&str>) -> Exe {
    Exe { exe: exe.map(str::to_owned), script: script.map(str::to_owned) }
}

#[test]
fn a_live_executable_needs_a_second_witness() {
    let name = |text: &str| ExecName::parse(text.as_bytes());
    let python = || file("/usr/bin/python3.11", PYTHON.ino);
    let shows = |comm| live("/usr/bin/python3.11", PYTHON.ino, comm);
    let proven = exe(Some("/usr/bin/python3.11"), None);

    let by_link = live_exe(&shows("renamed"), &name("/usr/bin/python3"), Some(&python()), b"");
    assert_eq!(by_link, proven, "the exec name leads to the file that runs");
    let by_text = live_exe(&shows("renamed"), &name("/usr/bin/python3.11"), None, b"");
    assert_eq!(by_text, proven, "the file was deleted, the exec name is its path");
    let replaced = file("/usr/bin/python3.11", 11);
    assert_eq!(live_exe(&shows("x"), &name("/usr/bin/python3"), Some(&replaced), b""), proven, "upgraded");
    assert_eq!(
        live_exe(&shows("run"), &name("./run"), None, b""),
        proven,
        "the command name is the exec name's"
    );
    assert_eq!(live_exe(&shows("set-by-prctl"), &name("./run"), None, b"set-by-prctl"), proven);
    assert_eq!(live_exe(&shows("3"), &ExecName::Opaque, None, b"3"), proven, "executed by descriptor");

    let other = file("/opt/first", 99);
    let half_way = live_exe(&shows("python3"), &name("/opt/first"), Some(&other), b"first");
    assert_eq!(half_way, Exe::default(), "it is executing the next program, whose exec id is still to come");
    assert_eq!(live_exe(&shows("python3"), &ExecName::Opaque, None, b""), Exe::default());
}

#[test]
fn a_live_script_shows_interpreter_and_script() {
    let shows = live("/usr/bin/python3.11", PYTHON.ino, "job.py");
    let python = || file("/usr/bin/python3.11", PYTHON.ino);
    let job = script("/srv/real/job.py", 20, python());
    let found = live_exe(&shows, &ExecName::parse(b"/srv/job.py"), Some(&job), b"job.py");
    assert_eq!(found, exe(Some("/usr/bin/python3.11"), Some("/srv/job.py")));
    let found = live_exe(&shows, &ExecName::parse(b"./job.py"), Some(&job), b"job.py");
    assert_eq!(found, exe(Some("/usr/bin/python3.11"), Some("/srv/real/job.py")));
    let nested = script("/srv/outer", 21, script("/srv/inner", 22, python()));
    let found = live_exe(&shows, &ExecName::parse(b"/srv/outer"), Some(&nested), b"outer");
    assert_eq!(found, exe(Some("/usr/bin/python3.11"), Some("/srv/outer")));
    let elsewhere = script("/srv/job.py", 23, file("/usr/bin/perl", 30));
    let found = live_exe(&shows, &ExecName::parse(b"./job.py"), Some(&elsewhere), b"job.py");
    assert_eq!(found, exe(Some("/usr/bin/python3.11"), None), "another script of that name, where it is now");
}

#[test]
fn what_is_gone_is_known_by_an_absolute_name_only() {
    let name = |text: &str| ExecName::parse(text.as_bytes());
    let python = file("/usr/bin/python3.11", PYTHON.ino);
    assert_eq!(gone_exe(&name("/usr/bin/python3"), Some(&python)), exe(Some("/usr/bin/python3.11"), None));
    assert_eq!(gone_exe(&name("/app/server"), None), Exe::default(), "it may be a script or a link");
    let job = script("/srv/job.py", 20, python.clone());
    assert_eq!(
        gone_exe(&name("/srv/job.py"), Some(&job)),
        exe(Some("/usr/bin/python3.11"), Some("/srv/job.py"))
    );
    assert_eq!(gone_exe(&name("./server"), Some(&python)), Exe::default(), "never guessed");
    assert_eq!(gone_exe(&ExecName::Opaque, None), Exe::default());
}

#[test]
fn roles_earn_their_attribution() {
    let earned = [
        (SocketRole::None, Attribution::Unknown),
        (SocketRole::Seeded, Attribution::Snapshot),
        (SocketRole::Bound, Attribution::Listener),
        (SocketRole::Connected, Attribution::Exact),
        (SocketRole::Accepted, Attribution::Exact),
    ];
    for (role, wanted) in earned {
        assert_eq!(attribution(role), wanted);
    }
    assert_eq!(comm_text(b"psql\0junk").as_deref(), Some("psql"));
    assert_eq!(comm_text(&[0; 16]), None);
}

proptest! {
    #[test]
    fn any_bytes_are_sorted_without_failing(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = ExecName::parse(&bytes).comm();
        if let Some(name) = shebang(&bytes) {
            prop_assert!(!name.is_empty() && name.len() <= SHEBANG_CAP);
        }
    }

    #[test]
    fn a_process_that_started_after_the_fork_is_never_the_owner(start in 1u64..1 << 50, later in 1u64..1 << 20) {
        let owner = owner(SocketRole::Accepted, start, u64::MAX);
        prop_assert!(!is_owner(&owner, start / TICK + later));
    }
}
