//! What becomes of policy and ledger.

use super::*;
use crate::event::Bound;
use crate::ledger::VolumeHour;

const DB: (&str, u16, bool) = ("db", 5432, true);

#[test]
fn what_is_declared_comes_from_the_policy_alone() {
    let rows = numbered(vec![edge(DB, "10.0.2.7/32", by("apps"), PostureState::Tls13)]);
    let with = gathered(&observed(), &rows);
    let without = gather(about(), Some(&policy(POLICY)), None, &|_| None);
    for (with, without) in with.activities.iter().zip(&without.activities) {
        assert_eq!((&with.declared, &with.name), (&without.declared, &without.name));
        assert_eq!(without.seen, None);
    }
    let [db, mail] = &with.activities[..] else { panic!("two are declared") };
    assert_eq!(db.declared.as_ref().expect("a record").subjects, None, "nobody declared them");
    assert_eq!((&db.capacity, mail.seen.is_none()), (&Capacity::Controller, true));
    assert_eq!(mail.capacity, Capacity::Processor(["Shop AG".into()].into()));
}

/// The policy declares the port today. When these flows were seen nobody had.
#[test]
fn what_was_undeclared_then_is_not_declared_now() {
    let rows = numbered(vec![
        edge(("postgresql", 5432, false), "10.0.2.7/32", violation(), PostureState::Plaintext),
        edge(("old-db", 5434, true), "10.0.2.7/32", by("apps"), PostureState::Plaintext),
    ]);
    let records = gathered(&observed(), &rows);
    assert!(records.activities.iter().all(|activity| activity.seen.is_none()));
    let names: Vec<&str> = records.undeclared.iter().map(|activity| &*activity.name).collect();
    assert_eq!(names, ["postgresql", "old-db"], "by number");
    assert!(records.undeclared.iter().all(|activity| !activity.is_declared && activity.declared.is_none()));
}

/// Under one name a service may have been declared once, and seen without a declaration before: two, in one order.
#[test]
fn services_of_one_name_come_in_one_order() {
    let rows = numbered(vec![
        edge(("redis", 6379, true), "10.0.2.7/32", by("apps"), PostureState::Plaintext),
        edge(("redis", 6379, false), "10.0.2.8/32", violation(), PostureState::Plaintext),
    ]);
    for _ in 0..16 {
        let records = gathered(&observed(), &rows);
        let ends: Vec<String> = records
            .undeclared
            .iter()
            .flat_map(|activity| &activity.seen.as_ref().expect("seen").counterparts)
            .map(|other| other.at.net.addr().to_string())
            .collect();
        assert_eq!(ends, ["10.0.2.8", "10.0.2.7"], "not declared first");
    }
}

#[test]
fn rules_have_what_came_by_them() {
    let rows = numbered(vec![
        edge(DB, "10.0.2.7/32", by("apps"), PostureState::Tls13),
        edge(DB, "10.0.2.8/32", by("apps"), PostureState::Tls13),
        edge(DB, "10.0.4.1/32", violation(), PostureState::Tls13),
    ]);
    let records = gathered(&observed(), &rows);
    let [apps, reports] = &records.activities[0].rules[..] else { panic!("two rules") };
    let used = apps.used.as_ref().expect("it was used");
    assert_eq!((used.volume.flows, &used.rows), (6, &Rows(vec![1, 2])));
    assert_eq!(reports.used, None);
    let seen = records.activities[0].seen.as_ref().expect("something was seen");
    assert_eq!(seen.outcomes, Outcomes { declared: 6, violation: 3, undecided: 0 });
    let stranger = seen.counterparts.iter().find(|other| other.outcome == "violation").expect("one");
    assert_eq!((&stranger.rule, &stranger.reasons[..]), (&None, &["undeclared-peer"][..]));
}

/// Before its first bytes a connection has a row in which its encryption is not known.
#[test]
fn a_connection_is_counted_once_however_many_rows() {
    let mut early = edge(DB, "10.0.2.7/32", undecided(), PostureState::Unknown);
    early.counts =
        Counts { flows: 3, moved: 3, opened: 3, closed: 0, failed: 0, bytes_sent: 1, bytes_received: 2 };
    let late = edge(DB, "10.0.2.7/32", by("apps"), PostureState::Tls13);
    let records = gathered(&observed(), &numbered(vec![early, late]));
    let seen = records.activities[0].seen.as_ref().expect("something was seen");
    assert_eq!(seen.all.volume, Volume { flows: 3, failed: 0, sent: 11, received: 22 });
    let [one] = &seen.counterparts[..] else { panic!("{:?}", seen.counterparts) };
    assert_eq!((one.outcome, &one.used.rows), ("declared", &Rows(vec![1, 2])));
    assert_eq!(seen.outcomes, Outcomes { declared: 3, ..Outcomes::default() });
    // That its first bytes were not seen yet is no encryption.
    let shares: Vec<_> = seen.shares.0.iter().map(|posed| (posed.state, posed.flows, posed.bytes)).collect();
    assert_eq!(shares, [(PostureState::Tls13, 3, 30), (PostureState::Unknown, 0, 3)]);
}

#[test]
fn what_was_watched_stands_beside_what_was_not_seen() {
    let hour = |hour: &str, number: u16, watched_s: u32, lost: u64| CoverageHours {
        hour: at(hour),
        hours: 1,
        port: Arc::new(PortKey { name: "db".into(), number, declared: true }),
        watched_s,
        seen: 0,
        lost,
    };
    let coverage = vec![
        hour("2026-11-28T08:00:00Z", 5432, 3_600, 1),
        hour("2026-11-28T08:00:00Z", 5433, 1_800, 2),
        hour("2026-11-28T09:00:00Z", 5432, 7_200, 0),
    ];
    let mut coverage = coverage;
    // Hours one after the other, of both numbers at once: an hour of a declaration is watched once.
    coverage.push(CoverageHours { hours: 4, ..hour("2026-11-28T10:00:00Z", 5432, 600, 0) });
    coverage.push(CoverageHours { hours: 2, ..hour("2026-11-28T11:00:00Z", 5433, 3_600, 0) });
    let gap = |reason: &str| GapRow {
        from: at("2026-11-28T10:00:00Z"),
        to: at("2026-11-28T11:00:00Z"),
        lost: 0,
        bound: None,
        reason: reason.into(),
    };
    let observed = Observed { coverage, gaps: vec![gap("sink:file"), gap("ledger:killed")], ..observed() };
    let records = gathered(&observed, &[]);
    let [db, mail] = &records.activities[..] else { panic!("two are declared") };
    let watched_s = 7_200 + 2 * 600 + 2 * 3_600;
    assert_eq!(db.coverage, CoverageOf { watched_s, period_s: 864_000, lost: 3 });
    assert_eq!(u64::from(db.timeline.days[0].watched_s), watched_s);
    let hours: u64 = db.timeline.watched.iter().map(|of| u64::from(of.hours)).sum();
    assert_eq!(hours, 6, "{:?}", db.timeline.watched);
    assert_eq!(mail.coverage, CoverageOf { watched_s: 0, period_s: 864_000, lost: 0 });
    assert_eq!(records.gaps, [gap("ledger:killed")], "what a sink lost the ledger has");
}

#[test]
fn without_a_policy_everything_seen_is_undeclared() {
    let rows =
        numbered(vec![edge(("postgresql", 5432, false), "::1/128", violation(), PostureState::NoData)]);
    let about = About { policy: None, ..about() };
    let records =
        gather(about, None, Some(Past { observed: &observed(), rows: &rows }), &|_| Some("DE".into()));
    assert!(records.activities.is_empty() && records.controller.is_none());
    let seen = records.undeclared[0].seen.as_ref().expect("something was seen");
    let at = &seen.counterparts[0].at;
    assert_eq!((at.zone, at.country.as_deref()), (Zone::Host, Some("DE")));
}

/// The ledger counts bytes by hour beside its rows. Where they do not have the same sums, the rows count.
#[test]
fn hours_are_kept_if_their_sums_are_those_of_the_days() {
    let rows = numbered(vec![edge(DB, "10.0.2.7/32", by("apps"), PostureState::Tls13)]);
    let port = Arc::clone(&rows[0].1.key.port);
    let hour = |hour: &str, bytes_sent, bytes_received| crate::ledger::VolumeHour {
        hour: at(hour),
        port: Arc::clone(&port),
        direction: Direction::In,
        rule: None,
        flows: 1,
        bytes_sent,
        bytes_received,
    };
    let both = [hour("2026-11-28T08:00:00Z", 4, 0), hour("2026-11-28T23:00:00Z", 6, 20)];
    for (volume, kept) in [(both.to_vec(), 2), (both[..1].to_vec(), 0), (Vec::new(), 0)] {
        let records = gathered(&Observed { volume, ..observed() }, &rows);
        let [db, ..] = &records.activities[..] else { panic!("it is declared") };
        assert_eq!(db.timeline.hours.len(), kept);
        assert_eq!(records.has_hours(), kept > 0);
        let day = &db.timeline.days[0];
        assert_eq!((day.volume.sent, day.volume.received, &day.rows), (10, 20, &Rows(vec![1])));
    }
}

const LIMITED: &str = "version = 1\n[[port]]\nname = \"db\"\nport = [5432, 5433]\n[[port.allow]]\nrole = \"apps\"\n\
    direction = \"in\"\npeers = [\"any\"]\nvolume = { per = \"1d\", max = \"1KiB\" }\n[[port.allow]]\nrole = \"free\"\n\
    direction = \"in\"\npeers = [\"any\"]\n";

fn moved(hour: &str, number: u16, rule: Option<&str>, bytes: u64) -> VolumeHour {
    VolumeHour {
        hour: at(hour),
        port: Arc::new(PortKey { name: "db".into(), number, declared: true }),
        direction: Direction::In,
        rule: rule.map(Into::into),
        flows: 1,
        bytes_sent: bytes,
        bytes_received: 1,
    }
}

/// The hours of the ledger that a rule's windows are made of, watched from begin to end but for the last.
fn limited(missing: Option<&str>) -> Observed {
    let hour = |day: i8, hour: i8| jiff::civil::date(2026, 11, day).at(hour, 0, 0, 0);
    let hours = (26..=28).flat_map(|day| (0..24).map(move |of| hour(day, of)));
    let hours = hours.map(|hour| jiff::tz::Offset::UTC.to_timestamp(hour).expect("a time"));
    let coverage = hours.filter(|hour| missing.map(at) != Some(*hour)).map(|hour| CoverageHours {
        hours: 1,
        hour,
        port: Arc::new(PortKey { name: "db".into(), number: 5432, declared: true }),
        watched_s: 3_590,
        seen: 1,
        lost: 0,
    });
    Observed {
        coverage: coverage.collect(),
        volume: vec![
            moved("2026-11-26T23:00:00Z", 5432, Some("apps"), 1_023),
            moved("2026-11-27T00:00:00Z", 5432, Some("apps"), 1_000),
            moved("2026-11-27T23:00:00Z", 5433, Some("apps"), 500),
            moved("2026-11-27T23:00:00Z", 5432, Some("free"), 9_000),
            moved("2026-11-27T23:00:00Z", 5432, None, 9_000),
            moved("2026-11-28T05:00:00Z", 5432, Some("apps"), 100),
        ],
        ..observed()
    }
}

fn most(observed: &Observed) -> [Option<MostMoved>; 2] {
    let records = gather(about(), Some(&policy(LIMITED)), Some(Past { observed, rows: &[] }), &|_| None);
    let rules = &records.activities[0].rules;
    [rules[0].most.clone(), rules[1].most.clone()]
}

/// By the clock, of all numbers of the declaration, and of nothing that another rule or none allowed.
#[test]
fn a_rule_with_a_volume_has_its_largest_window() {
    let [apps, free] = most(&limited(None));
    let expected = MostMoved {
        bytes: 1_502,
        bound: None,
        from: at("2026-11-27T00:00:00Z"),
        to: at("2026-11-28T00:00:00Z"),
        windows: 3,
        beyond: 1,
    };
    assert_eq!(apps, Some(expected));
    assert_eq!(free, None, "it has no limit");
    assert_eq!(most(&observed()), [None, None], "nothing came by it");
}

#[test]
fn a_window_that_was_not_watched_whole_has_at_least_its_sum() {
    let bound = |observed: &Observed| most(observed)[0].as_ref().and_then(|most| most.bound);
    assert_eq!(bound(&limited(Some("2026-11-27T12:00:00Z"))), Some(Bound::AtLeast));
    assert_eq!(bound(&limited(Some("2026-11-28T12:00:00Z"))), None, "another window");
    let gap = |reason: &str| GapRow {
        from: at("2026-11-27T12:00:00Z"),
        to: at("2026-11-27T12:00:01Z"),
        lost: 1,
        bound: None,
        reason: reason.into(),
    };
    let with = |reason: &str| Observed { gaps: vec![gap(reason)], ..limited(None) };
    assert_eq!(bound(&with("ring-full")), Some(Bound::AtLeast));
    assert_eq!(bound(&with("sink:file:queue-full")), None, "the ledger has it all the same");
    // The window goes on when the record is made.
    let mut today = limited(None);
    today.volume = vec![moved("2026-11-29T05:00:00Z", 5432, Some("apps"), 100)];
    assert_eq!(bound(&today), Some(Bound::AtLeast));
}
