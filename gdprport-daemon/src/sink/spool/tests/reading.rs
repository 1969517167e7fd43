//! Promises about readers beside a writer.

use std::fs;
use std::time::Duration;

use uuid::Uuid;

use crate::sink::spool::hostile::{BOOT, Dir, NOW, append, assert_sound, read, settings};
use crate::sink::spool::item::{Item, Loss, LossReason, SpoolError};
use crate::sink::spool::log::Log;
use crate::sink::spool::reader::SpoolReader;
use crate::sink::spool::recover::SKIPPED;
use crate::sink::spool::segments;

fn open(dir: &Dir) -> Log {
    Log::open(dir.0.clone(), settings(&dir.0), BOOT, None).expect("a spool")
}

fn reader(dir: &Dir) -> SpoolReader {
    SpoolReader::open(&dir.0).expect("a directory")
}

fn again(reader: &mut SpoolReader) -> Vec<Item> {
    reader.look_again();
    read(reader).expect("it can be read")
}

fn losses(items: &[Item]) -> Vec<Loss> {
    items.iter().filter_map(|item| if let Item::Lost(loss) = item { Some(*loss) } else { None }).collect()
}

#[test]
fn indexes_go_on_over_restarts_and_kills() {
    let dir = Dir::new();
    let mut reader = reader(&dir);
    let mut items = Vec::new();
    for killed in [false, true, false, true] {
        let mut log = open(&dir);
        append(&mut log, 10, NOW);
        if !killed {
            log.close();
        }
        items.extend(again(&mut reader));
    }
    assert_eq!(assert_sound(&items, 1), (1..=40).collect::<Vec<_>>());
    assert_eq!(segments::list(&dir.0).expect("segments"), [1], "a start begins no new one");
}

#[test]
fn a_reader_and_a_writer_at_once_lose_nothing() {
    let dir = Dir::new();
    let mut log = open(&dir);
    let path = dir.0.clone();
    let reading = std::thread::spawn(move || {
        let mut reader = SpoolReader::open(&path).expect("a directory");
        let mut items = Vec::new();
        while !matches!(items.last(), Some(Item::Record { index: 20_000, .. })) {
            match reader.next().expect("it can be read") {
                Some(item) => items.push(item),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        items
    });
    while log.next <= 20_000 {
        let count = (20_001 - log.next).min(37);
        append(&mut log, count, NOW);
    }
    let items = reading.join().expect("it ends");
    assert_eq!(assert_sound(&items, 1).len(), 20_000);
    assert!(log.closed.len() > 5, "over many segments");
}

/// What is kept longest is there, in order, and what is not is in losses, to the event.
#[test]
fn a_full_spool_keeps_what_proves_longest() {
    let dir = Dir::new();
    let mut log = open(&dir);
    let mut early = reader(&dir);
    append(&mut log, 100, NOW);
    let read_early = again(&mut early);
    while log.next < 120_000 {
        append(&mut log, 100, NOW + 10);
        assert!(log.bytes() <= log.settings.max_bytes);
    }
    let items = again(&mut reader(&dir));
    let all = assert_sound(&items, 3);
    let kept: Vec<u64> = all.iter().copied().filter(|index| index.is_multiple_of(3)).collect();
    let ordinary = all.len() - kept.len();
    assert_eq!(kept.first(), Some(&3), "the oldest is there");
    assert_eq!(kept.len() as u64, (log.next - 1) / 3, "all are");
    assert!(ordinary > 1_000, "and the newest others: {ordinary}");
    let lost: u64 = losses(&items).iter().map(|loss| loss.events).sum();
    assert_eq!(lost + all.len() as u64 + 2, log.next - 1);
    assert_eq!(lost + 2, log.removed.ordinary);
    assert!(losses(&items).iter().all(|loss| loss.reason == LossReason::Removed));
    // One that was there before goes on where it was.
    let mut items = read_early;
    items.extend(again(&mut early));
    let read = assert_sound(&items, 1);
    assert_eq!(read[..100], (1..=100).collect::<Vec<_>>());
    let extent = early.extent().expect("it can be read");
    assert_eq!((extent.next, extent.records), (log.next, all.len() as u64));
    assert_eq!(extent.bytes, log.bytes());
    assert_eq!(early.lag(1).expect("it can be read").events, all.len() as u64);
    assert_eq!(early.lag(log.next - 10).expect("it can be read").events, 10);
    assert_eq!(early.lag(log.next).expect("it can be read").events, 0);
    // A restart finds it as it is.
    drop(log);
    let again_open = open(&dir);
    assert_eq!(again_open.bytes(), extent.bytes);
    assert_eq!(again_open.next, extent.next);
}

#[test]
fn nothing_is_kept_for_longer_than_it_should() {
    let dir = Dir::new();
    let mut log = open(&dir);
    append(&mut log, 10, NOW);
    append(&mut log, 1, NOW + 4_000_000);
    append(&mut log, 1, NOW + 4_000_001);
    let items = again(&mut reader(&dir));
    assert_eq!(assert_sound(&items, 11), [11, 12]);
    let mut cold = reader(&dir);
    cold.seek(4);
    let items = again(&mut cold);
    let [loss] = losses(&items)[..] else { panic!("{items:?}") };
    assert_eq!((loss.from, loss.to, loss.events, loss.reason), (4, 10, 7, LossReason::Removed));
    assert_eq!(loss.until.as_millisecond(), NOW + 4_000_000);
}

#[test]
fn a_clock_that_jumps_ahead_removes_nothing_for_a_day() {
    const DAY: i64 = 86_400_000;
    let dir = Dir::new();
    let mut log = open(&dir);
    append(&mut log, 10, NOW);
    append(&mut log, 10, NOW + 300 * DAY);
    append(&mut log, 10, NOW + 1);
    append(&mut log, 1, NOW + 300 * DAY);
    append(&mut log, 1, NOW + 301 * DAY - 1);
    assert_eq!(again(&mut reader(&dir)).len(), 32);
    append(&mut log, 1, NOW + 301 * DAY);
    let items = again(&mut reader(&dir));
    assert!(matches!(items[..], [Item::Record { .. }, ..]) && items.len() < 32, "{}", items.len());
}

/// Records that a reader has may not have reached the disk: their indexes must not come again.
#[test]
fn after_the_hosts_end_no_index_comes_twice() {
    let dir = Dir::new();
    let mut log = open(&dir);
    append(&mut log, 10, NOW);
    let mut ahead = reader(&dir);
    ahead.resume(log.spool, 15, None);
    drop(log);
    let mut log = Log::open(dir.0.clone(), settings(&dir.0), Uuid::from_u128(2), None).expect("a spool");
    assert_eq!(log.next, 11 + SKIPPED);
    append(&mut log, 2, NOW + 1);
    let items = again(&mut reader(&dir));
    let [loss] = losses(&items)[..] else { panic!("{items:?}") };
    assert_eq!((loss.from, loss.to, loss.events), (11, 10 + SKIPPED, 0));
    assert_eq!(loss.reason, LossReason::Interrupted);
    assert_eq!(assert_sound(&items, 1).len(), 12);
    let items = again(&mut ahead);
    assert_eq!(assert_sound(&items, 15), [11 + SKIPPED, 12 + SKIPPED]);
}

/// A header has the last indexes that were left out. Those of an earlier end of the host must not be counted as events.
#[test]
fn two_ends_of_the_host_are_no_number_of_events() {
    let dir = Dir::new();
    let mut log = open(&dir);
    append(&mut log, 10, NOW);
    let mut reader = reader(&dir);
    reader.resume(log.spool, 5, None);
    for boot in [2, 3] {
        drop(log);
        log = Log::open(dir.0.clone(), settings(&dir.0), Uuid::from_u128(boot), None).expect("a spool");
        append(&mut log, 2, NOW + 1);
    }
    for first in &segments::list(&dir.0).expect("segments")[..2] {
        fs::remove_file(segments::path(&dir.0, *first)).expect("it is there");
    }
    let items = again(&mut reader);
    let [loss] = losses(&items)[..] else { panic!("{items:?}") };
    assert_eq!((loss.events, loss.at_least, loss.reason), (8, true, LossReason::Removed), "5 to 10, and two");
    assert_eq!(assert_sound(&items, 5).len(), 2);
}

/// Somebody removed the newest ones while no sensor ran.
#[test]
fn the_indexes_of_what_was_removed_are_not_used_again() {
    let dir = Dir::new();
    let mut log = open(&dir);
    while segments::list(&dir.0).expect("segments").len() < 3 {
        append(&mut log, 100, NOW);
    }
    let (spool, end) = (log.spool, log.next);
    log.close();
    drop(log);
    let files = segments::list(&dir.0).expect("segments");
    fs::remove_file(segments::path(&dir.0, files[2])).expect("it is there");
    let mut log = open(&dir);
    assert!(log.spool == spool && log.next > end, "{} {end}", log.next);
    append(&mut log, 5, NOW);
    let mut reader = reader(&dir);
    reader.resume(spool, files[2], None);
    let items = again(&mut reader);
    let [loss] = losses(&items)[..] else { panic!("{items:?}") };
    assert_eq!((loss.events, loss.at_least, loss.reason), (0, true, LossReason::Interrupted));
    assert_eq!(assert_sound(&items, files[2]).len(), 5);
}

/// It has the same id, and by the time that somebody looks it may be longer than it was.
#[test]
fn a_spool_put_back_from_a_copy_is_noticed() {
    let dir = Dir::new();
    let mut log = open(&dir);
    append(&mut log, 10, NOW);
    let copy = fs::read(segments::path(&dir.0, 1)).expect("it is there");
    append(&mut log, 10, NOW);
    let mut reader = reader(&dir);
    assert_eq!(again(&mut reader).len(), 20);
    let (spool, seen) = (log.spool, reader.seen());
    drop(log);
    fs::remove_file(segments::path(&dir.0, 1)).expect("it is there");
    fs::write(segments::path(&dir.0, 1), copy).expect("a file");
    let mut log = open(&dir);
    append(&mut log, 15, NOW + 1);
    let items = again(&mut reader);
    assert_eq!(items[0], Item::Anew(spool));
    assert_eq!(assert_sound(&items[1..], 1), (1..=25).collect::<Vec<_>>());
    let mut late = SpoolReader::open(&dir.0).expect("a directory");
    late.resume(spool, 21, seen);
    assert_eq!(again(&mut late)[0], Item::Anew(spool));
}

#[test]
fn another_spool_in_its_place_is_noticed() {
    let dir = Dir::new();
    let mut log = open(&dir);
    append(&mut log, 100, NOW);
    let mut reader = reader(&dir);
    assert_eq!(again(&mut reader).len(), 100);
    drop(log);
    fs::remove_dir_all(&dir.0).expect("it is there");
    assert!(matches!(reader.next(), Err(SpoolError::Missing { .. })));
    fs::create_dir(&dir.0).expect("a directory");
    let mut log = open(&dir);
    append(&mut log, 5, NOW);
    let items = again(&mut reader);
    assert_eq!(items[0], Item::Anew(log.spool));
    assert_eq!(assert_sound(&items[1..], 1), [1, 2, 3, 4, 5]);
    // One that comes back later with its place finds it out too.
    let mut late = SpoolReader::open(&dir.0).expect("a directory");
    late.resume(Uuid::from_u128(7), 101, None);
    assert_eq!(again(&mut late).len(), 6);
}
