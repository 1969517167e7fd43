//! An audit that is recorded: the daemon says what differs from the one before.

mod host_only {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Output};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::JoinHandle;
    use std::time::Duration;

    use gdprport_tests::daemon::{Daemon, Start, program};
    use gdprport_tests::event::Event;
    use gdprport_tests::policy::open;
    use gdprport_tests::ports::Port;
    use gdprport_tests::serial;
    use gdprport_tests::temp::TempDir;
    use gdprport_tests::user::User;

    /// Runs `gdprport audit` of this policy and the daemon's ledger, with these words.
    fn audit(daemon: &Daemon, policy: &Path, words: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.arg("audit").args(["--fail-on", "never"]).arg("--policy").arg(policy);
        command.arg("--ledger").arg(daemon.ledger()).arg("--socket").arg(daemon.socket()).args(words);
        command.output().expect("the program can be run")
    }

    /// What the command says of what differs.
    #[track_caller]
    fn recorded(daemon: &Daemon, policy: &Path, words: &[&str]) -> String {
        let output = audit(daemon, policy, &[&["--record"], words].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text.lines().last().unwrap_or_default().to_owned()
    }

    /// Waits for as many events of audits, and returns all so far, as state, severity and fingerprint.
    #[track_caller]
    fn events(daemon: &mut Daemon, count: usize) -> Vec<[String; 3]> {
        let of_audit = |event: &Event| !event.at("finding.fingerprint").is_null();
        daemon.log.wait_count("findings of audits", count, of_audit);
        let fields = ["finding.state", "severity", "finding.fingerprint"];
        let all = daemon.log.seen().iter().filter(|event| of_audit(event));
        all.map(|event| fields.map(|field| event.text(field).to_owned())).collect()
    }

    /// A policy whose port has no record, and one whose port has.
    fn policies(port: &Port) -> [String; 2] {
        let controller = "[controller]\nname = \"Example GmbH\"\ncontact = \"dpo@example.org\"\n";
        let declared = open(port.number()).key("tls = { required = false, why = \"a test\" }");
        let record = "record = { purpose = \"a\", subjects = [\"b\"], data = [\"c\"], recipients = [], transfers = [], \
                      retention = \"d\" }";
        [declared.clone(), declared.key(record)].map(|declared| format!("{}\n{controller}", declared.alone()))
    }

    const NOTHING: &str = "recorded: 0 new, 0 changed, 0 settled, 0 reopened";

    #[test]
    fn a_finding_is_an_event_when_it_comes_and_goes() {
        let (dir, port) = (TempDir::new(), Port::free());
        let [lacking, whole] = policies(&port);
        let policy = dir.write("policy.toml", &lacking);
        let mut daemon = Daemon::with(lacking.clone());
        // What listens on this machine is another test's.
        let record = |daemon: &Daemon| recorded(daemon, &policy, &["--no-scan"]);
        assert_eq!(record(&daemon), "recorded: 1 new, 0 changed, 0 settled, 0 reopened");
        let came = events(&mut daemon, 1);
        assert_eq!(came[0][..2], ["new", "medium"]);
        assert_eq!(record(&daemon), NOTHING);
        let shown = audit(&daemon, &policy, &["--no-scan", "--json"]);
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
        assert!(shown["findings"][0]["known_since"].is_string(), "{shown}");
        dir.write("policy.toml", &whole);
        assert_eq!(record(&daemon), "recorded: 0 new, 0 changed, 1 settled, 0 reopened");
        dir.write("policy.toml", &lacking);
        assert_eq!(record(&daemon), "recorded: 0 new, 0 changed, 0 settled, 1 reopened");
        let all = events(&mut daemon, 3);
        let states: Vec<_> = all.iter().map(|event| [&*event[0], &*event[1]]).collect();
        assert_eq!(states, [["new", "medium"], ["settled", "info"], ["reopened", "medium"]]);
        assert!(all.iter().all(|event| event[2] == came[0][2]), "{all:?}");
        daemon.stop();
    }

    /// It is still found: that somebody accepts it is a change, and the exception is in the event.
    #[test]
    fn an_accepted_finding_is_changed_and_not_settled() {
        let (dir, port) = (TempDir::new(), Port::free());
        let [lacking, _] = policies(&port);
        let policy = dir.write("policy.toml", &lacking);
        let mut daemon = Daemon::with(lacking.clone());
        recorded(&daemon, &policy, &["--no-scan"]);
        let exception = format!(
            "\n[[exception]]\nfinding = \"record-incomplete\"\nport = \"port-{port}\"\nwhy = \"a test\"\n\
             accepted_by = \"dpo@example.org\"\nuntil = 2099-12-31\n"
        );
        dir.write("policy.toml", &format!("{lacking}{exception}"));
        let line = recorded(&daemon, &policy, &["--no-scan"]);
        assert_eq!(line, "recorded: 0 new, 1 changed, 0 settled, 0 reopened");
        let all = events(&mut daemon, 2);
        assert_eq!(all[1][..2], ["changed", "low"]);
        let last = daemon.log.seen().iter().rfind(|event| event.kind() == "finding").expect("an event");
        assert_eq!(last.text("finding.accepted.by"), "dpo@example.org");
        daemon.stop();
    }

    /// A service that only its first bytes name: an audit that does not watch says nothing of it.
    #[test]
    fn what_was_not_judged_is_not_settled() {
        let _alone = serial::alone();
        let (dir, port) = (TempDir::new(), Port::free());
        let [lacking, whole] = policies(&Port::free());
        let policy = dir.write("policy.toml", &whole);
        let mut daemon = Start::without_policy().start();
        let of_port = |event: &Event| event.number("finding.subject.number") == Some(port.number().into());
        let web = Web::on(&port);
        recorded(&daemon, &policy, &["--watch", "3s"]);
        let found = daemon.log.wait("a shadow service", of_port);
        assert_eq!(found.text("finding.id"), "shadow-service");
        assert_eq!(found.text("finding.subject.port"), "http");
        drop(web);
        // Events come in their order: behind those of the first audit comes what the second one settles.
        for text in [&lacking, &whole] {
            dir.write("policy.toml", text);
            recorded(&daemon, &policy, &[]);
        }
        daemon.log.wait("what is settled", |event| {
            event.text("finding.state") == "settled" && event.text("finding.id") == "record-incomplete"
        });
        assert_eq!(daemon.log.count(of_port), 1);
        daemon.stop();
    }

    /// A server on every address that speaks HTTP, and a client that asks it for something again and again.
    struct Web {
        ends: Arc<AtomicBool>,
        threads: Vec<JoinHandle<()>>,
    }

    impl Web {
        fn on(port: &Port) -> Self {
            let ends = Arc::new(AtomicBool::new(false));
            let server = TcpListener::bind(("0.0.0.0", port.number())).expect("the port is free");
            server.set_nonblocking(true).expect("a socket");
            let (number, until, asks) = (port.number(), Arc::clone(&ends), Arc::clone(&ends));
            let serve = move || {
                while !until.load(Ordering::Relaxed) {
                    if let Ok((mut stream, _)) = server.accept() {
                        let _ = stream.read(&mut [0; 256]);
                        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            };
            let ask = move || {
                while !asks.load(Ordering::Relaxed) {
                    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", number)) {
                        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                        let _ = stream.read(&mut [0; 256]);
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            };
            Self { ends, threads: vec![std::thread::spawn(serve), std::thread::spawn(ask)] }
        }
    }

    impl Drop for Web {
        fn drop(&mut self) {
            self.ends.store(true, Ordering::Relaxed);
            for thread in self.threads.drain(..) {
                let _ = thread.join();
            }
        }
    }

    #[test]
    fn only_root_records_an_audit() {
        let port = Port::free();
        let daemon = Daemon::with(open(port.number()).alone());
        // As a member of the group would reach it.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(daemon.socket(), mode).expect("it is ours");
        let games = User::games();
        let ids = [format!("--reuid={}", games.uid), format!("--regid={}", games.gid)];
        let mut curl = Command::new("setpriv");
        curl.args(&ids).args(["--clear-groups", "curl", "-sS", "--unix-socket"]).arg(daemon.socket());
        curl.args(["-X", "POST", "-d", "{}", "http://gdprport/v1/findings"]);
        let output = curl.output().expect("curl can be run");
        let reply = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(reply.contains("only root may record an audit"), "{reply}{output:?}");
        daemon.stop();
    }

    #[test]
    fn without_a_daemon_the_audit_is_shown_and_ends_with_three() {
        let (dir, port) = (TempDir::new(), Port::free());
        let policy: PathBuf = dir.write("policy.toml", &policies(&port)[0]);
        let mut command = Command::new(program());
        command.args(["audit", "--no-scan", "--record", "--policy"]).arg(&policy);
        command.arg("--socket").arg(dir.join("none.sock"));
        let output = command.output().expect("the program can be run");
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stdout).contains("record-incomplete"));
        assert!(String::from_utf8_lossy(&output.stderr).contains("no daemon answers on"));
    }

    #[test]
    fn without_a_ledger_an_audit_is_not_recorded() {
        let (dir, port) = (TempDir::new(), Port::free());
        let text = &policies(&port)[0];
        let policy = dir.write("policy.toml", text);
        let daemon = Start::with(text.clone()).ledger(Path::new("/proc/none/ledger.db")).start();
        let mut command = Command::new(program());
        command.args(["audit", "--record", "--no-scan", "--fail-on", "never", "--policy"]).arg(&policy);
        let output = command.arg("--socket").arg(daemon.socket()).output().expect("the program can be run");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("the audit was not recorded: the ledger"), "{error}");
        daemon.stop();
    }
}
