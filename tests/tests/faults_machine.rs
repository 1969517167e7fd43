//! Failure modes that need a machine of their own, because they set its clock or need systemd as its first process:
//! `cargo xtask vm` boots one for them. Elsewhere they are not run.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gdprport_tests::bpf::Held;
use gdprport_tests::event::{Event, at};
use gdprport_tests::log::EventLog;
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::{declare, open};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::receivers::{Fake, Plain};
use gdprport_tests::rights;
use gdprport_tests::serial::alone;
use gdprport_tests::service::{DELIVER, Installed, SENSOR, journal, output_as, output_of, property_of};
use gdprport_tests::truth::End;
use gdprport_tests::user::User;
use gdprport_tests::wait;
use serde_json::Value;

/// Sets the wall clock forward, or back, by so many seconds.
fn move_clock(seconds: i64) {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live value, which the first call fills and the second reads.
    let done = unsafe {
        libc::clock_gettime(libc::CLOCK_REALTIME, &mut now);
        now.tv_sec += seconds;
        libc::clock_settime(libc::CLOCK_REALTIME, &now)
    };
    assert_eq!(done, 0, "cannot set the clock: {}", std::io::Error::last_os_error());
}

fn time(event: &Event, path: &str) -> jiff::Timestamp {
    event.text(path).parse().unwrap_or_else(|e| panic!("{path} is no time ({e}): {}", event.line()))
}

#[test]
#[ignore = "kept by `cargo xtask vm`: it sets the clock"]
fn setting_the_clock_changes_times_but_no_duration() {
    let _alone = alone();
    let mut pair = Pair::new();
    let mut moved = 0;
    for step in [3_600, -7_200, 86_400 * 400, -86_400 * 400] {
        let connection = pair.connect();
        connection.client.event(&mut pair.daemon.log, "flow.open");
        let before = pair.daemon.log.refresh().len();
        move_clock(step);
        moved += step;
        wait::until("the daemon has noticed", || {
            pair.daemon.stderr().matches("the wall clock was set").count() >= 1
        });
        wait::until("the next second has begun, in which it checks the clock", || {
            let other = pair.connect();
            pair.close(&other);
            let event = other.client.event(&mut pair.daemon.log, "flow.close");
            time(&event, "time").duration_since(jiff::Timestamp::now()).unsigned_abs().as_secs() < 30
        });
        pair.close(&connection);
        for end in [&connection.client, &connection.server] {
            let event = end.event(&mut pair.daemon.log, "flow.close");
            let duration = event.number("flow.duration_ms").expect("it was seen from its beginning");
            assert!(duration < 120_000, "{step}: a duration of {duration} ms: {}", event.line());
            let apart = time(&event, "time").duration_since(time(&event, "flow.opened")).as_millis();
            let apart = u64::try_from(apart).expect("it was opened before it was closed");
            assert!(apart.abs_diff(duration) < 5_000, "{apart} and {duration} ms: {}", event.line());
        }
        let made = pair.daemon.log.refresh().len() - before;
        assert!(made < 2_000, "no flood: {made} events");
    }
    move_clock(-moved);
    let coverage = pair.daemon.log.count(|event| event.kind() == "coverage");
    assert!(coverage <= 10, "a jump by a year is no reason to report {coverage} times");
    assert!(pair.daemon.is_running());
    let status = pair.daemon.status();
    assert!(status["uptime_s"].as_u64().is_some_and(|up| up < 600), "{}", status["uptime_s"]);
    pair.daemon.stop();
}

/// A property of the service as systemd has it.
fn property(name: &str) -> String {
    property_of(SENSOR, name)
}

fn pid() -> u32 {
    property("MainPID").parse().expect("a number")
}

fn status() -> Value {
    serde_json::from_str(&output_of(&["/usr/bin/gdprport", "daemon", "status", "--json"])).expect("JSON")
}

const EVENTS: &str = "/var/log/gdprport/events.ndjson";
/// Where the unit pins.
const PINS: &str = "/sys/fs/bpf/gdprport";

/// It starts, reports its state, reloads, is watched by the watchdog and stops.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs systemd as the first process"]
fn as_a_systemd_service_it_works_and_leaves_nothing_behind() {
    let _alone = alone();
    let port = Port::free();
    let _installed = Installed::new(&open(port.number()).alone());
    output_of(&["systemctl", "start", "gdprport.service"]);
    assert_eq!((property("ActiveState"), property("SubState")), ("active".into(), "running".into()));
    assert!(property("StatusText").starts_with("watching "), "{}", property("StatusText"));

    // Inside the sandbox of the unit every hook that this kernel has is in use, and all is healthy.
    let now = status();
    let in_use = |hook: &&Value| hook["state"] == "attached" || hook["state"] == "missing";
    let missing: Vec<&Value> =
        now["hooks"].as_array().expect("hooks").iter().filter(|hook| !in_use(hook)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(now["health"]["state"], "healthy", "{}", now["health"]);
    assert_eq!(now["pid"], pid());
    let group = fs::metadata("/run/gdprport/control.sock").expect("the control socket").gid();
    let named = fs::read_to_string("/etc/group").unwrap_or_default();
    assert!(named.lines().any(|line| line.starts_with("gdprport:") && line.contains(&format!(":{group}:"))));
    let sensor = User::named("gdprport-sensor").expect("made").uid;
    for (path, mode) in [(EVENTS, 0o640), ("/run/gdprport/control.sock", 0o660)] {
        let meta = fs::metadata(path).expect("it is there");
        assert_eq!(
            (meta.permissions().mode() & 0o777, meta.uid(), meta.gid()),
            (mode, sensor, group),
            "{path}"
        );
    }
    rights::wait_until_as_documented(pid(), false);
    assert!(rights::of_threads(pid()).iter().all(|thread| thread.seccomp == 2));

    // A flow of a process of this test's own unit, and of another user.
    let (mut server, mut client) =
        (Puppet::new(), Puppet::at(gdprport_tests::child::Place::default().user(&User::games())));
    server.listen(format!("127.0.0.1:{port}"));
    let there = client.connect(format!("127.0.0.1:{port}"));
    let here = server.accept();
    let mut log = EventLog::at(Path::new(EVENTS));
    let end = End::client(client.pid(), client.exe(), "games", there.address.port(), port.number());
    let event = end.named_exactly(&mut log, "flow.open");
    assert_eq!(event.text("process.unit"), "machine.service", "{}", event.line());

    // It pings systemd every second.
    let first = property("WatchdogTimestampMonotonic");
    wait::until("it pings the watchdog", || property("WatchdogTimestampMonotonic") != first);

    fs::write(
        "/etc/gdprport/policy.toml",
        declare("x", port.number()).allow("serving", "in", "any", "").alone(),
    )
    .expect("root may");
    output_of(&["systemctl", "kill", "--signal=USR1", "gdprport.service"]);
    let digest = status()["policy"]["digest"].clone();
    assert_eq!(digest, now["policy"]["digest"], "a rotation reloads nothing");
    output_of(&["systemctl", "reload", "gdprport.service"]);
    wait::until("the other policy is active", || status()["policy"]["digest"] != digest);
    log.wait("the open flow, re-evaluated", |event| {
        event.kind() == "violation" && event.ends("out") == Some((end.local, end.peer))
    });
    client.close(there);
    server.close(here);
    end.event(&mut log, "flow.close");

    log.refresh();
    log.check();
    restarted_in_order(&mut log);
    let held = Held::by(pid());
    assert!(!held.programs.is_empty());
    output_of(&["systemctl", "stop", "gdprport.service"]);
    assert_eq!((property("ActiveState"), property("Result")), ("inactive".into(), "success".into()));
    wait::until("nothing stays in the kernel", || held.is_gone());
    let pins = fs::read_dir(PINS).map_or(0, Iterator::count);
    assert_eq!(pins, 0, "a stop leaves pins: {}", journal());
    log.refresh();
    assert_eq!(log.seen().last().map(Event::kind), Some("daemon.stop"));
    assert!(!Path::new("/run/gdprport/control.sock").exists());

    drop((server, client));
    an_invalid_policy_is_not_retried(port.number());
    a_stopped_daemon_is_restarted(port.number());
}

/// In a restart by systemd the pins stay, and the next daemon takes them over.
fn restarted_in_order(log: &mut EventLog) {
    let first = pid();
    output_of(&["systemctl", "restart", "gdprport.service"]);
    assert_ne!(pid(), first);
    let adopted =
        |event: &Event| event.kind() == "daemon.start" && event.at("daemon.previous.adopted") == true;
    log.wait("the start of a daemon that took over from another", adopted);
    assert!(Path::new(PINS).exists());
}

/// The exit status 2 ends the service for good: a restart would read the same file.
fn an_invalid_policy_is_not_retried(port: u16) {
    fs::write("/etc/gdprport/policy.toml", "version = 1\nnonsense = true\n").expect("root may");
    let output =
        Command::new("systemctl").args(["start", "gdprport.service"]).output().expect("systemctl runs");
    assert!(!output.status.success(), "an invalid policy is no start");
    assert_eq!((property("ExecMainStatus"), property("NRestarts")), ("2".into(), "0".into()));
    fs::write("/etc/gdprport/policy.toml", open(port).alone()).expect("root may");
    output_of(&["systemctl", "reset-failed", "gdprport.service"]);
}

/// A daemon that does not ping the watchdog is killed and restarted; the next one finds what is open.
fn a_stopped_daemon_is_restarted(port: u16) {
    fs::create_dir_all("/run/systemd/system/gdprport.service.d").expect("root may");
    // As in the unit, with a shorter timeout.
    fs::write(
        "/run/systemd/system/gdprport.service.d/soon.conf",
        "[Service]\nWatchdogSec=4\nTimeoutAbortSec=4\n",
    )
    .expect("root may");
    output_of(&["systemctl", "daemon-reload"]);
    output_of(&["systemctl", "start", "gdprport.service"]);
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    server.listen(format!("127.0.0.1:{port}"));
    let _there = client.connect(format!("127.0.0.1:{port}"));
    let _here = server.accept();
    let first = pid();
    let held = Held::by(first);
    // SAFETY: plain system call; the service is this test's own.
    unsafe { libc::kill(i32::try_from(first).expect("a pid"), libc::SIGSTOP) };
    // Twice the watchdog's time-out, and a stop and a start of a machine that may be slow.
    wait::within(Duration::from_secs(100), "systemd has started another one", || {
        (pid() != first && property("ActiveState") == "active").then_some(())
    });
    assert_eq!(property("NRestarts"), "1");
    wait::until("nothing of the first stays in the kernel", || held.is_gone());
    wait::until("the open flow is found again, at both ends", || {
        at(&status(), "coverage.flows_open").as_u64() == Some(2)
    });
    output_of(&["systemctl", "stop", "gdprport.service"]);
}

/// The deliverer as its own user reads what the sensor writes as its own; nothing else passes between them. Its socket is for root and
/// the group `gdprport`. Stops and restarts of either, and of both as a package restarts them, cost no event.
#[test]
#[ignore = "kept by `cargo xtask vm`: it needs systemd as the first process"]
fn as_systemd_services_sensor_and_deliverer_share_one_spool() {
    let _alone = alone();
    let (port, fake) = (Port::free(), Fake::start(Plain::default()));
    let _installed = Installed::new(&open(port.number()).key("emit = \"every\"").alone());
    let config = format!("[[sink]]\nname = \"siem\"\ntype = \"http\"\nurl = \"{}/in\"\n", fake.url());
    fs::write("/etc/gdprport/gdprport.toml", config).expect("root may");
    // As a daemon that ran as root has left it.
    output_of(&["chown", "root", "/var/lib/gdprport", "/var/lib/gdprport/spool", "/var/log/gdprport"]);
    output_of(&["systemctl", "start", SENSOR, DELIVER]);
    for unit in [SENSOR, DELIVER] {
        assert_eq!(property_of(unit, "ActiveState"), "active", "{}", journal());
    }
    assert!(property_of(DELIVER, "StatusText").starts_with("delivering to 1 sink "));
    let (user, group) = (User::named("gdprport-deliver").expect("made"), gid("gdprport"));
    let sensor = User::named("gdprport-sensor").expect("made").uid;
    let own = |name: &str| {
        let text = fs::read_to_string(format!("/proc/{}/status", property_of(DELIVER, "MainPID")));
        let text = text.expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(own("Uid:"), vec![user.uid.to_string(); 4]);
    assert!(!own("Groups:").contains(&group.to_string()), "it reads neither ledger nor control socket");
    assert_eq!((own("CapEff:"), own("CapPrm:")), (vec!["0".repeat(16)], vec!["0".repeat(16)]));
    for (path, mode, uid, gid) in [
        ("/var/lib/gdprport/spool", 0o2750, sensor, user.gid),
        ("/var/lib/gdprport/spool/00000000000000000001.spool", 0o640, sensor, user.gid),
        ("/run/gdprport-deliver/deliver.sock", 0o660, user.uid, group),
        ("/var/lib/gdprport-deliver", 0o700, user.uid, user.gid),
    ] {
        let meta = fs::metadata(path).expect("it is there");
        assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (mode, uid, gid), "{path}");
    }

    let listener = std::net::TcpListener::bind(("127.0.0.1", port.number())).expect("a free port");
    let connect = || {
        let client = std::net::TcpStream::connect(listener.local_addr().expect("it listens"));
        drop((client.expect("it listens"), listener.accept().expect("a connection")));
    };
    let mut log = EventLog::at(Path::new(EVENTS));
    // Of each connection both ends are closed.
    let mut all_arrive = |what: &str, connections: usize| {
        wait::until(what, || {
            let (arrived, written) = (fake.distinct(), log.refresh());
            let closed = written.iter().filter(|event| event.kind() == "flow.close").count();
            closed == 2 * connections && written.iter().all(|event| arrived.contains(event.id()))
        });
    };
    connect();
    all_arrive("every event arrives", 1);
    who_may_ask(group);

    // Each alone: what comes meanwhile waits in the spool.
    output_of(&["systemctl", "stop", DELIVER]);
    assert_eq!(
        (property_of(DELIVER, "ActiveState"), property_of(DELIVER, "Result")),
        ("inactive".into(), "success".into())
    );
    assert!(!Path::new("/run/gdprport-deliver/deliver.sock").exists());
    let shown = output_of(&["/usr/bin/gdprport", "daemon", "status"]);
    assert!(shown.contains("none answers on /run/gdprport-deliver/deliver.sock"), "{shown}");
    connect();
    output_of(&["systemctl", "start", DELIVER]);
    all_arrive("what waited arrives", 2);
    let deliverer = property_of(DELIVER, "MainPID");
    output_of(&["systemctl", "restart", SENSOR]);
    assert_eq!(property_of(DELIVER, "MainPID"), deliverer, "the sensor's restart is none of its business");
    connect();
    all_arrive("what came after the sensor's restart arrives", 3);

    // Both, in one command: no deliverer of the version before reads what the next sensor writes.
    output_of(&["cp", "--remove-destination", "/usr/bin/gdprport", "/usr/bin/gdprport.new"]);
    output_of(&["mv", "/usr/bin/gdprport.new", "/usr/bin/gdprport"]);
    output_of(&["systemctl", "try-restart", SENSOR, DELIVER]);
    let at = |unit, name| property_of(unit, name).parse::<u64>().expect("a time");
    let (down, up) =
        (at(DELIVER, "InactiveEnterTimestampMonotonic"), at(SENSOR, "ActiveEnterTimestampMonotonic"));
    assert!(0 < down && down < up, "the deliverer stopped at {down}, the sensor started at {up}");
    connect();
    all_arrive("what came after both restarts arrives", 4);

    output_of(&["systemctl", "stop", SENSOR]);
    all_arrive("the sensor's last word arrives", 4);
    let shown = output_of(&["/usr/bin/gdprport", "sink", "status", "--json"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let totals = &shown["sinks"][0]["totals"];
    assert_eq!([&totals["lost"], &totals["uncounted"], &totals["refused"]], [&Value::from(0); 3], "{shown}");
    output_of(&["systemctl", "stop", DELIVER]);
    assert_eq!(property_of(DELIVER, "Result"), "success");
    assert!(Path::new("/var/lib/gdprport-deliver/cursors/siem").exists());
    fs::remove_file("/etc/gdprport/gdprport.toml").expect("root may");
}

fn gid(group: &str) -> u32 {
    let text = fs::read_to_string("/etc/group").expect("groups");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{group}:"))).expect("it was made");
    line.split(':').nth(1).and_then(|gid| gid.parse().ok()).expect("a number")
}

/// The status is for root and members of the group; a test for root.
fn who_may_ask(group: u32) {
    let shown = output_of(&["/usr/bin/gdprport", "sink", "status"]);
    assert!(shown.contains("siem"), "{shown}");
    let member = output_as(&User::games(), &[group], &["/usr/bin/gdprport", "sink", "status"]);
    assert!(member.0.success() && member.1.contains("siem"), "{member:?}");
    let member = output_as(&User::games(), &[group], &["/usr/bin/gdprport", "sink", "test", "siem"]);
    assert!(!member.0.success() && member.1.contains("sudo gdprport sink test"), "{member:?}");
    let other = output_as(&User::games(), &[], &["/usr/bin/gdprport", "sink", "status"]);
    assert!(
        !other.0.success() && other.1.contains("group `gdprport`") && !other.1.contains("siem"),
        "{other:?}"
    );
    let tested = output_of(&["/usr/bin/gdprport", "sink", "test", "siem"]);
    assert!(tested.contains("it arrived"), "{tested}");
}
