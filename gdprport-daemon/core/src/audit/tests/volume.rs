//! Unusual volume: which hours are compared, what is said of them, and for how long.

use jiff::{Span, Timestamp};

use super::world::*;
use crate::audit::{FindingId, Recording};
use crate::ledger::VolumeHour;

const MIB: u64 = 1 << 20;

/// Ten MiB in each hour of the day, a little more at noon.
fn usual(world: &mut World) {
    let mut hour = ago(DAYS);
    while hour < now() {
        let noon = hour.as_second().rem_euclid(86_400) == 43_200;
        world.ledger().volume.push(volume(hour, if noon { 20 * MIB } else { 10 * MIB }));
        hour += Span::new().hours(1);
    }
}

fn set(world: &mut World, at: Timestamp, bytes: u64) {
    row(world, at).bytes_sent = bytes;
}

fn row(world: &mut World, at: Timestamp) -> &mut VolumeHour {
    world.ledger().volume.iter_mut().find(|row| row.hour == at).expect("an hour")
}

fn later(at: Timestamp, hours: i64) -> Timestamp {
    at + Span::new().hours(hours)
}

#[test]
fn an_hour_with_far_more_than_ever_is_found() {
    let mut world = World::good();
    usual(&mut world);
    assert!(world.found().is_empty());
    set(&mut world, ago(1), 2_000 * MIB);
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::UnusualVolume, "medium"));
    assert_eq!(
        found.message,
        "Rule orders of customers-db sent 1.9 GiB in the hour from 2026-11-28 12:00 UTC; 8 earlier Saturdays at 12:00 had 20.0 MiB"
    );
    assert_eq!(
        evidence(&found, "compared with"),
        "8 samples of the same hour of the week before 2026-11-28 12:00 UTC: 20.0 MiB, median 20.0 MiB, deviation a factor of 1.3"
    );
    assert_eq!(evidence(&found, "unusual from"), "69.8 MiB");
    assert_eq!(evidence(&found, "most before"), "20.0 MiB in an hour");
    assert_eq!(evidence(&found, "all together"), "sent 1.9 GiB in 1 hour");
    assert_eq!(found.subject.detail.as_deref(), Some("in 2026-11-28"));
    assert_eq!(found.subject.rule.as_deref(), Some("orders"));
}

#[test]
fn what_happened_before_and_what_is_little_are_usual() {
    let mut world = World::good();
    usual(&mut world);
    set(&mut world, ago(30), 1_500 * MIB);
    set(&mut world, ago(1), 2_000 * MIB);
    assert!(world.found().is_empty(), "a month ago it was nearly as much");
    world.ledger().coverage.retain(|hour| hour.hour != ago(30));
    assert!(world.found().is_empty(), "also if that hour was not watched whole");
    let mut little = World::good();
    little.ledger().volume = vec![volume(ago(1), 60 * MIB)];
    assert!(little.found().is_empty(), "below the floor");
    little.ledger().volume = vec![volume(ago(1), 70 * MIB)];
    assert_eq!(
        little.found(),
        ["medium unusual-volume"],
        "an hour that was watched and had nothing is a sample"
    );
}

/// A copy of each night says nothing of the same amount at noon.
#[test]
fn what_is_regular_at_another_time_is_no_excuse() {
    let mut world = World::good();
    usual(&mut world);
    for day in 1..DAYS {
        set(&mut world, later(ago(day), -9), 3_000 * MIB);
    }
    assert!(world.found().is_empty(), "each night at 03:00");
    set(&mut world, later(ago(2), 2), 3_000 * MIB);
    let found = world.one();
    assert!(found.message.contains("from 2026-11-27 14:00 UTC"), "{}", found.message);
    assert_eq!(evidence(&found, "most before"), "2.9 GiB in an hour");
    // By summer time the job runs an hour earlier.
    set(&mut world, later(ago(2), 2), 10 * MIB);
    set(&mut world, later(ago(1), -10), 3_000 * MIB);
    assert!(world.found().is_empty(), "an hour earlier");
}

/// What begins within a day is one finding, which says the same in the audits of the next days, and then is settled.
#[test]
fn an_episode_is_one_finding_for_seven_days() {
    let mut world = World::good();
    usual(&mut world);
    for hour in 0..6 {
        set(&mut world, later(ago(7), hour), 1_000 * MIB);
    }
    row(&mut world, later(ago(7), 1)).flows = 90_000;
    let found = world.one();
    assert_eq!(evidence(&found, "all together"), "sent 5.8 GiB in 6 hours; had 90,000 connections in 1 hour");
    // A day later, from the begin of the episode on.
    let (mut next, begin) = (world.clone(), ago(7));
    let shift = |at: &mut Timestamp| *at = later(*at, 1);
    next.ledger().volume.iter_mut().for_each(|row| shift(&mut row.hour));
    next.ledger().coverage.iter_mut().for_each(|hour| shift(&mut hour.hour));
    assert_eq!(next.one().fingerprint, found.fingerprint);
    let mut settled = World::good();
    usual(&mut settled);
    set(&mut settled, later(begin, -1), 1_000 * MIB);
    set(&mut settled, begin, 1_000 * MIB);
    assert!(settled.found().is_empty(), "it began more than seven days ago");
}

#[test]
fn before_three_weeks_volume_is_being_learned() {
    let mut world = World::good();
    world.ledger().coverage.clear();
    coverage(world.ledger(), "customers-db", 5432, 20);
    world.ledger().volume = vec![volume(ago(1), 7_000 * MIB)];
    let audit = world.audit();
    assert!(audit.findings.is_empty(), "{:#?}", audit.findings);
    assert_eq!(
        why_not(&audit, FindingId::UnusualVolume),
        [
            "learning: volume is compared with three weeks of watching, and there is less for customers-db (until 2026-11-30 at least)"
        ]
    );
}

/// Of the other ports it is known, so what was found there is settled.
#[test]
fn learning_of_one_port_does_not_keep_others_open() {
    let mut world = World::good();
    usual(&mut world);
    coverage(world.ledger(), "new", 3306, 2);
    let audit = world.audit();
    assert!(
        why_not(&audit, FindingId::UnusualVolume)[0].contains("less for new (until 2026-12-18 at least)")
    );
    assert!(audit.not_judged.iter().any(|not| not.partly));
    assert!(Recording::of(&audit, false).judged.ids.contains(&FindingId::UnusualVolume));
    world.observed = None;
    let blind = world.audit();
    assert!(!Recording::of(&blind, false).judged.ids.contains(&FindingId::UnusualVolume));
}

/// A rule that was added yesterday has no history of nothing.
#[test]
fn a_new_rule_is_learned_though_its_port_is_old() {
    let mut world = World::good();
    usual(&mut world);
    let mut other = volume(ago(1), 7_000 * MIB);
    other.rule = Some("reports".into());
    world.ledger().volume.push(other.clone());
    let audit = world.audit();
    assert!(audit.findings.is_empty(), "{:#?}", audit.findings);
    assert!(why_not(&audit, FindingId::UnusualVolume)[0].contains("customers-db/reports (until 2026-12-19"));
    // What no rule allows has been possible for as long as the port was watched.
    other.rule = None;
    world.ledger().volume.push(other);
    assert!(world.one().message.starts_with("What no rule allows of customers-db sent 6.8 GiB"));
}

#[test]
fn hours_with_a_loss_or_without_a_daemon_are_no_samples() {
    let mut world = World::good();
    usual(&mut world);
    set(&mut world, ago(1), 2_000 * MIB);
    world.ledger().gaps = vec![gap("ring-full", ago(8), 1, 7)];
    let found = |world: &World| {
        let audit = world.audit();
        let mut all = audit.findings.into_iter();
        all.find(|finding| finding.id == FindingId::UnusualVolume).expect("it is found")
    };
    assert!(evidence(&found(&world), "compared with").starts_with("7 samples of"));
    world.ledger().coverage.retain(|hour| hour.hour != ago(15));
    assert!(evidence(&found(&world), "compared with").starts_with("6 samples of"));
    world.ledger().coverage.iter_mut().filter(|hour| hour.hour == ago(22)).for_each(|hour| hour.lost = 1);
    assert!(evidence(&found(&world), "compared with").starts_with("5 samples of"));
    assert!(!found(&world).message.contains("watched"));
    // What was seen of an hour that was watched in part is the least that it moved.
    world.ledger().coverage.retain(|hour| hour.hour != ago(1));
    assert!(
        evidence(&found(&world), "observed")
            .ends_with("not all of it was watched, so that there may be more")
    );
}

/// An hour that goes on is judged when it is over, and so is one that a wrong clock has put into the future.
#[test]
fn only_hours_that_are_over_are_judged() {
    let mut world = World::good();
    usual(&mut world);
    for at in [now(), later(now(), 1), later(now(), 24 * 365 * 100)] {
        world.ledger().volume.push(volume(at, 9_000 * MIB));
    }
    assert!(world.found().is_empty());
    for at in [Timestamp::MIN, Timestamp::MAX] {
        world.ledger().volume.push(volume(at, u64::MAX));
        let mut hour = world.ledger().coverage[0].clone();
        hour.hour = at;
        world.ledger().coverage.push(hour);
        world.ledger().gaps.push(gap("ring-full", ago(9_000), 9_000 * 86_400, 1));
    }
    world.audit();
}
