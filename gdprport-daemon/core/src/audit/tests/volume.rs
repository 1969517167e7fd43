//! Unusual volume.

use jiff::{Span, Timestamp};

use super::world::*;
use crate::audit::FindingId;

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
    let row = world.ledger().volume.iter_mut().find(|row| row.hour == at).expect("an hour");
    row.bytes_sent = bytes;
}

#[test]
fn an_hour_with_far_more_than_ever_is_found() {
    let mut world = World::good();
    usual(&mut world);
    assert!(world.found().is_empty());
    set(&mut world, ago(1), 2_000 * MIB);
    let found = world.one();
    assert_eq!((found.id, found.severity.as_str()), (FindingId::UnusualVolume, "medium"));
    assert_eq!(evidence(&found, "usual"), "20.0 MiB in 8 samples of the same hour of the week");
    assert_eq!(evidence(&found, "most before"), "20.0 MiB");
    assert_eq!(found.subject.detail.as_deref(), Some("in 2026-11-28"));
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

#[test]
fn before_three_weeks_volume_is_being_learned() {
    let mut world = World::good();
    world.ledger().coverage.clear();
    coverage(world.ledger(), "customers-db", 5432, 20);
    world.ledger().volume = vec![volume(ago(1), 7_000 * MIB)];
    let audit = world.audit();
    assert!(audit.findings.is_empty(), "{:#?}", audit.findings);
    assert!(why_not(&audit, FindingId::UnusualVolume)[0].starts_with("learning: "));
}
