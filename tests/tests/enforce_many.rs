//! A policy of many peers comes into force while the daemon's loop goes on, and until it does the one before decides.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use gdprport_tests::child::Place;
use gdprport_tests::daemon::{Daemon, ask};
use gdprport_tests::enforce::{Scene, Seen, client, connect};
use gdprport_tests::puppet::ProgramCopy;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;
use serde_json::Value;

/// Enough that making and writing the tables of a policy takes many times as long as a request to the daemon.
const PEERS: u32 = 20_000;

/// Reloads until one of them is seen at work.
const ATTEMPTS: usize = 8;

/// A policy that lets these programs connect, and anybody to many other peers.
fn many(scene: &Scene, programs: [&ProgramCopy; 2]) -> String {
    let [a, b] = programs.map(|program| program.path().display().to_string());
    let mut text = scene.policy("enforce", &format!("exe = [\"{a}\", \"{b}\"]"));
    text.push_str("\n[[port.allow]]\nrole = \"others\"\ndirection = \"out\"\npeers = [\n");
    for peer in 0..PEERS {
        let _ = writeln!(text, "\"10.{}.{}.{}\",", peer >> 16, peer >> 8 & 255, peer & 255);
    }
    text.push_str("]\n");
    text
}

/// Ends the connects, also when an expectation fails.
struct Over<'scope>(&'scope AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn digest(status: &Value) -> String {
    status["policy"]["digest"].as_str().unwrap_or_else(|| panic!("no digest: {status}")).to_owned()
}

fn reload(socket: &Path) {
    let output = ask(socket, ["daemon", "reload"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The daemon is started with few peers: there is room for as many as a policy may have.
#[test]
fn the_loop_goes_on_while_many_peers_are_written() {
    let scene = Scene::new();
    let programs: [ProgramCopy; 4] = std::array::from_fn(|_| client());
    let [first, second, both, nobody] = &programs;
    let port = scene.port();
    let of = |program: &ProgramCopy| connect(&program.path(), port, Place::default());
    let both_of = [first, second].map(|one| many(&scene, [one, both]));
    let mut daemon = Daemon::with(scene.policy("enforce", &format!("exe = \"{}\"", first.path().display())));
    daemon.rewrite_policy(&both_of[0]);
    reload(daemon.socket());
    let mut seen = 0;
    for attempt in 1..=ATTEMPTS {
        let (now, next) = if attempt % 2 == 0 { (second, first) } else { (first, second) };
        let before = digest(&daemon.status());
        daemon.rewrite_policy(&both_of[attempt % 2]);
        let (socket, over) = (daemon.socket().to_owned(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let reloads = scope.spawn(|| reload(&socket));
            let ended = Over(&over);
            // What both policies say is what happens, at every moment.
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!((of(both), of(nobody)), (Seen::Connected, Seen::Denied));
                }
            });
            let is_written = |status: &Value| status["enforcement"]["writing"] == true;
            while !reloads.is_finished() {
                if !is_written(&daemon.status()) {
                    continue;
                }
                // The one before decides, and what it denies is reported.
                let (allowed, denied) = (of(now), of(next));
                let path = next.path().display().to_string();
                let event = daemon.log.wait("a denied connect", |event| {
                    event.is("flow.fail", port) && event.text("process.exe") == path
                });
                let status = daemon.status();
                if is_written(&status) && !reloads.is_finished() {
                    assert_eq!((allowed, denied), (Seen::Connected, Seen::Denied), "{}", event.line());
                    assert_eq!(digest(&status), before, "it is not in force");
                    seen += 1;
                    break;
                }
            }
            reloads.join().expect("it is replied to");
            drop(ended);
        });
        assert_eq!((of(now), of(next)), (Seen::Denied, Seen::Connected), "it is in force with its reply");
        assert_ne!(digest(&daemon.status()), before);
        if seen > 0 {
            break;
        }
    }
    assert!(seen > 0, "nothing was answered while tables were written");
    drop(daemon.stop());
}

/// The first one is written when the second one is asked for.
#[test]
fn of_two_reloads_at_once_the_last_one_stays() {
    let scene = Scene::new();
    let (first, second) = (client(), client());
    let of = |program: &ProgramCopy| connect(&program.path(), scene.port(), Place::default());
    let only =
        |program: &ProgramCopy| scene.policy("enforce", &format!("exe = \"{}\"", program.path().display()));
    let daemon = Daemon::with(only(&first));
    let before = digest(&daemon.status());
    let mut between = 0;
    for _ in 0..ATTEMPTS {
        daemon.rewrite_policy(&many(&scene, [&first, &first]));
        let socket = daemon.socket().to_owned();
        std::thread::scope(|scope| {
            let reloads = scope.spawn(|| reload(&socket));
            while !reloads.is_finished() && daemon.status()["enforcement"]["writing"] != true {}
            between += usize::from(!reloads.is_finished());
            daemon.rewrite_policy(&only(&second));
            reload(daemon.socket());
        });
        assert_eq!((of(&first), of(&second)), (Seen::Denied, Seen::Connected), "the last one is in force");
        let last = digest(&daemon.status());
        assert_ne!(last, before);
        if between > 0 {
            break;
        }
        daemon.rewrite_policy(&only(&first));
        reload(daemon.socket());
    }
    assert!(between > 0, "no reload was asked for while another one was written");
    drop(daemon.stop());
}

/// Whoever tries it may have gone, as with Ctrl-C.
#[test]
fn a_trial_that_is_taken_back_as_it_is_written_never_comes() {
    let scene = Scene::new();
    let (first, second) = (client(), client());
    let of = |program: &ProgramCopy| connect(&program.path(), scene.port(), Place::default());
    let only = scene.policy("enforce", &format!("exe = \"{}\"", first.path().display()));
    let daemon = Daemon::with(only);
    let before = digest(&daemon.status());
    let dir = TempDir::new();
    let name = daemon.policy().file_name().expect("a name").to_string_lossy().into_owned();
    dir.write(&name, &many(&scene, [&second, &second]));
    let file = dir.join(&name).display().to_string();
    for _ in 0..ATTEMPTS {
        let socket = daemon.socket().to_owned();
        let ended = std::thread::scope(|scope| {
            let words = ["policy", "apply", &file, "--yes", "--confirm", "10m"];
            let apply = scope.spawn(move || ask(&socket, words));
            while !apply.is_finished() && daemon.status()["enforcement"]["writing"] != true {}
            let revert = daemon.ask(["policy", "revert"]);
            let said = String::from_utf8_lossy(&revert.stdout).into_owned();
            assert!(said.contains(&format!("taken back; in force is {before}")), "{revert:?}");
            apply.join().expect("it ends")
        });
        assert!(!ended.status.success(), "{ended:?}");
        assert_eq!(digest(&daemon.status()), before);
        assert_eq!((of(&first), of(&second)), (Seen::Connected, Seen::Denied));
        let said =
            String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout);
        if said.contains("it was taken back before it was in force") {
            wait::until("the other tables are gone", || daemon.status()["enforcement"]["writing"] != true);
            assert_eq!((of(&first), of(&second)), (Seen::Connected, Seen::Denied));
            drop(daemon.stop());
            return;
        }
    }
    panic!("it was never taken back so early");
}

/// The kernel's tables are made for a thousand rules when the daemon starts with few.
#[test]
fn a_policy_without_room_beside_the_other_takes_its_place() {
    let scene = Scene::new();
    let programs: [ProgramCopy; 2] = std::array::from_fn(|_| client());
    let of = |program: &ProgramCopy| connect(&program.path(), scene.port(), Place::default());
    let rules = |count: u32, program: &ProgramCopy| {
        let mut text = scene.policy("enforce", &format!("exe = \"{}\"", program.path().display()));
        for rule in 0..count {
            let peer = format!("10.1.{}.{}", rule >> 8, rule & 255);
            let _ = writeln!(
                text,
                "[[port.allow]]\nrole = \"r{rule}\"\ndirection = \"out\"\npeers = [\"{peer}\"]\n\
                 process = {{ user = {} }}",
                20_000 + rule
            );
        }
        text
    };
    let daemon = Daemon::with(rules(1, &programs[0]));
    let error = || daemon.status()["enforcement"]["error"].clone();
    for (rules, program) in [(rules(5_000, &programs[1]), 1), (rules(5_001, &programs[0]), 0)] {
        daemon.rewrite_policy(&rules);
        reload(daemon.socket());
        assert_eq!(of(&programs[program]), Seen::Connected);
        assert_eq!(of(&programs[1 - program]), Seen::Denied, "{}", error());
    }
    let said = daemon.stderr();
    assert!(said.contains("no room for two policies at once"), "{said}");
    daemon.rewrite_policy(&rules(9_000, &programs[0]));
    reload(daemon.socket());
    let why = error();
    assert!(why.as_str().is_some_and(|why| why.contains("room for 8192 entries")), "{why}");
    assert_eq!(of(&programs[1]), Seen::Connected, "nothing is denied");
    daemon.rewrite_policy(&rules(1, &programs[1]));
    reload(daemon.socket());
    assert_eq!((of(&programs[0]), of(&programs[1])), (Seen::Denied, Seen::Connected));
    assert!(error().is_null());
    drop(daemon.stop());
}
