//! Process ids that wrap around: a reused number does not lend the name of the process that had it before.
//!
//! The counter of process ids belongs to the machine, so this is built only for a machine of its own
//! (`cargo xtask vm`).

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use gdprport_tests::event::Event;
use gdprport_tests::pair::Pair;
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::wait;

/// Where the kernel takes the next process id from: the number given out last.
const LAST: &str = "/proc/sys/kernel/ns_last_pid";

/// One more than the largest process id.
const MOST: &str = "/proc/sys/kernel/pid_max";

/// Limits process ids to those below a thousand; the old limit is restored on drop.
struct FewNumbers(String);

impl FewNumbers {
    fn new() -> Self {
        let before = std::fs::read_to_string(MOST).expect("/proc is mounted");
        std::fs::write(MOST, "1000").expect("root may set it");
        Self(before)
    }
}

impl Drop for FewNumbers {
    fn drop(&mut self) {
        let _ = std::fs::write(MOST, &self.0);
    }
}

/// Executable and parent of each client, by its process id and port.
type Truth = HashMap<(u64, u16), (PathBuf, u32)>;

/// Waits for the ends of all connections, and compares every client's owner with the truth.
#[track_caller]
fn everyone_was_named(pair: &mut Pair, truth: &Truth) {
    let port = pair.port.number();
    let closed = |event: &Event| event.is("flow.close", port) && event.ends("out").is_some();
    pair.daemon.log.wait_count("flow.close out", truth.len(), closed);
    for event in pair.daemon.log.seen().iter().filter(|event| closed(event)) {
        let (local, _) = event.ends("out").expect("an end");
        let pid = event.number("process.pid").unwrap_or_default();
        let (exe, parent) =
            truth.get(&(pid, local)).unwrap_or_else(|| panic!("no client was that: {}", event.line()));
        assert_eq!(event.text("process.exe"), exe.to_string_lossy(), "{}", event.line());
        assert_eq!(event.text("process.attribution"), "exact", "{}", event.line());
        assert_eq!(event.number("process.parent.pid"), Some(u64::from(*parent)), "{}", event.line());
    }
}

#[test]
fn a_storm_of_forks_through_a_thousand_pids_lends_no_name() {
    let mut pair = Pair::new();
    pair.server.ask("serve");
    let mut storms = [Puppet::new(), Puppet::new(), Puppet::new()];
    let to = format!("127.0.0.1:{}", pair.port);
    let mut truth = Truth::new();
    let mut served = 0;
    let few = FewNumbers::new();
    // More than twice as many processes as there are numbers, of three programs in turn.
    for _ in 0..3 {
        for puppet in &mut storms {
            let reply = puppet.ask(&format!("fork-storm {to} 250"));
            for (pid, port) in reply.split_whitespace().filter_map(|word| word.split_once(':')) {
                let key = (pid.parse().expect("a pid"), port.parse().expect("a port"));
                let owner = (puppet.exe().to_owned(), puppet.pid());
                assert_eq!(truth.insert(key, owner), None, "a port that was given out twice proves nothing");
                served += 1;
            }
            wait::until("all are served", || pair.server.ask("served") == served.to_string());
        }
    }
    drop(few);
    assert_eq!(served, 2250);
    let numbers: HashSet<u64> = truth.keys().map(|(pid, _)| *pid).collect();
    assert!(numbers.len() < 1000, "{} numbers were given out", numbers.len());
    everyone_was_named(&mut pair, &truth);
    pair.daemon.stop();
}

#[test]
fn pid_wrap_never_lends_a_process_the_name_of_another() {
    let mut pair = Pair::new();
    pair.server.ask("serve");
    let copies: Vec<ProgramCopy> =
        (0..7).map(|n| ProgramCopy::new("client-once", &format!("client-{n}"))).collect();
    let paths: Vec<PathBuf> = copies.iter().map(ProgramCopy::path).collect();
    let to = format!("127.0.0.1:{}", pair.port);
    let mut truth = Truth::new();
    let (mut number, mut again, mut served) = (None, 0, 0);
    // Once while the daemon sees each process alive, and once while it is stopped until the last one has the number.
    for stopped in [false, true] {
        if stopped {
            pair.daemon.signal(libc::SIGSTOP);
        }
        for n in 0..30 {
            let exe = &paths[n % paths.len()];
            if let Some(number) = number {
                std::fs::write(LAST, format!("{}", number - 1)).expect("root may set it");
            }
            let output = Command::new(exe).arg(&to).stdin(Stdio::null()).output().expect("it can start");
            let line = String::from_utf8_lossy(&output.stdout);
            let (pid, port) = line.trim().split_once(' ').expect("pid and port");
            let key: (u64, u16) = (pid.parse().expect("a pid"), port.parse().expect("a port"));
            again += usize::from(*number.get_or_insert(key.0) == key.0);
            let owner = (exe.clone(), std::process::id());
            assert_eq!(truth.insert(key, owner), None, "a port that was given out twice proves nothing");
            served += 1;
        }
        wait::until("all are served", || pair.server.ask("served") == served.to_string());
        if stopped {
            pair.daemon.signal(libc::SIGCONT);
        }
    }
    // Another process of the machine may take the number now and then.
    assert!(again > truth.len() / 2, "{again} of {} had the number of the first", truth.len());
    everyone_was_named(&mut pair, &truth);
    pair.daemon.stop();
}
