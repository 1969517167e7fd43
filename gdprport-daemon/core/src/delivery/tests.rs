//! Promises of what a configuration of sinks means, and of what is said when it means nothing.

use proptest::prelude::*;

use super::*;
use crate::event::{Body, Event, Kind, Severity, samples};
use crate::verdict::Verdict;
use crate::written::{Problems, Source};

fn parse(text: &str) -> Result<Delivery, Problems> {
    Delivery::parse(Source { name: "gdprport.toml".to_owned(), text: text.to_owned() })
}

/// `LINE:COLUMN message` of every problem.
fn shown(problems: &Problems) -> Vec<String> {
    problems.list.iter().map(|p| format!("{}:{} {}", p.line, p.column, p.message)).collect()
}

const WHOLE: &str = r#"
[events]
journald = true
[spool]
path = "/data/spool"
max_size = "1GiB"
[deliver]
state = "/data/state"
socket = "/run/x/d.sock"
metrics = "127.0.0.1:9470"
[[sink]]
name = "siem"
type = "syslog"
address = "tls://siem.example.org:6514"
encoding = "native"
start = "now"
filter = { kinds = ["violation", "flow.*"], ports = ["customers-db", 3306], severity = "medium", verdicts = ["violation"] }
batch = { events = 10, bytes = "64KiB", wait = "2s" }
[[sink]]
name = "logs"
type = "http"
url = "https://logs.example.org"
token = "file:/etc/gdprport/keys/logs"
"#;

#[test]
fn every_key_is_taken_and_the_sensors_tables_are_not_judged() {
    let delivery = parse(WHOLE).expect("valid");
    assert_eq!(delivery.faulty, Vec::new());
    let settings = delivery.settings;
    assert_eq!(settings.state.as_deref(), Some("/data/state".as_ref()));
    assert_eq!(settings.socket.as_deref(), Some("/run/x/d.sock".as_ref()));
    assert_eq!(settings.metrics, Some("127.0.0.1:9470".parse().expect("an address")));
    assert_eq!(delivery.spool.path.as_deref(), Some("/data/spool".as_ref()));
    let [siem, logs] = &delivery.sinks[..] else { panic!("{:?}", delivery.sinks) };
    assert_eq!((&*siem.name, siem.target.kind(), siem.start), ("siem", TransportKind::Syslog, Start::Now));
    assert_eq!(siem.batch.events.map(usize::from), Some(10));
    assert_eq!(siem.batch.bytes.map(usize::from), Some(65_536));
    assert_eq!((&*logs.name, logs.start, &logs.filter), ("logs", Start::Oldest, &Filter::default()));
    assert_eq!(logs.encoding, TransportKind::Http.default_encoding());
    assert_eq!(parse("").expect("valid"), Delivery::default());
}

/// The first has two problems, the second one; the third goes on.
#[test]
fn a_sink_with_errors_is_left_out_and_the_others_go_on() {
    let text = "[[sink]]\nname = \"Siem\"\ntype = \"syslog\"\nadress = \"tcp://x:1\"\n\
                [[sink]]\nname = \"b\"\ntype = \"sislog\"\naddress = \"tcp://x:1\"\n\
                [[sink]]\nname = \"c\"\ntype = \"syslog\"\naddress = \"tcp://x:1\"\n\
                [[sink]]\nname = \"c\"\ntype = \"syslog\"\naddress = \"tcp://y:1\"\n";
    let delivery = parse(text).expect("the file itself is fine");
    assert_eq!(delivery.sinks.iter().map(|sink| &*sink.name).collect::<Vec<_>>(), ["c"]);
    let of = |index: usize| shown(&delivery.faulty[index].problems);
    assert_eq!(
        of(0),
        ["2:8 `Siem` is no name of a sink", "4:1 a sink of type syslog has no key `adress`"]
            .map(|line| line.replace("a sink of type syslog", "a sink"))
    );
    assert_eq!(delivery.faulty[0].problems.list[1].help.as_deref(), Some("did you mean `address`?"));
    assert_eq!(of(1), ["7:8 there is no type of sink `sislog`"]);
    assert_eq!(delivery.faulty[1].problems.list[0].help.as_deref(), Some("did you mean `syslog`?"));
    assert_eq!(of(2), ["14:8 the name `c` is that of the sink at gdprport.toml:10:8"]);
    assert_eq!(delivery.faulty[2].name.as_deref(), Some("c"));
}

#[test]
fn a_problem_outside_of_sinks_refuses_the_whole_file() {
    let text = "[delivr]\nstate = \"x\"\n[deliver]\nsate = \"/x\"\nmetrics = \"0.0.0.0:1\"\n[[sink]]\nname = \"a\"\n";
    let problems = parse(text).expect_err("unknown table");
    assert_eq!(
        shown(&problems),
        [
            "1:2 the configuration has no key `delivr`",
            "4:1 `[deliver]` has no key `sate`",
            "5:11 `0.0.0.0:1` can be reached by others",
            "6:1 a sink has no `type`",
        ]
    );
    let problems = parse("[sink]\nname = \"a\"\n").expect_err("one bracket");
    assert!(problems.list[0].help.as_deref().is_some_and(|help| help.contains("[[sink]]")), "{problems}");
    assert!(parse("[[sink]]\nname = \"a\ntype = 1\n").is_err(), "not TOML");
}

#[test]
fn mistakes_say_what_would_be_right() {
    for (line, message, help) in [
        ("encoding = \"json\"", "there is no encoding `json`", "write \"native\""),
        ("start = \"newest\"", "there is no start `newest`", "write \"oldest\", \"now\""),
        (
            "filter = { kinds = [\"flow.opn\"] }",
            "there is no kind of event `flow.opn`",
            "did you mean `flow.open`?",
        ),
        ("filter = { kinds = \"*\" }", "there is no kind of event `*`", "kinds are flow.open"),
        ("filter = { ports = [0] }", "`0` is no port", "from 1 to 65535"),
        ("filter = { severity = \"hihg\" }", "there is no severity `hihg`", "did you mean `high`?"),
        ("filter = { verdicts = [] }", "the list is empty", "name at least one"),
        ("batch = { events = 0 }", "`0` is out of range", "from 1 to 5000"),
        ("batch = { bytes = \"1MB\" }", "`1MB` is no size", "\"1MiB\""),
        ("batch = { bytes = \"1GiB\" }", "the size is out of range", "\"16MiB\""),
        ("batch = { wait = \"1h\" }", "the time is out of range", "\"1m\""),
    ] {
        let text = format!("[[sink]]\nname = \"a\"\ntype = \"http\"\nurl = \"http://x\"\n{line}\n");
        let delivery = parse(&text).expect("the file itself is fine");
        let problems = &delivery.faulty[0].problems;
        let [problem] = &problems.list[..] else { panic!("{line}: {problems}") };
        assert_eq!(problem.message, message, "{line}");
        assert!(
            problem.help.as_deref().is_some_and(|text| text.starts_with(help) || text.contains(help)),
            "{problem}"
        );
    }
}

/// Neither in the message nor in the line that is shown, whatever is wrong with it.
#[test]
fn a_secret_in_the_configuration_is_not_repeated() {
    for line in [
        "token = \"s3cr3t\"",
        "tokn = \"s3cr3t\"",
        "token = \"file:s3cr3t\"",
        "token = \"credential:../s3cr3t\"",
        "token = [\"s3cr3t\"]",
        "token = \"s3cr3t",
        "batch = { token = \"s3cr3t\", evnts = 1 }",
    ] {
        let text = format!("[[sink]]\nname = \"a\"\ntype = \"http\"\nurl = \"http://x\"\n{line}\n");
        let said = match parse(&text) {
            Err(problems) => problems.to_string(),
            Ok(delivery) => delivery.faulty[0].problems.to_string(),
        };
        assert!(!said.contains("s3cr3t") && !said.is_empty(), "{said}");
    }
}

#[test]
fn the_place_of_a_secret_is_a_file_or_a_credential() {
    let of = |place: &str| {
        let text =
            format!("[[sink]]\nname = \"a\"\ntype = \"http\"\nurl = \"http://x\"\ntoken = \"{place}\"\n");
        let sink = parse(&text).expect("the file itself is fine").sinks.pop()?;
        let Target::Http(HttpSettings { auth: Auth::Token(token), .. }) = sink.target else { return None };
        Some(token.to_string())
    };
    for good in ["file:/etc/keys/a", "credential:hec-token.1"] {
        assert_eq!(of(good).as_deref(), Some(good));
    }
    for bad in
        ["file:etc/a", "file:/a/../b", "file:/", "credential:", "credential:.a", "credential:a/b", "env:A"]
    {
        assert_eq!(of(bad), None, "{bad}");
    }
}

#[test]
fn there_are_no_more_sinks_than_can_be_served() {
    let one = |i: usize| format!("[[sink]]\nname = \"s{i}\"\ntype = \"syslog\"\naddress = \"tcp://x:1\"\n");
    let text: String = (0..SINKS_MAX + 2).map(one).collect();
    let delivery = parse(&text).expect("the file itself is fine");
    assert_eq!((delivery.sinks.len(), delivery.faulty.len()), (SINKS_MAX, 2));
}

fn filter(text: &str) -> Filter {
    let text = format!("[[sink]]\nname = \"a\"\ntype = \"http\"\nurl = \"http://x\"\nfilter = {text}\n");
    let mut delivery = parse(&text).expect("the file itself is fine");
    assert_eq!(delivery.faulty, Vec::new());
    delivery.sinks.remove(0).filter
}

#[test]
fn kinds_that_begin_alike_are_taken_together() {
    let flows = filter("{ kinds = \"flow.*\" }");
    for event in samples::events() {
        let kind = event.body.kind();
        let taken = kind.as_str().starts_with("flow.") || kind == Kind::EvidenceCheckpoint;
        assert_eq!(flows.takes(&event), taken, "{kind}");
        assert!(Filter::default().takes(&event));
    }
}

/// The filter as its page describes it, without masks.
#[derive(Debug, Clone)]
struct Plain {
    kinds: Option<Vec<Kind>>,
    ports: Option<Vec<PortName>>,
    severity: Option<Severity>,
    verdicts: Option<Vec<&'static str>>,
}

impl Plain {
    fn written(&self) -> String {
        let list = |items: Vec<String>| format!("[{}]", items.join(", "));
        let mut keys = Vec::new();
        if let Some(kinds) = &self.kinds {
            keys.push(format!("kinds = {}", list(kinds.iter().map(|kind| format!("\"{kind}\"")).collect())));
        }
        if let Some(ports) = &self.ports {
            let port = |port: &PortName| match port {
                PortName::Name(name) => format!("\"{name}\""),
                PortName::Number(number) => number.to_string(),
            };
            keys.push(format!("ports = {}", list(ports.iter().map(port).collect())));
        }
        if let Some(severity) = self.severity {
            keys.push(format!("severity = \"{severity}\""));
        }
        if let Some(verdicts) = &self.verdicts {
            keys.push(format!("verdicts = {}", list(verdicts.iter().map(|v| format!("\"{v}\"")).collect())));
        }
        format!("{{ {} }}", keys.join(", "))
    }

    fn takes(&self, event: &Event) -> bool {
        let outcome = event.body.verdict().map(|verdict| match verdict {
            Verdict::Declared { .. } => "declared",
            Verdict::Undecided { .. } => "undecided",
            Verdict::Violation { .. } => "violation",
        });
        let port =
            event.body.port().map(|port| (PortName::Name(port.name.clone()), PortName::Number(port.number)));
        let kind = self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.body.kind()));
        let severity = self.severity.is_none_or(|least| event.severity() >= least);
        let verdict =
            self.verdicts.as_ref().is_none_or(|wanted| outcome.is_some_and(|o| wanted.contains(&o)));
        let port = self.ports.as_ref().is_none_or(|wanted| {
            port.is_some_and(|(name, number)| wanted.contains(&name) || wanted.contains(&number))
        });
        // A checkpoint of the evidence log is taken by every sink.
        event.body.kind() == Kind::EvidenceCheckpoint || (kind && severity && verdict && port)
    }
}

fn plain() -> impl Strategy<Value = Plain> {
    let some = |kinds: &'static [Kind]| prop::sample::subsequence(kinds, 1..=kinds.len());
    let ports = vec![
        PortName::Name("customers-db".into()),
        PortName::Name("other".into()),
        PortName::Number(5432),
        PortName::Number(1),
    ];
    let severities = [Severity::Info, Severity::Low, Severity::Medium, Severity::High];
    (
        prop::option::of(some(Kind::ALL)),
        prop::option::of(prop::sample::subsequence(ports, 1..=4)),
        prop::option::of(prop::sample::select(severities.to_vec())),
        prop::option::of(prop::sample::subsequence(vec!["declared", "undecided", "violation"], 1..=3)),
    )
        .prop_map(|(kinds, ports, severity, verdicts)| Plain { kinds, ports, severity, verdicts })
}

proptest! {
    #[test]
    fn a_filter_takes_what_all_of_its_keys_take(plain in plain()) {
        let filter = filter(&plain.written());
        for event in samples::events() {
            prop_assert_eq!(filter.takes(&event), plain.takes(&event), "{} {:?}", event.body.kind(), plain);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]a-z\\{\\}\"= ,.0-9\n]{0,200}") {
        let _ = parse(&text);
        let _ = parse(&format!("[[sink]]\n{text}"));
    }
}

#[test]
fn the_deliverers_own_events_pass_for_samples_too() {
    for kind in [Kind::SinkLost, Kind::SinkTest] {
        let event = samples::event(kind);
        assert!(filter(&format!("{{ kinds = \"{kind}\" }}")).takes(&event));
        assert!(matches!(event.body, Body::SinkLost(_) | Body::SinkTest(_)));
    }
}

#[test]
fn the_examples_of_the_page_on_delivery_are_taken() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/delivery.md"));
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    for text in blocks {
        let delivery = parse(text).unwrap_or_else(|problems| panic!("{problems}"));
        let faulty: Vec<String> = delivery.faulty.iter().map(|sink| sink.problems.to_string()).collect();
        assert!(faulty.is_empty() && !delivery.sinks.is_empty(), "{text}\n{}", faulty.join("\n"));
    }
    for kind in TransportKind::ALL {
        assert!(page.contains(&format!("`{kind}`")) || page.contains(&format!("\"{kind}\"")), "{kind}");
    }
}
