//! The hooks in the kernel: the status shows them, a kernel may lack one, and none stays attached.

use gdprport_tests::bpf::Held;
use gdprport_tests::daemon::Daemon;
use gdprport_tests::daemon_status::IN_ACCEPT;
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::wait;

#[test]
fn status_shows_hooks_policy_ports_and_coverage() {
    let mut pair = Pair::new();
    let connection = pair.connect();
    connection.client.event(&mut pair.daemon.log, "flow.open");
    connection.server.event(&mut pair.daemon.log, "flow.open");
    let status = pair.daemon.status();
    assert_eq!(status["pid"], pair.daemon.pid());
    assert!(
        status["hooks"].as_array().is_some_and(|hooks| hooks.iter().any(|hook| hook["state"] == "attached"))
    );
    assert!(status["policy"]["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")));
    let entry = pair.daemon.port_status(pair.port.number());
    for (key, expected) in
        [("open", 2), ("opened", 2), ("closed", 0), ("declared_flows", 2), ("violations_total", 0)]
    {
        assert_eq!(entry[key], expected, "{key}: {entry}");
    }
    let table = pair.daemon.ask(["daemon", "status"]);
    assert!(
        String::from_utf8_lossy(&table.stdout).contains(&pair.port.to_string()),
        "people see the port too"
    );
    pair.daemon.stop();
}

#[test]
fn a_hook_that_the_kernel_lacks_is_named_and_no_defect() {
    let pair = Pair::new();
    let status = pair.daemon.status();
    let hooks = status["hooks"].as_array().expect("a list");
    let hook = hooks.iter().find(|hook| hook["name"] == IN_ACCEPT).expect("it is in the catalog");
    match hook["state"].as_str() {
        Some("attached") => assert!(hook["error"].is_null(), "{hook}"),
        Some("missing") => assert!(hook["error"].is_string(), "{hook}"),
        _ => panic!("{hook}"),
    }
    assert_eq!(status["health"]["state"], "healthy", "{}", status["health"]);
    pair.daemon.stop();
}

#[test]
fn nothing_stays_attached_after_sigterm_or_sigkill() {
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        let port = Port::free();
        let mut daemon = Daemon::with(open(port.number()).alone());
        let held = Held::by(daemon.pid());
        assert!(!held.programs.is_empty() && !held.is_gone(), "the daemon works with programs: {held:?}");
        daemon.signal(signal);
        wait::until("the daemon ends", || !daemon.is_running());
        wait::until("its programs and links are gone", || held.is_gone());
    }
}
