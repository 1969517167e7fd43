//! A newcomer: a daemon without a policy, words that are asked for, and mistakes.

use gdprport_tests::commands::{gdprport, path, text};
use gdprport_tests::daemon::Start;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

#[test]
fn a_start_without_a_policy_says_what_is_there_and_what_is_next() {
    let daemon = Start::without_policy().start();
    wait::until("it has looked at the host", || daemon.stderr().contains("next: "));
    let log = daemon.stderr();
    for part in [
        "no policy; watched: the ",
        "ports of the built-in catalog",
        "found: ",
        "`sudo gdprport init --output policy.toml`",
    ] {
        assert_eq!(log.matches(part).count(), 1, "{part}: {log}");
    }
    let status = text(&daemon.ask(["daemon", "status"]).stdout);
    assert!(status.contains("no policy: built-in catalog") && status.contains("gdprport init"), "{status}");
    daemon.stop();
}

#[test]
fn a_start_with_a_policy_does_not_look_at_the_host() {
    let daemon = Start::with("version = 1\n\n[[port]]\nname = \"a\"\nport = 5432\n").start();
    assert!(!daemon.stderr().contains("no policy;"), "{}", daemon.stderr());
    let status = text(&daemon.ask(["daemon", "status"]).stdout);
    assert!(!status.contains("gdprport init"), "{status}");
    daemon.stop();
}

#[test]
fn help_shows_topics_and_commands_and_says_what_is_near() {
    for (words, code, part) in [
        (&["help"][..], 0, "Usage: gdprport [OPTIONS] <COMMAND>"),
        (&["help", "topics"], 0, "first-steps"),
        (&["help", "verdicts"], 0, "undeclared-peer"),
        (&["help", "policy", "check"], 0, "Usage: gdprport policy check"),
        (&["help", "doctor"], 0, "Usage: gdprport doctor"),
        (&["help", "verdict"], 2, "did you mean `gdprport help verdicts`?"),
        (&["help", "policy", "chek"], 2, "did you mean `gdprport help policy check`?"),
        (&["help", "exit"], 2, "did you mean `gdprport help exit-codes`?"),
        (&["help", "wireguard"], 2, "`gdprport help posture` speaks of it"),
        (&["help", "xyzzy"], 2, "`gdprport help topics` lists the topics"),
    ] {
        let output = gdprport(words);
        let said = text(if code == 0 { &output.stdout } else { &output.stderr });
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(part), "{words:?}: {said}");
        assert!(code == 0 || said.lines().count() == 1, "{words:?}: {said}");
    }
}

/// What, where, and what to do: of everything that a newcomer names wrongly.
#[test]
fn a_mistake_is_answered_with_one_sentence_that_says_what_to_do() {
    let dir = TempDir::new();
    let (no_socket, no_file) = (dir.join("none.sock"), dir.join("none.toml"));
    let (no_ledger, no_folder) = (dir.join("none.db"), dir.join("none/policy.toml"));
    let (socket, missing, ledger, folder) =
        (path(&no_socket), path(&no_file), path(&no_ledger), path(&no_folder));
    let start = "start it with `systemctl start gdprport`";
    for (words, code, place, what_to_do) in [
        (&["daemon", "status", "--socket", socket][..], 3, socket, start),
        (&["daemon", "reload", "--socket", socket], 3, socket, start),
        (&["flows", "--socket", socket], 3, socket, start),
        (&["events", "--socket", socket], 3, socket, start),
        (&["policy", "explain", "--flow", "1", "--socket", socket], 3, socket, start),
        (&["sink", "status", "--socket", socket], 3, socket, "`systemctl start gdprport-deliver`"),
        (&["daemon", "run", "--config", missing], 2, missing, "leave --config out"),
        (&["deliver", "--config", missing], 2, missing, "leave --config out"),
        (&["sink", "test", "a", "--socket", socket, "--config", missing], 2, missing, "leave --config out"),
        (&["report", "--self", "--out", ledger, "--config", missing], 2, missing, "leave --config out"),
        (
            &["daemon", "run", "--no-ledger", "--policy", missing],
            2,
            missing,
            "`gdprport init` writes a first one",
        ),
        (&["policy", "check", missing], 2, missing, "`gdprport init` writes a first one"),
        (&["scan", "--policy", missing], 2, missing, "`gdprport init` writes a first one"),
        (&["audit", "--no-scan", "--policy", missing], 2, missing, "`gdprport init` writes a first one"),
        (&["flows", "--since", "7d", "--ledger", ledger], 2, ledger, "`gdprport daemon run`"),
        (&["audit", "--no-scan", "--ledger", ledger], 2, ledger, "`gdprport daemon run`"),
        (&["policy", "learn", "--ledger", ledger], 2, ledger, "`gdprport daemon run`"),
        (&["init", "--from-ledger", "--ledger", ledger], 2, ledger, "`gdprport daemon run`"),
        (&["init", "--no-input", "--output", folder], 1, folder, "`mkdir -p`"),
        (&["report", "--check", missing], 1, missing, "MANIFEST.json"),
    ] {
        let output = gdprport(words);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
        assert!(
            said.starts_with("gdprport: ") && said.contains(place) && said.contains(what_to_do),
            "{words:?}: {said}"
        );
    }
}
