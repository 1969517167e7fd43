//! Promises about the log on disk: it goes on after any end, and nobody changes it unnoticed.

mod crash;
mod lossy;
mod rotation;
mod scale;
mod stamped;
mod tampering;

use gdprport_core::evidence::{
    Content, Elsewhere, Entries, Finding, Hash, KeyName, Kind, Note, Own, PublicKey, Reason, SecretKey, Sums,
    Tile, Verified, WIDTH, What, verify,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::files::Files;
use super::log::Log;
use super::recover::{Opened, Unusable, open};
use lossy::Lossy;

/// The run of the events in these logs.
const RUN: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

fn key(secret: u8) -> SecretKey {
    SecretKey::new(KeyName::new("gdprport/host.example").expect("a name"), &[secret; 32])
}

fn public() -> PublicKey {
    key(1).public().clone()
}

/// Seconds since the beginning of the test's time.
fn at(second: u64) -> Timestamp {
    let second = i64::try_from(second).expect("small");
    Timestamp::from_second(1_700_000_000 + second).expect("a time")
}

/// Salts of a test: never the same twice, and not secret.
fn salts(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte = fastrand::u8(..));
}

fn opened(disk: &Lossy) -> Result<Opened<Lossy>, Unusable> {
    open(disk.clone(), key(1), Uuid::nil(), salts)
}

/// Opens a log and says so in it, as the daemon does.
fn started(disk: &Lossy, time: Timestamp) -> Log<Lossy> {
    let Opened { mut log, found, .. } = opened(disk).unwrap_or_else(|error| panic!("{error:?}"));
    let own = match found {
        None => {
            let (key, before) = (public().to_string(), None);
            Own::Begun { time, format: 1, key, before }
        }
        Some(found) => {
            let version = "0".to_owned();
            Own::Started { time, run: Uuid::nil(), boot: Uuid::nil(), version, found }
        }
    };
    log.append(Kind::Own, &own.content()).expect("nothing fails").expect("short");
    log.checkpoint(Reason::Start, time, Sums::default()).expect("nothing fails");
    log.finish_erasing(time, Sums::default()).expect("nothing fails");
    log
}

/// An event, about as long as they are.
fn event(seq: u64, time: Timestamp) -> Vec<u8> {
    let peer = format!("10.{}.{}.{}", seq >> 16 & 255, seq >> 8 & 255, seq & 255);
    format!(
        r#"{{"schema":"gdprport.event/1","seq":{seq},"time":"{time}","agent":{{"run":"{RUN}"}},"peer":"{peer}"}}"#
    )
    .into_bytes()
}

/// Appends the events `from..to`, one a second.
fn append(log: &mut Log<Lossy>, seqs: std::ops::Range<u64>) {
    for seq in seqs {
        log.append(Kind::Event, &event(seq, at(seq))).expect("nothing fails").expect("short");
    }
    log.commit().expect("nothing fails");
}

fn checkpoint(log: &mut Log<Lossy>, second: u64) -> Note {
    log.checkpoint(Reason::Activity, at(second), Sums::default()).expect("nothing fails")
}

fn verified(disk: &Lossy, elsewhere: &[Elsewhere]) -> Verified {
    verify(&mut Files::new(disk, |_| {}), &public(), elsewhere)
        .unwrap_or_else(|error| panic!("nothing could be verified: {error:?}"))
}

fn found(verified: &Verified) -> Vec<What> {
    verified.findings.kept().iter().map(|finding| finding.what).collect()
}

fn none(verified: &Verified) {
    let none: &[Finding] = &[];
    assert_eq!(verified.findings.kept(), none);
}

fn elsewhere(note: &Note) -> Elsewhere {
    Elsewhere { name: "paper.txt".into(), note: note.to_string().into_bytes(), stamp: None }
}

#[test]
fn what_was_logged_is_verified() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..700);
    let early = checkpoint(&mut log, 700);
    append(&mut log, 700..1000);
    checkpoint(&mut log, 1000);
    let verified = verified(&disk, &[elsewhere(&early)]);
    none(&verified);
    assert_eq!((verified.entries, verified.events, verified.elsewhere), (1000, 999, 1));
    assert_eq!(verified.checkpoints, 3);
}

#[test]
fn entries_behind_the_last_checkpoint_are_found_by_a_start() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..600);
    drop(log);
    let found = opened(&disk).unwrap_or_else(|error| panic!("{error:?}")).found.expect("there is one");
    assert_eq!((found.signed, found.unsigned, found.torn_bytes, found.orderly), (1, 599, 0, false));
    started(&disk, at(601));
    none(&verified(&disk, &[]));
}

#[test]
fn partial_files_that_nobody_needs_are_removed() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    for second in 1..600 {
        append(&mut log, second..second + 1);
        checkpoint(&mut log, second);
    }
    let partial: Vec<String> = disk.paths().into_iter().filter(|path| path.contains(".p/")).collect();
    assert_eq!(partial, ["tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/002.p/88"]);
}

#[test]
fn an_entry_costs_little_beyond_its_line() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..5120);
    checkpoint(&mut log, 5120);
    let bytes = |prefix: &str| -> usize {
        let paths = disk.paths().into_iter().filter(|path| path.starts_with(prefix) && !path.contains(".p/"));
        paths.map(|path| super::disk::Disk::read(&disk, &path).expect("there").expect("there").len()).sum()
    };
    let lines: usize = (1..5120).map(|seq| event(seq, at(seq)).len()).sum();
    // Length, kind, salt, hash, and a 256th of a hash above it.
    let beyond = (bytes("tile/") - lines) as f64 / 5120.0;
    assert!((51.0..52.0).contains(&beyond), "{beyond}");
}

#[test]
fn what_was_erased_is_nowhere_and_the_rest_is_verified() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..2048);
    let before = checkpoint(&mut log, 2048);
    let erasure = super::erase::Erasure {
        from: Some(at(600)),
        before: at(1400),
        why: "request of a data subject".into(),
        by: "root".into(),
    };
    let done = log.erase(&erasure, at(2049), Sums::default()).expect("nothing fails");
    assert_eq!(done.entries, 2 * 256, "whole bundles: entries 768 to 1279");
    let verified = verified(&disk, &[elsewhere(&before)]);
    none(&verified);
    assert_eq!(verified.erased.ranges().len(), 1);
    assert_eq!(verified.events, 2047 - 512);
    let erased = event(1000, at(1000));
    for path in disk.paths() {
        let bytes = super::disk::Disk::read(&disk, &path).expect("there").expect("there");
        assert!(!bytes.windows(erased.len()).any(|window| window == erased), "{path}");
    }
    // Nothing more is asked to go, and nothing goes twice.
    assert_eq!(log.erase(&erasure, at(2050), Sums::default()).expect("nothing fails").entries, 0);
}

#[test]
fn the_oldest_entries_go_for_want_of_room() {
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..2048);
    let kept = checkpoint(&mut log, 2048);
    let bundle = super::disk::Disk::size(&disk, "tile/entries/003").expect("there");
    let beyond = |log: &mut Log<Lossy>, most| {
        log.erase_beyond(most, at(2049), Sums::default()).expect("nothing fails").entries
    };
    assert_eq!(beyond(&mut log, 9 * bundle), 0);
    // Two and a twentieth more have to go: whole bundles, the oldest.
    assert_eq!(beyond(&mut log, 6 * bundle), 3 * 256);
    assert_eq!(beyond(&mut log, 6 * bundle), 0);
    let verified = verified(&disk, &[elsewhere(&kept)]);
    none(&verified);
    let range = &verified.erased.ranges()[0];
    assert_eq!((range.from, range.to, range.why.as_str()), (0, 3 * 256, "room"));
}

/// What somebody knows who has the log after an erasure, and everything about an event but its peer.
#[test]
fn an_erased_address_is_not_found_by_trying_all() {
    /// Addresses that are tried: one byte of them is not known.
    const TRIED: u64 = 256;
    let disk = Lossy::default();
    let mut log = started(&disk, at(0));
    append(&mut log, 1..513);
    checkpoint(&mut log, 513);
    let bundles = ["tile/entries/000", "tile/entries/001"];
    let read = |path: &str| super::disk::Disk::read(&disk, path).expect("readable");
    let salts_of = |bundle: &[u8]| -> Vec<[u8; 16]> {
        let mut at = 0;
        let mut salts = Vec::new();
        while let Some(length) = bundle.get(at..at + 2) {
            salts.push(bundle[at + 3..at + 19].try_into().expect("16 bytes"));
            at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
        }
        salts
    };
    let own = salts_of(&read(bundles[0]).expect("there"));
    let (why, by) = ("request 17".to_owned(), "root".to_owned());
    let erasure = super::erase::Erasure { from: None, before: at(256), why, by };
    assert_eq!(log.erase(&erasure, at(514), Sums::default()).expect("nothing fails").entries, 256);
    assert_eq!(read(bundles[0]), None);
    let others = salts_of(&read(bundles[1]).expect("there"));
    // Nobody can look for the salt either: it has 128 bits, and is nowhere any more.
    assert_eq!(gdprport_core::evidence::SALT_BYTES * 8, 128);
    for path in disk.paths() {
        let bytes = read(&path).expect("there");
        assert!(own.iter().step_by(37).all(|salt| !bytes.windows(16).any(|window| window == salt)), "{path}");
    }
    let tile = read("tile/0/000").expect("the hashes stay");
    let kept: std::collections::HashSet<&[u8; 32]> = tile.as_chunks::<32>().0.iter().collect();
    let is_kept = |hash: &Hash| kept.contains(hash.as_bytes());
    let salted = |salt: &[u8; 16], content: &[u8]| {
        gdprport_core::evidence::append(&mut Vec::new(), Kind::Event, salt, content).expect("short")
    };
    for seq in 0..TRIED {
        // Each candidate is the event 7 with another peer; one of them is what was erased.
        let text = String::from_utf8(event(7, at(7))).expect("text");
        let guess = text.replace("10.0.0.7", &format!("10.0.0.{seq}")).into_bytes();
        assert!(!is_kept(&Hash::of_leaf(&[&guess])) && !is_kept(&Hash::of(&guess)), "without a salt: {seq}");
        let wrong = [[0; 16], [0xff; 16]];
        for salt in wrong.iter().chain(&others[..16]) {
            assert!(!is_kept(&salted(salt, &guess)), "with a salt that is known: {seq}");
        }
        // It is the salt that hides it: whoever has kept it finds the address at once.
        assert_eq!(is_kept(&salted(&own[7], &guess)), seq == 7);
    }
}
