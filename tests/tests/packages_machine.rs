//! The package for Debian in a machine of its own, with systemd as its first process: what whoever installs, updates and purges it
//! is promised. `cargo xtask package --check` makes two packages and boots the machine.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gdprport_tests::bpf::Held;
use gdprport_tests::event::Event;
use gdprport_tests::log::EventLog;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::serial::alone;
use gdprport_tests::service::{DELIVER, SENSOR, journal, output_of, property_of};
use gdprport_tests::takeover::gaps;
use gdprport_tests::wait;

const EVENTS: &str = "/var/log/gdprport/events.ndjson";
const PINS: &str = "/sys/fs/bpf/gdprport";

/// A port of the catalog.
const POSTGRESQL: u16 = 5432;

/// What a purge takes, beside users and groups.
const PLACES: [&str; 10] = [
    "/usr/bin/gdprport",
    "/etc/gdprport",
    "/etc/logrotate.d/gdprport",
    "/run/gdprport",
    "/run/gdprport-deliver",
    "/var/lib/gdprport",
    "/var/lib/gdprport-deliver",
    "/var/log/gdprport",
    PINS,
    "/etc/systemd/system/multi-user.target.wants/gdprport.service",
];

fn package(variable: &str) -> String {
    let path = PathBuf::from(env::var_os(variable).unwrap_or_else(|| panic!("{variable} names no package")));
    assert!(path.is_file(), "no package {}", path.display());
    path.display().to_string()
}

fn state() -> String {
    property_of(SENSOR, "ActiveState")
}

fn pid() -> u32 {
    property_of(SENSOR, "MainPID").parse().expect("a number")
}

fn names(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| Some(line.split(':').next()?.to_owned())).collect()
}

/// Connects to a listener of this process, again and again until it is stopped; returns the clients' ports.
fn connecting(listener: &TcpListener, stop: &AtomicBool) -> BTreeSet<u16> {
    let address = listener.local_addr().expect("it is bound");
    let mut ports = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        let client = TcpStream::connect(address).expect("it listens");
        let (server, _) = listener.accept().expect("somebody connects");
        ports.insert(client.local_addr().expect("it is connected").port());
        drop((client, server));
        thread::sleep(Duration::from_millis(10));
    }
    ports
}

#[test]
#[ignore = "on demand: `cargo xtask package --check` boots a machine for it"]
fn a_package_runs_at_once_upgrades_unseen_and_purges_all() {
    let _alone = alone();
    let first = fs::read_to_string("/proc/1/comm").unwrap_or_default();
    assert_eq!(first.trim(), "systemd", "it changes the machine that it runs in");
    // Images of containers forbid services to start; a host does not.
    match fs::remove_file("/usr/sbin/policy-rc.d") {
        Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
    // Each time dpkg ends, all pages of the manual are indexed: not the host's.
    output_of(&["mount", "-t", "tmpfs", "none", "/usr/share/man"]);
    let (users, groups) = (names("/etc/passwd"), names("/etc/group"));
    let (old, new) = (package("GDPRPORT_PACKAGE"), package("GDPRPORT_PACKAGE_NEWER"));

    let begun = Instant::now();
    dpkg(&["--install", &old]);
    println!("installed after {} ms", begun.elapsed().as_millis());
    runs_with_the_catalog(begun);
    nothing_is_missed_in_an_upgrade(&new);

    let held = Held::by(pid());
    assert!(!held.programs.is_empty());
    dpkg(&["--remove", "gdprport"]);
    assert!(!Path::new("/usr/bin/gdprport").exists());
    wait::until("nothing stays in the kernel", || held.is_gone());
    assert_eq!(fs::read_dir(PINS).map_or(0, Iterator::count), 0, "removing leaves pins: {}", journal());
    for kept in ["/etc/gdprport/policy.toml", "/var/lib/gdprport/ledger.db", EVENTS] {
        assert!(Path::new(kept).exists(), "removing takes {kept}");
    }

    // Installed again it continues with what was kept, and a purge at once takes everything.
    dpkg(&["--install", &new]);
    assert_eq!(state(), "active", "{}", journal());
    let held = Held::by(pid());
    output_of(&["systemctl", "enable", "--now", DELIVER]);
    dpkg(&["--purge", "gdprport"]);
    for place in PLACES {
        assert!(fs::symlink_metadata(place).is_err(), "a purge leaves {place}");
    }
    wait::until("nothing stays in the kernel after a purge", || held.is_gone());
    assert_eq!((names("/etc/passwd"), names("/etc/group")), (users, groups), "a purge leaves users");
    // It fails where there is none.
    let listed = Command::new("systemctl").args(["list-unit-files", "--no-legend", "gdprport*"]).output();
    let units = String::from_utf8(listed.expect("systemctl runs").stdout).expect("text");
    assert!(!units.contains("gdprport"), "{units}");
}

/// The machine's files are the host's, whose server keeps a descriptor for each that the machine remembers, and has 20,000:
/// then nothing can be started any more.
fn forget_files() {
    fs::write("/proc/sys/vm/drop_caches", "2").expect("root may");
}

fn dpkg(words: &[&str]) {
    forget_files();
    let words: Vec<&str> = ["dpkg"].iter().chain(words).copied().collect();
    println!("{}", output_of(&words));
}

/// The service is enabled, runs and watches the catalog; the deliverer and the daily audit wait for an administrator.
fn runs_with_the_catalog(begun: Instant) {
    assert_eq!(state(), "active", "{}", journal());
    assert_eq!(property_of(SENSOR, "UnitFileState"), "enabled");
    for other in [DELIVER, "gdprport-audit.timer"] {
        assert_eq!(
            (property_of(other, "UnitFileState"), property_of(other, "ActiveState")).0,
            "disabled",
            "{other}"
        );
    }
    let listener = TcpListener::bind(("127.0.0.1", POSTGRESQL)).expect("nobody else listens there");
    let client = TcpStream::connect(("127.0.0.1", POSTGRESQL)).expect("it listens");
    let local = client.local_addr().expect("it is connected").port();
    let mut log = EventLog::at(Path::new(EVENTS));
    let event = log.flow("flow.open", "out", local, POSTGRESQL);
    println!("first verdict after {} ms", begun.elapsed().as_millis());
    assert_eq!(event.reasons(), ["undeclared-port"], "{}", event.line());
    assert_eq!(event.number("process.pid"), Some(u64::from(std::process::id())), "{}", event.line());
    drop((client, listener));
}

/// An administrator writes a policy; then the package is updated while connections come and go.
fn nothing_is_missed_in_an_upgrade(new: &str) {
    let port = Port::free();
    fs::write("/etc/gdprport/policy.toml", open(port.number()).alone()).expect("root may");
    output_of(&["systemctl", "reload", SENSOR]);
    let listener = TcpListener::bind(("127.0.0.1", port.number())).expect("it is free");
    let mut log = EventLog::at(Path::new(EVENTS));
    log.wait("the listener under the new policy", |event| {
        event.is("listener.open", port.number()) && event.text("verdict.outcome") == "declared"
    });
    let (before, stop) = (pid(), AtomicBool::new(false));
    let ports = thread::scope(|scope| {
        let connecting = scope.spawn(|| connecting(&listener, &stop));
        forget_files();
        let upgraded = Command::new("dpkg").args(["--install", new]).output().expect("dpkg runs");
        stop.store(true, Ordering::Relaxed);
        let said = String::from_utf8_lossy(&upgraded.stderr).into_owned();
        assert!(upgraded.status.success(), "{said}\n{}", journal());
        connecting.join().expect("it connects")
    });
    assert_eq!(state(), "active", "{}", journal());
    assert_ne!(pid(), before, "an upgrade runs the new program");
    let adopted =
        |event: &Event| event.kind() == "daemon.start" && event.at("daemon.previous.adopted") == true;
    log.wait("the start of a daemon that took over from another", adopted);
    assert!(ports.len() >= 20, "only {} connections in an upgrade", ports.len());
    for kind in ["flow.open", "flow.close"] {
        for local in &ports {
            log.flow(kind, "out", *local, port.number());
            log.flow(kind, "in", port.number(), *local);
        }
    }
    assert!(gaps(&log).is_empty(), "{:?}", gaps(&log));
    println!("{} connections during the upgrade, none missed", ports.len());
}
