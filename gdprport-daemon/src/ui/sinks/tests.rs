//! Promises of what `sink status` and `sink test` show.

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::control::api::{
    ConfigStanding, FailureStanding, LagStanding, LastStamp, LostStanding, RefusedStanding, SinkTotals,
    SpoolStanding,
};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

fn sink(name: &str, transport: &str, place: &str, state: SinkState) -> SinkStanding {
    SinkStanding {
        name: name.to_owned(),
        transport: transport.to_owned(),
        place: place.to_owned(),
        encoding: "native".to_owned(),
        state,
        problems: None,
        began: "with the oldest event of the spool: it is new".to_owned(),
        lag: LagStanding::default(),
        totals: SinkTotals {
            delivered: 48_211,
            bytes: 71_303_168,
            filtered: 112_004,
            ..SinkTotals::since(at("2026-11-27T08:00:00Z"))
        },
        delivered_at: Some(at("2026-11-29T11:59:58Z")),
        failed_attempts: 0,
        failure: None,
        refused: None,
        lost: None,
    }
}

fn status() -> DeliverStatus {
    let mut failing =
        sink("archive", "http", "https://logs.example.org:8443/services/ingest/v2", SinkState::Failing);
    failing.began = "at event 17204, where it was".to_owned();
    failing.lag = LagStanding { events: 3_204, bytes: 4_812_331, seconds: 754 };
    failing.totals.lost = 12;
    failing.totals.refused = 2;
    failing.failure = Some(FailureStanding {
        why: "https://logs.example.org:8443/services/ingest/v2 refuses connections: nothing listens there"
            .to_owned(),
        since: at("2026-11-29T11:47:26Z"),
        attempts: 31,
        next: Some(at("2026-11-29T12:00:19Z")),
    });
    failing.refused = Some(RefusedStanding {
        id: Uuid::from_u128(7),
        kind: "flow.open".to_owned(),
        why: "field `port` is no number".to_owned(),
        at: at("2026-11-28T10:00:00Z"),
    });
    failing.lost = Some(LostStanding {
        bound: None,
        events: 12,
        since: at("2026-11-28T23:10:00Z"),
        until: at("2026-11-28T23:12:00Z"),
        reason: "removed".to_owned(),
    });
    let mut faulty = sink("lake", "", "", SinkState::Faulty);
    faulty.problems = Some(
        "/etc/gdprport/gdprport.toml:9:1: error: a sink has no key `adress`\n 9 | adress\n   | ^^^^^^\n   \
         = help: did you mean `address`?"
            .to_owned(),
    );
    faulty.totals = SinkTotals::since(at("2026-11-29T12:00:00Z"));
    DeliverStatus {
        version: "0.1.0".to_owned(),
        pid: 812,
        started: at("2026-11-27T08:00:00Z"),
        config: ConfigStanding {
            path: "/etc/gdprport/gdprport.toml".to_owned(),
            read: at("2026-11-27T08:00:00Z"),
            refused: None,
        },
        spool: SpoolStanding {
            read: None,
            path: "/var/lib/gdprport/spool".to_owned(),
            events: 160_217,
            bytes: 243_269_632,
            oldest: Some(at("2026-11-27T09:00:00Z")),
            error: None,
        },
        cpu_ns: 0,
        rss_kib: 0,
        sinks: vec![sink("siem", "syslog", "tls://siem.example.org:6514", SinkState::Idle), failing, faulty],
        timestamps: None,
    }
}

fn plain(text: &str, width: u16) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    for line in text.lines() {
        assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
    }
    text
}

const fn screen(width: u16) -> Screen {
    Screen { width, now: Timestamp::constant(1_795_953_600, 0) }
}

#[test]
fn the_status_of_sinks_on_a_narrow_screen() {
    insta::assert_snapshot!(plain(&show(&status(), &screen(80)), 80));
}

#[test]
fn the_status_of_sinks_on_a_wide_screen() {
    insta::assert_snapshot!(plain(&show(&status(), &screen(120)), 120));
}

#[test]
fn the_daemons_status_shows_the_deliverer_in_short() {
    insta::assert_snapshot!(plain(&section(&status(), &screen(80)), 80));
    let none = no_deliverer("none answers on /x", Some("sudo systemctl start x"), &screen(80));
    assert!(plain(&none, 80).contains("DELIVERY"));
}

/// What is wrong with the spool is said once, not for each sink.
#[test]
fn a_dead_spool_is_named_once_whatever_the_sinks() {
    let error = "there is no spool at /var/lib/gdprport/spool: the sensor makes it when it starts";
    let mut status = status();
    let dead = |name: &str| {
        let mut sink = sink(name, "http", "https://logs.example.org", SinkState::NoSpool);
        sink.failure = Some(FailureStanding {
            why: error.to_owned(),
            since: at("2026-11-29T11:47:26Z"),
            attempts: 31,
            next: None,
        });
        sink
    };
    status.sinks = ["a", "b", "c", "d", "e"].map(dead).to_vec();
    status.spool.error = Some(error.to_owned());
    for width in [80, 120] {
        for text in [show(&status, &screen(width)), section(&status, &screen(width))] {
            let text = plain(&text, width).split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(text.matches("there is no spool at").count(), 1, "{text}");
            assert_eq!(text.matches("no-spool ? ? 48,211").count(), 5, "{text}");
        }
    }
    status.sinks.clear();
    status.spool.error = None;
    let text = plain(&section(&status, &screen(80)), 80);
    assert!(text.contains("DELIVERY  none in /etc/gdprport/gdprport.toml"), "{text}");
}

#[test]
fn a_number_that_nobody_knows_is_a_lower_bound() {
    let mut status = status();
    let sink = &mut status.sinks[1];
    (sink.totals.lost, sink.totals.uncounted) = (110, 1);
    let lost = sink.lost.as_mut().expect("a loss");
    (lost.events, lost.bound, lost.reason) =
        (0, Some(gdprport_core::event::Bound::AtLeast), "spool-replaced".to_owned());
    let text = plain(&show(&status, &screen(80)), 80);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(" 110+ "), "{text}");
    assert!(
        words.contains("at least 110 before they were sent; the last: an unknown number (spool-replaced)"),
        "{text}"
    );
}

#[test]
fn a_test_that_failed_says_what_to_do() {
    let reply = TestReply {
        name: "siem".to_owned(),
        transport: "syslog".to_owned(),
        place: "tls://siem.example.org:6514".to_owned(),
        encoding: "cef".to_owned(),
        id: Uuid::from_u128(7),
        kind: "sink.test".to_owned(),
        arrived: false,
        answer: None,
        why: Some("the certificate of siem.example.org expired on 2026-11-01".to_owned()),
        took_ms: 41,
    };
    insta::assert_snapshot!(plain(&tested(&reply, true, &screen(80)), 80));
    let alone = plain(&tested(&reply, false, &screen(80)), 80);
    assert!(alone.contains("no deliverer runs") && !alone.contains("tries again"), "{alone}");
}

#[test]
fn a_long_name_does_not_run_into_what_is_wrong() {
    let mut status = status();
    status.sinks[1].name = "x".repeat(40);
    let text = plain(&section(&status, &screen(80)), 80);
    assert!(text.lines().any(|line| line.trim() == "x".repeat(40)), "{text}");
}

#[test]
fn text_of_receivers_cannot_steer_the_terminal() {
    let mut status = status();
    let evil = "\u{1b}[2Jgone\u{202e}";
    status.sinks[1].failure.as_mut().expect("it fails").why = evil.to_owned();
    status.sinks[1].refused.as_mut().expect("one").why = evil.to_owned();
    status.sinks[2].problems = Some(format!("line\n{evil}"));
    status.config.refused = Some(evil.to_owned());
    let text = plain(&show(&status, &screen(120)), 120);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
}

#[test]
fn the_latest_timestamp_is_shown_and_why_none_comes() {
    let mut status = status();
    let last = LastStamp { time: at("2026-11-29T11:30:00Z"), sequence: 41, entries: Some(70_000) };
    let good = StampsStanding {
        place: "https://tsa.example.org/tsr".to_owned(),
        directory: "/var/lib/gdprport-deliver/stamps".to_owned(),
        every_s: 3_600,
        kept: 12,
        last: Some(last),
        stamped: 3,
        failed_attempts: 0,
        failure: None,
    };
    let shown = |status: &DeliverStatus| {
        [show(status, &screen(80)), section(status, &screen(80))]
            .map(|text| plain(&text, 80).split_whitespace().collect::<Vec<_>>().join(" "))
    };
    status.timestamps = Some(good.clone());
    for text in shown(&status) {
        assert!(text.contains("30m ago, of checkpoint 41 with 70,000 entries"), "{text}");
    }
    let failure = FailureStanding {
        why: "https://tsa.example.org/tsr refuses connections\u{1b}[2J".to_owned(),
        since: at("2026-11-29T11:59:00Z"),
        attempts: 2,
        next: None,
    };
    status.timestamps = Some(StampsStanding { last: None, failure: Some(failure), ..good.clone() });
    for text in shown(&status) {
        assert!(text.contains("none yet") && text.contains("tsr refuses connections"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
    status.timestamps = Some(StampsStanding { last: None, ..good });
    for text in shown(&status) {
        assert!(text.contains("none yet: it waits for a checkpoint"), "{text}");
    }
}
