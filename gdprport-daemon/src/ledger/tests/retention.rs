//! How long what is kept.

use std::time::{Duration, Instant};

use gdprport_core::ledger::NoteKind;
use jiff::Timestamp;
use proptest::prelude::*;

use super::super::database::Database;
use super::super::place::Place;
use super::super::{EdgeFilter, Settings};
use super::samples::{at, batch, began, edge, edge_of, identity};
use super::scene::{Scene, sums};

const DAY: i64 = 86_400;

/// A database, written without a thread, so that time is an argument.
fn database(settings: &Settings, now: Timestamp) -> Database {
    let mut database = Database::new(settings.clone());
    let place = Place::prepare(&settings.path).expect("a directory");
    database.open(place, now).expect("it can be written");
    database
}

/// Does all that there is to do at a time.
fn tidy(database: &mut Database, now: Timestamp) {
    database.tend(now, Instant::now(), Duration::from_secs(60)).expect("it can be written");
}

#[test]
fn days_beyond_their_age_are_removed_and_noted() {
    let scene = Scene::new();
    let settings = Settings { keep_days: 10, ..scene.settings() };
    let mut db = database(&settings, at(0));
    db.store(&began(0, "r", "b")).expect("stored");
    for day in 0..12 {
        db.store(&batch(day * DAY, vec![edge("10.0.0.1", day * DAY, 2), edge("10.0.0.2", day * DAY, 1)]))
            .expect("stored");
    }
    tidy(&mut db, at(11 * DAY));
    drop(db);
    let all = scene.all();
    assert_eq!(sums(&all).opened, 33, "eleven days are left");
    assert_eq!(all.from, at(DAY), "nothing is claimed of the day that is gone");
    let notes: Vec<_> = all.notes.iter().filter(|note| note.kind == NoteKind::Removed).collect();
    assert_eq!(notes.len(), 1);
    assert_eq!(
        &*notes[0].text,
        "2026-11-29 was removed, because it is older than 10 days: 2 rows with 3 flows and failed connects, 30 bytes sent \
         and 9 received"
    );
}

/// A clock that is wrong for a minute must not cost a year.
#[test]
fn a_clock_set_forward_removes_nothing_at_once() {
    let scene = Scene::new();
    let settings = Settings { keep_days: 10, ..scene.settings() };
    let mut db = database(&settings, at(0));
    db.store(&batch(0, vec![edge("10.0.0.1", 0, 1)])).expect("stored");
    tidy(&mut db, at(1));
    tidy(&mut db, at(1_000 * DAY));
    tidy(&mut db, at(2));
    drop(db);
    assert_eq!(sums(&scene.all()).opened, 1);
}

/// The clock was set back and forth again while batches waited: what was counted in between is in the ledger's time too.
#[test]
fn a_ledger_reaches_back_to_all_that_it_has() {
    let scene = Scene::new();
    let mut db = database(&scene.settings(), at(0));
    db.store(&batch(2, vec![edge("10.0.0.1", 1 - 7 * DAY, 1), edge("10.0.0.2", 1, 1)])).expect("stored");
    drop(db);
    let all = scene.all();
    assert_eq!((all.from, sums(&all).opened), (at(1 - 7 * DAY), 2));
}

fn day_of_many(day: i64, names: i64) -> gdprport_core::ledger::Batch {
    let edges = (0..2_000).map(|n| {
        let who = identity(&format!("/opt/{}", n % names));
        edge_of(&who, &format!("10.{}.{}.{}", n % 3, n / 250, n % 250), day * DAY, 1)
    });
    batch(day * DAY, edges.collect())
}

#[test]
fn what_does_not_fit_is_rolled_up_with_equal_sums() {
    let scene = Scene::new();
    let settings = Settings { max_bytes: 600_000, ..scene.settings() };
    let mut db = database(&settings, at(0));
    for day in 0..4 {
        db.store(&day_of_many(day, 2)).expect("stored");
    }
    tidy(&mut db, at(3 * DAY + 9));
    drop(db);
    let all = scene.all();
    assert_eq!((sums(&all).opened, sums(&all).bytes_sent), (8_000, 80_000));
    let rolled: Vec<_> = all.notes.iter().filter(|note| note.kind == NoteKind::RolledUp).collect();
    assert!(
        rolled[0]
            .text
            .starts_with("the peers of 2026-11-29 were rolled up to networks of /24 and /48: 2000 rows")
    );
    assert!(all.edges.iter().any(|edge| edge.key.peer.prefix_len() == 24));
    assert!(all.notes.iter().all(|note| note.kind != NoteKind::Removed), "{:?}", all.notes);
    let rows = scene.reader().edges(&EdgeFilter { since: Some(at(3 * DAY)), ..EdgeFilter::default() });
    assert!(rows.expect("an answer").iter().all(|row| row.edge.key.peer.prefix_len() == 32), "today stays");
}

#[test]
fn what_does_not_fit_rolled_up_is_removed_and_noted() {
    let scene = Scene::new();
    let settings = Settings { max_bytes: 1_500_000, ..scene.settings() };
    let mut db = database(&settings, at(0));
    for day in 0..6 {
        // Nothing can be put together: everybody is another one.
        db.store(&day_of_many(day, 2_000)).expect("stored");
        tidy(&mut db, at(day * DAY + 9));
    }
    drop(db);
    let size = std::fs::metadata(scene.path()).expect("it is there").len();
    assert!(size < 2_000_000, "{size}");
    let all = scene.all();
    let notes: Vec<_> = all.notes.iter().filter(|note| note.kind == NoteKind::Removed).collect();
    let removed: u64 = notes
        .iter()
        .filter_map(|note| note.text.split("rows with ").nth(1)?.split(' ').next()?.parse::<u64>().ok())
        .sum();
    assert!(!notes.is_empty() && all.from > at(0), "{:?}", all.notes);
    let kept: u64 = scene
        .reader()
        .edges(&EdgeFilter::default())
        .expect("an answer")
        .iter()
        .map(|row| row.edge.counts.opened)
        .sum();
    assert_eq!(kept + removed, 12_000, "what is gone is noted: {notes:?}");
}

#[test]
fn a_day_of_pseudonyms_is_rolled_up_to_one_network() {
    let scene = Scene::new();
    let mut db = database(&scene.settings(), at(0));
    let edges = ["100::1", "100::2:3", "2001:db8::1"].map(|peer| edge_of(&identity("/x"), peer, 1, 1));
    db.store(&batch(1, edges.to_vec())).expect("stored");
    let day = super::super::time::day_of(at(1));
    for (level, expected) in
        [(1, &["100::/64", "2001:db8::/48"][..]), (2, &["100::/64", "2001:db8::/32"]), (3, &["::/0"])]
    {
        let mut rounds = 0;
        while db.write(|db| super::super::rollup::roll_up(db, day, level)).expect("rolled up").0 > 0 {
            rounds += 1;
            assert!(rounds < 3, "what is rolled up is not looked at again");
        }
        let mut peers: Vec<_> = scene.all().edges.iter().map(|edge| edge.key.peer.to_string()).collect();
        peers.sort();
        assert_eq!(peers, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_roll_up_never_changes_a_sum(
        flows in proptest::collection::vec((any::<u32>(), any::<bool>(), 1..9_u64, 0..3_u8), 1..80),
        level in 1..4_i64,
    ) {
        let scene = Scene::new();
        let mut db = database(&scene.settings(), at(0));
        let edges = flows.iter().map(|(bits, v6, flows, who)| {
            let peer: std::net::IpAddr = if *v6 {
                std::net::Ipv6Addr::from(u128::from(*bits) << 70).into()
            } else {
                std::net::Ipv4Addr::from(*bits).into()
            };
            edge_of(&identity(&format!("/{who}")), &peer.to_string(), 1, *flows)
        });
        db.store(&batch(1, edges.collect())).expect("stored");
        let before = db.write(|db| db.query_row("SELECT sum(opened), sum(bytes_sent), min(first), max(last) FROM edge", [], row)).expect("an answer");
        let day = super::super::time::day_of(at(1));
        while db.write(|db| super::super::rollup::roll_up(db, day, level)).expect("rolled up").0 > 0 {}
        let after = db.write(|db| db.query_row("SELECT sum(opened), sum(bytes_sent), min(first), max(last) FROM edge", [], row)).expect("an answer");
        prop_assert_eq!(before, after);
        let (v4, v6) = super::super::peers::LEVELS[usize::try_from(level).expect("small") - 1];
        drop(db);
        for edge in scene.all().edges {
            let most = if edge.key.peer.addr().is_ipv4() { v4 } else { v6 };
            prop_assert!(edge.key.peer.prefix_len() <= most);
        }
    }
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, i64, i64, i64)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}
