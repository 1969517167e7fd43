//! Process ids that go round: a number that another process had does not lend that process's name.
//!
//! The range of process ids is the whole machine's, so this is built for machines of its own only (`cargo xtask vm`).

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use gdprport_tests::pair::Pair;
use gdprport_tests::puppet::Copy;
use gdprport_tests::wait;

/// The range of process ids of this machine, made small; as before on drop.
struct SmallRange {
    before: String,
}

const PID_MAX: &str = "/proc/sys/kernel/pid_max";
/// Numbers below 300 are not given out a second time, so some four hundred are left.
const SMALL: usize = 700;

impl SmallRange {
    fn new() -> Self {
        let before = std::fs::read_to_string(PID_MAX).expect("/proc is mounted");
        std::fs::write(PID_MAX, SMALL.to_string()).expect("root may set it");
        Self { before }
    }
}

impl Drop for SmallRange {
    fn drop(&mut self) {
        let _ = std::fs::write(PID_MAX, self.before.trim());
    }
}

#[test]
fn pid_wrap_never_lends_a_process_the_name_of_another() {
    let mut pair = Pair::new();
    pair.server.ask("serve");
    let copies: Vec<Copy> = (0..7).map(|n| Copy::new("client-once", &format!("client-{n}"))).collect();
    let paths: Vec<PathBuf> = copies.iter().map(Copy::path).collect();
    let _range = SmallRange::new();
    let to = format!("127.0.0.1:{}", pair.port);
    let mut truth: HashMap<(u64, u16), PathBuf> = HashMap::new();
    let mut times: HashMap<u64, usize> = HashMap::new();
    let mut served = 0;
    // Once while the daemon looks at each, and once while it looks at none until all numbers have gone round.
    for stands_still in [false, true] {
        if stands_still {
            pair.daemon.signal(libc::SIGSTOP);
        }
        for n in 0..30 {
            let exe = &paths[n % paths.len()];
            let output = Command::new(exe).arg(&to).stdin(Stdio::null()).output().expect("it can start");
            let said = String::from_utf8_lossy(&output.stdout);
            let (pid, port) = said.trim().split_once(' ').expect("pid and port");
            let key = (pid.parse().expect("a pid"), port.parse().expect("a port"));
            *times.entry(key.0).or_default() += 1;
            assert_eq!(truth.insert(key, exe.clone()), None, "a port that was given out twice tells nothing");
            served += 1;
            // Numbers of processes that did nothing, until the next client gets one that was used before.
            pair.client.ask("churn 57");
        }
        wait::until("all are served", || pair.server.ask("served") == served.to_string());
        if stands_still {
            pair.daemon.signal(libc::SIGCONT);
        }
    }
    assert!(times.values().any(|times| *times > 1), "the numbers have gone round");
    let port = pair.port.number();
    let closed =
        |event: &gdprport_tests::event::Event| event.is("flow.close", port) && event.ends("out").is_some();
    pair.daemon.log.wait_count("flow.close out", truth.len(), closed);
    for event in pair.daemon.log.seen().iter().filter(|event| closed(event)) {
        let (local, _) = event.ends("out").expect("an end");
        let pid = event.number("process.pid").unwrap_or_default();
        let exe = truth.get(&(pid, local)).unwrap_or_else(|| panic!("nobody was that: {}", event.line()));
        assert_eq!(event.text("process.exe"), exe.to_string_lossy(), "{}", event.line());
        assert_eq!(event.text("process.attribution"), "exact", "{}", event.line());
        assert_eq!(event.number("process.parent.pid"), Some(std::process::id().into()), "{}", event.line());
    }
    pair.daemon.stop();
}
