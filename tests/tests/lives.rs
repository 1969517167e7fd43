//! The life of a connection at its edges: which end it is, how it begins and ends, and what is said of it when.

use gdprport_tests::daemon::Daemon;
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::{open, policy};
use gdprport_tests::ports::Port;
use gdprport_tests::{counters, wait};

/// Has the daemon use this policy.
#[track_caller]
fn reload(daemon: &Daemon, text: &str) {
    daemon.rewrite_policy(text);
    let output = daemon.ask(["daemon", "reload"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Two connections are open while their port leaves the policy: one ends meanwhile, one when the port is back.
#[test]
fn a_port_that_left_the_policy_misses_no_opening() {
    let (mut pair, other) = (Pair::new(), Port::free());
    let (first, second) = (pair.connect(), pair.connect());
    let port = pair.port.number();
    let is_open = |pair: &Pair, count: u64| pair.daemon.port_status(port)["open"] == count;
    wait::until("four ends are known", || is_open(&pair, 4));
    reload(&pair.daemon, &open(other.number()).alone());
    pair.close(&first);
    let _ = counters::settled(&pair.daemon);
    reload(&pair.daemon, &policy([open(port), open(other.number())]));
    wait::until("what is still open was found again", || is_open(&pair, 2));
    pair.close(&second);
    wait::until("nothing is open", || is_open(&pair, 0));
    let status = pair.daemon.port_status(port);
    counters::check_flow_conservation(&status);
    assert_eq!((&status["opening_missed"], &status["unwatched"]), (&0.into(), &4.into()), "{status}");
    assert_eq!(pair.daemon.status()["coverage"]["opening_missed"], 0);
    pair.daemon.stop();
}
