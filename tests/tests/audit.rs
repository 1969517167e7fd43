//! An audit of a host with real servers: everything that is wrong is found with its evidence, nothing else is, and nothing is
//! left once it is in order.

use std::path::PathBuf;
use std::process::Command;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use gdprport_tests::daemon::{Start, program};
use gdprport_tests::need;
use gdprport_tests::scene::{self, Audited, Host, evidence};
use gdprport_tests::serial;
use gdprport_tests::temp::TempDir;
use serde_json::Value;

/// More than the two weeks for which a port has to be watched before absence counts.
const DAYS: i64 = 20;

fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

/// A host's policy and ledger.
struct Kept {
    policy: PathBuf,
    ledger: PathBuf,
    _dir: TempDir,
}

/// Has a daemon watch what happens under this policy, and writes that it was so on the days before.
#[track_caller]
fn watched(policy: &str, happens: impl FnOnce()) -> Kept {
    let dir = TempDir::new();
    let (ledger, file) = (dir.join("ledger.db"), dir.write("policy.toml", policy));
    let mut daemon = Start::with(policy).ledger(&ledger).start();
    // Nobody may be known of what a server accepts before the daemon knows who listens.
    for port in [Host::CUSTOMERS, Host::CACHE, Host::SESSIONS] {
        daemon.log.wait("listener.open", |event| event.is("listener.open", port));
    }
    happens();
    daemon.stop();
    scene::went_on_for(&ledger, DAYS);
    Kept { policy: file, ledger, _dir: dir }
}

/// What listened on this machine before: other tests' servers, and the machine's own.
struct Elsewhere(Vec<(u64, String)>);

impl Elsewhere {
    fn now() -> Self {
        let output =
            Command::new(program()).args(["scan", "--json"]).output().expect("the program can be run");
        let inventory: Value = serde_json::from_slice(&output.stdout).expect("a scan is JSON");
        let listeners = inventory["listeners"].as_array().map(Vec::as_slice).unwrap_or_default();
        let places = listeners.iter().flat_map(|listener| {
            let port = listener["port"].as_u64().unwrap_or_default();
            let addresses = listener["addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
            addresses.iter().map(move |address| (port, address.as_str().unwrap_or_default().to_owned()))
        });
        Self(places.collect())
    }

    /// Those that are about our host.
    fn without(&self, found: Vec<String>) -> Vec<String> {
        let is_elsewhere = |name: &String| {
            let words: Vec<&str> = name.split(' ').collect();
            let number: u64 = words.get(2).and_then(|number| number.parse().ok()).unwrap_or_default();
            let address = words.get(3).copied().unwrap_or_default();
            match words[0] {
                "exposed-listener" => self.0.iter().any(|(port, ip)| (*port, &**ip) == (number, address)),
                "undeclared-listener" | "shadow-service" => {
                    !Host::PORTS.iter().any(|port| u64::from(*port) == number)
                }
                _ => false,
            }
        };
        found.into_iter().filter(|name| !is_elsewhere(name)).collect()
    }
}

#[test]
fn everything_that_is_wrong_is_found_and_nothing_else() {
    let _alone = serial::alone();
    let elsewhere = Elsewhere::now();
    let host = need!(Host::out_of_order());
    let begun = today().to_string();
    let policy = scene::out_of_order(&host, today());
    let kept = watched(&policy, || {
        host.call_as_declared();
        host.call_otherwise();
    });
    let audited = Audited::of(&kept.policy, &kept.ledger, &[]);
    let postgres = host.postgres();
    let mut expected = vec![
        "broad-rule customers-db 5432 shops".to_owned(),
        "exception-expiring customers-db weak-tls-seen: an old client that is gone".to_owned(),
        "exposed-listener customers-db 5432 0.0.0.0".to_owned(),
        "exposed-listener customers-db 5432 ::".to_owned(),
        "plaintext-seen customers-db 5432 in".to_owned(),
        "plaintext-seen customers-db 5432 out".to_owned(),
        "plaintext-seen redis 6379 in".to_owned(),
        "plaintext-seen redis 6379 out".to_owned(),
        "plaintext-seen sessions 6380 in".to_owned(),
        "plaintext-seen sessions 6380 out".to_owned(),
        "port-without-listener orders-queue 5672".to_owned(),
        "record-incomplete sessions 6380".to_owned(),
        "rule-expired customers-db 5432 old-report".to_owned(),
        "rule-expiring customers-db 5432 closing-shop".to_owned(),
        "rule-without-process sessions 6380 using-sessions".to_owned(),
        format!("shadow-service postgresql 5433 {postgres}"),
        "undeclared-listener redis 6379".to_owned(),
        "unused-rule customers-db 5432 nightly-export".to_owned(),
        "unused-rule orders-queue 5672 orders".to_owned(),
    ];
    expected.sort();
    assert_eq!(elsewhere.without(audited.found("findings")), expected, "{:#}", audited.json);
    assert_eq!(audited.found("accepted"), ["tls-not-demanded sessions 6380"]);
    assert_eq!(audited.code, Some(1), "something is wrong");

    let of = |name: &str, what: &str| evidence(audited.finding(name), what).to_owned();
    let used = of("broad-rule customers-db 5432 shops", "used by");
    let [first, second, third] = Host::APPS;
    assert!(used.contains(first) && used.contains(second) && !used.contains(third), "{used}");
    let shadow = audited.finding(&format!("shadow-service postgresql 5433 {postgres}"));
    assert_eq!(evidence(shadow, "known by"), "executable", "{shadow:#}");
    let plain = of("plaintext-seen customers-db 5432 in", "peers");
    assert!(plain.contains(second) && !plain.contains(first), "{plain}");
    let seen = of("plaintext-seen customers-db 5432 in", "last seen");
    assert!(seen >= begun, "{seen} is not of the days before {begun}");
    let expired = audited.finding("rule-expired customers-db 5432 old-report");
    let line = policy.lines().position(|line| line == "role = \"old-report\"").expect("it is there");
    assert_eq!(expired["place"]["line"], line, "the line before, where its table begins");

    // Where nothing is as severe as asked for, that is success.
    let policy = ["--fail-on", "never"];
    assert_eq!(Audited::of(&kept.policy, &kept.ledger, &policy).code, Some(0));

    let output = scene::audit(&kept.policy, &kept.ledger, &["--sarif"]);
    let log: Value = serde_json::from_slice(&output.stdout).expect("SARIF is JSON");
    let schema = include_str!("../fixtures/sarif/sarif-schema-2.1.0.json");
    let schema: Value = serde_json::from_str(schema).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("it compiles");
    let wrong: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new());
    let results = log["runs"][0]["results"].as_array().map_or(0, Vec::len);
    assert!(results > audited.found("findings").len(), "accepted ones too: {results}");

    let output = scene::audit(&kept.policy, &kept.ledger, &["--markdown"]);
    let page = String::from_utf8(output.stdout).expect("Markdown is text");
    for name in audited.found("findings") {
        let id = name.split(' ').next().unwrap_or_default();
        assert!(page.contains(id), "{id} is on the page:\n{page}");
    }
}

#[test]
fn of_a_host_in_order_nothing_is_found() {
    let _alone = serial::alone();
    let elsewhere = Elsewhere::now();
    let mut host = need!(Host::out_of_order());
    need!(host.put_in_order());
    let policy = scene::in_order(&host);
    let kept = watched(&policy, || host.call_in_order());
    let audited = Audited::of(&kept.policy, &kept.ledger, &[]);
    assert_eq!(elsewhere.without(audited.found("findings")), Vec::<String>::new(), "{:#}", audited.json);
    assert_eq!(audited.found("accepted"), Vec::<String>::new());
    if audited.found("findings").is_empty() {
        assert_eq!(audited.code, Some(0), "{:#}", audited.json);
    }
    // What absence is concluded from was watched for long enough.
    for of in audited.json["not_judged"].as_array().expect("a list") {
        let ids = of["ids"].to_string();
        for absent in ["unused-rule", "broad-rule", "rule-without-process", "port-without-listener"] {
            assert!(!ids.contains(absent), "{of:#}");
        }
    }
}

/// With a look at the host too, which compares it with the policy.
#[test]
fn an_audit_names_the_policy_that_it_judges() {
    let dir = TempDir::new();
    let file = dir.write("policy.toml", "version = 1\n[[port]]\nname = \"mine\"\nport = 5432\n");
    let digest = |words: &[&str], key: &str| {
        let mut command = Command::new(program());
        command.args(words).args(["--any-owner", "--json"]);
        let output = command.output().expect("the program can be run");
        let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        shown[key].as_str().expect("a digest").to_owned()
    };
    let file = file.to_str().expect("UTF-8");
    let checked = digest(&["policy", "check", file], "digest");
    assert_eq!(digest(&["audit", "--policy", file], "policy"), checked);
}
