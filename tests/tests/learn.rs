//! `gdprport policy learn`, `replay` and `diff`: what a daemon saw of real servers becomes a policy that declares it, and nothing
//! else.

use std::path::Path;
use std::process::Command;

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::commands::{gdprport, path, text};
use gdprport_tests::daemon::{Daemon, program};
use gdprport_tests::ledger::count;
use gdprport_tests::need;
use gdprport_tests::policy::open;
use gdprport_tests::servers::Postgres;
use gdprport_tests::temp::TempDir;
use gdprport_tests::user::User;
use gdprport_tests::wait;
use serde_json::Value;

/// How many connections of each change a policy would make of the past, and how the command ended.
#[track_caller]
fn replayed(policy: &Path, ledger: &Path, change: &str) -> (u64, Option<i32>) {
    let output = gdprport(&["policy", "replay", path(policy), "--ledger", path(ledger), "--json"]);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let totals = report["totals"].as_array().expect("a list").iter();
    let of = totals.filter(|total| total["change"] == change);
    (of.map(|total| total["volume"]["flows"].as_u64().expect("a number")).sum(), output.status.code())
}

#[test]
fn what_was_seen_is_declared_and_a_new_peer_is_not() {
    let postgres = need!(Postgres::start());
    let port = postgres.server.port.number();
    let client = User::games();
    let daemon = Daemon::beside(port, open(port).alone());
    let connect = |host: &str| {
        run(postgres.client(host, Postgres::PORT_QUERY), Place::default().user(&client));
    };
    // Both ends of each connection are here.
    let ends = |daemon: &Daemon, number: u64| {
        wait::until("the ledger has both ends", || {
            // What else happens on this machine is in the ledger too.
            let closed = "SELECT sum(closed) FROM edge e JOIN port p ON p.id = e.port WHERE p.number";
            count(daemon.ledger(), &format!("{closed} = {port}")) == number
        });
    };
    (0..3).for_each(|_| connect("127.0.0.1"));
    ends(&daemon, 6);

    let dir = TempDir::new();
    let (learned, merged) = (dir.join("learned.toml"), dir.join("merged.toml"));
    let ledger = daemon.ledger().to_owned();
    let output = gdprport(&["policy", "learn", "--ledger", path(&ledger), "--output", path(&learned)]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let written = std::fs::read_to_string(&learned).expect("it was written");
    for expected in [
        "direction = \"in\"\npeers = [\"127.0.0.1\"]",
        "direction = \"out\"\npeers = [\"127.0.0.1\"]",
        &format!("user = \"{}\"", client.name),
        "# 3 connections",
    ] {
        assert!(written.contains(expected), "{expected}: {written}");
    }
    let checked = gdprport(&["policy", "check", "--any-owner", path(&learned)]);
    assert!(checked.status.success(), "{}", text(&checked.stdout));
    assert_eq!(replayed(&learned, &ledger, "other-rule"), (6, Some(0)), "{written}");

    // The same ledger has nothing to add to it.
    let again = ["policy", "learn", "--ledger", path(&ledger), "--merge", path(&learned)];
    let output = gdprport(&again);
    assert_eq!(text(&output.stdout), written, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("nothing to propose"), "{}", text(&output.stderr));

    // The policy in force allows the new peer, the one that was learned does not.
    connect("::1");
    ends(&daemon, 8);
    assert_eq!(replayed(&learned, &ledger, "declared-to-violation"), (2, Some(1)), "{written}");
    for columns in [80, 120] {
        let words = ["policy", "replay", path(&learned), "--ledger", path(&ledger)];
        check_fits(columns, &words, "DECLARED, WOULD BE A VIOLATION");
        check_fits(columns, &["policy", "diff", path(&daemon.policy()), path(&learned)], "ALLOWS LESS");
    }
    let output = gdprport(&[&again[..], &["--output", path(&merged)]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let more = std::fs::read_to_string(&merged).expect("it was written");
    assert!(more.contains("add to its peers: \"::1\""), "{more}");
    let same = gdprport(&["policy", "diff", path(&learned), path(&merged)]);
    assert_eq!(same.status.code(), Some(0), "comments change nothing: {}", text(&same.stdout));
    std::fs::write(&merged, more.replace("peers = [\"127.0.0.1\"]", "peers = [\"127.0.0.1\", \"::1\"]"))
        .expect("it can be written");
    assert_eq!(replayed(&merged, &ledger, "declared-to-violation"), (0, Some(0)));
    let differs = gdprport(&["policy", "diff", path(&learned), path(&merged), "--json"]);
    assert_eq!(differs.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&differs.stdout).expect("JSON");
    assert_eq!(report["differences"][0]["effect"], "allows-more", "{report}");

    // What is in force is known by its digest.
    let digest = daemon.status()["policy"]["digest"].as_str().expect("a digest").to_owned();
    let output = gdprport(&["policy", "diff", &digest[..19], path(&learned), "--ledger", path(&ledger)]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("ALLOWS LESS"), "{}", text(&output.stdout));
    daemon.stop();
}

/// What a command prints on a terminal of so many columns, without colours.
fn on_terminal(columns: usize, words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let run = format!("stty cols {columns}; NO_COLOR=1 '{}' {}", program().display(), words.join(" "));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &run, "/dev/null"]);
    text(&command.output().expect("script(1) can be run").stdout)
}

/// Every line fits, and nothing steers the terminal.
#[track_caller]
fn check_fits(columns: usize, words: &[&str], title: &str) {
    let shown = on_terminal(columns, words);
    assert!(shown.contains(title), "{shown}");
    for line in shown.lines() {
        assert!(
            line.trim_end().chars().count() <= columns && !line.contains('\u{1b}'),
            "{columns}: {line:?}"
        );
    }
}

#[test]
fn mistakes_are_said_with_what_to_do() {
    let dir = TempDir::new();
    let (nothing, wrong) = (dir.join("nothing.toml"), dir.write("wrong.toml", "version = 1\nprot = 5432\n"));
    let (policy, empty) = (dir.write("policy.toml", "version = 1\n"), dir.write("ledger.db", ""));
    let (nothing, wrong, policy, empty) = (path(&nothing), path(&wrong), path(&policy), path(&empty));
    for (words, code, said) in [
        (
            &["policy", "learn", "--ledger", "/nonexistent/ledger.db"][..],
            2,
            "/nonexistent/ledger.db: there is none",
        ),
        (&["policy", "learn", "--ledger", empty], 2, "it is empty"),
        (&["policy", "learn", "--merge", nothing], 2, "cannot read the policy"),
        (&["policy", "learn", "--merge", wrong], 2, "prot"),
        (&["policy", "learn", "--output", policy], 1, "exists already"),
        (&["policy", "learn", "--since", "2099-01-01"], 2, "has not come yet"),
        (&["policy", "replay", nothing], 2, "cannot read the policy"),
        (&["policy", "replay", wrong], 2, "prot"),
        (&["policy", "replay", policy, "--ledger", "/nonexistent/ledger.db"], 2, "there is none"),
        (&["policy", "diff", policy, nothing], 2, "cannot read the policy"),
        (&["policy", "diff", policy, "sha256:12"], 1, "is no digest"),
        (&["policy", "diff", policy], 2, "<B>"),
    ] {
        let output = gdprport(words);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
        assert!(stderr.contains(said), "{words:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{words:?}: {stderr}");
    }
}
