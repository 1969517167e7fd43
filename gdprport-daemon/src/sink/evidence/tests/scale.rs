//! Every way to change a log, on small ones and on a large one: each change is found, and where it is.

use super::*;
use crate::sink::evidence::disk::Disk as _;

/// What somebody with root does to the files; the index of the entry that it is about is given.
type Change = fn(&mut Lossy, u64, u64);

/// Bundle and tile of an entry, in a log of so many.
fn paths(index: u64, size: u64) -> (String, String) {
    let number = index / WIDTH;
    let width = u16::try_from((size - number * WIDTH).min(WIDTH)).expect("at most 256");
    let path = |content| Tile { content, number, width }.to_string();
    (path(Content::Entries), path(Content::Hashes(0)))
}

/// Where the entry begins in its bundle, and where it ends.
fn extent(bytes: &[u8], index: u64) -> (usize, usize) {
    let at = |place: usize| {
        let mut entries = Entries::of(bytes);
        entries.by_ref().take(place).for_each(drop);
        entries.at()
    };
    let place = usize::try_from(index % WIDTH).expect("less than 256");
    (at(place), at(place + 1))
}

fn in_bundle(disk: &Lossy, index: u64, size: u64, change: impl FnOnce(&mut Vec<u8>, usize, usize)) {
    disk.change(&paths(index, size).0, |bytes| {
        let (from, to) = extent(bytes, index);
        change(bytes, from, to);
    });
}

const CHANGES: &[(&str, Change)] = &[
    ("a bit of an entry", |disk, index, size| {
        in_bundle(disk, index, size, |bytes, _, to| bytes[to - 1] ^= 1);
    }),
    ("a bit of a salt", |disk, index, size| {
        in_bundle(disk, index, size, |bytes, from, _| bytes[from + 5] ^= 1);
    }),
    ("an entry was taken out", |disk, index, size| {
        in_bundle(disk, index, size, |bytes, from, to| drop(bytes.drain(from..to)));
    }),
    ("an entry was put in", |disk, index, size| {
        in_bundle(disk, index, size, |bytes, from, to| {
            let mut again = bytes[from..to].to_vec();
            again[5] ^= 1;
            drop(bytes.splice(from..from, again));
        });
    }),
    ("two entries were swapped", |disk, index, size| {
        in_bundle(disk, index, size, |bytes, from, to| {
            let (_, end) = extent(bytes, index + 1);
            bytes[from..end].rotate_left(to - from);
        });
    }),
    ("a bundle was cut", |disk, index, size| {
        in_bundle(disk, index, size, |bytes, from, _| bytes.truncate(from + 7));
    }),
    ("a bundle was deleted", |disk, index, size| {
        disk.remove(&paths(index, size).0).expect("there");
    }),
    ("a bit of a tile", |disk, index, size| {
        let at = usize::try_from(index % WIDTH).expect("less than 256") * 32;
        disk.change(&paths(index, size).1, |bytes| bytes[at] ^= 1);
    }),
    ("a tile was deleted", |disk, index, size| {
        disk.remove(&paths(index, size).1).expect("there");
    }),
    ("another salt and its hash in the tile", |disk, index, size| {
        let mut hash = None;
        in_bundle(disk, index, size, |bytes, from, to| {
            bytes[from + 5] ^= 1;
            hash = Entries::of(&bytes[from..to]).next().and_then(Result::ok).map(|entry| entry.hash());
        });
        let at = usize::try_from(index % WIDTH).expect("less than 256") * 32;
        let hash = hash.expect("an entry");
        disk.change(&paths(index, size).1, |bytes| bytes[at..at + 32].copy_from_slice(hash.as_bytes()));
    }),
];

/// Changes a log of so many events at the entry with this index, in every way; each is found in the block of that entry.
fn check_changes(events: u64, index: u64) {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..events + 1);
    let kept = checkpoint(&mut log, events);
    let size = log.tree.size();
    drop(log);
    none(&verified(&disk, &[elsewhere(&kept)]));
    let (bundle, tile) = paths(index, size);
    let whole = [bundle, tile].map(|path| {
        let bytes = disk.read(&path).expect("readable").expect("there");
        (path, bytes)
    });
    let block = index / WIDTH * WIDTH;
    for (name, change) in CHANGES {
        let mut changed = disk.clone();
        change(&mut changed, index, size);
        let verified = verified(&disk, &[]);
        let first = verified.findings.kept().first().unwrap_or_else(|| panic!("{name} was not found"));
        let entry = first.entry.expect("an entry");
        let is_exact = entry == index || (entry <= index && first.to.is_some_and(|to| index < to));
        let is_of_file = name.contains("deleted") && entry == block;
        // The entry and its hash agree: what was signed shows that neither is the one, since the checkpoint before.
        let is_signed = name.contains("its hash") && entry <= index;
        assert!(is_exact || is_of_file || is_signed, "{name} of {index}: {first:?}");
        for (path, bytes) in &whole {
            changed.replace(path, bytes).expect("nothing fails");
        }
    }
    none(&verified(&disk, &[elsewhere(&kept)]));
}

#[test]
fn every_change_of_a_log_of_ten_entries_is_found() {
    for index in [1, 5, 8] {
        check_changes(9, index);
    }
}

#[test]
fn every_change_of_a_log_of_many_tiles_is_found() {
    for index in [3, 300, 2_600, 2_999] {
        check_changes(3_000, index);
    }
}

#[test]
#[ignore = "on demand: minutes without optimization"]
fn every_change_of_a_log_of_a_million_entries_is_found() {
    check_changes(999_999, 654_321);
}
