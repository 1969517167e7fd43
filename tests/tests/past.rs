//! The commands that read the ledger find the daemon's, and each error is one sentence that says what to do.

mod host_only {
    use std::path::Path;
    use std::process::{Command, Output};

    use gdprport_tests::daemon::{Daemon, program};
    use gdprport_tests::policy::open;
    use gdprport_tests::ports::Port;
    use gdprport_tests::puppet::Puppet;
    use gdprport_tests::temp::TempDir;
    use gdprport_tests::wait;
    use serde_json::Value;

    /// Each command that reads the past.
    const COMMANDS: [&[&str]; 4] = [
        &["flows", "--since", "1h"],
        &["init", "--from-ledger", "--no-input"],
        &["audit", "--no-scan", "--fail-on", "never"],
        &["policy", "explain", "--row", "1"],
    ];

    /// Runs the program where `/etc` has this configuration and nothing else.
    fn configured(config: &str, words: &[&str]) -> Output {
        const SCRIPT: &str = "\
mount -t tmpfs none /etc
mkdir /etc/gdprport
printf %s \"$CONFIG\" > /etc/gdprport/gdprport.toml
exec \"$0\" \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", SCRIPT]).arg(program()).args(words).env("CONFIG", config);
        command.output().expect("unshare can be run")
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// A daemon that has counted both ends of a connection, which is open as long as these programs run.
    fn with_a_flow(port: &Port) -> (Daemon, [Puppet; 2]) {
        let daemon = Daemon::with(open(port.number()).alone());
        let (mut server, mut client) = (Puppet::new(), Puppet::new());
        server.listen(format!("127.0.0.1:{port}"));
        client.connect(format!("127.0.0.1:{port}"));
        server.accept();
        wait::until("the ledger has both ends", || rows(&past(daemon.ledger(), port, &[])).len() == 2);
        (daemon, [server, client])
    }

    /// `flows --since` as JSON.
    fn past(ledger: &Path, port: &Port, words: &[&str]) -> Value {
        let (ledger, port) = (ledger.to_str().expect("UTF-8"), port.to_string());
        let given = ["flows", "--since", "1h", "--json", "--ledger", ledger, "--port", &port];
        let output = Command::new(program()).args(given).args(words).output().expect("it can be run");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    fn rows(past: &Value) -> Vec<Value> {
        past["rows"].as_array().cloned().unwrap_or_default()
    }

    #[test]
    fn the_ledger_of_the_configuration_is_read() {
        let port = Port::free();
        let (daemon, _open) = with_a_flow(&port);
        let config = format!("[ledger]\npath = \"{}\"\n", daemon.ledger().display());
        for words in COMMANDS {
            let output = configured(&config, words);
            assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
            let shown = text(&output.stdout);
            assert!(!shown.contains("/var/lib/gdprport"), "{words:?}: {shown}");
        }
        let shown = text(&configured(&config, COMMANDS[0]).stdout);
        assert!(shown.contains(&format!("port-{port}")), "{shown}");
    }

    #[test]
    fn a_broken_configuration_is_one_sentence() {
        for (config, said) in [
            ("[ledger]\npath = \"relative\"\n", ":2:8: "),
            ("[ledger]\npfad = \"/x\"\n", ":2:1: `[ledger]` has no key `pfad`: the keys here are"),
            ("limits\n", ":1:7: this is not TOML"),
        ] {
            for words in COMMANDS {
                let output = configured(config, words);
                let error = text(&output.stderr);
                assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{words:?}: {error}");
                let place = "/etc/gdprport/gdprport.toml";
                let whole = [place, said, "name it with --ledger"].iter().all(|part| error.contains(part));
                assert!(whole, "{words:?}: {error}");
            }
        }
        let doctor = text(&configured("limits\n", &["--socket", "/nonexistent/socket", "doctor"]).stdout);
        assert!(
            doctor.contains("configuration") && doctor.contains("gdprport.toml:1:7: this is not TOML"),
            "{doctor}"
        );
        let off = configured("[ledger]\nenabled = false\npath = \"/nonexistent/l.db\"\n", COMMANDS[0]);
        let error = text(&off.stderr);
        assert_eq!(off.status.code(), Some(1), "{error}");
        assert!(error.contains("`[ledger] enabled = false`"), "{error}");
    }

    #[test]
    fn what_is_named_and_is_no_ledger_is_one_sentence() {
        let dir = TempDir::new();
        let fifo = dir.join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status().expect("mkfifo can be run");
        assert!(made.success());
        for (ledger, said) in [
            (dir.path().to_owned(), "it is a directory, and a ledger is a file"),
            (fifo, "it is a FIFO"),
            (dir.write("text", "this is a text, and no database\n"), "it is no ledger of gdprport"),
            (dir.write("empty", ""), "it is empty"),
            ("/dev/null".into(), "it is a device"),
            (dir.join("missing"), "there is none"),
        ] {
            for words in COMMANDS {
                let output = Command::new(program()).args(words).arg("--ledger").arg(&ledger).output();
                let output = output.expect("the program can be run");
                let error = text(&output.stderr);
                assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{words:?}: {error}");
                assert!(error.contains(said) && error.contains(&ledger.display().to_string()), "{error}");
                assert_eq!(text(&output.stdout), "", "{words:?}");
            }
        }
    }

    /// What `flows --since` shows is what the others take: a row by its number, and an open flow by both of its names.
    #[test]
    fn a_row_and_a_flow_are_explained_by_what_is_shown() {
        let port = Port::free();
        let (daemon, _open) = with_a_flow(&port);
        let (ledger, policy) = (daemon.ledger().to_str().expect("UTF-8"), daemon.policy());
        for row in rows(&past(daemon.ledger(), &port, &[])) {
            let number = row["row"].to_string();
            let words = ["policy", "explain", "--json", "--ledger", ledger, "--row", &number, "--policy"];
            let output = Command::new(program()).args(words).arg(&policy).output().expect("it can be run");
            let explained: Value =
                serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
            let (now, then) = (&explained["explanation"]["verdict"], &row["verdict"]);
            assert_eq!((&now["outcome"], &now["rule"]), (&then["outcome"], &then["rule"]), "{row}");
        }
        let open: Value =
            serde_json::from_slice(&daemon.ask(["flows", "--json", "--port", &port.to_string()]).stdout)
                .expect("JSON");
        let flow = &open["flows"][0]["flow"];
        for (key, flows) in [("id", 2), ("cookie", 1)] {
            let id = flow[key].as_str().expect("a name of the flow");
            let output = daemon.ask(["policy", "explain", "--json", "--flow", id]);
            let explained: Value =
                serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
            assert_eq!(explained["flows"].as_array().map(Vec::len), Some(flows), "{explained}");
        }
        let gone = daemon.ask(["policy", "explain", "--flow", "1:AAAAAAAAAAAAAAAAAAAAAAAAAAA="]);
        let error = text(&gone.stderr);
        assert_eq!(gone.status.code(), Some(1), "{error}");
        assert!(
            error.contains("`gdprport flows --since 1d`") && error.contains("explain --row N"),
            "{error}"
        );
        daemon.stop();
    }
}
