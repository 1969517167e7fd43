//! `gdprport report`: the record of processing of a host, of what a daemon saw of real servers and what its policy declares.

use std::path::Path;

use gdprport_tests::child::Place;
use gdprport_tests::client::run;
use gdprport_tests::commands::{gdprport, path, read, text};
use gdprport_tests::daemon::{Daemon, Start};
use gdprport_tests::import::import;
use gdprport_tests::ledger::{Row, change, count, write};
use gdprport_tests::need;
use gdprport_tests::policy::open;
use gdprport_tests::servers::Postgres;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;
use serde_json::Value;

#[test]
fn what_is_declared_stands_beside_what_was_seen() {
    let postgres = need!(Postgres::start());
    let port = postgres.server.port.number();
    let record = "record = { purpose = \"order fulfilment\", recipients = [] }";
    let daemon = Daemon::beside(port, open(port).key(record).alone());
    run(postgres.client("127.0.0.1", Postgres::PORT_QUERY), Place::default());
    wait::until("the ledger has both ends", || {
        let closed = "SELECT sum(closed) FROM edge e JOIN port p ON p.id = e.port WHERE p.number";
        count(daemon.ledger(), &format!("{closed} = {port}")) == 2
    });
    let (dir, policy) = (TempDir::new(), daemon.policy());
    let out = dir.join("record");
    let words = |lang| {
        let (policy, ledger, out) = (path(&policy), path(daemon.ledger()), path(&out));
        gdprport(&[
            "report",
            "--out",
            out,
            "--policy",
            policy,
            "--ledger",
            ledger,
            "--any-owner",
            "--lang",
            lang,
        ])
    };
    let output = words("en");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("index.html"), "{}", text(&output.stdout));
    let value: Value = serde_json::from_str(&read(&out, "record.json")).expect("JSON");
    let activity = &value["activities"][0];
    assert_eq!(activity["declared"]["record"]["purpose"], "order fulfilment", "{activity}");
    assert_eq!(activity["declared"]["record"]["retention"], Value::Null, "{activity}");
    let observed = &activity["observed"];
    assert_eq!(observed["all"]["volume"]["flows"], 2, "{observed}");
    assert_eq!(observed["outcomes"]["declared"], 2, "{observed}");
    assert!(observed["all"]["rows"].as_array().is_some_and(|rows| rows.len() >= 2), "{observed}");
    let page = read(&out, "index.html");
    for part in ["order fulfilment", "not declared", "127.0.0.1", "serving", "calling"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(read(&out, "record.md").contains("order fulfilment"));
    assert!(read(&out, "record.csv").contains("order fulfilment"));
    for name in ["map.svg", "map.dot", "map.mmd"] {
        assert!(read(&out, name).contains("127.0.0.1"), "{name}");
    }
    let (policy_file, ledger) = (path(&policy), path(daemon.ledger()));
    let words_of_map = ["report", "--map", "--any-owner", "--policy", policy_file, "--ledger", ledger];
    let output = gdprport(&words_of_map);
    let map = text(&output.stdout);
    assert!(map.contains("├─ ") && map.contains("└─ ") && map.contains("127.0.0.1"), "{map}");
    assert!(!map.contains('\u{1b}'), "no colours where no terminal is: {map}");
    // What is there is ours, so it is written again.
    let output = words("de");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(read(&out, "index.html").contains("nicht deklariert"));
    daemon.stop();
}

mod host_only {
    use super::*;

    #[test]
    fn its_own_record_says_what_is_configured() {
        let dir = TempDir::new();
        let config = dir.write(
            "gdprport.toml",
            "[ledger]\nkeep = \"30d\"\n[privacy]\npseudonymise = [\"peers\"]\n[events]\njournald = true\n\
            [evidence]\nenabled = true\nkeep = \"400d\"\n[[sink]]\nname = \"siem\"\ntype = \"syslog\"\n\
            address = \"tcp://127.0.0.1:514\"\n[[sink]]\nname = \"loki\"\ntype = \"loki\"\n",
        );
        let policy = dir.write("policy.toml", "version = 1\n[controller]\nname = \"Example GmbH\"\n");
        let out = dir.join("own");
        let words = ["report", "--self", "--any-owner", "--out", path(&out), "--config", path(&config)];
        let output = gdprport(&[&words[..], &["--policy", path(&policy)]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let page = read(&out, "record.md");
        for part in [
            "30 days",
            "as pseudonyms",
            "systemd journal",
            "Example GmbH",
            "400 days",
            "sink siem",
            "127.0.0.1:514",
            "loki: it has",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("networks only"), "{page}");
    }

    /// With words that an attacker would choose, and with traffic of a real server.
    #[test]
    fn other_tools_read_a_record_whatever_is_in_it() {
        let postgres = need!(Postgres::start());
        let port = postgres.server.port.number();
        let record = r#"record = { purpose = "=cmd|' /C calc'!A0", basis = "Art. 6(1)(b)", subjects = ["customers", "--- !!python/object:os.system"], data = ["user.contact.email", "<script>alert(1)</script>", "&x *x"], recipients = ["a\",b;c", "@SUM(A1)"], transfers = [], retention = "2027-01-31", owner = "{{7*7}}" }"#;
        let daemon = Daemon::beside(port, open(port).key(record).alone());
        run(postgres.client("127.0.0.1", Postgres::PORT_QUERY), Place::default());
        wait::until("the ledger has both ends", || {
            let closed = "SELECT sum(closed) FROM edge e JOIN port p ON p.id = e.port WHERE p.number";
            count(daemon.ledger(), &format!("{closed} = {port}")) == 2
        });
        let (dir, policy) = (TempDir::new(), daemon.policy());
        let out = dir.join("record");
        let words = ["report", "--any-owner", "--policy", path(&policy), "--ledger", path(daemon.ledger())];
        let with = |more: &[&str]| {
            let output = gdprport(&[&words[..], &["--out", path(&out)], more].concat());
            assert!(output.status.success(), "{}", text(&output.stderr));
        };
        with(&["--format", "fides,dpv"]);
        let taxonomy = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../gdprport-daemon/src/report/exchange/fideslang.txt");
        let read = need!(import(&out, &taxonomy));
        assert_eq!(read["missing"], serde_json::json!([]), "every key is defined");
        assert_eq!(read["taxonomy_differs"], serde_json::json!([]));
        assert_eq!(read["own"]["data_use"], serde_json::json!(["=cmd|' /C calc'!A0"]));
        assert_eq!(read["purposes"], serde_json::json!(["=cmd|' /C calc'!A0"]));
        assert_eq!(read["observed_in_plain"], false, "what is declared stands alone");
        let systems = read["systems"].as_object().expect("systems");
        let system =
            systems.values().find(|system| system["privacy_declarations"][0].is_object()).expect("declared");
        let declared = &system["privacy_declarations"][0];
        assert_eq!(declared["legal_basis_for_processing"], "Contract", "{declared}");
        assert_eq!(declared["data_subjects"][0], "customer", "{declared}");
        assert_eq!(declared["data_categories"][0], "user.contact.email", "{declared}");
        assert_eq!(declared["retention_period"], "2027-01-31", "a text stays one: {declared}");
        assert_eq!(system["does_international_transfers"], false, "declared to be none");
        assert!(declared.get("processes_special_category_data").is_none(), "not declared: {declared}");
        assert_eq!(system["meta"]["gdprport"]["observed"]["connections"], 2, "{system}");
        let graphs = read["graphs"].as_object().expect("graphs");
        assert!(
            graphs.iter().any(|(name, size)| name.ends_with(":observed") && size.as_u64() > Some(10)),
            "{graphs:?}"
        );
        let rows = read["sheet"].as_array().expect("rows");
        let width = |row: &Value| row.as_array().map(Vec::len);
        assert!(rows.len() >= 2 && rows.iter().all(|row| width(row) == width(&rows[0])), "{rows:?}");
        let formula = |cell: &Value| cell.as_str().is_some_and(|cell| cell.starts_with(['=', '+', '-', '@']));
        assert!(!rows.iter().flat_map(|row| row.as_array().expect("cells")).any(formula), "{rows:?}");
        // Without the option they would be of an earlier day.
        with(&[]);
        assert!(!out.join("record.fides.yml").exists() && !out.join("record.jsonld").exists());
        daemon.stop();
    }

    /// One row that cannot be read: a record of the others would look like less traffic.
    #[test]
    fn a_ledger_that_is_read_in_part_makes_no_record() {
        let dir = TempDir::new();
        let (ledger, new) = (dir.join("ledger.db"), dir.join("new"));
        Start::with("version = 1\n").ledger(&ledger).start().terminate();
        let row = |peer: &str| Row {
            port: ("customers-db", 5432, true),
            direction: "in",
            identity: serde_json::json!({ "attribution": "exact", "exe": "/usr/bin/program", "uid": 107 }),
            peer: peer.to_owned(),
            verdict: serde_json::json!({ "outcome": "declared", "rule": "apps" }),
            posture: "tls1.3",
            bytes: 1_024,
            flows: 3,
        };
        write(&ledger, &[row("10.0.2.7/32"), row("10.0.2.8/32")]);
        let policy =
            dir.write("policy.toml", "version = 1\n[[port]]\nname = \"customers-db\"\nport = 5432\n");
        let (policy, new, file) = (path(&policy), path(&new), path(&ledger));
        let options = ["--any-owner", "--policy", policy];
        let commands = [
            [&["report", "--map"][..], &options].concat(),
            [&["report", "--out", new][..], &options].concat(),
            [&["report", "--pack", "--out", new][..], &options].concat(),
            [&["report", "--framework", "gdpr", "--out", new][..], &options].concat(),
            [&["report", "incident", "--port", "5432", "--from", "3d", "--out", new][..], &options].concat(),
            vec!["policy", "replay", policy],
            vec!["policy", "learn"],
        ];
        let ask = |words: &[&str]| gdprport(&[words, &["--ledger", file]].concat());
        for words in &commands {
            let output = ask(words);
            assert!(output.status.code().is_some_and(|code| code < 2), "{words:?}: {}", text(&output.stderr));
            let _ = std::fs::remove_dir_all(new);
        }
        for damage in
            ["UPDATE edge SET port = 999 WHERE row = 1", "UPDATE edge SET peer = 'nowhere' WHERE row = 1"]
        {
            change(&ledger, damage);
            for words in &commands {
                let output = ask(words);
                let stderr = text(&output.stderr);
                assert_eq!(output.status.code(), Some(1), "{words:?}: {stderr}");
                assert!(
                    stderr.contains("it is damaged") && !stderr.contains("panicked"),
                    "{words:?}: {stderr}"
                );
                assert!(!Path::new(new).exists(), "{words:?}");
            }
            let undo = "UPDATE edge SET port = (SELECT port FROM edge WHERE row = 2) WHERE row = 1";
            change(&ledger, undo);
        }
    }

    #[test]
    fn a_mistake_is_said_and_nothing_is_written() {
        let dir = TempDir::new();
        let other = dir.join("other");
        std::fs::create_dir(&other).expect("a new directory");
        std::fs::write(other.join("thesis.txt"), "x").expect("a new file");
        let policy = dir.write("policy.toml", "version = 1\n");
        let wrong = dir.write("wrong.toml", "version = 1\nprot = 5432\n");
        let (other, new) = (path(&other), dir.join("new"));
        let (policy, wrong, new) = (path(&policy), path(&wrong), path(&new));
        for (words, code, said) in [
            (&["report", "--out", other, "--policy", policy][..], 1, "--force"),
            (&["report", "--out", policy, "--policy", policy], 1, "is no directory"),
            (&["report", "--out", new, "--any-owner", "--policy", wrong], 2, "prot"),
            (
                &["report", "--out", new, "--any-owner", "--policy", policy, "--ledger", "/nonexistent/x.db"],
                2,
                "there is none",
            ),
            (&["report", "--out", new, "--since", "2099-01-01"], 2, "has not come yet"),
            (&["report"], 2, "--out"),
            (&["report", "--map", "--out", new], 2, "--map"),
            (&["report", "--map", "--self"], 2, "--self"),
            (&["report", "--out", new, "--lang", "nl"], 2, "nl"),
            (&["report", "--out", new, "--format", "xlsx"], 2, "fides, dpv"),
            (&["report", "--out", new, "--self", "--format", "dpv"], 2, "--self"),
        ] {
            let output = gdprport(words);
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
            assert!(stderr.contains(said) && !stderr.contains("panicked"), "{words:?}: {stderr}");
            assert!(!Path::new(new).exists(), "{words:?}");
        }
    }
}
