//! Promises of the metrics: what they are called, that they say what the status says, and that nothing makes them grow.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::family::{Type, Value};
use super::ports::PORTS_MAX;
use super::*;
use crate::control::api::{PortStatus, SpoolStatus, Status, VolumeStatus, samples};
use gdprport_core::counters::PortCounters;
use gdprport_core::policy::Mode;

fn open_metrics(status: &Status) -> String {
    render(sensor(status), Format::OpenMetrics)
}

/// The value of a sample, by its name and labels as they are written.
fn value(text: &str, sample: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.map(|value| value.parse().expect("a number"))
}

fn row(family: &Family) -> String {
    let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {} | {} | {} |", family.name, family.kind.as_str(), labels.join(", "), family.help)
}

fn families() -> [(&'static str, Vec<Family>); 2] {
    [("Of the daemon", sensor(&samples::status())), ("Of the deliverer", deliverer(&samples::deliver()))]
}

#[test]
fn the_page_on_metrics_has_a_row_for_each_of_them() {
    let page = include_str!("../../../../docs/metrics.md");
    for (title, families) in families() {
        let rows: Vec<String> = families.iter().map(row).collect();
        let section = page.split("\n## ").find(|section| section.starts_with(title)).expect("a section");
        let written: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(written, rows, "these rows belong there:\n{}", rows.join("\n"));
    }
}

#[test]
fn names_keep_the_conventions_of_prometheus() {
    for (_, families) in families() {
        check_names(&families);
    }
}

fn check_names(families: &[Family]) {
    let mut names = BTreeSet::new();
    for family in families {
        let name = family.name;
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.starts_with("gdprport_") || name.starts_with("process_"), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert_eq!(family.kind == Type::Counter, name.ends_with("_total"), "{name}");
        assert_eq!(family.kind == Type::Info, name.ends_with("_info"), "{name}");
        assert!(
            family.help.ends_with('.') && !family.help.contains(['\n', '\\', '|']),
            "{name}: {}",
            family.help
        );
        for sample in &family.samples.0 {
            assert_eq!(sample.labels.len(), family.labels.len(), "{name}");
            assert!(matches!(sample.value, Value::Whole(_)) || name.contains("seconds"), "{name}");
        }
        let series: BTreeSet<_> = family.samples.0.iter().map(|sample| &sample.labels).collect();
        assert_eq!(series.len(), family.samples.0.len(), "{name}: a series is there twice");
    }
}

#[test]
fn the_deliverers_metrics_say_what_its_status_says() {
    let mut status = samples::deliver();
    let text = render(deliverer(&status), Format::OpenMetrics);
    for (sample, expected) in [
        ("gdprport_deliver_lag_events{sink=\"logs\"}", Some(4_120.0)),
        ("gdprport_deliver_lag_seconds{sink=\"logs\"}", Some(1_802.0)),
        ("gdprport_deliver_state{sink=\"logs\",state=\"failing\"}", Some(1.0)),
        ("gdprport_deliver_failed_attempts_total{sink=\"logs\"}", Some(31.0)),
        ("gdprport_deliver_failing_since_timestamp_seconds{sink=\"logs\"}", Some(1_795_438_200.0)),
        ("gdprport_deliver_failing_since_timestamp_seconds{sink=\"siem\"}", None),
        ("gdprport_deliver_last_success_timestamp_seconds{sink=\"logs\"}", None),
        ("gdprport_deliver_delivered_events_total{sink=\"siem\"}", Some(81_204.0)),
        ("gdprport_deliver_refused_events_total{sink=\"siem\"}", Some(2.0)),
        ("gdprport_deliver_lost_events_total{sink=\"logs\"}", Some(7.0)),
        ("gdprport_deliver_config_accepted", Some(0.0)),
        ("gdprport_deliver_stamped_timestamp_seconds", Some(1_795_437_000.0)),
        ("gdprport_deliver_unstamped_since_timestamp_seconds", Some(1_795_438_200.0)),
        ("gdprport_deliver_stamp_failed_attempts_total", Some(2.0)),
        ("gdprport_deliver_sinks_unnamed", Some(1.0)),
        ("process_resident_memory_bytes", Some(14_120.0 * 1_024.0)),
    ] {
        assert_eq!(value(&text, sample), expected, "{sample}\n{text}");
    }
    // Of those with mistakes a name may be anything, and another one's.
    let faulty = status.sinks[2].clone();
    for name in ["", "a\"b", "SIEM", &"x".repeat(41)] {
        status.sinks.push(crate::control::api::SinkStanding { name: name.to_owned(), ..faulty.clone() });
    }
    let text = render(deliverer(&status), Format::OpenMetrics);
    assert_eq!(text.matches("\ngdprport_deliver_lag_events{").count(), 2);
    assert_eq!(value(&text, "gdprport_deliver_sinks_unnamed"), Some(5.0));
}

#[test]
fn metrics_say_what_the_status_says() {
    let mut status = samples::status();
    status.sinks[1].spool = Some(SpoolStatus {
        records: 9_000,
        bytes: 12 << 20,
        max_bytes: 256 << 20,
        oldest: Some(status.started),
        removed: 4,
        removed_kept: 1,
    });
    let text = open_metrics(&status);
    let port = "port=\"customers-db\",number=\"5432\"";
    for (sample, expected) in [
        (format!("gdprport_flows_opened_total{{{port}}}"), 1_482_113.0),
        (format!("gdprport_flows_open{{{port}}}"), 212.0),
        (format!("gdprport_flows_judged{{{port},verdict=\"undecided\"}}"), 2.0),
        (format!("gdprport_violations_total{{{port}}}"), 15.0),
        (format!("gdprport_violation_reasons_total{{{port},reason=\"undeclared-peer\"}}"), 12.0),
        (format!("gdprport_flows_by_posture{{{port},state=\"tls1.3\"}}"), 1_204.0),
        ("gdprport_events_total{kind=\"violation\"}".to_owned(), 225.0),
        ("gdprport_kernel_dropped_total{place=\"established\"}".to_owned(), 12.0),
        ("gdprport_ring_unread_bytes".to_owned(), 1_264.0),
        ("gdprport_spool_max_size_bytes".to_owned(), 268_435_456.0),
        ("gdprport_spool_removed_events_total{class=\"kept\"}".to_owned(), 1.0),
        ("gdprport_sink_dropped_events_total{sink=\"journald\",reason=\"queue-full\"}".to_owned(), 15.0),
        ("gdprport_sink_failing{sink=\"journald\"}".to_owned(), 1.0),
        ("gdprport_ledger_state{state=\"unavailable\"}".to_owned(), 1.0),
        ("gdprport_ledger_state{state=\"ok\"}".to_owned(), 0.0),
        ("gdprport_policy_reload_successful".to_owned(), 0.0),
        ("gdprport_last_loss_timestamp_seconds".to_owned(), 1_795_369_211.0),
        ("gdprport_health{state=\"degraded\"}".to_owned(), 1.0),
        ("process_cpu_seconds_total".to_owned(), 412.61),
        ("process_resident_memory_bytes".to_owned(), 19_884.0 * 1_024.0),
    ] {
        assert_eq!(value(&text, &sample), Some(expected), "{sample}\n{text}");
    }
    assert!(text.ends_with("\n# EOF\n") && text.contains("# UNIT gdprport_ledger_size_bytes bytes\n"));
}

/// A zero would say that something was counted.
#[test]
fn what_is_not_known_has_no_value() {
    let mut status = samples::healthy();
    let text = open_metrics(&status);
    for absent in [
        "gdprport_hook_runs_total",
        "gdprport_last_loss_timestamp",
        "gdprport_policy_reload_successful",
        "gdprport_spool_size",
    ] {
        assert!(!text.lines().any(|line| line.starts_with(absent)), "{absent}");
    }
    status.hooks[0].runs = Some(7);
    status.hooks[0].run_ns = Some(1_500);
    let text = open_metrics(&status);
    let hook = status.hooks[0].name.as_str();
    assert_eq!(value(&text, &format!("gdprport_hook_runs_total{{hook=\"{hook}\"}}")), Some(7.0));
    assert_eq!(
        value(&text, &format!("gdprport_hook_run_seconds_total{{hook=\"{hook}\"}}")),
        Some(0.000_001_5)
    );
}

#[test]
fn what_a_reader_asks_for_decides_the_format() {
    let prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for accept in [prometheus, "*/*", "", "text/html"] {
        assert_eq!(Format::accepted(accept), Format::OpenMetrics, "{accept}");
    }
    assert_eq!(Format::accepted("text/plain;version=0.0.4"), Format::Text);
    let text = render(sensor(&samples::status()), Format::Text);
    assert!(text.contains("\n# TYPE gdprport_flows_opened_total counter\n") && !text.contains("# EOF"));
}

#[test]
fn a_rule_with_a_volume_has_its_sum_beside_its_limit() {
    let mut status = samples::healthy();
    assert!(!open_metrics(&status).contains("\ngdprport_rule_m"), "no rule has one");
    let volume = gdprport_core::event::samples::volume::moved();
    status.volumes = vec![VolumeStatus { port: "customers-db".into(), volume }];
    let text = open_metrics(&status);
    let labels = "{port=\"customers-db\",rule=\"orders-api\",per=\"1d\"}";
    let of = |name: &str| value(&text, &format!("{name}{labels}"));
    assert_eq!(of("gdprport_rule_moved_bytes"), Some(53_690_237_952.0), "{text}");
    assert_eq!(of("gdprport_rule_max_bytes"), Some(53_687_091_200.0), "{text}");
}

fn port(number: u16, declared: bool, name: &str) -> PortStatus {
    let counters = PortCounters { opened: 1, violations_total: 2, ..PortCounters::default() };
    PortStatus {
        name: Arc::from(name),
        number,
        protocol: None,
        declared,
        mode: Mode::Observe,
        open: 3,
        counters,
    }
}

#[test]
fn ports_beyond_the_bound_are_added_up_as_one() {
    let mut status = samples::healthy();
    let last = u16::try_from(PORTS_MAX + 50).expect("small");
    status.ports = (1..=last).map(|number| port(number, number == last, "x")).collect();
    let text = open_metrics(&status);
    assert_eq!(text.matches("\ngdprport_violations_total{").count(), PORTS_MAX + 1);
    assert_eq!(value(&text, "gdprport_violations_total{port=\"other\",number=\"\"}"), Some(100.0));
    assert_eq!(value(&text, "gdprport_flows_open{port=\"other\",number=\"\"}"), Some(150.0));
    assert_eq!(value(&text, "gdprport_ports_together"), Some(50.0));
    let declared = format!("gdprport_violations_total{{port=\"x\",number=\"{last}\"}}");
    assert_eq!(value(&text, &declared), Some(2.0), "declared ports come first");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Names from a policy or a configuration stay within their quotes, and within a bound.
    #[test]
    fn no_name_adds_or_breaks_a_line(name in "\\PC{0,20}|.{0,300}|[\"\\\\\\n\\r]{0,9}") {
        let mut status = samples::status();
        let before = open_metrics(&status).lines().count();
        status.ports[0].name = Arc::from(name.as_str());
        status.sinks[0].counts.name = name.clone().into();
        for format in [Format::OpenMetrics, Format::Text] {
            let text = render(sensor(&status), format);
            let lines = text.lines().count();
            prop_assert_eq!(lines, if format == Format::OpenMetrics { before } else { lines });
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                prop_assert!(line.len() < 2_000);
                prop_assert!(is_sample(line), "{:?}", line);
            }
        }
    }
}

/// Whether a line is a name, perhaps labels whose values end where their quotes do, and a number.
fn is_sample(line: &str) -> bool {
    let name = line.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(line.len());
    let mut rest = &line[name..];
    if let Some(labels) = rest.strip_prefix('{') {
        let (mut quoted, mut escaped, mut end) = (false, false, None);
        for (at, c) in labels.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '}' if !quoted => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let Some(end) = end else { return false };
        rest = &labels[end + 1..];
    }
    name > 0 && rest.strip_prefix(' ').is_some_and(|value| value.parse::<f64>().is_ok())
}
