//! The ledger counts what happens, whatever events leave out, and says what it lacks.

mod host_only {
    use std::path::Path;
    use std::process::{Command, Output};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use gdprport_tests::child::Place;

    use gdprport_tests::daemon::{Daemon, Start, program};
    use gdprport_tests::ledger::{ask, count};
    use gdprport_tests::policy::open;
    use gdprport_tests::ports::Port;
    use gdprport_tests::puppet::{Puppet, built};
    use gdprport_tests::temp::{SmallDisk, TempDir};
    use gdprport_tests::user::User;
    use gdprport_tests::wait;

    /// As many connections; both ends of each are watched.
    const MADE: u64 = 40;

    /// Makes connections within this host, each opened and closed.
    fn burst(port: &Port) {
        let (mut server, mut client) = (Puppet::new(), Puppet::new());
        server.listen(format!("127.0.0.1:{port}"));
        server.ask("serve");
        assert_eq!(client.ask(&format!("burst 127.0.0.1:{port} {MADE} 4")), MADE.to_string());
        wait::until("all are served", || server.ask("served") == MADE.to_string());
    }

    /// What opened and ended on a port, by its ledger.
    fn counted(ledger: &Path, port: &Port) -> (u64, u64) {
        let sum = |of: &str| {
            count(
                ledger,
                &format!("SELECT sum({of}) FROM edge e JOIN port p ON p.id = e.port WHERE p.number = {port}"),
            )
        };
        (sum("opened"), sum("closed"))
    }

    fn wait_until_counted(ledger: &Path, port: &Port, expected: u64) {
        wait::until("the ledger has all", || counted(ledger, port) == (expected, expected));
    }

    #[test]
    fn the_ledger_counts_what_emit_leaves_out() {
        for emit in ["\"every\"", "\"violations\"", "{ summary = \"60s\" }"] {
            let port = Port::free();
            let declared = open(port.number()).key(&format!("emit = {emit}"));
            let daemon = Daemon::with(declared.alone());
            burst(&port);
            wait_until_counted(daemon.ledger(), &port, 2 * MADE);
            let status = daemon.status();
            assert_eq!(status["ledger"]["state"], "ok", "{status}");
            let log = daemon.stop();
            let opened =
                log.seen().iter().filter(|event| event.is("flow.open", port.number())).count() as u64;
            assert_eq!(opened, if emit == "\"every\"" { 2 * MADE } else { 0 }, "{emit}");
        }
    }

    #[test]
    fn a_reload_parts_the_rows_of_two_policies() {
        let port = Port::free();
        let daemon = Daemon::with(open(port.number()).alone());
        burst(&port);
        daemon.rewrite_policy(&format!("{}\n# another\n", open(port.number()).alone()));
        assert!(daemon.ask(["daemon", "reload"]).status.success());
        burst(&port);
        wait_until_counted(daemon.ledger(), &port, 4 * MADE);
        let of = |order: &str| {
            let question = format!("SELECT sum(opened) FROM edge GROUP BY policy ORDER BY policy {order}");
            count(daemon.ledger(), &question)
        };
        assert_eq!((of("ASC"), of("DESC")), (2 * MADE, 2 * MADE));
        assert_eq!(count(daemon.ledger(), "SELECT count(*) FROM policy_period"), 2);
        assert_eq!(
            ask(daemon.ledger(), "SELECT text LIKE '%# another%' FROM policy_source ORDER BY policy DESC"),
            "1"
        );
        daemon.stop();
    }

    /// What is missing after a kill in the midst of traffic is of the last two seconds, and nothing is claimed from the last
    /// batch until the next daemon.
    #[test]
    fn a_killed_daemon_lacks_its_last_two_seconds_at_most() {
        let (dir, port) = (TempDir::new(), Port::free());
        let ledger = dir.join("ledger.db");
        let mut daemon = Start::with(open(port.number()).alone()).ledger(&ledger).start();
        let (mut server, mut client) = (Puppet::new(), Puppet::new());
        server.listen(format!("127.0.0.1:{port}"));
        server.ask("serve");
        let going_on = AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while going_on.load(Ordering::Relaxed) {
                    client.ask(&format!("burst 127.0.0.1:{port} {MADE} 4"));
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            wait::until("some of it is counted", || counted(&ledger, &port).0 > 4 * MADE);
            std::thread::sleep(Duration::from_millis(300));
            daemon.kill();
            going_on.store(false, Ordering::Relaxed);
        });
        let micros = |question: &str| i64::try_from(count(&ledger, question)).expect("a time");
        let seen = micros("SELECT seen FROM run");
        let opened: Vec<i64> = daemon
            .log
            .refresh()
            .iter()
            .filter(|event| event.is("flow.open", port.number()))
            .map(|event| event.text("time").parse::<jiff::Timestamp>().expect("a time").as_microsecond())
            .collect();
        let stored = counted(&ledger, &port).0;
        let before = opened.iter().filter(|time| **time < seen).count() as u64;
        assert!(before <= stored && stored <= opened.len() as u64, "{before} {stored} {}", opened.len());
        let last = opened.last().copied().expect("there were some");
        assert!(last - seen <= 2_000_000, "{} us after the last batch", last - seen);

        let next = Start::with(open(port.number()).alone()).ledger(&ledger).start();
        let gap = |of: &str| micros(&format!("SELECT {of} FROM gap WHERE reason = 'ledger:killed'"));
        wait::until("the gap is in the ledger", || gap("count(*)") == 1);
        assert_eq!((gap("began"), gap("ended")), (seen, micros("SELECT max(began) FROM run")));
        next.stop();
        assert_eq!(ask(&ledger, "SELECT group_concat(ended) FROM run"), "killed,stopped");
    }

    #[test]
    fn what_came_last_is_written_at_the_end() {
        let (dir, port) = (TempDir::new(), Port::free());
        let ledger = dir.join("ledger.db");
        let daemon = Start::with(open(port.number()).alone()).ledger(&ledger).start();
        burst(&port);
        daemon.stop();
        assert_eq!(counted(&ledger, &port), (2 * MADE, 2 * MADE));
    }

    #[test]
    fn a_second_daemon_on_one_ledger_is_refused_by_name() {
        let (dir, port) = (TempDir::new(), Port::free());
        let daemon = Daemon::with(open(port.number()).alone());
        let mut command = Command::new(program());
        command.args(["daemon", "run", "--no-policy", "--ledger"]).arg(daemon.ledger());
        command.arg("--events").arg(dir.join("events")).arg("--socket").arg(dir.join("socket"));
        command.arg("--config").arg(dir.write("gdprport.toml", ""));
        // If it is not refused it must not go on for ever.
        let output =
            Command::new("timeout").arg("20").arg(command.get_program()).args(command.get_args()).output();
        let output = output.expect("timeout can be run");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(&daemon.ledger().display().to_string()), "{error}");
        assert!(error.contains(&daemon.pid().to_string()), "the one that runs is named: {error}");
        daemon.stop();
    }

    /// What it held is gone; the next one says so, knows the run and its policy, and counts from then on.
    #[test]
    fn a_ledger_that_is_deleted_is_begun_anew() {
        let port = Port::free();
        let daemon = Daemon::with(open(port.number()).alone());
        burst(&port);
        wait_until_counted(daemon.ledger(), &port, 2 * MADE);
        std::fs::remove_file(daemon.ledger()).expect("it is there");
        let has = |question: &str| count(daemon.ledger(), question);
        wait::until("another is begun", || {
            has("SELECT count(*) FROM gap WHERE reason = 'ledger:set-aside'") == 1
        });
        burst(&port);
        wait_until_counted(daemon.ledger(), &port, 2 * MADE);
        assert_eq!(has("SELECT count(*) FROM note WHERE kind = 'set-aside'"), 1);
        assert_eq!(has("SELECT count(*) FROM run WHERE ended IS NULL"), 1);
        assert_eq!(has("SELECT count(*) FROM policy_period WHERE ended IS NULL"), 1);
        let status = daemon.status();
        assert_eq!(status["ledger"]["state"], "ok", "{status}");
        daemon.stop();
    }

    /// Of an executable and a user that are called whatever somebody likes.
    #[test]
    fn hostile_names_break_no_table_and_no_ledger() {
        const UID: u32 = 4_711;
        let (dir, port) = (TempDir::new(), Port::free());
        let mut name = "evil\n\u{1b}[2J\u{1b}]0;owned\u{7}\r\u{202e}\'\"; DROP TABLE edge; --".to_owned();
        while name.len() < 250 {
            name.push('x');
        }
        // As long as a path may be: 15 directories of 250 bytes, and a file.
        let deep = (0..14).fold(dir.path().to_owned(), |path, _| path.join(&name));
        std::fs::create_dir_all(&deep).expect("a path may be as long");
        let exe = deep.join(&name);
        let done = Command::new("cp").arg(built("puppet")).arg(&exe).status().expect("cp can be run");
        assert!(done.success());
        let user = format!("u{}[2J", '\u{1b}');
        let script = format!(
            "cat /etc/passwd > {0}/passwd; printf '{user}:x:{UID}:{UID}::/:/bin/sh\\n' >> {0}/passwd\nmount --bind {0}/passwd /etc/passwd",
            dir.path().display()
        );
        let ledger = dir.join("ledger.db");
        let start = Start::with(open(port.number()).alone()).ledger(&ledger);
        let daemon = start.prepare(&script).start();
        let mut server = Puppet::new();
        server.listen(format!("127.0.0.1:{port}"));
        let evil = User { name: user, uid: UID, gid: UID, group: String::new() };
        let mut client = Puppet::run(&exe, Place::default().user(&evil));
        client.connect(format!("127.0.0.1:{port}"));
        server.accept();
        wait::until("both ends are counted", || counted(&ledger, &port).0 == 2);

        let path = ledger.to_str().expect("UTF-8");
        let past = ["flows", "--since", "1h", "--ledger", path];
        for words in [&["daemon", "status"][..], &["flows"], &["doctor"]] {
            is_harmless(words, &daemon.ask(words));
        }
        let output = Command::new(program()).args(past).output().expect("it can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        is_harmless(&past, &output);
        let json = Command::new(program()).args(past).arg("--json").output().expect("it can be run");
        let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
        assert_eq!(json["rows"].as_array().map(Vec::len), Some(2), "{json}");
        assert!(json.to_string().contains("DROP TABLE edge"), "named, not hidden: {json}");
        assert_eq!(daemon.status()["ledger"]["state"], "ok");
        daemon.stop();
        assert_eq!(ask(&ledger, "PRAGMA integrity_check"), "ok");
    }

    /// Nothing in it drives a terminal.
    fn is_harmless(words: &[&str], output: &Output) {
        for bytes in [&output.stdout, &output.stderr] {
            let text = String::from_utf8(bytes.clone()).expect("UTF-8");
            let evil = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
            assert_eq!(evil, None, "{words:?}: {text:?}");
            assert!(!text.lines().any(|line| line.starts_with("[2J")), "{words:?}: a line was begun");
        }
    }

    /// The sensor goes on, and status and doctor say why the ledger does not.
    #[test]
    fn a_full_disk_stops_the_ledger_and_nothing_else() {
        let (disk, port) = (SmallDisk::new(1 << 20), Port::free());
        let start = Start::with(open(port.number()).alone()).ledger(&disk.path().join("ledger.db"));
        let mut daemon = start.start();
        let fill = disk.path().join("fill");
        // It ends with an error, and the file system is full.
        let _ = std::fs::write(&fill, vec![0_u8; 2 << 20]);
        burst(&port);
        let state = || daemon.status()["ledger"]["state"].as_str().unwrap_or_default().to_owned();
        wait::within(Duration::from_secs(60), "the status says it", || (state() != "ok").then_some(()));
        let status = daemon.status();
        assert_eq!(status["health"]["state"], "degraded", "{}", status["health"]);
        assert!(status["ledger"]["why"].is_string());
        let doctor = daemon.ask(["doctor"]);
        assert!(String::from_utf8_lossy(&doctor.stdout).contains("is not written in time"));
        let shown = String::from_utf8(daemon.ask(["daemon", "status"]).stdout).expect("text");
        assert!(shown.contains("LEDGER"), "{shown}");
        let opened = daemon.log.refresh().iter().filter(|event| event.is("flow.open", port.number())).count();
        assert_eq!(opened as u64, 2 * MADE, "the sensor goes on");
        std::fs::remove_file(&fill).expect("it was written");
        let ledger = daemon.ledger().to_owned();
        wait::within(Duration::from_secs(90), "what waited is stored", || {
            (counted(&ledger, &port) == (2 * MADE, 2 * MADE)).then_some(())
        });
        assert_eq!(daemon.status()["ledger"]["state"], "ok");
        burst(&port);
        wait_until_counted(&ledger, &port, 4 * MADE);
        daemon.stop();
        assert_eq!(count(&ledger, "SELECT count(*) FROM gap"), 0, "nothing was lost");
    }
}
