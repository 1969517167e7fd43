//! An hour with far more than the weeks before is one finding, from a ledger with a history; before there are weeks, it is learning.

mod host_only {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use gdprport_tests::daemon::{Start, program};
    use gdprport_tests::policy::open;
    use gdprport_tests::ports::Port;
    use gdprport_tests::puppet::Puppet;
    use gdprport_tests::scene::{Audited, evidence, went_on_for};
    use gdprport_tests::temp::TempDir;
    use rusqlite::Connection;

    const GIB: i64 = 1 << 30;

    /// A policy, and the ledger of a daemon that has counted both ends of a connection on each of so many days.
    struct Kept {
        port: Port,
        text: String,
        policy: PathBuf,
        ledger: PathBuf,
        _dir: TempDir,
    }

    impl Kept {
        fn of(days: i64) -> Self {
            let (dir, port) = (TempDir::new(), Port::free());
            let text = open(port.number()).alone();
            let (ledger, policy) = (dir.join("ledger.db"), dir.write("policy.toml", &text));
            let mut daemon = Start::with(text.clone()).ledger(&ledger).start();
            let (mut server, mut client) = (Puppet::new(), Puppet::new());
            server.listen(format!("127.0.0.1:{port}"));
            client.connect(format!("127.0.0.1:{port}"));
            server.accept();
            daemon.log.wait_count("both ends", 2, |event| event.is("flow.open", port.number()));
            daemon.stop();
            went_on_for(&ledger, days);
            Self { port, text, policy, ledger, _dir: dir }
        }

        /// In one hour of yesterday more was accepted than ever.
        fn exports(&self, gib: i64) {
            let ledger = Connection::open(&self.ledger).expect("a ledger");
            let sql = "UPDATE volume SET bytes_sent = ?1 WHERE direction = 'in'
                AND hour = (SELECT max(hour) FROM volume) - 86400";
            assert_eq!(ledger.execute(sql, [gib * GIB]).expect("it fits the schema"), 1);
        }

        fn audited(&self, words: &[&str]) -> Audited {
            Audited::of(&self.policy, &self.ledger, &[&["--no-scan"], words].concat())
        }
    }

    fn unusual(audited: &Audited) -> Vec<String> {
        audited.found("findings").into_iter().filter(|name| name.starts_with("unusual-volume")).collect()
    }

    fn learning(audited: &Audited) -> String {
        let all = audited.json["not_judged"].as_array().cloned().unwrap_or_default();
        let of = all.iter().find(|of| of["ids"].to_string().contains("unusual-volume"));
        of.map_or_else(String::new, |of| {
            format!("{} {}", of["partly"], of["why"].as_str().unwrap_or_default())
        })
    }

    #[test]
    fn an_export_is_found_with_the_weeks_before() {
        let kept = Kept::of(60);
        assert_eq!(unusual(&kept.audited(&[])), Vec::<String>::new());
        kept.exports(48);
        let audited = kept.audited(&[]);
        let found = unusual(&audited);
        let [name] = &found[..] else { panic!("{:#}", audited.json) };
        let finding = audited.finding(name);
        let message = finding["message"].as_str().expect("a sentence");
        assert!(message.contains("sent 48.0 GiB in the hour from"), "{message}");
        assert!(
            evidence(finding, "compared with").contains("8 samples of the same hour of the week"),
            "{finding:#}"
        );
        assert_eq!(finding["subject"]["number"], kept.port.number());
        // It is compared with the same weeks whatever period is asked for.
        assert_eq!(unusual(&kept.audited(&["--since", "2d"])), found);
        assert_eq!(learning(&audited), "", "{:#}", audited.json);
    }

    #[test]
    fn before_three_weeks_an_audit_says_until_when_it_learns() {
        let kept = Kept::of(10);
        kept.exports(48);
        let audited = kept.audited(&[]);
        assert_eq!(unusual(&audited), Vec::<String>::new());
        let why = learning(&audited);
        let name = format!("port-{} (until 20", kept.port);
        assert!(why.starts_with("true learning: ") && why.contains(&name), "{why}");
    }

    /// The next day's audit finds the same, and says nothing.
    #[test]
    fn an_export_is_one_event_however_often_it_is_found() {
        let kept = Kept::of(60);
        kept.exports(48);
        let mut daemon = Start::with(kept.text.clone()).ledger(&kept.ledger).start();
        let record = |socket: &Path| {
            let mut command = Command::new(program());
            command.args(["audit", "--fail-on", "never", "--no-scan", "--record", "--socket"]).arg(socket);
            command.arg("--policy").arg(&kept.policy).arg("--ledger").arg(&kept.ledger);
            let output = command.output().expect("the program can be run");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
        };
        record(daemon.socket());
        let event = daemon.log.wait("the finding", |event| {
            event.kind() == "finding" && event.text("finding.id") == "unusual-volume"
        });
        assert_eq!((event.text("finding.state"), event.text("severity")), ("new", "medium"));
        assert_eq!(record(daemon.socket()), "recorded: 0 new, 0 changed, 0 settled, 0 reopened");
        daemon.stop();
    }
}
