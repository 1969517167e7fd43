//! `gdprport init`: what it saw of real servers is declared by the policy that it writes, and nothing else is.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use gdprport_tests::child::{Child, Place};
use gdprport_tests::client::run;
use gdprport_tests::commands::{gdprport, text};
use gdprport_tests::daemon::{Daemon, program};
use gdprport_tests::need;
use gdprport_tests::servers::Postgres;
use gdprport_tests::temp::TempDir;
use gdprport_tests::truth::{End, check_declared};
use gdprport_tests::user::User;
use gdprport_tests::wait;

#[track_caller]
fn init(file: &Path, words: &[&str]) -> Output {
    let file = file.to_str().expect("UTF-8");
    let words = [&["init", "--no-input", "--output", file], words].concat();
    let output = gdprport(&words);
    assert!(output.status.success(), "{}", text(&output.stderr));
    output
}

/// From nothing to a verdict: a server and its client are looked at, the policy that is written is checked and applied, and the
/// next connections are judged by it.
#[test]
fn what_init_saw_is_declared_and_a_stranger_is_not() {
    let postgres = need!(Postgres::start());
    let port = postgres.server.port.number();
    let (client, stranger) = (User::games(), User::backup());
    let mut connected =
        Child::start(postgres.client("127.0.0.1", "select pg_sleep(600)"), Place::default().user(&client));
    let dir = TempDir::new();
    let file = dir.path().join("policy.toml");
    let begun = Instant::now();
    let mut written = String::new();
    wait::until("the client is connected and seen", || {
        let _ = std::fs::remove_file(&file);
        init(&file, &["--controller", "Example GmbH", "--contact", "privacy@example.org"]);
        written = std::fs::read_to_string(&file).expect("it was written");
        // Other tests have servers and clients too.
        let (_, declaration) = written.split_once(&format!("\nport = {port}\n")).unwrap_or_default();
        let declaration = declaration.split("\n[[port]]\n").next().unwrap_or_default();
        declaration.contains(&format!("user = \"{}\"", client.name))
    });
    connected.end(libc::SIGKILL);

    let checked = gdprport(&["policy", "check", "--any-owner", "--json", file.to_str().expect("UTF-8")]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).expect("JSON");
    let problems = report["problems"].as_array().expect("a list");
    assert!(problems.iter().all(|problem| problem["severity"] == "warning"), "{problems:?}");
    let blank = |problem: &serde_json::Value| {
        problem["message"]
            .as_str()
            .is_some_and(|message| message.contains("the record of processing has no `purpose`"))
    };
    assert!(problems.iter().any(blank), "what nobody knows is left blank: {problems:?}");

    let mut daemon = Daemon::beside(port, written.as_str());
    let connect = |host: &str, user: &User| {
        let ran = run(postgres.client(host, Postgres::PORT_QUERY), Place::default().user(user));
        let local: u16 = ran.output.parse().expect("a port");
        (
            End::client(ran.pid, postgres.client_exe(), &user.name, local, port),
            End::server(postgres.server.pid(), &postgres.server.exe, &postgres.server.user.name, port, local),
        )
    };
    let (out, accepted) = connect("127.0.0.1", &client);
    check_declared(&out.event(&mut daemon.log, "flow.open"), "psql");
    let opened = accepted.event(&mut daemon.log, "flow.open");
    assert_eq!(opened.text("verdict.outcome"), "declared", "{}", opened.line());
    eprintln!("from the first look to the first verdict: {:.1?}", begun.elapsed());
    let (out, _) = connect("127.0.0.1", &stranger);
    let opened = out.event(&mut daemon.log, "flow.open");
    assert_eq!(opened.text("verdict.outcome"), "violation", "{}", opened.line());
    assert_eq!(opened.reasons(), ["undeclared-process"], "{}", opened.line());
    daemon.stop();
}

#[test]
fn init_replaces_no_file_and_leaves_none_half_written() {
    let dir = TempDir::new();
    let file = dir.write("policy.toml", "mine\n");
    let path = file.to_str().expect("UTF-8");
    let refused = gdprport(&["init", "--no-input", "--output", path]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("exists already; --force"), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "mine\n");
    let said = text(&init(&file, &["--force"]).stderr);
    assert!(said.contains("blanks left") && said.contains("policy check"), "{said}");
    assert!(std::fs::read_to_string(&file).expect("it is there").starts_with("# A starter policy for "));
    let nowhere = gdprport(&["init", "--no-input", "--output", &format!("{path}/x")]);
    assert_eq!(nowhere.status.code(), Some(1));
    let left = std::fs::read_dir(dir.path()).expect("readable").flatten().count();
    assert_eq!(left, 1, "only the policy is there");
}

#[test]
fn init_asks_nobody_without_a_terminal() {
    let output = gdprport(&["init", "--service", "1=yes"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("# [controller]"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("nothing was seen of port 1"), "{}", text(&output.stderr));
    let json = gdprport(&["init", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert!(report["policy"].as_str().is_some_and(|policy| policy.contains("version = 1")), "{report}");
}

#[test]
fn a_ledger_that_is_missing_says_what_to_do() {
    for words in [
        &["flows", "--since", "7d", "--ledger", "/nonexistent/ledger.db"][..],
        &["init", "--from-ledger", "--ledger", "/nonexistent/ledger.db"],
    ] {
        let output = gdprport(words);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        let said = text(&output.stderr);
        assert!(said.contains("/nonexistent/ledger.db") && said.contains("gdprport daemon run"), "{said}");
    }
    let wrong = gdprport(&["flows", "--since", "yesterday"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("a duration such as 7d"), "{}", text(&wrong.stderr));
}

/// Runs `init` on a terminal of its own, where somebody types this at the first question, and then nothing more.
fn typed(file: &Path, keys: &[u8]) -> (Option<i32>, String) {
    use std::io::{Read as _, Write as _};
    // Whoever runs the tests in the background of a shell hands an ignored SIGINT down to them.
    let run =
        format!("env --default-signal=INT '{}' init --output '{}'", program().display(), file.display());
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &run, "/dev/null"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut script = command.spawn().expect("script(1) can be run");
    let mut screen = script.stdout.take().expect("piped");
    let (mut shown, mut byte) = (Vec::new(), [0]);
    while !shown.ends_with(b")? ") && screen.read(&mut byte).expect("readable") == 1 {
        shown.push(byte[0]);
    }
    let mut keyboard = script.stdin.take().expect("piped");
    keyboard.write_all(keys).expect("it reads");
    drop(keyboard);
    screen.read_to_end(&mut shown).expect("readable");
    (script.wait().expect("it ends").code(), text(&shown))
}

#[test]
fn answers_on_a_terminal_are_taken_and_none_is_needed() {
    let dir = TempDir::new();
    let (code, shown) = typed(&dir.join("a.toml"), b"Example GmbH\nprivacy@example.org\n\nmaybe\n");
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("The return key takes the answer in capitals, and leaves the controller blank."),
        "{shown}"
    );
    let written = std::fs::read_to_string(dir.join("a.toml")).expect("it was written");
    assert!(
        written.contains("\n[controller]\nname = \"Example GmbH\"\ncontact = \"privacy@example.org\"\n# dpo")
    );
    let (code, shown) = typed(&dir.join("b.toml"), b"\xff\xfe\n\n");
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("this is not UTF-8; please write it again"), "{shown}");
    let written = std::fs::read_to_string(dir.join("b.toml")).expect("it was written");
    assert!(written.contains("\n# [controller]\n"), "{written}");
}

#[test]
fn an_interrupted_question_leaves_no_file() {
    let dir = TempDir::new();
    let (code, shown) = typed(&dir.join("policy.toml"), b"Exam\x03");
    assert_ne!(code, Some(0), "{shown}");
    assert!(shown.contains("name of the controller"), "{shown}");
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("readable").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}
