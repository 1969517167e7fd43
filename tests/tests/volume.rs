//! A rule that moves more than its `volume` is in violation while it does so, across restarts and reloads.

mod host_only {
    use std::path::Path;

    use gdprport_tests::commands::{gdprport, path, text};
    use gdprport_tests::daemon::{Daemon, Start};
    use gdprport_tests::event::Event;
    use gdprport_tests::ledger::count;
    use gdprport_tests::policy::{Declaration, declare};
    use gdprport_tests::ports::Port;
    use gdprport_tests::puppet::{HeldStream, Puppet};
    use gdprport_tests::temp::TempDir;
    use gdprport_tests::wait;
    use serde_json::{Value, json};

    const CONFIG: &str = "[intervals]\nflow_update = \"1s\"\n";
    const MIB: u64 = 1 << 20;

    /// The server may move so much in a day; its clients as much as they like.
    fn limited(port: &Port, max: &str) -> Declaration {
        declare("customers-db", port.number())
            .allow("serving", "in", "loopback", "")
            .rule_key(&format!("volume = {{ per = \"7d\", max = \"{max}\" }}"))
            .allow("calling", "out", "loopback", "")
    }

    struct Ends {
        server: Puppet,
        client: Puppet,
        port: Port,
    }

    impl Ends {
        fn new() -> Self {
            let (mut server, client, port) = (Puppet::new(), Puppet::new(), Port::free());
            server.listen(format!("127.0.0.1:{port}"));
            Self { server, client, port }
        }

        fn connect(&mut self) -> (HeldStream, HeldStream) {
            let there = self.client.connect(format!("127.0.0.1:{}", self.port));
            (self.server.accept(), there)
        }

        fn send(&mut self, (here, there): &(HeldStream, HeldStream), bytes: u64) {
            self.client.send(&format!("send {} {bytes}", there.id));
            self.server.ask(&format!("recv {} {bytes}", here.id));
            self.client.reply();
        }

        fn close(&mut self, (here, there): (HeldStream, HeldStream)) {
            self.client.close(there);
            self.server.close(here);
        }
    }

    fn is_violation(event: &Event) -> bool {
        event.kind() == "violation"
    }

    fn moved(daemon: &Daemon) -> u64 {
        daemon.status()["volumes"][0]["bytes"].as_u64().expect("a sum")
    }

    #[test]
    fn a_transfer_that_goes_on_crosses_and_is_reported_once() {
        let mut ends = Ends::new();
        let mut daemon = Start::with(limited(&ends.port, "8MiB").alone()).config(CONFIG).start();
        let (crossing, other) = (ends.connect(), ends.connect());
        ends.send(&other, MIB);
        ends.send(&crossing, 9 * MIB);
        let event = daemon.log.wait("the violation", is_violation);
        let server = format!("127.0.0.1:{}", crossing.1.address.port());
        assert_eq!(event.text("flow.peer.ip"), "127.0.0.1");
        assert_eq!(event.reasons(), ["volume-exceeded"], "{}", event.line());
        assert_eq!(event.text("flow.outcome"), "established", "it goes on: {server}");
        assert_eq!(event.text("verdict.nearest.role"), "serving");
        assert_eq!(event.text("volume.rule"), "serving");
        assert_eq!(event.text("volume.per"), "7d");
        assert_eq!(event.number("volume.max"), Some(8 * MIB));
        let bytes = event.number("volume.bytes").expect("a sum");
        assert!((9 * MIB..=10 * MIB).contains(&bytes), "{}", event.line());
        // What comes later in the window is beyond it too, and no second one is sent.
        let late = ends.connect();
        ends.send(&late, 1);
        for pair in [crossing, other, late] {
            ends.close(pair);
        }
        let is_closed = |event: &Event| {
            event.is("flow.close", ends.port.number()) && event.text("flow.direction") == "in"
        };
        daemon.log.wait_count("all end", 3, is_closed);
        let status = daemon.status();
        assert_eq!(status["volumes"][0]["bytes"], 10 * MIB + 1, "{}", status["volumes"]);
        assert_eq!(daemon.port_status(ends.port.number())["violations"]["volume-exceeded"], 3);
        let log = daemon.stop();
        assert_eq!(log.count(is_violation), 1);
        for event in log.seen().iter().filter(|event| is_closed(event)) {
            assert_eq!(event.reasons(), ["volume-exceeded"], "{}", event.line());
        }
    }

    #[test]
    fn a_transfer_that_ends_before_it_was_polled_is_in_violation() {
        let mut ends = Ends::new();
        let mut daemon = Daemon::with(limited(&ends.port, "1MiB").alone());
        let pair = ends.connect();
        ends.send(&pair, 2 * MIB);
        ends.close(pair);
        let event = daemon.log.wait("the violation", is_violation);
        assert_eq!(event.reasons(), ["volume-exceeded"], "{}", event.line());
        assert_eq!(event.number("volume.bytes"), Some(2 * MIB), "{}", event.line());
        daemon.stop();
    }

    #[test]
    fn a_restart_goes_on_with_the_sum_of_the_ledger() {
        let (mut ends, dir) = (Ends::new(), TempDir::new());
        let ledger = dir.join("ledger.db");
        let start = |ends: &Ends| {
            Start::with(limited(&ends.port, "4MiB").alone()).config(CONFIG).ledger(&ledger).start()
        };
        let daemon = start(&ends);
        let pair = ends.connect();
        ends.send(&pair, 3 * MIB);
        ends.close(pair);
        wait::until("it is counted", || moved(&daemon) == 3 * MIB);
        assert_eq!(daemon.stop().count(is_violation), 0);
        let mut daemon = start(&ends);
        wait::until("the ledger's sum is there", || moved(&daemon) == 3 * MIB);
        let status = daemon.status();
        assert_eq!(status["volumes"][0]["bound"], "at-least", "{}", status["volumes"]);
        let pair = ends.connect();
        ends.send(&pair, 2 * MIB);
        let event = daemon.log.wait("the violation", is_violation);
        assert_eq!(event.number("volume.bytes"), Some(5 * MIB), "{}", event.line());
        assert_eq!(event.text("volume.bound"), "at-least");
        ends.close(pair);
        daemon.stop();
        // What it moved beyond its volume is in the ledger as well.
        let mut daemon = start(&ends);
        wait::until("the ledger's sum is there", || moved(&daemon) == 5 * MIB);
        let pair = ends.connect();
        daemon.log.wait("still beyond", |event| event.kind() == "violation");
        ends.close(pair);
        daemon.stop();
        afterwards(&dir, &ledger, &limited(&ends.port, "4MiB").alone());
    }

    /// What is said of a limit once the daemon is gone: what is declared, and what the ledger has of it.
    fn afterwards(dir: &TempDir, ledger: &Path, policy: &str) {
        let policy = dir.write("policy.toml", policy);
        let ask = |words: &[&str]| {
            let output = gdprport(&[words, &["--ledger", path(ledger)]].concat());
            assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
            text(&output.stdout)
        };
        let record = ask(&["report", "--map", "--json", "--any-owner", "--policy", path(&policy)]);
        let record: Value = serde_json::from_str(&record).expect("JSON");
        let activity = &record["activities"][0];
        assert_eq!(activity["declared"]["rules"][0]["volume"], json!({ "per": "7d", "max": 4 * MIB }));
        let most = &activity["observed"]["rules"][0]["most"];
        assert_eq!((&most["bytes"], &most["beyond"]), (&json!(5 * MIB), &json!(1)), "{most}");
        assert_eq!(most["bound"], "at-least", "a part of the week was not watched: {most}");
        let row = count(ledger, "SELECT min(row) FROM edge WHERE direction = 'in'").to_string();
        let explained = ask(&["policy", "explain", "--row", &row, "--policy", path(&policy)]);
        let said = explained.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains("? volume") && said.contains("at least 5.0 MiB in the window from"),
            "{explained}"
        );
        // Sums are not made again, so what the rule would allow is not judged, and never called declared.
        let replayed = ask(&["policy", "replay", path(&policy)]);
        let said = replayed.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains("DECLARED, CANNOT BE JUDGED") && said.contains("cannot be judged: the ledger"),
            "{replayed}"
        );
        let replayed: Value =
            serde_json::from_str(&ask(&["policy", "replay", path(&policy), "--json"])).expect("JSON");
        let groups = replayed["groups"].as_array().expect("groups").iter();
        let serving = groups.filter(|group| group["direction"] == "in" && group["change"] != "same");
        let missing: Vec<&Value> = serving.map(|group| &group["missing"][0]).collect();
        let expected = json!("whether serving had moved more than 4.0 MiB per 7d");
        assert!(!missing.is_empty() && missing.iter().all(|why| **why == expected), "{missing:?}");
    }

    #[test]
    fn a_reload_that_allows_more_makes_it_declared_again() {
        let mut ends = Ends::new();
        let mut daemon = Start::with(limited(&ends.port, "1MiB").alone()).config(CONFIG).start();
        let pair = ends.connect();
        ends.send(&pair, 2 * MIB);
        daemon.log.wait("the violation", is_violation);
        daemon.rewrite_policy(&limited(&ends.port, "1GiB").alone());
        assert!(daemon.ask(["daemon", "reload"]).status.success());
        let explained = daemon.ask(["policy", "explain", "--flow", &flow_of(&daemon)]);
        let text = String::from_utf8_lossy(&explained.stdout).into_owned();
        assert!(text.contains("✓ volume") && text.contains("2.0 MiB since"), "{text}");
        ends.close(pair);
        let closed = |event: &Event| {
            event.is("flow.close", ends.port.number()) && event.text("flow.direction") == "in"
        };
        let event = daemon.log.wait("its end", closed);
        assert_eq!(event.text("verdict.outcome"), "declared", "{}", event.line());
        assert!(event.at("volume").is_null(), "{}", event.line());
        daemon.stop();
    }

    /// The cookie of the open accepted flow.
    fn flow_of(daemon: &Daemon) -> String {
        let flows = daemon.ask(["flows", "--json"]);
        let flows: serde_json::Value = serde_json::from_slice(&flows.stdout).expect("JSON");
        let all = flows["flows"].as_array().expect("flows");
        let accepted = all.iter().find(|flow| flow["flow"]["direction"] == "in").expect("one is open");
        accepted["flow"]["cookie"].as_str().expect("a cookie").to_owned()
    }
}
