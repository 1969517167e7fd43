//! `gdprport report --pack`, `--check`, `--framework` and `report incident`: evidence of what a daemon saw of real servers.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::commands::{gdprport, path, read, text};
use gdprport_tests::daemon::{Daemon, Start, program};
use gdprport_tests::evidence::EvidenceLog;
use gdprport_tests::ledger::count;
use gdprport_tests::need;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::servers::Postgres;
use gdprport_tests::temp::TempDir;
use gdprport_tests::user::User;
use gdprport_tests::wait;
use serde_json::Value;

/// What `sha256sum -c` of coreutils says of a pack.
fn sums(dir: &Path) -> bool {
    let mut command = Command::new("sha256sum");
    command.args(["--check", "--strict", "--quiet", "SHA256SUMS"]).current_dir(dir);
    command.output().expect("sha256sum can be run").status.success()
}

#[test]
fn a_pack_has_all_of_a_period_and_shows_a_flipped_byte() {
    let postgres = need!(Postgres::start());
    let port = postgres.server.port.number();
    let record = "record = { purpose = \"order fulfilment\", recipients = [] }";
    let daemon = Daemon::beside(port, open(port).key(record).alone());
    let policies = |least| {
        wait::until("the ledger has a policy", || {
            count(daemon.ledger(), "SELECT count(*) FROM policy_period") >= least
        });
    };
    policies(1);
    // From now on nobody is allowed, and TLS is asked for.
    let closed = format!(
        "version = 1\n[[port]]\nname = \"shut\"\nport = {port}\ntls = {{ min = \"1.2\" }}\n[[port.allow]]\nrole = \"far\"\ndirection = \"in\"\npeers = [\"192.0.2.1\"]\n"
    );
    daemon.rewrite_policy(&closed);
    assert!(daemon.ask(["daemon", "reload"]).status.success());
    run(postgres.client("127.0.0.1", Postgres::PORT_QUERY), Place::default());
    wait::until("the ledger has both ends", || {
        let closed = "SELECT sum(closed) FROM edge e JOIN port p ON p.id = e.port WHERE p.number";
        count(daemon.ledger(), &format!("{closed} = {port}")) == 2
    });
    policies(2);
    let (dir, policy) = (TempDir::new(), daemon.policy());
    let out = dir.join("pack");
    let files = ["--policy", path(&policy), "--ledger", path(daemon.ledger()), "--any-owner"];
    let output = gdprport(&[&["report", "--pack", "--out", path(&out)], &files[..]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("not signed"), "{}", text(&output.stdout));

    let manifest: Value = serde_json::from_str(&read(&out, "MANIFEST.json")).expect("JSON");
    let listed: BTreeSet<&str> = manifest["files"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|file| file["name"].as_str())
        .collect();
    for name in
        ["README.md", "index.html", "coverage.csv", "violations.csv", "findings.md", "frameworks.json"]
    {
        assert!(listed.contains(name), "{name}: {listed:?}");
    }
    assert_eq!(manifest["signature"]["signed"], false, "{manifest}");
    let violations = read(&out, "violations.csv");
    assert!(violations.contains("undeclared-peer") && violations.contains("127.0.0.1"), "{violations}");
    let changes = read(&out, "policies.md");
    assert!(changes.contains("Version 2") && changes.contains("What changed"), "{changes}");
    assert!(listed.iter().filter(|name| name.starts_with("policy-")).count() >= 2, "{listed:?}");
    let controls: Value = serde_json::from_str(&read(&out, "frameworks.json")).expect("JSON");
    let pci = controls["frameworks"].as_array().expect("a list").iter().find(|of| of["id"] == "pci");
    let kept = pci.expect("PCI DSS")["controls"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|of| of["number"] == "10.5.1");
    assert_eq!(kept.expect("10.5.1")["standing"], "nothing", "no year has gone by");

    // Unchanged, then not.
    let check = || gdprport(&["report", "--check", path(&out)]);
    assert!(sums(&out));
    assert_eq!(check().status.code(), Some(0), "{}", text(&check().stdout));
    let mut bytes = std::fs::read(out.join("violations.csv")).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(out.join("violations.csv"), bytes).expect("writable");
    std::fs::write(out.join("notes.txt"), "x").expect("writable");
    std::fs::remove_file(out.join("policies.md")).expect("it is there");
    assert!(!sums(&out));
    let output = check();
    assert_eq!(output.status.code(), Some(1));
    for line in ["changed: violations.csv", "missing: policies.md", "added: notes.txt"] {
        assert!(text(&output.stdout).contains(line), "{line}: {}", text(&output.stdout));
    }

    // Of the same time a draft.
    let port = port.to_string();
    let words = ["report", "incident", "--port", &port, "--from", "1h", "--deadline", "96h"];
    let output = gdprport(&[&words[..], &files[..]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let draft = text(&output.stdout);
    for part in ["96 h", "undeclared-peer", "127.0.0.1", "before the ledger began", "to be filled in"] {
        assert!(draft.contains(part), "{part}: {draft}");
    }
    daemon.stop();
}

/// What both verifiers say of a pack: whether it is the key's.
#[track_caller]
fn both_say(pack: &Path, log: &EvidenceLog) -> bool {
    let said = gdprport(&["report", "--check", path(pack), "--key", log.key()]);
    let (again, why) = log.instead(pack).verified_again(&[]);
    assert_eq!(said.status.success(), again, "{}{why}", text(&said.stdout));
    again
}

#[test]
fn a_pack_of_a_host_with_a_log_is_signed_by_its_key() {
    let (dir, port) = (TempDir::new(), Port::free());
    let place = dir.join("log");
    let config = format!(
        "[evidence]\nenabled = true\npath = \"{}\"\nkey = \"{}\"\n",
        place.display(),
        place.with_extension("key").display()
    );
    let daemon = Start::with(open(port.number()).key("emit = \"every\"").alone()).config(&config).start();
    let (mut server, mut client) = (Puppet::new(), Puppet::new());
    server.listen(format!("127.0.0.1:{port}"));
    server.ask("serve");
    client.ask(&format!("burst 127.0.0.1:{port} 20 1"));
    let policy = dir.write("policy.toml", &open(port.number()).alone());
    let pack = |name: &str| {
        let out = dir.join(name);
        let words = ["report", "--pack", "--out", path(&out), "--evidence", path(&place), "--any-owner"];
        let files = ["--policy", path(&policy), "--ledger", path(daemon.ledger()), "--framework", "pci"];
        let output = gdprport(&[&words[..], &files].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        (out, text(&output.stdout))
    };
    let old = EvidenceLog::of(&place);
    let (first, said) = pack("first");
    assert!(said.contains(&format!("signed by {}", old.key())), "{said}");
    assert!(said.contains("checkpoint of the evidence log"), "{said}");
    assert!(both_say(&first, &old));
    assert!(daemon.ask(["evidence", "rotate"]).status.success());
    let new = EvidenceLog::of(&place);
    let (second, _) = pack("second");
    assert!(both_say(&second, &new));
    assert!(both_say(&second, &old), "a rotation leads from the old key to the new one");
    assert!(both_say(&first, &old) && !both_say(&first, &new), "it was signed before");

    // The checkpoints are read as they stand, and show another log, and one that was cut off.
    drop(daemon.stop());
    let checkpoints = second.join("checkpoints.txt");
    let notes = read(&second, "checkpoints.txt").matches("\n\n\u{2014} ").count();
    assert!(notes >= 2, "the first and the last");
    let (fine, found) = new.verified(&[&checkpoints]);
    assert!(fine && found["elsewhere"] == notes, "{found}");
    let (fine, found) = new.verified_again(&[&checkpoints]);
    assert!(fine, "{found}");
    let other = dir.join("other");
    let config = config
        .replace(path(&place), path(&other))
        .replace(path(&other.with_extension("key")), path(&place.with_extension("key")));
    drop(Start::with(open(port.number()).alone()).config(&config).start().stop());
    let other = new.instead(&other);
    assert!(
        !other.verified(&[&checkpoints]).0 && !other.verified_again(&[&checkpoints]).0,
        "it is another log"
    );

    // Whatever somebody does to it is one sentence.
    let copy = |name: &str| {
        let to = dir.join(name);
        let done = Command::new("cp").arg("-r").args([&second, &to]).status().expect("cp can be run");
        assert!(done.success());
        to
    };
    let changed = copy("changed");
    let manifest = read(&changed, "MANIFEST.json") + " ";
    std::fs::write(changed.join("MANIFEST.json"), manifest).expect("writable");
    let missing = copy("missing");
    std::fs::remove_file(missing.join("MANIFEST.sig")).expect("it is there");
    let torn = copy("torn");
    std::fs::write(torn.join("MANIFEST.sig"), old.checkpoint()).expect("writable");
    let key = new.key();
    for (pack, key, said) in [
        (&changed, key, "MANIFEST.json was changed since it was signed"),
        (&missing, key, "MANIFEST.sig is missing"),
        (&torn, key, "MANIFEST.sig is no signature of a pack"),
        (&first, key, "and not by the given key"),
    ] {
        assert!(!both_say(pack, &new), "{said}");
        let output = gdprport(&["report", "--check", path(pack), "--key", key]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stdout).contains(said), "{said}: {}", text(&output.stdout));
    }

    // Who cannot read the key signs nothing, and says why.
    let out = dir.join("unsigned");
    std::fs::create_dir(&out).expect("it is new");
    std::os::unix::fs::chown(&out, Some(User::nobody().uid), None).expect("root may");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]).arg(program());
    command.args([
        "report",
        "--pack",
        "--out",
        path(&out),
        "--policy",
        path(&policy),
        "--evidence",
        path(&place),
    ]);
    let output = command.output().expect("setpriv can be run");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("not signed: cannot read the log's key"), "{said}");
    assert!(said.contains("root and the user of the service can"), "{said}");
}

mod host_only {
    use super::*;

    #[test]
    fn a_mistake_is_said_and_no_evidence_is_written() {
        let dir = TempDir::new();
        let other = dir.join("other");
        std::fs::create_dir(&other).expect("a new directory");
        std::fs::write(other.join("thesis.txt"), "x").expect("a new file");
        let policy = dir.write("policy.toml", "version = 1\n");
        let (other, new) = (path(&other), dir.join("new"));
        let (policy, new) = (path(&policy), path(&new));
        let incident = ["report", "incident", "--any-owner", "--policy", policy];
        let draft = |words: &[&'static str]| [&incident[..], words].concat();
        for (words, code, said) in [
            (vec!["report", "--pack"], 2, "--out"),
            (vec!["report", "--pack", "--out", other, "--policy", policy], 1, "evidence replaces nothing"),
            (vec!["report", "--out", new, "--framework", "hipaa"], 2, "known are gdpr, pci"),
            (vec!["report", "--out", new, "--framework", ""], 2, "no such framework"),
            (vec!["report", "--pack", "--self", "--out", new], 2, "--self"),
            (vec!["report", "--check", other], 1, "is no evidence pack"),
            (vec!["report", "--check", "/nonexistent"], 1, "is no evidence pack"),
            (vec!["report", "--check", policy], 1, "is no evidence pack"),
            (vec!["report", "--check", other, "--key", "nonsense"], 1, "neither a file nor a public key"),
            (vec!["report", "--out", new, "--key", "nonsense"], 2, "--key"),
            (vec!["report", "--out", new, "--evidence", other], 2, "--pack"),
            (draft(&["--port", "5432"]), 2, "--from"),
            (draft(&["--port", "0", "--from", "1d"]), 2, "1 to 65535"),
            (draft(&["--port", "5432", "--from", "1d", "--to", "2d"]), 1, "is not before --to"),
            (
                draft(&["--port", "5432", "--from", "2099-01-01"]),
                2,
                "--from 2099-01-01T00:00:00Z has not come yet",
            ),
            (draft(&["--port", "nosuch", "--from", "1d"]), 1, "no port `nosuch`"),
            (
                draft(&["--port", "5432", "--from", "1d", "--aware", "2099-01-01T00:00:00Z"]),
                1,
                "nobody can be aware",
            ),
        ] {
            let output = gdprport(&words);
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
            assert!(stderr.contains(said) && !stderr.contains("panicked"), "{words:?}: {stderr}");
            assert!(!Path::new(new).exists(), "{words:?}");
        }
    }

    #[test]
    fn without_a_ledger_nothing_is_claimed() {
        let dir = TempDir::new();
        let policy = dir.write("policy.toml", "version = 1\n[[port]]\nname = \"db\"\nport = 5432\n");
        let out = dir.join("controls");
        let words = ["report", "--framework", "pci", "--any-owner", "--policy", path(&policy), "--json"];
        let output = gdprport(&[&words[..], &["--out", path(&out)]].concat());
        if !output.status.success() {
            panic!("{}", text(&output.stderr));
        }
        let page = read(&out, "frameworks.md");
        assert!(page.contains("no business need declared"), "{page}");
        assert!(
            page.contains("It is made by: gdprport report --pack --out DIR"),
            "files of a pack are not here: {page}"
        );
        let controls: Value = serde_json::from_str(&read(&out, "frameworks.json")).expect("JSON");
        let command = controls["pack"].as_str().expect("a command");
        assert!(
            command.starts_with("gdprport report --pack --out DIR --since ") && command.ends_with(" pci"),
            "{command}"
        );
        let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(value["controls"]["evidence"], 0, "{value}");
    }
}
