//! The evidence log of a real daemon: verified by two verifiers, changed by somebody, killed, erased.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gdprport_tests::commands::{gdprport, path, text};
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::evidence::EvidenceLog;
use gdprport_tests::log::EventLog;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

/// A daemon that logs every event of the port.
fn start(dir: &Path, port: &Port) -> Daemon {
    start_with(dir, port, "")
}

/// The same with more of a configuration.
fn start_with(dir: &Path, port: &Port, more: &str) -> Daemon {
    let config = format!(
        "[evidence]\nenabled = true\npath = \"{}\"\nkey = \"{}\"\n{more}",
        dir.display(),
        dir.with_extension("key").display()
    );
    Start::with(open(port.number()).key("emit = \"every\"").alone()).config(&config).start()
}

/// A server on the port, and a client.
fn puppets(port: &Port) -> (Puppet, Puppet) {
    let mut server = Puppet::new();
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("serve");
    (server, Puppet::new())
}

/// Both verifiers find nothing; returns how many events there are.
#[track_caller]
fn check_sound(log: &EvidenceLog, checkpoints: &[&Path]) -> u64 {
    let (fine, said) = log.verified(checkpoints);
    assert!(fine, "{said:#}");
    let (fine, again) = log.verified_again(checkpoints);
    assert!(fine, "{again}");
    said["events"].as_u64().expect("a number")
}

/// The program finds nothing, and so many checkpoints from elsewhere are of this log.
#[track_caller]
fn check_sound_with(log: &EvidenceLog, checkpoints: &[&Path], elsewhere: usize) {
    let (fine, said) = log.verified(checkpoints);
    assert!(fine, "{said:#}");
    assert_eq!(said["elsewhere"], elsewhere, "{said:#}");
}

/// All files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a directory").filter_map(Result::ok).map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The lines of a spool, one after the other.
fn spooled(dir: &Path) -> String {
    let mut segments: Vec<_> = fs::read_dir(dir)
        .expect("a spool")
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "spool"))
        .collect();
    segments.sort();
    let bytes: Vec<u8> = segments.iter().flat_map(|path| fs::read(path).expect("root may")).collect();
    let text = String::from_utf8_lossy(&bytes);
    // Each record has a line of JSON in it.
    let begins = text.match_indices("{\"schema\":").map(|(at, _)| at);
    let lines = begins.filter_map(|at| {
        let mut read = serde_json::Deserializer::from_str(&text[at..]).into_iter::<serde_json::Value>();
        read.next().and_then(Result::ok).map(|_| text[at..at + read.byte_offset()].to_owned())
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// Both verifiers find something; returns what the program says of the first.
#[track_caller]
fn check_found(log: &EvidenceLog, checkpoints: &[&Path]) -> String {
    let (fine, said) = log.verified(checkpoints);
    assert!(!fine, "nothing was found: {said:#}");
    let (fine, again) = log.verified_again(checkpoints);
    assert!(!fine, "the second verifier found nothing: {again}");
    said["findings"][0]["what"].as_str().map_or_else(|| said.to_string(), str::to_owned)
}

/// The log of a daemon that saw 300 connections and was stopped, and its events.
fn logged(dir: &TempDir, port: &Port) -> (PathBuf, EventLog) {
    let place = dir.join("log");
    let daemon = start(&place, port);
    let (_server, mut client) = puppets(port);
    client.ask(&format!("burst 127.0.0.1:{port} 300 1"));
    (place, daemon.stop())
}

#[test]
fn what_a_daemon_emitted_is_in_its_log_to_the_event() {
    let (dir, port) = (TempDir::new(), Port::free());
    let (place, events) = logged(&dir, &port);
    let log = EvidenceLog::of(&place);
    assert_eq!(check_sound(&log, &[]), events.seen().len() as u64);
    // The policy's text stands beside the tree.
    let policies = fs::read_dir(log.file("policy")).expect("a directory").count();
    assert_eq!(policies, 1);
}

#[test]
fn a_killed_daemon_goes_on_with_its_log() {
    let (dir, port) = (TempDir::new(), Port::free());
    let place = dir.join("log");
    let mut daemon = start(&place, &port);
    let (_server, mut client) = puppets(&port);
    client.ask(&format!("burst 127.0.0.1:{port} 200 1"));
    daemon.log.wait_count("flow.close", 400, |event| event.is("flow.close", port.number()));
    let kept = dir.write("paper.txt", &EvidenceLog::of(&place).checkpoint());
    daemon.kill();
    drop(daemon);
    let daemon = start(&place, &port);
    client.ask(&format!("burst 127.0.0.1:{port} 20 1"));
    drop(daemon.stop());
    let log = EvidenceLog::of(&place);
    check_sound(&log, &[&kept]);
    let (_, said) = log.verified(&[&kept]);
    assert_eq!(said["elsewhere"], 1, "{said:#}");
    assert_eq!(said["away"][0]["orderly"], false, "{said:#}");
}

#[test]
fn whoever_changes_a_log_is_found_by_both_verifiers() {
    let (dir, port) = (TempDir::new(), Port::free());
    let (place, _) = logged(&dir, &port);
    let log = EvidenceLog::of(&place);
    let whole = check_sound(&log, &[]);
    assert!(whole > 600, "{whole} events");
    let change = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let copy = log.copied(&dir);
        let mut bytes = fs::read(copy.file(name)).expect("there");
        change(&mut bytes);
        fs::write(copy.file(name), bytes).expect("root may");
        check_found(&copy, &[])
    };
    assert_eq!(change("tile/entries/001", &|bytes| bytes[5000] ^= 1), "changed");
    assert_eq!(change("tile/entries/001", &|bytes| bytes.truncate(5000)), "truncated");
    assert_eq!(change("tile/0/000", &|bytes| bytes[77] ^= 1), "tile-changed");
    let upper = fs::read_dir(log.file("tile/1/000.p")).expect("there").next().expect("one").expect("a name");
    let upper = format!("tile/1/000.p/{}", upper.file_name().to_string_lossy());
    assert_eq!(change(&upper, &|bytes| bytes[40] ^= 1), "tile-changed");
    let copy = log.copied(&dir);
    fs::remove_file(copy.file("tile/entries/000")).expect("there");
    assert_eq!(check_found(&copy, &[]), "missing");
}

#[test]
fn an_older_state_is_found_by_a_checkpoint_on_paper() {
    let (dir, port) = (TempDir::new(), Port::free());
    let place = dir.join("log");
    drop(start(&place, &port).stop());
    let older = EvidenceLog::of(&place).copied(&dir);
    drop(start(&place, &port).stop());
    let log = EvidenceLog::of(&place);
    let paper = dir.write("paper.txt", &log.checkpoint());
    check_sound(&log, &[&paper]);
    check_sound(&older, &[]);
    assert_eq!(check_found(&older, &[&paper]), "rolled-back");
}

#[test]
fn what_was_erased_is_gone_and_the_rest_is_proven() {
    let (dir, port) = (TempDir::new(), Port::free());
    let (place, _) = logged(&dir, &port);
    let (log, key) = (EvidenceLog::of(&place), place.with_extension("key"));
    let before = dir.write("before.txt", &log.checkpoint());
    let erase = |words: &[&str]| {
        gdprport(
            &[&["evidence", "erase", path(&place), "--key", path(&key), "--why", "test"], words].concat(),
        )
    };
    let bundle = fs::read(log.file("tile/entries/000")).expect("there");
    let erased = erase(&["--before", "1ms"]);
    assert!(text(&erased.stdout).contains("entries were erased"), "{erased:?}");
    assert!(!log.file("tile/entries/000").exists() && log.file("tile/0/000").exists());
    // Neither what an entry was nor its salt is in any file.
    let parts = [&bundle[3..19], &bundle[bundle.len() - 1_200..]];
    for file in files(&place) {
        let bytes = fs::read(&file).expect("root may");
        for part in parts {
            assert!(!bytes.windows(part.len()).any(|window| window == part), "{}", file.display());
        }
    }
    check_sound(&log, &[&before]);
    let (_, said) = log.verified(&[&before]);
    assert_eq!(said["erased"][0]["why"], "test", "{said:#}");
    let again = erase(&["--before", "1ms"]);
    assert!(text(&again.stdout).starts_with("nothing was erased"), "{again:?}");
    // A daemon goes on with it.
    drop(start(&place, &port).stop());
    check_sound(&log, &[&before]);
}

#[test]
fn a_running_daemon_erases_and_rotates_for_root() {
    let (dir, port) = (TempDir::new(), Port::free());
    let place = dir.join("log");
    let mut daemon = start(&place, &port);
    let (_server, mut client) = puppets(&port);
    let old = EvidenceLog::of(&place);
    client.ask(&format!("burst 127.0.0.1:{port} 300 1"));
    daemon.log.wait_count("flow.close", 600, |event| event.is("flow.close", port.number()));
    let ask = |words: &[&str]| daemon.ask([&["evidence"], words].concat());
    let rotated = ask(&["rotate"]);
    assert!(rotated.status.success(), "{rotated:?}");
    let new = EvidenceLog::of(&place);
    assert_eq!(text(&rotated.stdout), format!("{}\n", new.key()));
    assert_ne!(new.key(), old.key());
    // The rotation was signed, and with it all that was logged before: it can go.
    let erased = ask(&["erase", "--before", "1ms", "--why", "test"]);
    assert!(text(&erased.stdout).contains("entries were erased"), "{erased:?}");
    assert!(!old.file("tile/entries/000").exists() && old.file("tile/0/000").exists());
    for words in [["daemon", "status"].as_slice(), &["doctor"]] {
        assert!(text(&daemon.ask(words).stdout).contains(new.key()), "{words:?}");
    }
    client.ask(&format!("burst 127.0.0.1:{port} 10 1"));
    drop(daemon.stop());
    // Whoever knows either key verifies all of it.
    check_sound(&old, &[]);
    check_sound(&new, &[]);
    drop(start(&place, &port).stop());
    check_sound(&old, &[]);
}

#[test]
fn an_export_is_verified_alone_by_both_verifiers() {
    let (dir, port) = (TempDir::new(), Port::free());
    let (place, _) = logged(&dir, &port);
    let paper = dir.write("paper.txt", &EvidenceLog::of(&place).checkpoint());
    let key = place.with_extension("key");
    drop(gdprport(&[
        "evidence",
        "erase",
        path(&place),
        "--key",
        path(&key),
        "--why",
        "test",
        "--before",
        "1ms",
    ]));
    drop(start(&place, &port).stop());
    let file = dir.join("part.evidence");
    let words = ["evidence", "export", path(&place), "--from", "1h", "--output", path(&file)];
    let exported = gdprport(&[&words[..], &["--checkpoint", path(&paper)]].concat());
    assert!(exported.status.success(), "{exported:?}");
    assert!(text(&exported.stdout).ends_with("part.evidence\n"), "{exported:?}");
    let log = EvidenceLog::of(&place).instead(&file);
    check_sound(&log, &[]);
    let (_, said) = log.verified(&[&paper]);
    assert_eq!(said["elsewhere"], 1, "{said:#}");
    let hidden = said["hidden"].as_u64().expect("a number");
    assert!(hidden >= 256 && hidden % 256 == 0, "whole bundles were erased: {said:#}");
    let whole = fs::read_to_string(&file).expect("there");
    for (name, changed) in [
        ("an event", whole.replacen("\\\"seq\\\":1", "\\\"seq\\\":2", 1)),
        ("the end", whole[..whole.trim_end().rfind('\n').expect("lines")].to_owned() + "\n"),
    ] {
        assert_ne!(changed, whole, "{name}");
        check_found(&log.instead(&dir.write("changed.evidence", &changed)), &[]);
    }
    let again = gdprport(&words);
    assert!(text(&again.stderr).contains("name another file"), "{again:?}");
}

#[test]
fn a_receiver_has_the_checkpoints_that_show_a_rewrite() {
    let (dir, port) = (TempDir::new(), Port::free());
    let place = dir.join("log");
    let spool = dir.join("spool");
    let more = format!("[spool]\nenabled = true\npath = \"{}\"\nsync = \"never\"\n", spool.display());
    let run = |before: &str| {
        drop(start_with(&place, &port, &more).stop());
        let log = EvidenceLog::of(&place);
        assert!(log.checkpoint().contains("reason stop"), "{before}");
        log
    };
    let log = run("it is stopped");
    // What the deliverer sends: the lines of the spool, among them one for each checkpoint.
    let lines = spooled(&spool);
    let events: Vec<&str> =
        lines.lines().filter(|line| line.contains("\"kind\":\"evidence.checkpoint\"")).collect();
    assert!(events.last().is_some_and(|last| last.contains("\"reason\":\"stop\"")), "{lines}");
    let siem = dir.write("siem.ndjson", &lines);
    check_sound_with(&log, &[&siem], events.len());
    // The whole log is made anew by the same key.
    fs::rename(&place, dir.join("before")).expect("root may");
    let again = run("it was made anew");
    let (fine, said) = again.verified(&[&siem]);
    assert!(!fine, "{said:#}");
    let what = said["findings"][0]["what"].as_str().expect("a finding");
    assert!(["forked", "rolled-back"].contains(&what), "{said:#}");
}

#[test]
fn a_credential_of_systemd_signs_and_is_never_replaced() {
    let (dir, port) = (TempDir::new(), Port::free());
    let place = dir.join("log");
    // What the first start made is passed from then on.
    drop(start(&place, &port).stop());
    let log = EvidenceLog::of(&place);
    let passed = dir.join("credentials");
    fs::create_dir(&passed).expect("root may");
    let key = passed.join("log-key");
    fs::rename(place.with_extension("key"), &key).expect("there");
    let mode = |mode| fs::set_permissions(&key, Permissions::from_mode(mode)).expect("root may");
    let config =
        format!("[evidence]\nenabled = true\npath = \"{}\"\nkey = \"credential:log-key\"\n", place.display());
    let without = Start::with(open(port.number()).alone()).config(&config);
    let with = without.clone().prepare(&format!("export CREDENTIALS_DIRECTORY={}", passed.display()));
    mode(0o440);
    let daemon = with.clone().start();
    assert!(text(&daemon.ask(["doctor"]).stdout).contains(log.key()));
    let rotated = daemon.ask(["evidence", "rotate"]);
    assert!(text(&rotated.stderr).contains("run `gdprport evidence rotate DIR --key FILE`"), "{rotated:?}");
    drop(daemon.stop());
    // As that says.
    mode(0o600);
    let rotated = gdprport(&["evidence", "rotate", path(&place), "--key", path(&key)]);
    assert!(rotated.status.success(), "{rotated:?}");
    drop(with.clone().start().stop());
    check_sound(&log, &[]);
    // Neither another key nor another log takes its place.
    mode(0o444);
    for (start, said) in [(with, "it has mode 0444"), (without, "which systemd does not pass")] {
        let daemon = start.start();
        let doctor = daemon.ask(["doctor"]);
        assert!(text(&doctor.stdout).contains(said), "{doctor:?}");
        drop(daemon.stop());
    }
    check_sound(&log, &[]);
    assert!(!place.with_extension("key").exists());
}

#[test]
fn a_second_daemon_does_not_write_the_same_log() {
    let (dir, port) = (TempDir::new(), Port::free());
    let place = dir.join("log");
    let daemon = start(&place, &port);
    let output = gdprport(&[
        "evidence",
        "erase",
        "--before",
        "1h",
        "--why",
        "x",
        path(&place),
        "--key",
        path(&place.with_extension("key")),
    ]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains(&format!("process {}", daemon.pid())), "{output:?}");
    drop(daemon);
}

#[test]
fn a_log_that_was_changed_is_set_aside_and_another_begins() {
    let (dir, port) = (TempDir::new(), Port::free());
    let place = dir.join("log");
    drop(start(&place, &port).stop());
    let checkpoint = fs::read_to_string(place.join("checkpoint")).expect("there");
    fs::write(place.join("checkpoint"), checkpoint.replacen("reason stop", "reason start", 1))
        .expect("root may");
    let mut daemon = start(&place, &port);
    wait::until("another log", || EvidenceLog::of(&place).checkpoint().contains("sequence "));
    daemon.terminate();
    let aside = fs::read_dir(dir.path()).expect("there").filter_map(Result::ok);
    let aside = aside.filter(|entry| entry.file_name().to_string_lossy().starts_with("log.until-")).count();
    assert_eq!(aside, 1, "{}", daemon.stderr());
    check_sound(&EvidenceLog::of(&place), &[]);
}

#[test]
fn a_verification_without_a_log_or_key_says_what_to_do() {
    let dir = TempDir::new();
    for (words, said) in [
        (vec!["evidence", "verify", path(dir.path()), "--key", "x"], "neither a file nor a public key"),
        (vec!["evidence", "key", "/nowhere"], "the daemon makes it"),
        (vec!["evidence", "checkpoint", path(dir.path())], "there is no evidence log in"),
    ] {
        let output = gdprport(&words);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
}
