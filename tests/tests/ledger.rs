//! The ledger counts what happens, whatever events leave out, and says what it lacks.

mod host_only {
    use std::path::Path;
    use std::process::Command;

    use gdprport_tests::daemon::{Daemon, Start, program};
    use gdprport_tests::ledger::{ask, count};
    use gdprport_tests::policy::open;
    use gdprport_tests::ports::Port;
    use gdprport_tests::puppet::Puppet;
    use gdprport_tests::temp::{SmallDisk, TempDir};
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

    #[test]
    fn a_killed_daemon_leaves_a_gap_of_two_seconds_at_most() {
        let (dir, port) = (TempDir::new(), Port::free());
        let ledger = dir.join("ledger.db");
        let mut daemon = Start::with(open(port.number()).alone()).ledger(&ledger).start();
        burst(&port);
        wait_until_counted(&ledger, &port, 2 * MADE);
        daemon.kill();
        let next = Start::with(open(port.number()).alone()).ledger(&ledger).start();
        let gap = "SELECT ended - began FROM gap WHERE reason = 'ledger:killed'";
        wait::until("the gap is in the ledger", || !ask(&ledger, gap).is_empty());
        assert!(count(&ledger, gap) <= 2_000_000, "{}", ask(&ledger, gap));
        assert_eq!(counted(&ledger, &port), (2 * MADE, 2 * MADE));
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

    #[test]
    fn a_ledger_that_is_deleted_is_begun_anew_or_missed() {
        let port = Port::free();
        let daemon = Daemon::with(open(port.number()).alone());
        burst(&port);
        wait_until_counted(daemon.ledger(), &port, 2 * MADE);
        std::fs::remove_file(daemon.ledger()).expect("it is there");
        burst(&port);
        let is_noticed = || {
            let status = daemon.status();
            status["ledger"]["state"] != "ok" || counted(daemon.ledger(), &port) == (2 * MADE, 2 * MADE)
        };
        wait::within(std::time::Duration::from_secs(60), "it is noticed", || is_noticed().then_some(()));
        daemon.stop();
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
        wait::within(std::time::Duration::from_secs(60), "the status says it", || {
            (state() != "ok").then_some(())
        });
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
        daemon.stop();
    }
}
