//! Every way to change a log, on small ones and on a large one: each change is found, and where it is.

use gdprport_core::evidence::{PolicyFile, Stopped, divided};

use super::*;
use crate::sink::evidence::disk::Disk as _;

/// The text of the policy of these logs.
const POLICY: &[u8] = b"[[port]]\nnumber = 5432\n";

/// A log of many events, with all kinds of files that a log has, and what somebody kept of it elsewhere.
struct Logged {
    disk: Lossy,
    /// Its entries.
    size: u64,
    /// The file of its policy, and the entry that names it.
    policy: (String, u64),
    /// Its state when it had half of its events.
    older: Lossy,
    /// The checkpoint after that state, and the last one.
    kept: [Note; 2],
}

/// Events of a second each, with a checkpoint each hour at the latest, as the daemon makes them.
fn append_days(log: &mut Log<Lossy>, seqs: std::ops::Range<u64>) {
    let mut from = seqs.start;
    while seqs.end - from > 3_500 {
        append(log, from..from + 3_500);
        from += 3_500;
        checkpoint(log, from);
    }
    append(log, from..seqs.end);
}

/// A log of so many events.
fn logged(events: u64) -> Logged {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    let half = events / 2;
    append_days(&mut log, 1..half);
    checkpoint(&mut log, half);
    let older = disk.copy();
    let sha256 = Hash::of(POLICY).to_string();
    let policy = (format!("policy/{sha256}"), log.tree.size());
    log.disk.replace(&policy.0, POLICY).expect("nothing fails");
    let file = PolicyFile { path: "/etc/gdprport/policy.toml".into(), sha256, bytes: POLICY.len() as u64 };
    let own = Own::Policy { time: at(half), digest: "sha256:1".into(), files: vec![file] };
    log.append(Kind::Own, &own.content()).expect("nothing fails").expect("short");
    let next = log.checkpoint(Reason::Policy, at(half), Sums::default()).expect("nothing fails");
    log.rotate(key(2), at(half)).expect("nothing fails");
    log.checkpoint(Reason::Rotation, at(half), Sums::default()).expect("nothing fails");
    log.rotated().expect("nothing fails");
    append_days(&mut log, half..events + 1);
    let kept = [next, checkpoint(&mut log, events)];
    let size = log.tree.size();
    Logged { disk, size, policy, older, kept }
}

/// What somebody with root does to the files; the index of the entry that it is about is given, and the size of the log.
type Change = fn(&mut Lossy, u64, u64);

/// A file of this kind that has what belongs to entry `index`, of a log of so many. `level`: of the tree.
fn path(content: Content, index: u64, size: u64) -> String {
    let level = if let Content::Hashes(level) = content { u32::from(level) } else { 0 };
    let (number, count) = (index / WIDTH.pow(level + 1), size / WIDTH.pow(level));
    let width = u16::try_from((count - number * WIDTH).min(WIDTH)).expect("at most 256");
    Tile { content, number, width }.to_string()
}

fn bundle(index: u64, size: u64) -> String {
    path(Content::Entries, index, size)
}

fn tile(index: u64, size: u64) -> String {
    path(Content::Hashes(0), index, size)
}

fn upper(index: u64, size: u64) -> String {
    path(Content::Hashes(1), index, size)
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

/// Where its hash begins in the tile.
fn hash_at(index: u64) -> usize {
    usize::try_from(index % WIDTH).expect("less than 256") * Hash::BYTES
}

fn in_bundle(disk: &Lossy, index: u64, size: u64, change: impl FnOnce(&mut Vec<u8>, usize, usize)) {
    disk.change(&bundle(index, size), |bytes| {
        let (from, to) = extent(bytes, index);
        change(bytes, from, to);
    });
}

fn swap(disk: &mut Lossy, one: &str, other: &str) {
    for (from, to) in [(one, "between"), (other, one), ("between", other)] {
        disk.rename(from, to).expect("both are there");
    }
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
    ("a bundle was deleted", |disk, index, size| disk.remove(&bundle(index, size)).expect("there")),
    ("a bit of a tile", |disk, index, size| {
        disk.change(&tile(index, size), |bytes| bytes[hash_at(index)] ^= 1);
    }),
    ("a tile was cut", |disk, index, size| {
        disk.change(&tile(index, size), |bytes| bytes.truncate(hash_at(index) + 9));
    }),
    ("a tile was deleted", |disk, index, size| disk.remove(&tile(index, size)).expect("there")),
    ("another salt and its hash in the tile", |disk, index, size| {
        let mut hash = None;
        in_bundle(disk, index, size, |bytes, from, to| {
            bytes[from + 5] ^= 1;
            hash = Entries::of(&bytes[from..to]).next().and_then(Result::ok).map(|entry| entry.hash());
        });
        let hash = hash.expect("an entry");
        let at = hash_at(index);
        disk.change(&tile(index, size), |bytes| bytes[at..at + 32].copy_from_slice(hash.as_bytes()));
    }),
];

/// Changes of whole files and of upper tiles, which a log has from 513 entries on.
const LARGER: &[(&str, Change)] = &[
    ("two bundles were swapped", |disk, index, size| {
        swap(disk, &bundle(index, size), &bundle(index - WIDTH, size));
    }),
    ("two tiles were swapped", |disk, index, size| {
        swap(disk, &tile(index, size), &tile(index - WIDTH, size));
    }),
    ("a bit of an upper tile", |disk, index, size| {
        disk.change(&upper(index, size), |bytes| bytes[hash_at(index / WIDTH)] ^= 1);
    }),
    ("an upper tile was deleted", |disk, index, size| disk.remove(&upper(index, size)).expect("there")),
];

impl Logged {
    /// Makes these changes at the entry with this index, each by itself; the first finding is about it, or about the file that was
    /// changed, and says when that was.
    #[track_caller]
    fn check(&self, changes: &[(&str, Change)], index: u64) {
        let Self { size, .. } = *self;
        for (name, change) in changes {
            let mut changed = self.disk.copy();
            change(&mut changed, index, size);
            let verified = verified(&changed, &[]);
            let first = verified.findings.kept().first().unwrap_or_else(|| panic!("{name} was not found"));
            let entry = first.entry.expect("an entry");
            let exact = entry == index || (entry <= index && first.to.is_some_and(|to| index < to));
            // A file that is not there, or is another one, is found where it begins.
            let span = if name.contains("upper") { WIDTH * WIDTH } else { WIDTH };
            let whole_file = name.contains("deleted") || name.contains("tile was cut");
            let of_file = whole_file && entry == index / span * span;
            let swapped =
                name.contains("were swapped") && entry == index.saturating_sub(WIDTH) / WIDTH * WIDTH;
            // The entry and its hash agree: what was signed shows that neither is the one, since the checkpoint before.
            let signed = name.contains("its hash") && entry <= index;
            assert!(exact || of_file || swapped || signed, "{name} of {index}: {first:?}");
            let Some(time) = first.time else {
                // Nothing is known of what comes before the first block.
                assert!((of_file || swapped) && entry == 0 || signed, "{name} of {index}: {first:?}");
                continue;
            };
            let near = signed || name.contains("upper") || time >= at(index.saturating_sub(2 * WIDTH));
            assert!(near && time <= at(index + WIDTH), "{name} of {index}: {first:?}");
        }
    }

    /// Changes the files that belong to no entry.
    #[track_caller]
    fn check_others(&self) {
        let changed = |change: &dyn Fn(&mut Lossy)| {
            let mut disk = self.disk.copy();
            change(&mut disk);
            let verified = verify(&mut Files::new(&disk, |_| {}), &public(), &[]);
            verified.map_err(|stopped| format!("{stopped:?}")).map(|verified| {
                let first = verified.findings.kept().first().expect("a finding");
                (first.what, first.entry)
            })
        };
        let stops = |done: Result<_, String>, why: &str| {
            assert!(done.as_ref().is_err_and(|stopped| stopped.starts_with(why)), "{done:?}");
        };
        let bit = |path: &str, byte: usize| changed(&|disk| disk.change(path, |bytes| bytes[byte] ^= 1));
        let gone = |path: &str| changed(&|disk| disk.remove(path).expect("there"));
        let own = "checkpoints/00000000";
        stops(bit("checkpoint", 30), "NoCheckpoint");
        stops(gone("checkpoint"), "NoCheckpoint");
        stops(bit("rotations", 40), "Keys");
        stops(gone("rotations"), "NoCheckpoint");
        assert!(matches!(bit(own, 40), Ok((What::Unsigned, Some(_)))));
        assert_eq!(gone(own), Ok((What::Checkpoints, None)));
        let first_last = changed(&|disk| {
            disk.change(own, |bytes| {
                let first = divided(bytes).next().expect("a note").len();
                bytes.rotate_left(first);
            });
        });
        assert!(matches!(first_last, Ok((What::Checkpoints, _))), "{first_last:?}");
        let (path, entry) = &self.policy;
        assert_eq!(bit(path, 3), Ok((What::Policy, Some(*entry))));
        assert_eq!(gone(path), Ok((What::Policy, Some(*entry))));
    }

    /// What was kept elsewhere shows an older state, and a log that was made anew.
    #[track_caller]
    fn check_elsewhere(&self, events: u64) {
        let kept = self.kept.each_ref().map(elsewhere);
        none(&verified(&self.disk, &kept));
        none(&verified(&self.older, &[]));
        assert_eq!(found(&verified(&self.older, &kept[..1])), [What::RolledBack]);
        // The key of that state signed nothing of what came later.
        assert_eq!(found(&verified(&self.older, &kept[1..])), [What::Unsigned]);
        // Everything is made anew by who has the keys: in itself it is sound.
        let anew = logged(events);
        none(&verified(&anew.disk, &[]));
        let forked = verified(&anew.disk, &kept[1..]);
        let first = &forked.findings.kept()[0];
        assert_eq!((first.what, first.to), (What::Forked, Some(self.size)));
        // And by somebody who has none.
        let resigned = Lossy::default();
        let opened = open(resigned.clone(), key(3), Uuid::nil(), salts);
        let Opened { mut log, .. } = opened.unwrap_or_else(|error| panic!("{error:?}"));
        append_days(&mut log, 1..events);
        checkpoint(&mut log, events);
        let verified = verify(&mut Files::new(&resigned, |_| {}), &public(), &[]);
        assert!(matches!(verified, Err(Stopped::NoCheckpoint(_))), "{verified:?}");
    }
}

#[test]
fn every_change_of_a_log_of_ten_entries_is_found() {
    let log = logged(9);
    [1, 5, 8].into_iter().for_each(|index| log.check(CHANGES, index));
    log.check_others();
    log.check_elsewhere(9);
}

#[test]
fn every_change_of_a_log_of_many_tiles_is_found() {
    let log = logged(3_000);
    [3, 300, 2_600, 2_999].into_iter().for_each(|index| log.check(CHANGES, index));
    [300, 2_600].into_iter().for_each(|index| log.check(LARGER, index));
    log.check_others();
    log.check_elsewhere(3_000);
}

#[test]
#[ignore = "on demand: minutes without optimization"]
fn every_change_of_a_log_of_a_million_entries_is_found() {
    let log = logged(999_999);
    log.check(CHANGES, 654_321);
    log.check(LARGER, 654_321);
    log.check_others();
    log.check_elsewhere(999_999);
}
