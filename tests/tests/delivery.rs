//! Fifty thousand events through the sensor, the spool and the deliverer to every kind of receiver at once, with everything that can
//! be killed killed on the way.

mod host_only {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use gdprport_tests::authority::{Authority, Valid};
    use gdprport_tests::daemon::{Daemon, Start};
    use gdprport_tests::deliver::Deliverer;
    use gdprport_tests::event::Event;
    use gdprport_tests::need;
    use gdprport_tests::policy::declare;
    use gdprport_tests::ports::Port;
    use gdprport_tests::puppet::Puppet;
    use gdprport_tests::receivers::{
        Bulk, Fake, Hec, KafkaMock, Loki, NatsCluster, Otlp, Plain, Rotel, Rsyslog, RsyslogTls, SyslogNg,
        TOPIC,
    };
    use gdprport_tests::spool;
    use gdprport_tests::temp::TempDir;
    use gdprport_tests::wait;
    use serde_json::json;

    /// Connections of a part. Each is two flows, and each flow two events or three.
    const BURST: u64 = 1_250;

    /// Events that have to be in the spool.
    const EVENTS: usize = 50_000;

    /// How long the slowest receiver may take for all of it; only a failing test waits so long.
    const LONG: Duration = Duration::from_secs(300);

    /// A receiver as this test needs it.
    trait Receiver {
        /// Its sink's name.
        fn name(&self) -> &'static str;
        /// Ends it, or the part of it that leads.
        fn kill(&mut self);
        /// Brings it back.
        fn restart(&mut self);
        /// What it has, each as often as it arrived.
        fn ids(&self) -> Vec<String>;
        /// Whether it stores an event that it gets twice only once.
        fn is_idempotent(&self) -> bool {
            false
        }
    }

    struct Over<R>(&'static str, R);

    macro_rules! receiver {
        ($type:ty, $end:ident) => {
            impl Receiver for Over<$type> {
                fn name(&self) -> &'static str {
                    self.0
                }
                fn kill(&mut self) {
                    self.1.$end();
                }
                fn restart(&mut self) {
                    self.1.restart();
                }
                fn ids(&self) -> Vec<String> {
                    self.1.ids()
                }
            }
        };
    }

    // Syslog has no acknowledgement: of what they have read and not written when they are *killed* no sender can know.
    receiver!(Rsyslog, end);
    receiver!(SyslogNg, end);
    receiver!(Fake, kill);

    /// A cluster of three, of which the leader is killed.
    struct Nats(NatsCluster, usize);

    impl Receiver for Nats {
        fn name(&self) -> &'static str {
            "nats"
        }
        fn kill(&mut self) {
            self.1 = self.0.leader();
            self.0.kill(self.1);
        }
        fn restart(&mut self) {
            self.0.restart(self.1);
        }
        fn ids(&self) -> Vec<String> {
            self.0.ids()
        }
        fn is_idempotent(&self) -> bool {
            true
        }
    }

    /// Three brokers, which all go away.
    struct Kafka(KafkaMock);

    impl Receiver for Kafka {
        fn name(&self) -> &'static str {
            "kafka"
        }
        fn kill(&mut self) {
            (1..=3).for_each(|broker| self.0.down(broker));
        }
        fn restart(&mut self) {
            (1..=3).for_each(|broker| self.0.up(broker));
        }
        fn ids(&self) -> Vec<String> {
            self.0.records().into_iter().map(|record| record.id).collect()
        }
    }

    /// A collector that keeps what it has taken in its memory: it is not killed, only what it forwards to.
    struct Collector(Rotel);

    impl Receiver for Collector {
        fn name(&self) -> &'static str {
            "rotel"
        }
        fn kill(&mut self) {}
        fn restart(&mut self) {}
        fn ids(&self) -> Vec<String> {
            self.0.behind.ids()
        }
    }

    /// The sensor, a server of the port, and a client of it.
    struct Traffic {
        daemon: Daemon,
        start: Start,
        events: [PathBuf; 2],
        server: Puppet,
        client: Puppet,
        port: Port,
        made: u64,
    }

    impl Traffic {
        fn new(config: &str, events: [PathBuf; 2]) -> Self {
            let port = Port::free();
            let policy = declare("pool", port.number()).key("emit = \"every\"").alone();
            let start = Start::with(policy).config(config);
            let daemon = start.clone().events_to(&events[0]).start();
            let (mut server, client) = (Puppet::new(), Puppet::new());
            server.listen(format!("127.0.0.1:{port}"));
            server.ask("serve");
            Self { daemon, start, events, server, client, port, made: 0 }
        }

        /// Makes connections, and waits until both ends of each are closed.
        fn burst(&mut self) {
            assert_eq!(
                self.client.ask(&format!("burst 127.0.0.1:{} {BURST} 8", self.port)),
                BURST.to_string()
            );
            self.made += BURST;
            let made = self.made.to_string();
            wait::until("all are served", || self.server.ask("served") == made);
        }

        /// Kills the sensor and starts another one on the same spool.
        fn kill(&mut self) {
            self.daemon.kill();
            self.daemon = self.start.clone().events_to(&self.events[1]).start();
        }
    }

    fn distinct(ids: &[String]) -> BTreeSet<String> {
        ids.iter().cloned().collect()
    }

    /// What is in the spool is with every receiver, and what is there twice has the same id.
    #[test]
    fn fifty_thousand_events_reach_every_receiver_at_least_once() {
        let authority = need!(Authority::new("logs"));
        let own = authority.issue("server", &["IP:127.0.0.1"], Valid::Now);
        let ours = authority.issue("client", &["DNS:host.example"], Valid::Now);
        let tls = RsyslogTls::Shows { own, authority: authority.file(), clients: true };
        let rsyslog = need!(Rsyslog::start(&RsyslogTls::Without));
        let rsyslog_tls = need!(Rsyslog::start(&tls));
        let syslog_ng = need!(SyslogNg::start());
        let nats = need!(NatsCluster::start(3, ""));
        nats.make_stream(&json!({}));
        let kafka = need!(KafkaMock::start());
        let rotel = need!(Rotel::start());
        let fakes = [
            Fake::start(Plain::default()),
            Fake::start(Hec { ack: Some(2), ..Hec::new("a-token") }),
            Fake::start(Bulk::new("logs-gdprport.events-default")),
            Fake::start(Loki::default()),
            Fake::start(Otlp::default()),
        ];

        let dir = TempDir::new();
        let token = dir.write("token", "a-token");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&token, private).expect("root may");
        let [http, hec, bulk, loki, otlp] = &fakes;
        let nats_at: Vec<_> =
            (0..3).map(|node| format!("\"nats://127.0.0.1:{}\"", nats.port(node))).collect();
        let brokers: Vec<_> = kafka.brokers().iter().map(|broker| format!("\"{broker}\"")).collect();
        let place = dir.join("spool");
        let sinks = [
            (
                "rsyslog",
                format!(
                    "type = \"syslog\"\naddress = \"tcp://127.0.0.1:{}\"\nconfirm = \"close\"",
                    rsyslog.port()
                ),
            ),
            (
                "rsyslog-tls",
                format!(
                    "type = \"syslog\"\naddress = \"tls://127.0.0.1:{}\"\nconfirm = \"close\"\nencoding = \"cef\"\nca = \"{}\"\n\
                     client_cert = \"{}\"\nclient_key = \"file:{}\"",
                    rsyslog_tls.port(),
                    authority.file().display(),
                    ours.certificate.display(),
                    ours.key.display()
                ),
            ),
            (
                "syslog-ng",
                format!(
                    "type = \"syslog\"\naddress = \"tcp://127.0.0.1:{}\"\nconfirm = \"close\"",
                    syslog_ng.port()
                ),
            ),
            ("nats", format!("type = \"nats\"\nservers = [{}]", nats_at.join(", "))),
            (
                "kafka",
                // In small pieces: a mock broker keeps 5 MiB, and its reader has to find it again after it was down.
                format!(
                    "type = \"kafka\"\nbrokers = [{}]\ntopic = \"{TOPIC}\"\nencoding = \"cef\"\nbatch = {{ events = 25 }}",
                    brokers.join(", ")
                ),
            ),
            ("rotel", format!("type = \"otlp\"\nurl = \"{}\"", rotel.url())),
            ("http", format!("type = \"http\"\nurl = \"{}/ingest\"", http.url())),
            (
                "splunk",
                format!(
                    "type = \"splunk\"\nurl = \"{}\"\ntoken = \"file:{}\"\nack = true",
                    hec.url(),
                    token.display()
                ),
            ),
            ("elastic", format!("type = \"elastic\"\nurl = \"{}\"", bulk.url())),
            ("loki", format!("type = \"loki\"\nurl = \"{}\"", loki.url())),
            ("otlp", format!("type = \"otlp\"\nurl = \"{}\"", otlp.url())),
        ];
        let mut config = format!("[spool]\npath = \"{}\"\nmax_size = \"1GiB\"\n", place.display());
        for (name, keys) in &sinks {
            config += &format!("\n[[sink]]\nname = \"{name}\"\n{keys}\n");
        }
        let [http, hec, bulk, loki, otlp] = fakes;
        let mut receivers: Vec<Box<dyn Receiver>> = vec![
            Box::new(Over("rsyslog", rsyslog)),
            Box::new(Over("rsyslog-tls", rsyslog_tls)),
            Box::new(Over("syslog-ng", syslog_ng)),
            Box::new(Nats(nats, 0)),
            Box::new(Kafka(kafka)),
            Box::new(Collector(rotel)),
            Box::new(Over("http", http)),
            Box::new(Over("splunk", hec)),
            Box::new(Over("elastic", bulk)),
            Box::new(Over("loki", loki)),
            Box::new(Over("otlp", otlp)),
        ];
        assert_eq!(receivers.len(), sinks.len());

        let mut traffic = Traffic::new(&config, [dir.join("first.ndjson"), dir.join("second.ndjson")]);
        let mut deliverer = Deliverer::start(&config);
        assert!(
            deliverer.status()["problems"].as_array().is_none_or(Vec::is_empty),
            "{}",
            deliverer.status()
        );
        for part in 0..8 {
            traffic.burst();
            match part {
                // Away for a part of the traffic, each twice.
                1 | 5 => receivers.iter_mut().for_each(|receiver| receiver.kill()),
                2 | 6 => receivers.iter_mut().for_each(|receiver| receiver.restart()),
                3 => {
                    deliverer.kill();
                    deliverer.restart();
                }
                4 => traffic.kill(),
                _ => {}
            }
        }
        // How many there are of a burst differs: what is known early needs no event of its own.
        let rest = || EVENTS.saturating_sub(spool::read(&place).len());
        for _ in 0..10 {
            if rest() == 0 {
                break;
            }
            traffic.burst();
        }
        let Traffic { daemon, events, .. } = traffic;
        daemon.stop();

        let all = distinct(&spool::read(&place).iter().map(|record| id(&record.line)).collect::<Vec<_>>());
        assert!(all.len() >= EVENTS, "{} events", all.len());
        // All that the daemon wrote elsewhere is in the spool, but for what was on its way there when it was killed.
        let missing = |path: &Path| {
            let file = std::fs::read_to_string(path).expect("an events file");
            let lines = file.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            lines.map(|line| !all.contains(&id(line))).collect::<Vec<_>>()
        };
        let [killed, ended] = events.map(|path| missing(&path));
        assert!(!ended.contains(&true), "the second run lacks nothing");
        let first = killed.iter().position(|missing| *missing).unwrap_or(killed.len());
        assert!(
            killed[first..].iter().all(|missing| *missing),
            "only the last events of the first run are missing"
        );

        for receiver in &receivers {
            let name = receiver.name();
            wait::within(LONG, name, || {
                let sink = deliverer.sink(name);
                (sink["lag"]["events"] == 0 && sink["state"] == "idle").then_some(())
            });
            let sink = deliverer.sink(name);
            let mut ids = Vec::new();
            wait::within(LONG, name, || {
                ids = receiver.ids();
                (distinct(&ids).len() >= all.len()).then_some(())
            });
            assert_eq!(distinct(&ids), all, "{name}: {sink}");
            assert!(
                !receiver.is_idempotent() || ids.len() == all.len(),
                "{name}: {} twice",
                ids.len() - all.len()
            );
            assert_eq!(sink["totals"]["refused"], 0, "{sink}");
            assert_eq!(sink["totals"]["lost"], 0, "{sink}");
            println!("{name}: {} events, {} came twice", all.len(), ids.len() - all.len());
        }
        deliverer.stop();
    }

    fn id(line: &str) -> String {
        Event::parse(line).text("id").to_owned()
    }
}
