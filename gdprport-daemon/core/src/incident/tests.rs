//! Promises of a draft's model, as tests.

use std::sync::Arc;

use jiff::Timestamp;
use rstest::rstest;

use super::watched::watched;
use super::*;
use crate::ledger::{CoverageHours, Observed, PortKey};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn observed(from: &str, hours: &[(&str, u32)]) -> Observed {
    let port = Arc::new(PortKey { name: "db".into(), number: 5432, declared: true });
    let other = Arc::new(PortKey { name: "mail".into(), number: 25, declared: true });
    let hour = |port: &Arc<PortKey>, hour: &str, watched_s| CoverageHours {
        hour: at(hour),
        hours: 1,
        port: Arc::clone(port),
        watched_s,
        seen: 0,
        lost: 0,
    };
    let mut coverage: Vec<_> =
        hours.iter().map(|(begin, watched_s)| hour(&port, begin, *watched_s)).collect();
    // Another port says nothing of this one.
    coverage.push(hour(&other, "2026-11-01T03:00:00Z", 3_600));
    Observed {
        from: at(from),
        to: at("2026-11-01T06:00:00Z"),
        edges: Vec::new(),
        listeners: Vec::new(),
        coverage,
        gaps: Vec::new(),
        policies: Vec::new(),
        runs: Vec::new(),
        notes: Vec::new(),
        volume: Vec::new(),
    }
}

fn of(observed: Option<&Observed>) -> Watched {
    watched(&AskedPort::Number(5432), at("2026-11-01T00:30:00Z"), at("2026-11-01T06:00:00Z"), observed)
}

fn short(watched: &Watched) -> Vec<(String, String, u64, bool)> {
    let time = |at: Timestamp| at.strftime("%H:%M").to_string();
    watched.not.iter().map(|of| (time(of.from), time(of.to), of.watched_s, of.before_ledger)).collect()
}

#[test]
fn every_time_that_was_not_watched_is_named() {
    let seen = observed(
        "2026-11-01T00:30:00Z",
        &[
            ("2026-11-01T00:00:00Z", 3_600),
            ("2026-11-01T01:00:00Z", 3_598),
            ("2026-11-01T02:00:00Z", 600),
            ("2026-11-01T05:00:00Z", 3_600),
        ],
    );
    let found = of(Some(&seen));
    let (two, three, five) = ("02:00".to_owned(), "03:00".to_owned(), "05:00".to_owned());
    assert_eq!(short(&found), [(two, three.clone(), 600, false), (three, five, 0, false)]);
    assert_eq!(found.period_s, 19_800);
}

#[test]
fn before_the_ledger_nothing_was_watched() {
    let seen = observed("2026-11-01T04:00:00Z", &[("2026-11-01T04:00:00Z", 3_600)]);
    let found = of(Some(&seen));
    let four = "04:00".to_owned();
    let expected = [("00:30".to_owned(), four, 0, true), ("05:00".to_owned(), "06:00".to_owned(), 0, false)];
    assert_eq!(short(&found), expected);
    let found = of(None);
    assert_eq!(found.watched_s, 0);
    assert_eq!(short(&found), [("00:30".to_owned(), "06:00".to_owned(), 0, true)]);
}

#[test]
fn a_time_as_long_as_somebody_writes_is_bounded() {
    let seen = observed("2026-11-01T00:00:00Z", &[("2026-11-01T04:00:00Z", 3_600)]);
    let found = watched(&AskedPort::Number(5432), Timestamp::MIN, Timestamp::MAX, Some(&seen));
    assert!(found.not.len() <= 3, "{found:?}");
}

#[rstest]
#[case("127.0.0.1", Exposure::Host)]
#[case("::1", Exposure::Host)]
#[case("10.0.2.15", Exposure::Private)]
#[case("198.51.100.7", Exposure::Public)]
#[case("0.0.0.0", Exposure::Every)]
#[case("::", Exposure::Every)]
fn a_listener_is_reachable_as_its_address_says(#[case] ip: &str, #[case] exposure: Exposure) {
    assert_eq!(Exposure::of(ip.parse().expect("an address")), exposure);
}

#[test]
fn a_port_is_a_number_or_a_name() {
    assert_eq!("5432".parse(), Ok(AskedPort::Number(5432)));
    assert_eq!(" customers-db ".parse(), Ok(AskedPort::Name("customers-db".into())));
    for wrong in ["", "0", "65536", "99999999999"] {
        wrong.parse::<AskedPort>().expect_err(wrong);
    }
}
