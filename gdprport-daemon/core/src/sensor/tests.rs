//! Promises of what the sensor's tables mean, and of what is said of every mistake in them.

use proptest::prelude::*;
use serde_json::Value;

use super::tables::RawSensor;
use super::*;
use crate::container::ShownLabels;
use crate::delivery::SecretRef;
use crate::privacy::Truncate;
use crate::written::{Problems, Source};

fn parse(text: &str) -> Result<Sensor, Problems> {
    Sensor::parse(Source { name: "gdprport.toml".to_owned(), text: text.to_owned() })
}

/// `LINE:COLUMN message; help` of every problem.
fn said(text: &str) -> Vec<String> {
    let problems = parse(text).expect_err(text);
    let shown = problems.list.iter().map(|p| {
        let help = p.help.as_deref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}:{} {}{help}", p.line, p.column, p.message)
    });
    shown.collect()
}

#[test]
fn what_is_not_written_is_not_made_up() {
    assert_eq!(parse(""), Ok(Sensor::default()));
    assert_eq!(parse("[limits]\n[spool]\n"), Ok(Sensor::default()));
}

#[test]
fn each_key_is_what_is_written() {
    let text = "[events]\nfile = \"/e\"\njournald = true\nlabels = [\"team\", \"app*\"]\nqueue = 100\n\
        [limits]\nflows = 1000\nundecided_bytes = 70000\nring_bytes = 65536\ntasks = 1000\nexecs = 100\n\
        [containers]\nlookup = false\nstate = \"/data/docker\"\n\
        [intervals]\nflow_update = \"10s\"\nnames = \"5m\"\ncoverage = \"1h\"\n\
        [privacy]\npseudonymise = [\"peers\", \"users\"]\nkey = \"/k\"\ntruncate = { ipv4 = 24, ipv6 = 48 }\n\
        [ledger]\nenabled = false\npath = \"/l.db\"\nkeep = \"30d\"\nmax_size = \"2GiB\"\npeers = 50\n\
        [metrics]\nlisten = \"[::1]:9469\"\n\
        [spool]\nenabled = true\npath = \"/s\"\nmax_size = \"8MiB\"\nkeep = \"12h\"\nsync = \"500ms\"\n\
        [evidence]\nenabled = true\npath = \"/log\"\nkey = \"/log.key\"\nkeep = \"400d\"\nmax_size = \"4GiB\"\n\
        [sandbox]\nsystem_calls = false\nfiles = false\n\
        [deliver]\nanything = 1\n[[sink]]\nname = 1\n";
    let minutes = |minutes| Some(std::time::Duration::from_mins(minutes));
    let expected = Sensor {
        events: Events {
            file: Some("/e".into()),
            journald: true,
            labels: ShownLabels::new(vec!["team".into(), "app*".into()]).expect("patterns"),
            queue: Some(100),
        },
        limits: Limits {
            flows: Some(1_000),
            undecided_bytes: Some(70_000),
            ring_bytes: Some(65_536),
            tasks: Some(1_000),
            execs: Some(100),
        },
        intervals: Intervals {
            flow_update: Some(std::time::Duration::from_secs(10)),
            names: minutes(5),
            coverage: minutes(60),
        },
        containers: Containers { lookup: Some(false), state: vec!["/data/docker".into()] },
        privacy: Privacy {
            pseudonymise: [Subject::Peers, Subject::Users].into(),
            key: Some("/k".into()),
            truncate: Truncate::new(24, 48),
        },
        ledger: Ledger {
            enabled: Some(false),
            path: Some("/l.db".into()),
            keep_days: Some(30),
            max_bytes: Some(2 << 30),
            peers: Some(50),
        },
        metrics: "[::1]:9469".parse().ok(),
        spool: Spool {
            enabled: Some(true),
            path: Some("/s".into()),
            max_bytes: Some(8 << 20),
            keep: minutes(12 * 60),
            sync: Some(SpoolSync::Within(std::time::Duration::from_millis(500))),
        },
        evidence: Evidence {
            enabled: Some(true),
            path: Some("/log".into()),
            key: Some(SecretRef::File("/log.key".into())),
            keep_days: Some(400),
            max_bytes: Some(4 << 30),
        },
        sandbox: Sandbox { system_calls: Some(false), files: Some(false) },
        has_sinks: true,
    };
    assert_eq!(parse(text), Ok(expected));
}

/// Each with its place and what to do, in the order of the file.
#[test]
fn all_mistakes_are_said_at_once_with_what_would_be_right() {
    let text = "[event]\njournald = true\n[limits]\nflow = 1\nring_bytes = 100000\ntasks = \"many\"\n\
        [intervals]\nnames = \"0s\"\ncoverage = 60\n[ledger]\nkeep = \"36h\"\npath = \"ledger.db\"\n\
        [privacy]\npseudonymise = [\"user\"]\ntruncate = { ipv4 = 24 }\n[spool]\nsync = \"bach\"\n";
    assert_eq!(
        said(text),
        [
            "1:2 the configuration has no key `event`; did you mean `events`?",
            "4:1 `[limits]` has no key `flow`; did you mean `flows`?",
            "5:14 `100000` is no power of two; the nearest are 65536 and 131072",
            "6:9 expected a number, found the text `many`",
            "8:9 the time is out of range; write a time from \"1s\" to \"1d\"",
            "9:12 expected a text, found the number `60`; write it in quotes",
            "11:8 the time is out of range; write whole days, from \"1d\" to \"3660d\"",
            "12:8 `ledger.db` is no path from the root; write the path from the root, beginning with `/`",
            "14:17 there is no kind of pseudonyms `user`; did you mean `users`?",
            "15:12 `truncate` has no `ipv6`; add `ipv6 = 48`",
            "17:8 `bach` is no time and no other value; did you mean `batch`?",
        ]
    );
}

#[test]
fn each_bound_is_said_where_a_value_exceeds_it() {
    for (line, help) in [
        ("[events]\nqueue = 63", "from 64 to 4194304"),
        ("[events]\nfile = \"/\"", "its whole path"),
        ("[events]\nlabels = [\"app[\"]", "`*` stands for any characters"),
        ("[limits]\nundecided_bytes = 1", "from 65536 to 1073741824"),
        ("[limits]\nring_bytes = 1024", "from 65536 to 268435456"),
        ("[limits]\nexecs = -1", "from 64 to 4194304"),
        ("[intervals]\nflow_update = \"2d\"", "from \"1s\" to \"1d\""),
        ("[intervals]\nflow_update = \"60\"", "write it as"),
        ("[containers]\nstate = [\"data\"]", "beginning with `/`"),
        ("[ledger]\nkeep = \"0d\"", "whole days"),
        ("[ledger]\nkeep = \"4000d\"", "whole days"),
        ("[ledger]\nmax_size = \"256MB\"", "write it as"),
        ("[ledger]\nmax_size = \"12KiB\"", "from \"1MiB\""),
        ("[ledger]\npeers = 0", "from 1 to 1000000"),
        ("[spool]\nkeep = \"10m\"", "from \"1h\" to \"60d\""),
        ("[spool]\nmax_size = \"1MiB\"", "from \"4MiB\" to \"1024GiB\""),
        ("[spool]\nsync = \"1h\"", "from \"100ms\" to \"1m\""),
        ("[privacy]\ntruncate = { ipv4 = 33, ipv6 = 48 }", "from 1 to 32"),
        ("[privacy]\ntruncate = { ipv4 = 0, ipv6 = 48 }", "from 1 to 32"),
    ] {
        let problems = parse(line).expect_err(line);
        let [problem] = &problems.list[..] else { panic!("{line}: {problems}") };
        assert!(
            problem.line == 2 && problem.help.as_deref().is_some_and(|text| text.contains(help)),
            "{problem}"
        );
    }
    let state: Vec<String> = (0..17).map(|number| format!("\"/{number}\"")).collect();
    let many = said(&format!("[containers]\nstate = [{}]\n", state.join(", ")));
    assert_eq!(many, ["2:9 there are 17 directories; name at most 16"]);
}

/// Metrics name ports and sinks, and nothing asks who reads them.
#[test]
fn metrics_are_served_on_loopback_addresses_only() {
    for address in ["127.0.0.1:9469", "127.8.8.8:1", "[::1]:65535"] {
        let sensor = parse(&format!("[metrics]\nlisten = \"{address}\"")).expect(address);
        assert_eq!(sensor.metrics.map(|listen| listen.to_string()).as_deref(), Some(address));
    }
    for address in [
        "0.0.0.0:9469",
        "[::]:9469",
        "192.0.2.7:9469",
        "[::ffff:127.0.0.1]:9469",
        "127.0.0.1",
        "127.0.0.1:0",
        "localhost:9469",
        ":9469",
        "",
    ] {
        assert_eq!(said(&format!("[metrics]\nlisten = \"{address}\"")).len(), 1, "{address}");
    }
}

/// Somebody may have written a secret into a sink, where only the name of its file belongs.
#[test]
fn no_mistake_repeats_what_may_be_a_secret() {
    let text = "[[sink]]\ntoken = \"s3cr3t\n[limits]\nflow = \"s3cr3t\"\n";
    let problems = parse(text).expect_err("not TOML").to_string();
    assert!(!problems.contains("s3cr3t"), "{problems}");
}

#[test]
fn one_value_or_a_list_or_none_may_stand_where_several_may() {
    let labels = |text: &str| parse(&format!("[events]\nlabels = {text}\n")).expect(text).events.labels;
    assert_eq!(labels("\"app\""), ShownLabels::new(vec!["app".into()]).expect("a pattern"));
    assert_eq!(labels("[]"), ShownLabels::new(Vec::new()).expect("none"));
    assert_eq!(parse("[containers]\nstate = []\n"), Ok(Sensor::default()));
}

/// The deliverer passes over the tables that the sensor reads, and over no others; and the example has them all.
#[test]
fn the_tables_and_keys_are_those_of_the_packaged_example() {
    let schema = serde_json::to_value(schemars::schema_for!(RawSensor)).expect("a schema");
    let keys = |at: &Value| -> Vec<String> {
        at["properties"].as_object().expect("a table").keys().cloned().collect()
    };
    let mut tables = keys(&schema);
    let mut named: Vec<_> = TABLES.iter().map(|table| (*table).to_owned()).collect();
    tables.sort();
    named.sort();
    assert_eq!(tables, named);
    let example = include_str!("../../../../packaging/gdprport.example.toml");
    for (title, table) in schema["$defs"].as_object().expect("tables") {
        let (Some(_), false) = (table["properties"].as_object(), title == "Truncate") else { continue };
        let part = example.split("\n#[").find(|part| part.starts_with(&format!("{}]", title.to_lowercase())));
        let part = part.unwrap_or_else(|| panic!("{title} is not in the example"));
        for key in keys(table) {
            assert!(part.contains(&format!("{key} = ")), "`{key}` of {title} is not in the example");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]a-z_\\{\\}\"= ,.0-9\n]{0,200}") {
        let _ = parse(&text);
        for table in TABLES {
            let _ = parse(&format!("[{table}]\n{text}"));
        }
    }
}
