//! Secrets of every kind, at receivers that repeat them: nothing that the deliverer shows or writes has any of them.

use std::os::unix::fs::PermissionsExt as _;

use gdprport_tests::authority::{Authority, Valid};
use gdprport_tests::daemon::Start;
use gdprport_tests::deliver::Deliverer;
use gdprport_tests::need;
use gdprport_tests::policy::open;
use gdprport_tests::ports::Port;
use gdprport_tests::receivers::{Echo, Tongue};
use gdprport_tests::temp::TempDir;
use gdprport_tests::wait;

/// A seed of NATS (nkeys: `SU`, a user's), made for this test.
const SEED: &str = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU";

struct Case {
    name: &'static str,
    /// Whom it is sent to, and who repeats it.
    to: Tongue,
    /// The keys of the sink: `{at}` is the receiver, `{secret}` the secret's place, `{cert}` a certificate.
    keys: &'static str,
    secret: &'static str,
    /// Whether it is sent as it is, or in base64, so that the receiver has it.
    sent: bool,
}

const fn case(name: &'static str, to: Tongue, keys: &'static str, secret: &'static str, sent: bool) -> Case {
    Case { name, to, keys, secret, sent }
}

const CASES: [Case; 16] = [
    case(
        "token",
        Tongue::Http,
        "type = 'http'\nurl = 'http://{at}'\ntoken = '{secret}'",
        "S3cr3t-token",
        true,
    ),
    case(
        "password",
        Tongue::Http,
        "type = 'http'\nurl = 'http://{at}'\nuser = 'u'\npassword = '{secret}'",
        "S3cr3t-password",
        true,
    ),
    case(
        "header",
        Tongue::Http,
        "type = 'http'\nurl = 'http://{at}'\nheaders = { X-Key = '{secret}' }",
        "S3cr3t-header",
        true,
    ),
    case(
        "proxy",
        Tongue::Http,
        "type = 'http'\nurl = 'http://127.0.0.1:9/'\nproxy = 'http://{at}'\nproxy_credentials = '{secret}'",
        "u:S3cr3t-proxy",
        true,
    ),
    case(
        "proxy-tls",
        Tongue::Http,
        "type = 'http'\nurl = 'https://127.0.0.1:9/'\nproxy = 'http://{at}'\nproxy_credentials = '{secret}'",
        "u:S3cr3t-tunnel",
        true,
    ),
    case(
        "splunk",
        Tongue::Http,
        "type = 'splunk'\nurl = 'http://{at}'\ntoken = '{secret}'",
        "S3cr3t-hec",
        true,
    ),
    case(
        "elastic",
        Tongue::Http,
        "type = 'elastic'\nurl = 'http://{at}'\ntoken = '{secret}'",
        "S3cr3t-key",
        true,
    ),
    case(
        "loki",
        Tongue::Http,
        "type = 'loki'\nurl = 'http://{at}'\nuser = 'u'\npassword = '{secret}'",
        "S3cr3t-loki",
        true,
    ),
    case("otlp", Tongue::Http, "type = 'otlp'\nurl = 'http://{at}'\ntoken = '{secret}'", "S3cr3t-otlp", true),
    case(
        "client-key",
        Tongue::Http,
        "type = 'http'\nurl = 'https://{at}'\nclient_cert = '{cert}'\nclient_key = '{secret}'",
        "S3cr3t-client-key",
        false,
    ),
    case(
        "syslog-key",
        Tongue::Bytes,
        "type = 'syslog'\naddress = 'tls://{at}'\nclient_cert = '{cert}'\nclient_key = '{secret}'",
        "S3cr3t-syslog-key",
        false,
    ),
    case(
        "nats-token",
        Tongue::Nats,
        "type = 'nats'\nservers = 'nats://{at}'\ntoken = '{secret}'",
        "S3cr3t-nats",
        true,
    ),
    case(
        "nats-password",
        Tongue::Nats,
        "type = 'nats'\nservers = 'nats://{at}'\nuser = 'u'\npassword = '{secret}'",
        "S3cr3t-of-nats",
        true,
    ),
    case("nats-nkey", Tongue::Nats, "type = 'nats'\nservers = 'nats://{at}'\nnkey = '{secret}'", SEED, false),
    case(
        "kafka-plain",
        Tongue::Bytes,
        "type = 'kafka'\ntopic = 't'\nbrokers = ['{at}']\nsasl = 'plain'\nuser = 'u'\npassword = '{secret}'",
        "S3cr3t-plain",
        false,
    ),
    case(
        "kafka-scram",
        Tongue::Bytes,
        "type = 'kafka'\ntopic = 't'\nbrokers = ['{at}']\nsasl = 'scram-sha-512'\nuser = 'u'\npassword = '{secret}'",
        "S3cr3t-scram",
        false,
    ),
];

/// As it is sent where it is not sent as it is.
fn base64(text: &str) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut to = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let at = ((bits >> (18 - 6 * digit)) & 63) as usize;
            to.push(if digit <= three.len() { char::from(digits[at]) } else { '=' });
        }
    }
    to
}

/// Each is sent to its receiver, whose refusal repeats it; `sink test`, the status, the log and the cursors have none.
#[test]
fn no_secret_of_any_kind_is_shown_whoever_repeats_it() {
    let dir = TempDir::new();
    let authority = need!(Authority::new("ours"));
    let cert = authority.issue("us", &["DNS:us.example"], Valid::Now).certificate;
    let spool = format!("[spool]\npath = \"{}\"\n", dir.join("spool").display());
    let port = Port::free();
    let policy = open(port.number()).alone();
    let daemon = Start::with(policy).config(&format!("{spool}enabled = true\nsync = \"never\"\n")).start();
    let mut config = spool;
    let mut echoes = Vec::new();
    for case in &CASES {
        let echo = Echo::start(case.to);
        let file = dir.write(case.name, &format!("{}\n", case.secret));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("its mode");
        let keys = case.keys.replace("{at}", &echo.address().to_string());
        let keys = keys.replace("{secret}", &format!("file:{}", file.display()));
        let keys = keys.replace("{cert}", &cert.display().to_string());
        config.push_str(&format!("\n[[sink]]\nname = \"{}\"\n{keys}\n", case.name));
        echoes.push(echo);
    }
    // Also with the most that can be logged.
    let deliverer = Deliverer::start_with(&config, &[("GDPRPORT_LOG", "trace".as_ref())]);
    for case in &CASES {
        wait::until("its sink fails", || deliverer.sink(case.name)["failure"].is_object());
    }
    let mut shown = Vec::new();
    for case in &CASES {
        let test = deliverer.ask(["sink", "test", case.name]);
        shown.push((case.name, format!("{test:?}")));
    }
    for words in [["sink", "status", "--json"], ["daemon", "status", "--json"]] {
        shown.push(("status", format!("{:?}", deliverer.ask(words))));
    }
    shown.push(("table", format!("{:?}", deliverer.ask(["sink", "status"]))));
    shown.push(("log", deliverer.stderr()));
    for cursor in std::fs::read_dir(deliverer.join("state/cursors")).expect("a directory").flatten() {
        shown.push(("cursor", std::fs::read_to_string(cursor.path()).expect("readable")));
    }
    for (case, echo) in CASES.iter().zip(&echoes) {
        let last = case.secret.rsplit(':').next().unwrap_or_default();
        let pairs = [case.secret.to_owned(), format!("u:{}", case.secret)].map(|pair| base64(&pair));
        let hidden = [last, pairs[0].trim_end_matches('='), pairs[1].trim_end_matches('=')];
        for (from, text) in &shown {
            for secret in hidden {
                assert!(!text.contains(secret), "{} is shown by {from}: {text}", case.name);
            }
        }
        let seen = echo.seen();
        let sent = hidden.iter().any(|secret| seen.contains(secret));
        assert_eq!(sent, case.sent, "{}: {seen}", case.name);
    }
    let repeated = shown.iter().filter(|(_, text)| text.contains("***")).count();
    assert!(repeated >= 8, "receivers repeat it, and that is shown: {shown:#?}");
    deliverer.stop();
    drop(daemon.stop());
}
