//! Promises about directories and files that somebody did something to.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;

use crate::sink::spool::hostile::{BOOT, Dir, NOW, append, assert_sound, read, settings};
use crate::sink::spool::item::{Item, LossReason, SpoolError};
use crate::sink::spool::log::Log;
use crate::sink::spool::reader::SpoolReader;
use crate::sink::spool::settings::SpoolSettings;
use crate::sink::spool::writer::Writer;
use crate::sink::spool::{frame, segments};
use crate::sink::testing::together;
use crate::sink::{Batch, Sink, SinkError};

fn writer(dir: &Path) -> Writer {
    let mut writer = Writer::new(settings(dir), BOOT);
    writer.look_always();
    writer.open();
    writer
}

/// Appends events; returns how many were stored, and why not all.
fn give(writer: &mut Writer, batch: &Arc<Batch>) -> (usize, Option<String>) {
    let report = writer.append(batch, batch.len(), NOW);
    (report.delivered, report.failure.map(|failure| failure.text().to_owned()))
}

fn items(dir: &Path) -> Vec<Item> {
    read(&mut SpoolReader::open(dir).expect("a directory")).expect("it can be read")
}

fn indexes(items: &[Item]) -> Vec<u64> {
    let index = |item: &Item| if let Item::Record { index, .. } = item { Some(*index) } else { None };
    items.iter().filter_map(index).collect()
}

#[test]
fn what_is_read_is_what_the_file_sink_writes() {
    let dir = Dir::new();
    let batch = together(20);
    assert_eq!(give(&mut writer(&dir.0), &batch), (20, None));
    let items = items(&dir.0);
    for (number, item) in items.iter().enumerate() {
        let Item::Record { line, .. } = item else { panic!("{item:?}") };
        assert_eq!([line, &b"\n"[..]].concat(), batch.line(number));
    }
    assert_eq!(items.len(), 20);
}

#[test]
fn a_deleted_segment_is_a_loss_to_the_event() {
    let dir = Dir::new();
    let mut writer = writer(&dir.0);
    assert_eq!(give(&mut writer, &together(5)), (5, None));
    let mut reader = SpoolReader::open(&dir.0).expect("a directory");
    let Some(Item::Record { index: 1, .. }) = reader.next().expect("it can be read") else { panic!() };
    let mut other = SpoolReader::open(&dir.0).expect("a directory");
    other.seek(3);
    fs::remove_file(segments::path(&dir.0, 1)).expect("it is there");
    assert_eq!(give(&mut writer, &together(4)), (4, None));
    // One that has it open reads on.
    assert_eq!(indexes(&read(&mut reader).expect("it can be read")), (2..=9).collect::<Vec<_>>());
    let items = read(&mut other).expect("it can be read");
    let Item::Lost(loss) = items[0] else { panic!("{items:?}") };
    assert_eq!((loss.from, loss.to, loss.events, loss.reason), (3, 5, 3, LossReason::Removed));
    assert_eq!(indexes(&items), [6, 7, 8, 9]);
}

#[test]
fn a_deleted_directory_is_made_again_and_indexes_go_on() {
    let dir = Dir::new();
    let spool = dir.0.join("spool");
    let mut writer = writer(&spool);
    assert_eq!(give(&mut writer, &together(5)), (5, None));
    let mut reader = SpoolReader::open(&spool).expect("a directory");
    assert_eq!(read(&mut reader).expect("it can be read").len(), 5);
    fs::remove_dir_all(&spool).expect("it is there");
    assert!(matches!(reader.next(), Err(SpoolError::Missing { .. })));
    assert_eq!(give(&mut writer, &together(4)), (4, None));
    assert_eq!(indexes(&read(&mut reader).expect("it can be read")), [6, 7, 8, 9]);
}

#[test]
fn a_directory_that_others_can_change_is_refused_until_mended() {
    let dir = Dir::new();
    let mode = |bits| fs::set_permissions(&dir.0, fs::Permissions::from_mode(bits)).expect("mode");
    mode(0o777);
    let mut writer = writer(&dir.0);
    let (stored, why) = give(&mut writer, &together(3));
    let why = why.expect("a reason");
    assert_eq!(stored, 0);
    assert!(why.contains("others than root can change the spool") && why.contains("chmod go-w"), "{why}");
    assert_eq!(segments::list(&dir.0).expect("a directory"), [0_u64; 0]);
    mode(0o2750);
    assert_eq!(give(&mut writer, &together(3)), (3, None));
    assert_eq!(indexes(&items(&dir.0)), [1, 2, 3], "what was lost has no index");
    let file = fs::metadata(segments::path(&dir.0, 1)).expect("it is there").permissions().mode();
    assert_eq!(file & 0o7037, 0, "others cannot read it: {file:o}");
    let lock = fs::metadata(dir.0.join("spool.lock")).expect("it is there").permissions().mode();
    assert_eq!(lock & 0o077, 0, "whoever could open it could hold it: {lock:o}");
}

#[test]
fn a_newer_spool_is_not_touched() {
    let dir = Dir::new();
    assert_eq!(give(&mut writer(&dir.0), &together(3)), (3, None));
    let path = segments::path(&dir.0, 1);
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[8] = 2;
    fs::write(&path, &bytes).expect("root may");
    let (stored, why) = give(&mut writer(&dir.0), &together(3));
    assert_eq!(stored, 0);
    assert!(why.is_some_and(|why| why.contains("format 2 of a newer gdprport")));
    assert_eq!(fs::read(&path).expect("it is there"), bytes);
    let mut reader = SpoolReader::open(&dir.0).expect("a directory");
    assert!(matches!(reader.next(), Err(SpoolError::Newer { version: 2, .. })));
}

#[test]
fn links_and_files_of_others_stay_as_they_are() {
    let (dir, elsewhere) = (Dir::new(), Dir::new());
    let precious = elsewhere.0.join("precious");
    fs::write(&precious, "precious").expect("a file");
    symlink(&precious, segments::path(&dir.0, 1)).expect("a link");
    for name in ["notes.txt", "1.spool", "unfinished.spool"] {
        fs::write(dir.0.join(name), "mine").expect("a file");
    }
    let mut writer = writer(&dir.0);
    assert_eq!(give(&mut writer, &together(3)), (3, None));
    assert_eq!(indexes(&items(&dir.0)).len(), 3);
    drop(writer);
    assert_eq!(fs::read(&precious).expect("it is there"), b"precious");
    assert_eq!(fs::read(dir.0.join("notes.txt")).expect("it is there"), b"mine");
    // A link to the directory is followed, for only root can have made it.
    let link = elsewhere.0.join("link");
    symlink(&dir.0, &link).expect("a link");
    assert_eq!(give(&mut self::writer(&link), &together(3)), (3, None));
    assert_eq!(indexes(&items(&link)).len(), 6);
}

#[test]
fn a_second_daemon_is_refused_with_the_process_of_the_first() {
    let dir = Dir::new();
    let capacity = crate::sink::DEFAULT_CAPACITY;
    let first = Sink::spool(SpoolSettings::new(&dir.0), capacity).expect("a spool");
    let second = Sink::spool(SpoolSettings::new(&dir.0), capacity).expect_err("it is in use");
    assert!(matches!(second, SinkError::SpoolInUse { pid: Some(pid), .. } if pid == std::process::id()));
    assert!(second.to_string().contains("--spool"));
    drop(first.finish(std::time::Instant::now() + std::time::Duration::from_secs(10)));
    Sink::spool(SpoolSettings::new(&dir.0), capacity).expect("it is free");
}

/// Killed after the records that stay were written elsewhere and before the segment was removed.
#[test]
fn a_kill_while_tidying_neither_loses_nor_doubles() {
    let dir = Dir::new();
    let mut log = Log::open(dir.0.clone(), settings(&dir.0), BOOT, None).expect("a spool");
    for _ in 0..3 {
        append(&mut log, 9, NOW);
        log.close();
    }
    append(&mut log, 1, NOW);
    log.tidy(0);
    let (first, second) = (segments::path(&dir.0, 1), segments::path(&dir.0, 10));
    let (tidied, whole) = (fs::read(&first).expect("it is there"), fs::read(&second).expect("it is there"));
    log.tidy(1);
    assert_eq!(segments::list(&dir.0).expect("segments"), [1, 19, 28]);
    let both = fs::read(&first).expect("it is there");
    drop(log);
    for length in tidied.len()..=both.len() {
        fs::write(&first, &both[..length]).expect("root may");
        fs::write(&second, &whole).expect("root may");
        let log = Log::open(dir.0.clone(), settings(&dir.0), BOOT, None).expect("a spool");
        assert_eq!(fs::read(&first).expect("it is there"), tidied, "{length}");
        let found = items(&dir.0);
        let expected: Vec<u64> = [3, 6, 9].into_iter().chain(10..=28).collect();
        assert_eq!(assert_sound(&found, 3), expected, "{length}");
        assert_eq!(log.next, 29);
    }
}

/// Nothing is taken for removed that is still there.
#[test]
fn what_cannot_be_removed_stays_in_the_sum() {
    let dir = Dir::new();
    let mut log = Log::open(dir.0.clone(), settings(&dir.0), BOOT, None).expect("a spool");
    append(&mut log, 9, NOW);
    log.close();
    append(&mut log, 9, NOW);
    let bytes = log.bytes();
    // A directory in its place cannot be unlinked, by root neither.
    let (path, aside) = (segments::path(&dir.0, 1), dir.0.join("aside"));
    fs::rename(&path, &aside).expect("root may");
    fs::create_dir(&path).expect("a directory");
    log.make_room(NOW + 100_000_000);
    assert_eq!((log.bytes(), log.closed.len(), log.removed.ordinary), (bytes, 1, 0));
    fs::remove_dir(&path).expect("it is empty");
    fs::rename(&aside, &path).expect("root may");
    log.make_room(NOW + 100_000_001);
    assert_eq!((log.closed.len(), log.removed.ordinary, log.removed.kept), (0, 6, 3));
}

/// They would keep a reader from finding its place, or fill its memory.
#[test]
fn an_event_that_is_too_long_is_counted_and_the_others_stay() {
    let dir = Dir::new();
    let mut log = Log::open(dir.0.clone(), settings(&dir.0), BOOT, None).expect("a spool");
    let long = vec![b'x'; frame::LINE_MAX + 1];
    let most = vec![b'y'; frame::LINE_MAX];
    let done = log.append([&b"a"[..], &long, &most, b"b"].into_iter(), NOW);
    assert_eq!(done.lines, 3);
    assert!(done.error.is_some_and(|error| error.contains("1048577 bytes")));
    assert_eq!(indexes(&items(&dir.0)), [1, 2, 3]);
}
