//! Metrics: the numbers of the status, where somebody can collect them, and a real Prometheus that does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use gdprport_tests::daemon::{Daemon, Start, program};
use gdprport_tests::deliver::Deliverer;
use gdprport_tests::pair::Pair;
use gdprport_tests::policy::{declare, open};
use gdprport_tests::ports::Port;
use gdprport_tests::puppet::Puppet;
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;
use serde_json::Value;

/// The reply to `GET` of a path, over a stream that is connected.
fn get(mut stream: impl Read + Write, path: &str, accept: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\naccept: {accept}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("room for a request");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), body.to_owned())
}

fn on_socket(daemon: &Daemon) -> UnixStream {
    UnixStream::connect(daemon.socket()).expect("the socket is there")
}

fn on_address(port: &Port) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port.number())).expect("it listens")
}

fn listen(port: &Port) -> String {
    format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n")
}

/// The value of a sample, by its name and labels as they are written.
fn value(text: &str, sample: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.map(|value| value.parse().expect("a number"))
}

/// Samples, and where the status has the same.
const SAME: [(&str, &str); 12] = [
    ("gdprport_flows_opened_total{PORT}", "/ports/N/opened"),
    ("gdprport_flows_closed_total{PORT}", "/ports/N/closed"),
    ("gdprport_flows_open{PORT}", "/ports/N/open"),
    ("gdprport_violations_total{PORT}", "/ports/N/violations_total"),
    ("gdprport_flows_judged{PORT,verdict=\"declared\"}", "/ports/N/declared_flows"),
    ("gdprport_events_total{kind=\"flow.open\"}", "/events/flow.open"),
    ("gdprport_events_received_total", "/coverage/received"),
    ("gdprport_kernel_seen_total{place=\"established\"}", "/coverage/places/established/seen"),
    ("gdprport_records_total", "/coverage/records"),
    ("gdprport_ring_size_bytes", "/coverage/ring/bytes"),
    ("gdprport_owner_lookups_total", "/owners/asked"),
    ("gdprport_policy_rules", "/policy/rules"),
];

#[test]
fn metrics_equal_the_status_in_the_same_state() {
    let port = Port::free();
    let mut pair = Pair::with(&listen(&port));
    let connection = pair.connect();
    let kept = pair.connect();
    pair.close(&connection);
    connection.client.event(&mut pair.daemon.log, "flow.close");
    kept.server.event(&mut pair.daemon.log, "flow.open");
    let named = format!("{{port=\"port-{0}\",number=\"{0}\"", pair.port);
    let compared = |status: &Value| -> Vec<(String, f64)> {
        let ports = status["ports"].as_array().expect("ports");
        let at = ports.iter().position(|entry| entry["number"] == pair.port.number()).expect("it is watched");
        let value =
            |pointer: &str| status.pointer(&pointer.replace('N', &at.to_string())).and_then(Value::as_f64);
        SAME.iter()
            .map(|(sample, pointer)| {
                let sample = sample.replace("{PORT}", &format!("{named}}}")).replace("{PORT", &named);
                (sample, value(pointer).unwrap_or_else(|| panic!("{pointer}: {status}")))
            })
            .collect()
    };
    // A scrape says what was true at most a second ago.
    let (expected, text) = wait::within(wait::TIMEOUT, "the status stays the same during a scrape", || {
        let before = compared(&pair.daemon.status());
        std::thread::sleep(Duration::from_millis(1_100));
        let (_, text) = get(on_socket(&pair.daemon), "/metrics", "*/*");
        (compared(&pair.daemon.status()) == before).then_some((before, text))
    });
    for (sample, expected) in expected {
        assert_eq!(value(&text, &sample), Some(expected), "{sample}\n{text}");
    }
    assert_eq!(value(&text, &format!("gdprport_flows_open{named}}}")), Some(2.0), "both ends of one");
    pair.daemon.log.refresh();
    let opened = pair.daemon.log.seen().iter().filter(|event| event.kind() == "flow.open").count();
    assert_eq!(
        value(&text, "gdprport_events_total{kind=\"flow.open\"}"),
        Some(opened as f64),
        "as in the log"
    );
    // Every event is one of some kind.
    let kinds: f64 = text
        .lines()
        .filter(|line| line.starts_with("gdprport_events_total{"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    let sink =
        text.lines().find(|line| line.starts_with("gdprport_sink_received_events_total{")).expect("a sink");
    assert!(sink.ends_with(&format!(" {kinds}")), "{sink}: {kinds}");
    let (head, there) = get(on_address(&port), "/metrics", "application/openmetrics-text");
    assert!(
        head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{head}"
    );
    let names = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("# TYPE")).map(str::to_owned).collect()
    };
    assert_eq!(names(&there), names(&text), "the same metrics on the address");
    assert!(there.ends_with("# EOF\n"));
    pair.daemon.stop();
}

/// One event that nobody asks for is enough to know that the loop goes on.
#[test]
fn a_hostile_scraper_disturbs_neither_loop_nor_socket() {
    let port = Port::free();
    let mut pair = Pair::with(&listen(&port));
    let silent: Vec<TcpStream> = (0..200).map(|_| on_address(&port)).collect();
    let mut huge = on_address(&port);
    let _ = huge.write_all(&vec![b'a'; 1 << 20]);
    let start = Instant::now();
    for _ in 0..5 {
        assert!(pair.daemon.ask(["daemon", "status", "--json"]).status.success());
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let connection = pair.connect();
    pair.close(&connection);
    connection.client.named_exactly(&mut pair.daemon.log, "flow.close");
    let control = pair.daemon.status()["control"].clone();
    assert!(control["metrics_connections"].as_u64().is_some_and(|n| n <= 16), "{control}");
    assert!(control["refused"].as_u64().is_some_and(|n| n >= 180), "{control}");
    drop((silent, huge));
    let reply = wait::within(wait::TIMEOUT, "the places are given back", || {
        let mut stream = on_address(&port);
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let mut reply = String::new();
        let _ = stream.read_to_string(&mut reply);
        reply.starts_with("HTTP/1.1 200").then_some(reply)
    });
    assert!(reply.contains("# EOF"));
    pair.daemon.stop();
}

/// How a daemon ends that is started with this configuration.
fn refused(config: &str) -> (Option<i32>, String) {
    let dir = TempDir::new();
    let mut command = Command::new(program());
    command.args(["daemon", "run", "--no-ledger", "--no-policy"]);
    command.arg("--config").arg(dir.write("gdprport.toml", config));
    command.arg("--events").arg(dir.join("events")).arg("--socket").arg(dir.join("control.sock"));
    let output = command.output().expect("the program can be run");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn an_address_that_cannot_serve_metrics_is_refused_in_words() {
    let (code, error) = refused("[metrics]\nlisten = \"0.0.0.0:9469\"\n");
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("`0.0.0.0:9469` can be reached by others"), "{error}");
    assert!(error.contains("listen = \"0.0.0.0:9469\"") || error.contains("2:"), "the place: {error}");
    let port = Port::free();
    let taken = std::net::TcpListener::bind(("127.0.0.1", port.number())).expect("a free port");
    let (code, error) = refused(&listen(&port));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains(&format!("cannot serve metrics on 127.0.0.1:{port}")), "{error}");
    assert!(error.contains("[metrics] in gdprport.toml"), "what to do: {error}");
    drop(taken);
}

/// A deliverer that finds no spool.
fn deliverer(config: &str) -> Deliverer {
    let sink = "[[sink]]\nname = \"siem\"\ntype = \"syslog\"\naddress = \"tcp://127.0.0.1:9\"\n";
    Deliverer::start(&format!("[spool]\npath = \"/nonexistent/spool\"\n{config}{sink}"))
}

fn on_its_socket(deliverer: &Deliverer) -> UnixStream {
    UnixStream::connect(deliverer.join("deliver.sock")).expect("it listens")
}

#[test]
fn the_deliverer_has_metrics_of_its_own() {
    let port = Port::free();
    let config = format!("[deliver]\nmetrics = \"127.0.0.1:{port}\"\n");
    let running = deliverer(&config);
    let text = wait::within(wait::TIMEOUT, "it finds no spool", || {
        let (_, text) = get(on_its_socket(&running), "/metrics", "*/*");
        let state = value(&text, "gdprport_deliver_state{sink=\"siem\",state=\"no-spool\"}");
        (state == Some(1.0)).then_some(text)
    });
    let status = running.status();
    assert_eq!(status["sinks"][0]["name"], "siem", "{status}");
    for (sample, pointer) in [
        ("gdprport_deliver_delivered_events_total{sink=\"siem\"}", "/sinks/0/totals/delivered"),
        ("gdprport_deliver_lost_events_total{sink=\"siem\"}", "/sinks/0/totals/lost"),
    ] {
        assert_eq!(
            value(&text, sample),
            status.pointer(pointer).and_then(Value::as_f64),
            "{sample}: {status}"
        );
    }
    let lag = value(&text, "gdprport_deliver_lag_events{sink=\"siem\"}");
    assert_eq!(lag, None, "how much waits is not known without a spool");
    let (head, there) = get(on_address(&port), "/metrics", "*/*");
    assert!(head.starts_with("HTTP/1.1 200 ") && there.ends_with("# EOF\n"), "{head}");
    assert!(value(&there, "process_cpu_seconds_total").is_some_and(|seconds| seconds > 0.0), "{there}");
    for path in ["/", "/v1/sinks"] {
        assert!(get(on_address(&port), path, "*/*").0.starts_with("HTTP/1.1 404 "), "{path}");
    }
    drop(running);
    let taken = std::net::TcpListener::bind(("127.0.0.1", port.number())).expect("it is given back");
    let other = TempDir::new();
    std::fs::create_dir_all(other.join("state")).expect("a fresh directory");
    let output = Command::new(program())
        .args(["deliver", "--any-owner", "--socket"])
        .arg(other.join("s"))
        .arg("--state")
        .arg(other.join("state"))
        .arg("--config")
        .arg(other.write("gdprport.toml", &config))
        .output()
        .expect("the program can be run");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(&format!("cannot serve metrics on 127.0.0.1:{port}")), "{error}");
    assert!(error.contains("`metrics` of [deliver] in gdprport.toml"), "{error}");
    drop(taken);
}

/// What changes the machine or needs programs that kernels in VMs do not have.
mod host_only {
    use super::*;
    use gdprport_tests::need;
    use gdprport_tests::prometheus::Prometheus;
    use gdprport_tests::skip::{Missing, installed};

    fn promtool() -> Result<PathBuf, Missing> {
        installed(&["/usr/bin/promtool"], "prometheus")
    }

    #[test]
    fn promtool_finds_no_fault_in_the_metrics() {
        let promtool = need!(promtool());
        let mut pair = Pair::new();
        let connection = pair.connect();
        pair.close(&connection);
        connection.client.event(&mut pair.daemon.log, "flow.close");
        let (dir, deliverer) = (TempDir::new(), deliverer(""));
        for stream in [on_socket(&pair.daemon), on_its_socket(&deliverer)] {
            let (_, text) = get(stream, "/metrics", "text/plain");
            let file = std::fs::File::open(dir.write("metrics", &text)).expect("just written");
            let output =
                Command::new(&promtool).args(["check", "metrics"]).stdin(file).output().expect("it runs");
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success() && said.is_empty(), "{said}");
        }
        pair.daemon.stop();
    }

    /// The file by which the kernel is told to count the runs of BPF programs; as it was, once this is dropped.
    /// One test at a time: the next one would take what this one has set for what was there.
    struct Counted(String, #[expect(dead_code, reason = "held for its lock")] std::fs::File);

    const STATS_ENABLED: &str = "/proc/sys/kernel/bpf_stats_enabled";

    impl Counted {
        fn on() -> Result<Self, Missing> {
            let file = std::fs::File::open(STATS_ENABLED).map_err(|_| Missing::of(STATS_ENABLED))?;
            file.lock().expect("a lock on an open file");
            let before = std::fs::read_to_string(STATS_ENABLED).map_err(|_| Missing::of(STATS_ENABLED))?;
            std::fs::write(STATS_ENABLED, "1").map_err(|_| Missing::of("a writable bpf_stats_enabled"))?;
            Ok(Self(before, file))
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            let _ = std::fs::write(STATS_ENABLED, &self.0);
        }
    }

    #[test]
    fn runs_of_hooks_are_shown_where_the_kernel_counts_them() {
        let mut pair = Pair::new();
        let runs = |pair: &Pair| {
            let (_, text) = get(on_socket(&pair.daemon), "/metrics", "*/*");
            let hook = "{hook=\"sock_ops\"}";
            (
                value(&text, &format!("gdprport_hook_runs_total{hook}")),
                value(&text, &format!("gdprport_hook_run_seconds_total{hook}")),
            )
        };
        if std::fs::read_to_string(STATS_ENABLED).is_ok_and(|text| text.trim() == "0") {
            assert_eq!(runs(&pair), (None, None), "nothing is counted: no zero");
        }
        let _counted = need!(Counted::on());
        for _ in 0..10 {
            let connection = pair.connect();
            pair.close(&connection);
        }
        wait::until("the runs are shown", || {
            let (count, seconds) = runs(&pair);
            count.is_some_and(|count| count >= 10.0) && seconds.is_some_and(|seconds| seconds > 0.0)
        });
        pair.daemon.stop();
    }

    #[test]
    fn prometheus_sees_a_violation_and_the_alert_fires() {
        let prometheus = need!(Prometheus::installed());
        let (watched, metrics) = (Port::free(), Port::free());
        let policy = declare("customers-db", watched.number()).allow("serving", "in", "any", "").alone();
        let mut daemon = Start::with(policy).config(&listen(&metrics)).start();
        let prometheus = Prometheus::scraping(&prometheus, &metrics);
        let series = format!("gdprport_violations_total{{port=\"customers-db\",number=\"{watched}\"}}");
        wait::until("the zero of the port is scraped", || prometheus.one(&series) == Some(0.0));
        assert_eq!(prometheus.one("up{job=\"gdprport\"}"), Some(1.0));
        let (mut server, mut client) = (Puppet::new(), Puppet::new());
        server.listen(format!("127.0.0.1:{watched}"));
        let there = client.connect(format!("127.0.0.1:{watched}"));
        let here = server.accept();
        client.close(there);
        server.close(here);
        daemon.log.wait("the violation", |event| event.is("violation", watched.number()));
        wait::until("the violation is scraped", || prometheus.one(&series) == Some(1.0));
        let reason = "gdprport_violation_reasons_total{reason=\"undeclared-direction\"}";
        assert_eq!(prometheus.one(reason), Some(1.0));
        assert_eq!(prometheus.one("gdprport_policy_info{source=\"files\"}"), Some(1.0));
        let alert = "ALERTS{alertname=\"GdprportViolation\",alertstate=\"firing\",port=\"customers-db\"}";
        wait::until("the alert fires", || prometheus.one(alert) == Some(1.0));
        for quiet in ["GdprportPlaintext", "GdprportSinkDropping", "GdprportRingFull", "GdprportHookFailed"] {
            let firing = prometheus.query(&format!("ALERTS{{alertname=\"{quiet}\"}}"));
            assert_eq!(firing.and_then(|found| found.as_array().map(Vec::len)), Some(0), "{quiet}");
        }
        daemon.stop();
        wait::until("it is seen to be down", || prometheus.one("up{job=\"gdprport\"}") == Some(0.0));
    }

    #[test]
    fn metrics_of_a_scraped_daemon_cost_no_watched_flow() {
        let (watched, metrics) = (Port::free(), Port::free());
        let mut daemon = Start::with(open(watched.number()).alone()).config(&listen(&metrics)).start();
        for _ in 0..20 {
            get(on_address(&metrics), "/metrics", "*/*");
        }
        assert!(daemon.log.refresh().iter().all(|event| !event.kind().starts_with("flow.")));
        daemon.stop();
    }
}
