//! From a real daemon through its spool and a real deliverer to receivers, on good and on bad days.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use gdprport_tests::daemon::{Daemon, Start, program};
use gdprport_tests::deliver::Deliverer;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::receivers::{Fake, Mood, Plain};
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

/// A daemon with a spool, and a port on which connections are made.
struct Scene {
    dir: TempDir,
    daemon: Daemon,
    listener: TcpListener,
    _port: Port,
}

impl Scene {
    fn start() -> Self {
        let (dir, port) = (TempDir::new(), Port::free());
        let config = format!(
            "[spool]\npath = \"{}\"\nenabled = true\nsync = \"never\"\n",
            dir.join("spool").display()
        );
        let policy = open(port.number()).key("emit = \"every\"").alone();
        let daemon = Start::with(policy).config(&config).start();
        let listener = TcpListener::bind(("127.0.0.1", port.number())).expect("a free port");
        Self { dir, daemon, listener, _port: port }
    }

    /// Makes connections: each is two flows, each of which opens and closes.
    fn connect(&self, count: usize) {
        let address = self.listener.local_addr().expect("it listens");
        for _ in 0..count {
            let client = TcpStream::connect(address).expect("it listens");
            drop((client, self.listener.accept().expect("a connection")));
        }
    }

    /// The configuration of a deliverer: the spool, and these sinks.
    fn config(&self, sinks: &[(&str, &str)]) -> String {
        let mut text = format!("[spool]\npath = \"{}\"\n", self.dir.join("spool").display());
        for (name, keys) in sinks {
            let _ = write!(text, "\n[[sink]]\nname = \"{name}\"\n{keys}\n");
        }
        text
    }

    /// The ids of all events that the daemon wrote so far.
    fn ids(&mut self) -> BTreeSet<String> {
        let events = self.daemon.log.refresh().iter();
        events.map(|event| event.id().to_owned()).collect()
    }

    /// Ends the daemon; then no more events come.
    #[track_caller]
    fn stop(self) -> (TempDir, BTreeSet<String>) {
        let log = self.daemon.stop();
        let ids = log.seen().iter().map(|event| event.id().to_owned());
        (self.dir, ids.collect())
    }
}

fn http(fake: &Fake) -> String {
    format!("type = \"http\"\nurl = \"{}/in\"\n", fake.url())
}

/// The receiver is killed and restarted twice, the deliverer killed twice.
#[test]
fn every_event_arrives_at_least_once_over_kills_of_both_ends() {
    let scene = Scene::start();
    let mut fake = Fake::start(Plain::default());
    let config = scene.config(&[("a", &format!("{}batch = {{ events = 20 }}", http(&fake)))]);
    let mut deliverer = Deliverer::start(&config);
    for round in 0..4 {
        scene.connect(60);
        wait::until("some arrived", || fake.distinct().len() > 100 * round);
        if round % 2 == 0 {
            fake.kill();
            scene.connect(20);
            fake.restart();
        } else {
            deliverer.kill();
            scene.connect(20);
            deliverer.restart();
        }
    }
    let (_dir, ids) = scene.stop();
    wait::until("every id arrived", || fake.distinct() == ids);
    deliverer.wait_until_idle("a");
    let sink = deliverer.sink("a");
    assert_eq!((&sink["totals"]["lost"], &sink["totals"]["refused"]), (&0.into(), &0.into()), "{sink}");
    assert!(sink["began"].as_str().is_some_and(|text| text.contains("where it was")), "{sink}");
    deliverer.stop();
}

#[test]
fn a_deliverer_without_a_sink_says_what_to_do() {
    let dir = TempDir::new();
    let deliverer = Deliverer::start(&format!("[spool]\npath = \"{}\"\n", dir.join("spool").display()));
    let said = || deliverer.stderr().lines().find(|line| line.contains("WARN")).map(ToOwned::to_owned);
    wait::until("it says so", || said().is_some());
    let said = said().expect("a warning");
    assert!(said.contains("has no [[sink]]: add one (`gdprport help sinks`)"), "{said}");
    deliverer.stop();
}

#[test]
fn a_dead_sink_beside_a_live_one_slows_nobody() {
    let mut scene = Scene::start();
    let (live, slow) = (Fake::start(Plain::default()), Fake::start(Plain::default()));
    slow.always(Mood::SlowByTheByte);
    let nobody = Port::free();
    let dead = format!("type = \"http\"\nurl = \"http://127.0.0.1:{}/\"\n", nobody.number());
    let config = scene.config(&[("dead", &dead), ("slow", &http(&slow)), ("live", &http(&live))]);
    let deliverer = Deliverer::start(&config);
    scene.connect(200);
    wait::until("the daemon wrote them", || scene.ids().len() >= 800);
    let ids = scene.ids();
    wait::until("all are at the live one", || live.distinct().is_superset(&ids));
    let status = deliverer.sink("dead");
    assert_eq!(status["state"], "failing", "{status}");
    let why = status["failure"]["why"].as_str().unwrap_or_default();
    assert!(why.contains("nothing listens there"), "{why}");
    assert!(status["lag"]["events"].as_u64() >= Some(800), "{status}");
    let text = String::from_utf8(deliverer.ask(["sink", "status"]).stdout).expect("text");
    assert!(text.contains("1 of 3 sinks cannot deliver") || text.contains("2 of 3"), "{text}");
    deliverer.stop();
}

#[test]
fn a_reload_loses_no_place_and_keeps_what_is_the_same() {
    let scene = Scene::start();
    let (one, two) = (Fake::start(Plain::default()), Fake::start(Plain::default()));
    let deliverer = Deliverer::start(&scene.config(&[("one", &http(&one))]));
    scene.connect(30);
    deliverer.wait_until_idle("one");
    let changed = format!("{}batch = {{ events = 3 }}", http(&one));
    deliverer.rewrite(&scene.config(&[("one", &changed), ("two", &http(&two))]));
    deliverer.reload();
    scene.connect(30);
    // A mistake in one sink leaves it as it was, and does not keep the other from going on.
    let faulty = format!("{}batc = {{ events = 3 }}", http(&one));
    deliverer.rewrite(&scene.config(&[("one", &faulty), ("two", &http(&two))]));
    deliverer.reload();
    let sink = deliverer.sink("one");
    assert!(sink["problems"].as_str().is_some_and(|text| text.contains("did you mean `batch`?")), "{sink}");
    scene.connect(30);
    // A file that is no TOML changes nothing.
    deliverer.rewrite("[[sink");
    deliverer.reload();
    let refused = deliverer.status()["config"]["refused"].clone();
    assert!(refused.as_str().is_some_and(|text| text.contains("gdprport.toml:1:")), "{refused}");
    scene.connect(30);
    deliverer.rewrite(&scene.config(&[("one", &changed), ("two", &http(&two))]));
    deliverer.reload();
    let (_dir, ids) = scene.stop();
    wait::until("all are at both", || one.distinct() == ids && two.distinct() == ids);
    let once = |fake: &Fake| fake.ids().len() == fake.distinct().len();
    assert!(once(&one) && once(&two), "nothing came twice");
    deliverer.stop();
}

/// The second of a name has no worker, before and after a reload that changes the first: both would move one cursor.
#[test]
fn of_two_sinks_of_one_name_the_second_is_shown_as_left_out() {
    let scene = Scene::start();
    let fake = Fake::start(Plain::default());
    let deliverer = Deliverer::start(&scene.config(&[("one", &http(&fake)), ("one", &http(&fake))]));
    let twins = |deliverer: &Deliverer| {
        let status = deliverer.status();
        let sinks = status["sinks"].as_array().expect("sinks").clone();
        assert_eq!(sinks.iter().filter(|sink| sink["name"] == "one").count(), 2, "{status}");
        let faulty: Vec<_> = sinks.iter().filter(|sink| sink["state"] == "faulty").collect();
        assert_eq!(faulty.len(), 1, "{status}");
        assert!(
            faulty[0]["problems"].as_str().is_some_and(|text| text.contains("the name `one` is that of"))
        );
    };
    twins(&deliverer);
    let changed = format!("{}batch = {{ events = 3 }}", http(&fake));
    deliverer.rewrite(&scene.config(&[("one", &changed), ("one", &http(&fake))]));
    deliverer.reload();
    twins(&deliverer);
    assert!(deliverer.ask(["sink", "test", "one"]).status.success());
    deliverer.stop();
}

#[test]
fn all_mistakes_are_shown_at_once_and_the_other_sinks_go_on() {
    let scene = Scene::start();
    let fake = Fake::start(Plain::default());
    let wrong = "type = \"syslog\"\nadress = \"tcp://x:1\"\nstart = \"later\"\n";
    let deliverer = Deliverer::start(&scene.config(&[("wrong", wrong), ("a", &http(&fake))]));
    scene.connect(5);
    wait::until("some arrived", || !fake.distinct().is_empty());
    let sink = deliverer.sink("wrong");
    assert_eq!(sink["state"], "faulty", "{sink}");
    let problems = sink["problems"].as_str().unwrap_or_default();
    for part in ["gdprport.toml:7:1: error:", "did you mean `address`?", "there is no start `later`"] {
        assert!(problems.contains(part), "{problems}");
        assert!(deliverer.stderr().contains(part), "{}", deliverer.stderr());
    }
    let test = deliverer.ask(["sink", "test", "wrong"]);
    let said = String::from_utf8_lossy(&test.stderr).into_owned();
    assert!(said.contains("the sink `wrong` is left out: `gdprport sink status` shows"), "{said}");
    deliverer.stop();
}

#[test]
fn a_test_says_what_the_receiver_answered_or_what_to_do() {
    let scene = Scene::start();
    let mut fake = Fake::start(Plain::default());
    let config = scene.config(&[("a", &format!("{}filter = {{ kinds = \"violation\" }}", http(&fake)))]);
    let deliverer = Deliverer::start(&config);
    let good = deliverer.ask(["sink", "test", "a", "--json"]);
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
    let reply: Value = serde_json::from_slice(&good.stdout).expect("JSON");
    assert_eq!((&reply["arrived"], &reply["kind"]), (&true.into(), &"sink.test".into()), "{reply}");
    assert_eq!(fake.ids(), [reply["id"].as_str().expect("an id")], "nothing but the test");
    assert!(reply["answer"].as_str().is_some_and(|text| text.contains("200")), "{reply}");
    fake.kill();
    let bad = deliverer.ask(["sink", "test", "a"]);
    let text = String::from_utf8(bad.stdout).expect("text");
    assert_eq!(bad.status.code(), Some(1), "{text}");
    assert!(text.contains("it did not arrive") && text.contains("nothing listens there"), "{text}");
    assert!(text.contains("sudo gdprport sink test a"), "{text}");
    let none = deliverer.ask(["sink", "test", "b"]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("these are: a"));
    // Without a deliverer the command does it itself.
    fake.restart();
    let config = deliverer.join("gdprport.toml");
    let mut alone = Command::new(program());
    alone.args(["sink", "test", "a", "--socket", "/nonexistent/x.sock", "--config"]).arg(config);
    let output = alone.output().expect("the program can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("it arrived"), "{text}");
    deliverer.stop();
}

/// Everything that a deliverer shows or writes, but for the file of the secret.
fn shown(deliverer: &Deliverer) -> String {
    let mut text = deliverer.stderr();
    for words in [["sink", "status", "--json"], ["sink", "test", "a"]] {
        let output = deliverer.ask(words);
        text.push_str(&String::from_utf8_lossy(&output.stdout));
        text.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    for file in ["environ", "cmdline"] {
        let bytes = std::fs::read(format!("/proc/{}/{file}", deliverer.pid())).expect("it runs");
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    let cursors = std::fs::read_dir(deliverer.join("state/cursors")).expect("a directory");
    for cursor in cursors {
        text.push_str(&std::fs::read_to_string(cursor.expect("an entry").path()).expect("readable"));
    }
    text
}

fn secret(path: &Path, text: &str, mode: u32) -> String {
    std::fs::write(path, text).expect("writable");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("mode");
    format!("token = \"file:{}\"\n", path.display())
}

/// Wherever it stands, also where it does not belong, and whatever the receiver does with it.
#[test]
fn a_secret_is_nowhere_but_at_its_receiver() {
    const SECRET: &str = "s3cr3t-t0ken-4711";
    let scene = Scene::start();
    let fake = Fake::start(Plain { authorization: Some(format!("Bearer {SECRET}")), ..Plain::default() });
    let place = scene.dir.join("token");
    let keys = format!("{}{}", http(&fake), secret(&place, SECRET, 0o600));
    let misplaced = format!("{}token = \"{SECRET}\"\nbatc = \"{SECRET}\"\n", http(&fake));
    let deliverer = Deliverer::start(&scene.config(&[("a", &keys), ("misplaced", &misplaced)]));
    scene.connect(3);
    wait::until("some arrived", || !fake.ids().is_empty());
    let body = format!("{{\"error\":\"the token {SECRET} is not known\"}}");
    fake.always(Mood::Answer(gdprport_tests::receivers::Reply::text(401, &body)));
    scene.connect(3);
    wait::until("it is refused", || deliverer.sink("a")["failure"].is_object());
    let text = shown(&deliverer);
    assert!(!text.contains(SECRET) && text.contains("401"), "{text}");
    // No core dump, and nobody but root looks into its memory.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", deliverer.pid())).expect("it runs");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    // A file that others can read is refused, with the remedy.
    secret(&place, SECRET, 0o640);
    let test = deliverer.ask(["sink", "test", "a"]);
    let text = String::from_utf8_lossy(&test.stdout).replace("\n               ", " ");
    assert!(text.contains("has mode 0640") && text.contains("chmod 0600"), "{text}");
    assert!(!shown(&deliverer).contains(SECRET));
    deliverer.stop();
}

#[test]
fn two_deliverers_do_not_share_cursors() {
    let scene = Scene::start();
    let deliverer = Deliverer::start(&scene.config(&[]));
    let mut second = Command::new(program());
    second.arg("deliver").arg("--config").arg(deliverer.join("gdprport.toml"));
    second.arg("--state").arg(deliverer.join("state")).arg("--socket").arg(deliverer.join("other.sock"));
    let output = second.output().expect("the program can be started");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("another deliverer (pid ") && text.contains("--state"), "{text}");
    deliverer.stop();
}
