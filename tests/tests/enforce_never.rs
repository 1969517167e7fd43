//! What the kernel never denies, whatever the policy says, as it is reported; and what a port asks for that is to be closed without a daemon.

use std::os::unix::fs::chown;

use gdprport_tests::child::Place;
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::enforce::{Scene, Seen, client, connect};
use gdprport_tests::netns::Netns;
use gdprport_tests::pins::BpfFs;
use gdprport_tests::policy::declare;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::temp::TempDir;
use gdprport_tests::user::User;

/// Its own user's connects alone, and only while that is not root.
#[test]
fn the_deliverer_reaches_its_receivers_whatever_the_policy_says() {
    let (scene, program) = (Scene::new(), client());
    let (games, backup) = (User::games(), User::backup());
    let dir = TempDir::new();
    let state = dir.dir_for("state", &games);
    let sink = format!(
        "[[sink]]\nname = \"siem\"\ntype = \"syslog\"\naddress = \"tcp://127.0.0.1:{}\"\n",
        scene.port()
    );
    let config = format!("[deliver]\nstate = \"{}\"\n{sink}[spool]\nenabled = false\n", state.display());
    let start = |config: &str| Start::with(scene.declared("enforce").alone()).config(config).start();
    let of = |user| connect(&program.path(), scene.port(), Place::default().user(user));
    let mut daemon = start(&config);
    assert_eq!((of(&games), of(&backup)), (Seen::Connected, Seen::Denied));
    let violation = daemon.log.wait("its violation", |event| {
        event.is("violation", scene.port())
            && event.text("process.user") == games.name
            && event.ends("out").is_some()
    });
    assert_eq!(violation.text("flow.outcome"), "established", "{}", violation.line());
    let status = daemon.status()["enforcement"].clone();
    assert_eq!(status["sinks"][0], "siem", "{status}");
    assert_eq!(status["decisions"]["left"], 1, "{status}");
    daemon.stop();

    chown(&state, Some(0), Some(0)).expect("root may");
    let daemon = start(&config);
    assert_eq!(
        connect(&program.path(), scene.port(), Place::default()),
        Seen::Denied,
        "whatever root starts"
    );
    daemon.stop();
}

/// What it asks for cannot be had without pins, which is said where people look.
#[test]
fn to_be_closed_without_a_daemon_needs_pins() {
    let (scene, fs) = (Scene::new(), BpfFs::new());
    let policy = scene.declared("enforce").key("enforce.on_daemon_loss = \"deny\"").alone();
    let start = Start::with(policy);
    let health = |daemon: &Daemon| daemon.status()["health"].clone();
    let daemon = start.clone().start();
    let said = health(&daemon);
    assert!(said["state"] == "degraded" && said.to_string().contains("needs pins"), "{said}");
    daemon.stop();
    let daemon = start.pins(&fs.pins()).start();
    assert_eq!(health(&daemon)["state"], "healthy");
    daemon.interrupt();
}

#[test]
fn a_name_service_on_the_loopback_is_reached_whatever_is_denied() {
    let (netns, program) = (Netns::new(), client());
    let here = Place::default().netns(&netns);
    let mut server = Puppet::at(here);
    server.listen("127.0.0.1:53");
    server.ask("serve");
    let policy = declare("names", 53).key("mode = \"enforce\"").allow("serving", "in", "loopback", "");
    let daemon = Daemon::with(policy.alone());
    assert_eq!(connect(&program.path(), 53, here), Seen::Connected);
    let status = daemon.status()["enforcement"].clone();
    assert_eq!(status["decisions"]["left"], 1, "{status}");
    daemon.stop();
}
