//! What must hold of a spool whatever became of its bytes, as assertions: used by the fuzzer (`fuzz/`) and by the property tests.
//! Compiled for those two only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use uuid::Uuid;

use super::item::{Item, Loss, SpoolError};
use super::log::Log;
use super::reader::SpoolReader;
use super::segments;
use super::settings::{SpoolSettings, SpoolSync};

/// A directory that is removed.
pub(super) struct Dir(pub(super) PathBuf);

impl Dir {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        // In memory, for these files are synced often.
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let dir = place.join(format!("gdprport-spool-{}-{next}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        Self(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The boot in which the tests write.
pub(super) const BOOT: Uuid = Uuid::from_u128(1);

/// A minute of writing is a millisecond here.
pub(super) const NOW: i64 = 1_795_000_000_000;

/// A spool with the least bounds.
pub(super) fn settings(dir: &Path) -> SpoolSettings {
    SpoolSettings {
        max_bytes: *gdprport_core::sensor::SPOOL_BYTES.start(),
        keep: Duration::from_hours(1),
        sync: SpoolSync::Never,
        ..SpoolSettings::new(dir)
    }
}

/// A line with a number; each third one is kept longest.
pub(super) fn line(number: u64) -> Vec<u8> {
    let (kind, severity) =
        if number.is_multiple_of(3) { ("violation", "high") } else { ("flow.open", "info") };
    format!(r#"{{"seq":{number},"kind":"{kind}","severity":"{severity}"}}"#).into_bytes()
}

/// Opens a spool and appends lines with the numbers of their indexes.
pub(super) fn append(log: &mut Log, count: u64, now: i64) {
    let lines: Vec<Vec<u8>> = (log.next..log.next + count).map(line).collect();
    let done = log.append(lines.iter().map(Vec::as_slice), now);
    assert_eq!((done.lines as u64, done.error), (count, None));
}

/// Everything that a reader gets, in order.
pub(super) fn read(reader: &mut SpoolReader) -> Result<Vec<Item>, SpoolError> {
    let mut items = Vec::new();
    while let Some(item) = reader.next()? {
        items.push(item);
        assert!(items.len() < 100_000, "it ends");
    }
    Ok(items)
}

/// Segments of a spool, by the index of their first record.
type Files = BTreeMap<u64, Vec<u8>>;

/// Three segments of a few records: of the first the ordinary ones were removed, the last was not closed.
fn whole() -> &'static Files {
    static WHOLE: OnceLock<Files> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let dir = Dir::new();
        let mut log = Log::open(dir.0.clone(), settings(&dir.0), BOOT, None).expect("a spool");
        append(&mut log, 7, NOW);
        log.close();
        log.tidy(0);
        append(&mut log, 5, NOW + 1);
        log.close();
        append(&mut log, 4, NOW + 2);
        let firsts = segments::list(&dir.0).expect("segments");
        assert_eq!(firsts, [1, 8, 13]);
        firsts
            .into_iter()
            .map(|first| (first, fs::read(segments::path(&dir.0, first)).expect("it is there")))
            .collect()
    })
}

/// Puts files into a directory.
fn put(files: &Files, dir: &Path) {
    for (first, bytes) in files {
        fs::write(segments::path(dir, *first), bytes).expect("a file");
    }
}

/// What must hold of everything that is read: nothing that was not written, in order, and every index that is missing in between
/// is in a loss.
pub(super) fn assert_sound(items: &[Item], first: u64) -> Vec<u64> {
    let (mut next, mut read) = (first, Vec::new());
    for item in items {
        match item {
            Item::Record { index, line: found, .. } => {
                assert_eq!(*index, next, "{items:?}");
                assert_eq!(found[..], line(*index), "as it was written");
                read.push(*index);
                next = index + 1;
            }
            Item::Lost(Loss { from, to, events, .. }) => {
                assert_eq!(*from, next, "{items:?}");
                assert!(to >= from && *events <= to - from + 1, "{items:?}");
                next = to + 1;
            }
            Item::Anew(_) => panic!("it is the same: {items:?}"),
        }
    }
    read
}

/// Any change of a spool's bytes: nothing that was not written is read, what is missing is told, whoever opens it to write goes
/// on behind everything that could be read, and a reader that was there before gets what is written then.
///
/// The first byte selects: 0: the rest is a segment; 1: the rest changes one, three bytes for the place and one for the value;
/// 2: three bytes say where one is cut off.
pub fn spool(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else { return };
    let mut files = whole().clone();
    let last = *files.last_key_value().expect("three").0;
    let place = |at: &[u8]| u32::from_be_bytes([0, at[0], at[1], at[2]]) as usize;
    match which % 3 {
        0 => {
            files.insert(last, rest.to_vec());
        }
        1 => {
            for change in rest.chunks_exact(4) {
                let mut at = place(change) % files.values().map(Vec::len).sum::<usize>();
                for file in files.values_mut() {
                    if at < file.len() {
                        file[at] = change[3];
                        break;
                    }
                    at -= file.len();
                }
            }
        }
        _ => {
            let Some(at) = rest.first_chunk::<3>() else { return };
            let which = usize::from(at[0]) % files.len();
            let file = files.values_mut().nth(which).expect("there are so many");
            file.truncate(place(&[0, at[1], at[2]]) % (file.len() + 1));
        }
    }
    assert_holds(&files);
}

/// What must hold of these files.
pub(super) fn assert_holds(files: &Files) {
    let dir = Dir::new();
    put(files, &dir.0);
    let mut reader = SpoolReader::open(&dir.0).expect("a directory");
    let before = match read(&mut reader) {
        Ok(items) => items,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    // A whole segment of another spool is one.
    let ours = whole().values().next().and_then(|bytes| super::frame::Header::parse(bytes).ok());
    if reader.spool().is_some_and(|spool| ours.is_some_and(|header| header.spool != spool)) {
        return;
    }
    let first = first_of(&before);
    let highest = assert_sound(&before, first.unwrap_or(1)).last().copied();
    assert_reads_what_is_whole(files, &before);
    let extent = reader.extent().expect("it can be read");
    assert!(highest.is_none_or(|highest| extent.next > highest));
    let _ = reader.lag(first.unwrap_or(1)).expect("it can be read");
    let mut log = match Log::open(dir.0.clone(), settings(&dir.0), BOOT, None) {
        Ok(log) => log,
        Err(problem) => return assert!(!problem.is_empty()),
    };
    assert!(log.next > highest.unwrap_or(0), "no index is used twice");
    let begin = log.next;
    append(&mut log, 3, NOW + 3);
    let mut items = before;
    items.extend(read_on(&mut reader));
    if extent.spool == Some(log.spool) {
        let read = assert_sound(&items, first_of(&items).unwrap_or(begin));
        assert_eq!(read[read.len() - 3..], [begin, begin + 1, begin + 2], "{items:?}");
    }
    // Whoever comes later gets the same.
    let again = read(&mut SpoolReader::open(&dir.0).expect("a directory")).expect("it can be read");
    assert!(again.len() >= 3);
}

/// Where reading began.
fn first_of(items: &[Item]) -> Option<u64> {
    items.iter().find_map(|item| match item {
        Item::Record { index, .. } => Some(*index),
        Item::Lost(loss) => Some(loss.from),
        Item::Anew(_) => None,
    })
}

/// Reads on at once, without waiting for the directory to be listed again.
fn read_on(reader: &mut SpoolReader) -> Vec<Item> {
    reader.look_again();
    read(reader).expect("it can be read")
}

/// Of a segment whose header is whole, every record before the first byte that is not as it was written is read.
fn assert_reads_what_is_whole(files: &Files, items: &[Item]) {
    let is_read =
        |wanted: u64| items.iter().any(|item| matches!(item, Item::Record { index, .. } if *index == wanted));
    for (first, bytes) in whole() {
        let Some(found) = files.get(first) else { continue };
        let same = bytes.iter().zip(found).take_while(|(was, is)| was == is).count();
        let mut at = super::frame::HEADER;
        let seed = super::frame::Header::parse(bytes).expect("it was written").seed();
        while let Ok(frame) = super::frame::Frame::parse(&bytes[at..], seed) {
            at += frame.whole();
            if at > same {
                break;
            }
            if frame.class != super::frame::Class::End {
                assert!(is_read(frame.index), "{} is whole: {items:?}", frame.index);
            }
        }
    }
}
