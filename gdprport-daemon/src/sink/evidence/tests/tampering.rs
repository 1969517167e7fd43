//! Somebody with root changes the log: each change is found, and where.

use rstest::rstest;

use super::*;
use crate::sink::evidence::disk::Disk as _;

/// Entries of the log that is changed.
const EVENTS: u64 = 1000;

/// A log, and a checkpoint of it that was kept elsewhere.
fn logged() -> (Lossy, Note) {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..400);
    checkpoint(&mut log, 400);
    append(&mut log, 400..EVENTS);
    let note = checkpoint(&mut log, EVENTS);
    (disk, note)
}

/// The first finding: what, and about which entry.
fn first(disk: &Lossy) -> (What, Option<u64>) {
    let verified = verified(disk, &[]);
    let first = verified.findings.kept().first().unwrap_or_else(|| panic!("nothing was found"));
    (first.what, first.entry)
}

/// Where the entry with this place begins in a bundle.
fn offset(bytes: &[u8], place: usize) -> usize {
    let mut entries = gdprport_core::evidence::Entries::of(bytes);
    entries.by_ref().take(place).for_each(drop);
    entries.at()
}

#[rstest]
#[case::of_a_full_bundle("tile/entries/001", 10_000, What::Changed, 256..512)]
#[case::of_the_partial_bundle("tile/entries/003.p/232", 10_000, What::Changed, 768..1000)]
#[case::of_a_tile("tile/0/002", 32 * 7 + 3, What::TileChanged, 512 + 7..512 + 8)]
#[case::of_the_partial_tile("tile/0/003.p/232", 32 * 9, What::Changed, 768 + 9..768 + 10)]
#[case::of_an_upper_tile("tile/1/000.p/3", 33, What::TileChanged, 256..257)]
fn a_flipped_bit_is_found(
    #[case] path: &str,
    #[case] byte: usize,
    #[case] what: What,
    #[case] entries: std::ops::Range<u64>,
) {
    let (disk, _) = logged();
    disk.change(path, |bytes| bytes[byte] ^= 1);
    let (found, entry) = first(&disk);
    assert_eq!(found, what);
    assert!(entries.contains(&entry.expect("an entry")), "{entry:?}");
}

#[test]
fn a_flipped_bit_of_a_checkpoint_is_found() {
    let (disk, _) = logged();
    let path = "checkpoints/00000000";
    let length = disk.read(path).expect("there").expect("there").len();
    for byte in (0..length).step_by(17) {
        let disk = disk.copy();
        disk.change(path, |bytes| bytes[byte] ^= 1);
        assert!(verified(&disk, &[]).findings.count() > 0, "byte {byte}");
    }
    let verify = |disk: &Lossy| verify(&mut Files::new(disk, |_| {}), &public(), &[]);
    for byte in 0..disk.read("checkpoint").expect("there").expect("there").len() {
        let disk = disk.copy();
        disk.change("checkpoint", |bytes| bytes[byte] ^= 1);
        assert!(verify(&disk).is_err(), "byte {byte}");
    }
}

#[rstest]
#[case::a_bundle("tile/entries/001", What::Missing, Some(256))]
#[case::a_tile("tile/0/001", What::TileChanged, Some(256))]
#[case::the_checkpoints("checkpoints/00000000", What::Checkpoints, None)]
#[case::the_partial_bundle("tile/entries/003.p/232", What::Missing, Some(768))]
fn a_deleted_file_is_found(#[case] path: &str, #[case] what: What, #[case] entry: Option<u64>) {
    let (mut disk, _) = logged();
    disk.remove(path).expect("there");
    assert_eq!(first(&disk), (what, entry));
}

#[test]
fn an_entry_that_was_taken_out_is_found() {
    let (disk, _) = logged();
    disk.change("tile/entries/001", |bytes| {
        let (from, to) = (offset(bytes, 40), offset(bytes, 41));
        bytes.drain(from..to);
    });
    assert_eq!(first(&disk), (What::Missing, Some(256 + 40)));
}

#[test]
fn an_entry_that_was_put_in_is_found() {
    let (disk, _) = logged();
    disk.change("tile/entries/001", |bytes| {
        let mut entry = Vec::new();
        let hash = gdprport_core::evidence::append(&mut entry, Kind::Event, &[1; 16], b"{}");
        assert!(hash.is_some(), "short");
        let at = offset(bytes, 40);
        bytes.splice(at..at, entry);
    });
    assert_eq!(first(&disk), (What::Inserted, Some(256 + 40)));
}

#[test]
fn two_entries_that_were_swapped_are_found() {
    let (disk, _) = logged();
    disk.change("tile/entries/001", |bytes| {
        let (from, middle, to) = (offset(bytes, 40), offset(bytes, 41), offset(bytes, 42));
        bytes[from..to].rotate_left(middle - from);
    });
    assert_eq!(first(&disk), (What::Reordered, Some(256 + 40)));
}

#[test]
fn two_files_that_were_swapped_are_found() {
    let (mut disk, _) = logged();
    for (from, to) in
        [("tile/entries/001", "x"), ("tile/entries/002", "tile/entries/001"), ("x", "tile/entries/002")]
    {
        disk.rename(from, to).expect("there");
    }
    assert_eq!(first(&disk), (What::Changed, Some(256)));
}

#[test]
fn a_bundle_that_was_cut_is_found() {
    let (disk, _) = logged();
    disk.change("tile/entries/001", |bytes| bytes.truncate(offset(bytes, 100) + 5));
    assert_eq!(first(&disk), (What::Truncated, Some(256 + 100)));
}

#[test]
fn an_older_state_is_found_by_a_checkpoint_from_elsewhere() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..400);
    checkpoint(&mut log, 400);
    let older = disk.copy();
    append(&mut log, 400..EVENTS);
    let kept = checkpoint(&mut log, EVENTS);
    none(&verified(&older, &[]));
    assert_eq!(found(&verified(&older, &[elsewhere(&kept)])), [What::RolledBack]);
}

#[test]
fn another_key_is_no_way_around() {
    let (disk, _) = logged();
    let forged = Lossy::default();
    let Opened { mut log, .. } =
        open(forged.clone(), key(2), Uuid::nil(), salts).unwrap_or_else(|error| panic!("{error:?}"));
    append(&mut log, 1..EVENTS);
    checkpoint(&mut log, EVENTS);
    let verify = |disk: &Lossy| verify(&mut Files::new(disk, |_| {}), &public(), &[]).is_err();
    assert!(verify(&forged));
    assert!(!verify(&disk));
}

/// The whole tree is made anew with the right key: only a checkpoint that was kept elsewhere shows it.
#[test]
fn a_rebuilt_log_is_found_by_a_checkpoint_from_elsewhere() {
    let (_, kept) = logged();
    let rebuilt = Lossy::default();
    let mut log = started(&rebuilt, at(0));
    append(&mut log, 1..EVENTS);
    checkpoint(&mut log, EVENTS);
    none(&verified(&rebuilt, &[]));
    let verified = verified(&rebuilt, &[elsewhere(&kept)]);
    assert_eq!(found(&verified), [What::Forked]);
}

#[test]
fn an_event_that_was_emitted_and_not_logged_is_found() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..100);
    append(&mut log, 103..200);
    checkpoint(&mut log, 200);
    let verified = verified(&disk, &[]);
    let finding = &verified.findings.kept()[0];
    assert_eq!((finding.what, finding.entry), (What::Unlogged, Some(100)));
    assert!(finding.detail.starts_with("3 event(s)"), "{}", finding.detail);
}

#[test]
fn a_gap_that_is_declared_is_no_finding() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..100);
    let gap = Own::Gap { time: at(100), run: RUN, events: 3, reason: "queue-full".into() };
    log.append(Kind::Own, &gap.content()).expect("nothing fails").expect("short");
    append(&mut log, 103..200);
    checkpoint(&mut log, 200);
    let verified = verified(&disk, &[]);
    none(&verified);
    assert_eq!(verified.declared_missing, 3);
}

#[test]
fn an_erasure_that_nothing_declares_is_missing() {
    let (mut disk, _) = logged();
    for number in [1, 2] {
        disk.remove(&format!("tile/entries/{number:03}")).expect("there");
    }
    let verified = verified(&disk, &[]);
    let finding = &verified.findings.kept()[0];
    assert_eq!((finding.what, finding.entry, finding.to), (What::Missing, Some(256), Some(768)));
}
