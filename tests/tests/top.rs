//! `gdprport top`, driven in a terminal beside a real daemon and real connections.

use std::path::Path;
use std::process::{Command, Stdio};

use gdprport_tests::child::{Child, Place};
use gdprport_tests::daemon::{ask, program};
use gdprport_tests::need;
use gdprport_tests::policy::declare;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::temp::TempDir;
use gdprport_tests::tmux::Screen;
use gdprport_tests::wait;
use serde_json::Value;

/// A daemon whose socket the next one takes over.
fn daemon(dir: &TempDir) -> Child {
    let mut command = Command::new(program());
    command.args(["daemon", "run", "--socket"]).arg(dir.join("control.sock"));
    command.arg("--policy").arg(dir.join("policy.toml")).arg("--events").arg(dir.join("events.ndjson"));
    command.arg("--config").arg(dir.join("gdprport.toml")).arg("--ledger").arg(dir.join("ledger.db"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = Child::start(command, Place::default());
    wait::until("the daemon replies", || {
        assert_eq!(child.ended(), None, "the daemon ended instead");
        ask(&dir.join("control.sock"), ["daemon", "status"]).status.success()
    });
    child
}

fn stop(mut daemon: Child) {
    daemon.signal(libc::SIGTERM);
    assert_eq!(daemon.wait(wait::TIMEOUT).code(), Some(0));
}

/// The first line of the screen that has this in it.
fn line(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part}:\n{text}"))
}

/// The files that the shell's directory has.
fn saved(screen: &Screen) -> Vec<Value> {
    let files = std::fs::read_dir(screen.home()).expect("a directory").flatten();
    let json = files.filter(|file| file.path().extension().is_some_and(|end| end == "json"));
    json.map(|file| serde_json::from_slice(&std::fs::read(file.path()).expect("readable")).expect("JSON"))
        .collect()
}

/// From the first look to the violation, its rule, a filter, a pause, a file, the background, and a daemon that stops.
#[test]
fn a_violation_is_found_understood_and_kept_in_sight() {
    let screen = need!(Screen::new(100, 30));
    let (dir, port) = (TempDir::new(), Port::free());
    let number = port.number();
    let rules = declare("customers-db", number).allow("serving", "in", "127.0.0.0/8", "");
    dir.write("policy.toml", &rules.allow("calling", "out", "192.0.2.0/24", "").alone());
    dir.write("gdprport.toml", "");
    let socket = dir.join("control.sock");
    // Strangers of other tests on this host are none of its business.
    let top = format!("{} top --socket {} port:{number}", program().display(), socket.display());

    screen.command(&top);
    let text = screen
        .until("it says what to do without a daemon", |text| text.replace('\n', "").contains("daemon run"));
    // The shell breaks it where the line is full.
    assert!(text.replace('\n', "").contains("systemctl start gdprport"), "{text}");
    screen.command("clear");
    screen.until_prompt();

    let running = daemon(&dir);
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    server.listen(format!("127.0.0.1:{number}"));
    let there = client.connect(format!("127.0.0.1:{number}"));
    let here = server.accept();
    screen.command(&top);

    // The violation comes first, with its reason in words, and coverage above it.
    let text = screen.until("both ends are there", |text| {
        text.contains("✗ violation") && text.contains("✓ declared") && text.contains("no gap in 24 h")
    });
    let violation = line(&text, "✗ violation");
    assert!(violation < line(&text, "✓ declared"), "{text}");
    let reason = text.lines().nth(violation + 1).unwrap_or_default();
    assert!(reason.contains("127.0.0.1 is not in 192.0.2.0/24 of calling"), "{text}");
    assert!(line(&text, "coverage") == 1 && text.contains("nothing lost"), "{text}");
    assert!(text.contains("customers-db") && text.contains(&number.to_string()), "{text}");

    // What is selected opens: the rule that came closest, key by key, and the history.
    screen.press("Enter");
    let text = screen.until("the rule and the history are shown", |text| {
        text.contains("the nearest rule") && text.contains("this group")
    });
    assert!(text.contains("calling") && text.contains("✗ peers"), "{text}");
    assert!(text.contains(&format!("pid {}", client.pid())), "{text}");
    screen.press("Escape");

    // A filter leaves out what it does not name; a mistake is said while it is typed.
    screen.text("/ verdict:declared");
    screen.until("the violation is left out", |text| {
        text.contains("✓ declared")
            && !text.contains("✗ violation")
            && text.contains(&format!("filter: port:{number} verdict:declared"))
    });
    screen.text(" prot:5");
    screen.until("the mistake is said", |text| text.contains("`prot:` is no key; did you mean `port:`?"));
    screen.press("Escape");
    screen.until("the filter is gone", |text| text.contains("✗ violation"));

    // What is paused stands.
    screen.text("p");
    screen.until("it is paused", |text| text.contains("paused: as of"));
    let (more_there, more_here) = (client.connect(format!("127.0.0.1:{number}")), server.accept());
    screen.text("s");
    screen.until("the file is named", |text| text.contains("saved in") && text.contains("gdprport-top-"));
    let files = saved(&screen);
    assert_eq!(files.len(), 1);
    let worst = &files[0]["groups"][0];
    assert_eq!((&worst["flows"], &worst["verdict"]["outcome"]), (&Value::from(1), &Value::from("violation")));
    screen.text("p");
    let two = |text: &str| text.lines().any(|line| line.contains("✗ violation") && line.contains(" 2 "));
    screen.until("it goes on", two);

    // Strangers that are over stay in sight.
    for (client_end, server_end) in [(there, here), (more_there, more_here)] {
        client.close(client_end);
        server.close(server_end);
    }
    screen.until("they ended", |text| text.contains("2 ended: 127.0.0.1 is not in"));

    // To the background and back.
    screen.press("C-z");
    screen.until("the shell is back", |text| text.contains("Stopped"));
    screen.command("fg");
    screen.until("it is back", |text| text.contains("✗ violation") && !text.contains("Stopped"));

    // A daemon that stops leaves what was known, and says so; the next one is found.
    stop(running);
    let text =
        screen.until("it says that it is old", |text| text.contains("not connected: no daemon answers"));
    assert!(text.contains("as of ") && text.contains("✗ violation"), "{text}");
    let running = daemon(&dir);
    screen.until("it is connected again", |text| {
        !text.contains("not connected") && text.contains("nothing lost")
    });

    // However it ends, the terminal is as it was.
    screen.text("q");
    screen.until_prompt();
    screen.command(&top);
    screen.until("it is there again", |text| text.contains("nothing lost"));
    let children = screen.children();
    let [pid] = children[..] else { panic!("{children:?}") };
    // SAFETY: plain system call; it is the program that this test has started.
    unsafe { libc::kill(i32::try_from(pid).expect("a pid"), libc::SIGTERM) };
    screen.until_prompt();
    screen.command("clear; stty -a | grep -o ' -*icanon\\| -*echo ' | tr '\\n' ,");
    let text = screen.until("stty prints", |text| text.contains("echo ,"));
    assert!(!text.contains("-icanon") && !text.contains("-echo"), "{text}");
    stop(running);
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let dir = TempDir::new();
    let socket = dir.join("control.sock");
    let said = |words: &[&str], socket: &Path| {
        let output = ask(socket, words);
        assert_eq!(output.stdout, b"");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = said(&["top"], &socket);
    assert_eq!(code, Some(2));
    assert!(text.contains("`gdprport daemon status` and `gdprport flows`"), "{text}");
    let (code, text) = said(&["top", "--json"], &socket);
    assert_eq!(code, Some(2));
    assert!(text.contains("`gdprport flows --json`"), "{text}");
}
