//! Promises of the configuration.

use gdprport_core::privacy::Truncate;
use gdprport_core::written::{Problems, Source};

use super::*;

fn parse(text: &str) -> Result<Config, Problems> {
    Sensor::parse(Source { name: "gdprport.toml".to_owned(), text: text.to_owned() }).map(Config::of)
}

#[test]
fn an_empty_file_is_the_default_and_a_named_one_must_be_there() {
    assert_eq!(parse("").expect("valid"), Config::default());
    let error = Config::load(Path::new("/nonexistent/x.toml"), Trust::RootOnly).expect_err("there is none");
    let text = error.to_string();
    assert!(text.contains("/nonexistent/x.toml") && text.contains("leave --config out"), "{text}");
}

/// Settings begin right after the `#`, words with a blank.
#[test]
fn the_packaged_example_shows_the_defaults() {
    let example = include_str!("../../../../packaging/gdprport.example.toml");
    let setting =
        |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).map(str::to_owned);
    let lines: Vec<String> = example.lines().filter_map(setting).collect();
    assert_eq!(parse(&lines.join("\n")), Ok(Config::default()), "{lines:?}");
    for key in ["file", "queue", "flows", "undecided_bytes", "listen", "key", "truncate"] {
        assert!(example.contains(&format!("#   {key} = ")), "{key}, which depends on the host");
    }
}

#[test]
fn every_key_is_taken() {
    let config = parse(
        "[events]\nfile = \"/e\"\njournald = true\nlabels = [\"team\", \"app*\"]\nqueue = 100\n[limits]\nflows = 1000\nundecided_bytes = 70000\nring_bytes = 65536\n\
         tasks = 1000\nexecs = 100\n[containers]\nlookup = false\nstate = [\"/data/docker\"]\n[intervals]\nflow_update = \"10s\"\nnames = \"5m\"\ncoverage = \"1h\"\n\
         [privacy]\npseudonymise = [\"peers\", \"users\"]\nkey = \"/k\"\ntruncate = { ipv4 = 24, ipv6 = 48 }\n",
    )
    .expect("valid");
    assert_eq!(config.sizes(), Sizes { ring_bytes: 65_536, tasks: 1_000, execs: 100, ..Sizes::default() });
    assert_eq!(config.flow_limits(None).update_ns, 10_000_000_000);
    assert_eq!(config.flow_limits(None).undecided_bytes, 70_000);
    let little = Some(1 << 20);
    assert_eq!((config.flow_limits(little).flows, config.queue(little).get()), (1_000, 100), "as written");
    assert_eq!(config.intervals.coverage, Duration::from_secs(3600));
    let privacy = PrivacyConfig {
        pseudonymise: [Subject::Peers, Subject::Users].into(),
        key: Some("/k".into()),
        truncate: Truncate::new(24, 48),
    };
    assert_eq!(config.privacy, privacy);
    assert_eq!(config.labels, ShownLabels::new(vec!["team".into(), "app*".into()]).expect("patterns"));
    assert_eq!(config.containers, Places { lookup: false, state: vec!["/data/docker".into()] });
    let one = parse("[events]\nlabels = \"app\"\n[containers]\nstate = \"/data\"\n").expect("valid");
    assert_eq!(one.labels, ShownLabels::new(vec!["app".into()]).expect("a pattern"));
    assert_eq!(one.containers.state, [Path::new("/data")]);
}

/// What they say is for the deliverer, which reads them itself.
#[test]
fn the_deliverers_tables_are_passed_over_and_a_sink_has_a_spool() {
    let config = parse("[deliver]\nsocket = 1\n[[sink]]\nname = \"siem\"\nanything = [1]\n").expect("valid");
    assert!(config.spool(None).is_some_and(|spool| spool.dir == Path::new("/var/lib/gdprport/spool")));
    assert_eq!(parse("[deliver]\n").expect("valid").spool(None), None);
    let off = parse("[spool]\nenabled = false\n[[sink]]\nname = \"siem\"\n").expect("valid");
    assert_eq!(off.spool(None), None);
}

#[test]
fn the_examples_of_the_page_on_containers_are_taken() {
    let page = include_str!("../../../../docs/containers.md");
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let ours: Vec<&str> = blocks.filter(|block| !block.starts_with("version")).collect();
    assert_eq!(ours.len(), 2);
    for text in ours {
        let config = parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_ne!(config, Config::default(), "{text}");
    }
}

#[test]
fn what_is_not_written_fits_the_memory() {
    let config = Config::default();
    let of = |mebibytes: u64| {
        let memory = Some(mebibytes << 20);
        let limits = config.flow_limits(memory);
        (limits.flows, config.queue(memory).get(), limits.undecided_bytes)
    };
    assert_eq!(of(64), (20_480, 6_553, 5 << 20));
    assert_eq!(of(16), (1_000, 1_000, 1 << 20), "too little is no reason to hold nothing");
    assert_eq!(of(1_024), (131_072, 32_768, 32 << 20), "much is no reason to hold more");
    assert_eq!((config.flow_limits(None).flows, config.queue(None).get()), (131_072, 32_768));
    assert_eq!(config.flow_limits(None).undecided_bytes, 32 << 20);
}

#[test]
fn a_file_that_others_can_change_or_that_is_none_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("gdprport.toml");
    std::fs::write(&path, "[limits]\nflows = 1000\n").expect("a file");
    let mode = |bits| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(bits)).expect("mode");
    mode(0o644);
    assert!(Config::load(&path, Trust::RootOnly).is_ok());
    mode(0o666);
    let error = Config::load(&path, Trust::RootOnly).expect_err("writable").to_string();
    assert!(error.contains("chmod go-w") && error.lines().count() == 1, "{error}");
    assert!(Config::load(&path, Trust::Anyone).is_ok());
    std::fs::remove_file(&path).expect("it was written");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o644.into(), 0).expect("a FIFO");
    for path in [&*path, Path::new("/dev/zero")] {
        let error = Config::load(path, Trust::Anyone).expect_err("no file").to_string();
        assert!(error.ends_with("not a regular file"), "{error}");
    }
}

/// Not only the first; in one line with how many more there are.
#[test]
fn a_file_with_mistakes_is_refused_with_all_of_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("gdprport.toml");
    std::fs::write(&path, "[limits]\nflow = 1\n[intervals]\nnames = \"0s\"\n").expect("a file");
    let error = Config::load(&path, Trust::Anyone).expect_err("two mistakes");
    let (text, place) = (error.to_string(), path.display());
    assert!(text.contains(&format!("{place}:2:1: error: `[limits]` has no key `flow`")), "{text}");
    assert!(text.contains(&format!("{place}:4:9: error: the time is out of range")), "{text}");
    let line =
        format!("{place}:2:1: `[limits]` has no key `flow`: did you mean `flows`?; and 1 more mistake");
    assert_eq!(error.in_one_line(), line);
}

#[test]
fn a_file_that_is_too_large_or_no_text_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("gdprport.toml");
    for (bytes, why) in [(vec![b'\n'; (1 << 20) + 1], "more than 1048576 bytes"), (vec![0xff], "not UTF-8")] {
        std::fs::write(&path, bytes).expect("a file");
        let error = Config::load(&path, Trust::Anyone).expect_err(why).to_string();
        assert!(error.contains(why) && error.lines().count() == 1, "{error}");
    }
}
