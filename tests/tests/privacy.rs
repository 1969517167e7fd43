//! What leaves the daemon shows no true peer and no person, if that is asked for; and nothing starts that would.

use std::path::Path;
use std::process::{Command, Output};

use gdprport_tests::child::Place;
use gdprport_tests::daemon::{Daemon, Start, program};
use gdprport_tests::event::Event;
use gdprport_tests::netns::VethPair;
use gdprport_tests::policy::{Declaration, declare};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::{ProgramCopy, Puppet};
use gdprport_tests::temp::{TempDir, set_mode};
use gdprport_tests::user::User;
use serde_json::Value;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER_KEY: &str = "f0f102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Users that only the daemon's own `/etc/passwd` has: one who talks, and one whom the policy names.
const PERSON: &str = "zqzoe";
const DECLARED: &str = "zqdan";
const UID: u32 = 1_234_567;

fn person() -> User {
    User { name: PERSON.to_owned(), uid: UID, gid: UID, group: PERSON.to_owned() }
}

/// Two namespaces, and a program of a person's that talks from one to the other.
struct Scene {
    dir: TempDir,
    net: VethPair,
    port: Port,
    program: ProgramCopy,
}

impl Scene {
    fn new() -> Self {
        let program = ProgramCopy::new("puppet", &format!("{PERSON}-tool"));
        Self { dir: TempDir::new(), net: VethPair::new(), port: Port::free(), program }
    }

    fn key(&self, name: &str, key: &str) -> String {
        let path = self.dir.write(name, &format!("{key}\n"));
        set_mode(&path, 0o600);
        path.display().to_string()
    }

    /// Who talks is not whom the rules name: their texts are in every event.
    fn declared(&self) -> Declaration {
        let process = format!("user = \"{DECLARED}\", exe = \"/home/{DECLARED}/bin/*\"");
        declare("orders", self.port.number()).allow("serving", "in", VethPair::SILENT, &process).allow(
            "calling",
            "out",
            VethPair::SILENT,
            &process,
        )
    }

    /// A daemon whose `/etc/passwd` names the persons.
    fn daemon(&self, privacy: &str) -> Daemon {
        let entry = |name: &str, uid: u32| format!("{name}:x:{uid}:{uid}::/srv/people/{name}:/bin/sh");
        let (person, declared) = (entry(PERSON, UID), entry(DECLARED, UID + 1));
        let script = format!(
            "cat /etc/passwd > {0}/passwd; echo '{person}' >> {0}/passwd; echo '{declared}' >> {0}/passwd\n\
             cat /etc/group > {0}/group; echo '{PERSON}:x:{UID}:' >> {0}/group\n\
             mount --bind {0}/passwd /etc/passwd; mount --bind {0}/group /etc/group",
            self.dir.path().display()
        );
        let config = format!("[privacy]\n{privacy}\n");
        Start::with(self.declared().alone()).config(&config).prepare(&script).start()
    }

    /// Connects the one with the other; they stay connected as long as both live.
    fn talk(&self) -> (Puppet, Puppet, u16) {
        let user = person();
        let mut server =
            Puppet::run(&self.program.path(), Place::default().netns(&self.net.right).user(&user));
        server.listen(format!("{}:{}", VethPair::RIGHT, self.port));
        let mut client =
            Puppet::run(&self.program.path(), Place::default().netns(&self.net.left).user(&user));
        let held = client.connect(format!("{}:{}", VethPair::RIGHT, self.port));
        server.accept();
        (server, client, held.address.port())
    }

    /// The violations of both ends: who called, and who was called.
    fn violations(&self, daemon: &mut Daemon, local: u16) -> [Event; 2] {
        let port = self.port.number();
        [("out", local, port), ("in", port, local)]
            .map(|(direction, local, peer)| daemon.log.flow("violation", direction, local, peer))
    }
}

/// Runs `privacy` with these words; its reply.
#[track_caller]
fn privacy(words: &[&str]) -> Value {
    let output = Command::new(program()).arg("privacy").args(words).arg("--json").output();
    let output = output.expect("the program can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn resolve(words: &[&str]) -> Value {
    let dir = TempDir::new();
    let config = dir.write("gdprport.toml", "");
    let config = config.to_str().expect("a path that is UTF-8");
    privacy(&[&["resolve", "--config", config], words].concat())
}

fn hides(privacy_key: &str) -> String {
    format!("pseudonymise = [\"peers\", \"users\"]\nkey = \"{privacy_key}\"")
}

#[test]
fn nothing_that_leaves_shows_a_peer_or_a_person() {
    let scene = Scene::new();
    let key = scene.key("key", KEY);
    let mut daemon = scene.daemon(&hides(&key));
    let (server, client, local) = scene.talk();
    let [called, accepted] = scene.violations(&mut daemon, local);

    let uid = UID.to_string();
    let resolved = resolve(&["--key", &key, "--user", PERSON, "--uid", &uid, "--address", VethPair::RIGHT]);
    let pseudonym = |at: usize| resolved["pseudonyms"][at]["pseudonym"].as_str().expect("a text").to_owned();
    assert_eq!(called.text("flow.peer.ip"), pseudonym(2), "{}", called.line());
    assert_eq!(called.text("process.user"), pseudonym(0), "{}", called.line());
    assert_eq!(called.number("process.uid").map(|uid| uid.to_string()), Some(pseudonym(1)));
    assert_eq!(called.text("flow.id"), accepted.text("flow.id"), "both ends share it");
    assert_eq!(called.text("agent.privacy.key"), resolved["key"].as_str().expect("a text"));
    assert_eq!(called.reasons(), ["undeclared-peer", "undeclared-process"], "{}", called.line());

    let rows = daemon.ask(["flows", "--json"]);
    let table = daemon.ask(["flows"]);
    let status = daemon.ask(["daemon", "status"]);
    let reply: Value = serde_json::from_slice(&rows.stdout).expect("JSON");
    assert_eq!(reply["flows"].as_array().map(Vec::len), Some(2), "{reply}");
    assert_eq!(reply["privacy"]["users"], "hmac");
    let row = |direction| {
        let rows = reply["flows"].as_array().into_iter().flatten();
        rows.filter(|row| row["direction"] == direction).map(ToString::to_string).collect::<String>()
    };
    drop((server, client));
    let port = scene.port.number();
    daemon.log.wait_count("both ends close", 2, |event| event.is("flow.close", port));
    daemon.log.wait("the listener closes", |event| event.is("listener.close", port));
    let log = daemon.stderr();
    let events = daemon.stop();

    let shown = [rows.stdout, table.stdout, status.stdout, log.into_bytes()]
        .map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    let lines = events.seen().iter().map(|event| event.line().to_owned());
    for text in lines.chain(shown) {
        for person in [PERSON, DECLARED, &uid, &(UID + 1).to_string()] {
            assert!(!text.contains(person), "{person} in {text}");
        }
        assert!(!text.contains(VethPair::SILENT), "whom the policy names, in {text}");
    }
    // The address of the one is the local one of the other.
    let by = |direction: &str| {
        let of = events.seen().iter().filter(|event| event.at("flow.direction") == direction);
        of.map(|event| event.line().to_owned()).collect::<String>()
    };
    assert!(!by("out").contains(VethPair::RIGHT) && !row("out").contains(VethPair::RIGHT));
    assert!(!by("in").contains(VethPair::LEFT) && !row("in").contains(VethPair::LEFT));
}

#[test]
fn one_key_gives_one_pseudonym_and_another_another() {
    let scene = Scene::new();
    let (key, other) = (scene.key("key", KEY), scene.key("other", OTHER_KEY));
    let mut daemons = [&key, &key, &other].map(|key| scene.daemon(&hides(key)));
    let (_server, _client, local) = scene.talk();
    let seen = daemons.each_mut().map(|daemon| {
        let [called, _] = scene.violations(daemon, local);
        ["flow.peer.ip", "process.user", "flow.id", "agent.privacy.key"]
            .map(|field| called.text(field).to_owned())
    });
    assert_eq!(seen[0], seen[1]);
    for (one, another) in seen[0].iter().zip(&seen[2]) {
        assert_ne!(one, another);
    }
    for daemon in daemons {
        daemon.stop();
    }
}

#[test]
fn truncated_peers_are_the_first_address_of_their_network() {
    let scene = Scene::new();
    let mut daemon = scene.daemon("truncate = { ipv4 = 16, ipv6 = 48 }");
    let (_server, _client, local) = scene.talk();
    let [called, _] = scene.violations(&mut daemon, local);
    assert_eq!(called.text("flow.peer.ip"), "10.77.0.0");
    assert_eq!(called.text("process.user"), PERSON, "users were not to be hidden");
    assert_eq!(called.text("agent.privacy.peers"), "truncated");
    assert_eq!(called.number("agent.privacy.ipv4_bits"), Some(16));
    assert!(!called.line().contains(VethPair::RIGHT), "{}", called.line());
    daemon.stop();
}

/// `daemon run` with this configuration, which must not start.
#[track_caller]
fn refused(dir: &TempDir, privacy: &str) -> String {
    let config = dir.write("gdprport.toml", &format!("[privacy]\n{privacy}\n"));
    let mut command = Command::new(program());
    command.args(["daemon", "run", "--no-policy", "--config"]).arg(config);
    command.arg("--events").arg(dir.join("events")).arg("--socket").arg(dir.join("socket"));
    let Output { status, stderr, .. } = command.output().expect("the program can be run");
    let text = String::from_utf8(stderr).expect("UTF-8");
    assert_eq!(status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!dir.join("events").exists(), "nothing was written");
    text
}

#[test]
fn without_its_key_the_daemon_does_not_start() {
    let dir = TempDir::new();
    let key = dir.join("key");
    let asks = hides(&key.display().to_string());
    assert!(refused(&dir, "pseudonymise = [\"peers\"]").contains("has no key"));
    let missing = refused(&dir, &asks);
    assert!(missing.contains("gdprport privacy rotate"), "{missing}");
    dir.write("key", &KEY[..40]);
    set_mode(&key, 0o600);
    let short = refused(&dir, &asks);
    assert!(short.contains("it has 40 bytes") && !short.contains(&KEY[..40]), "{short}");
    dir.write("key", KEY);
    set_mode(&key, 0o640);
    let open = refused(&dir, &asks);
    assert!(open.contains("mode 0640") && open.contains("chmod go="), "{open}");
    std::fs::remove_file(&key).expect("it was written");
    std::fs::create_dir(&key).expect("a directory");
    assert!(refused(&dir, &asks).contains("a directory"));
}

fn rotate(key: &Path) -> Value {
    privacy(&["rotate", "--key", &key.display().to_string()])
}

#[test]
fn a_key_is_made_and_replaced_and_the_old_one_still_finds() {
    let dir = TempDir::new();
    let key = dir.join("keys/pseudonyms");
    let first = rotate(&key);
    let at = |key: &str| resolve(&["--key", key, "--user", PERSON, "--address", "10.0.0.9"]);
    let before = at(&key.display().to_string());
    let second = rotate(&key);
    assert_ne!(first["key"], second["key"]);
    let kept = second["kept"].as_str().expect("the first one is kept");
    assert_eq!(at(kept), before);
    assert_ne!(at(&key.display().to_string())["pseudonyms"], before["pseudonyms"]);
    let third = rotate(&key);
    assert_eq!(third["removed"][0].as_str(), Some(kept), "one old key is kept");
}
