//! A database that SQLite 3.40 made, with Podman 5's tables and pages of 1 KiB, and ones that nobody would make.

use std::cell::Cell;

use super::view;
use crate::container::{Stated, Unreadable, podman};

const REAL: &[u8] = include_bytes!("../fixtures/podman5.sql");

const PAGE: usize = 1024;

/// Ids of containers: SHA-256 of `container 0` and so on. The sixth was removed.
fn id(index: usize) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(format!("container {index}")).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn reads(file: &[u8]) -> impl Fn(u64, &mut [u8]) -> bool {
    move |offset, bytes| {
        let from = usize::try_from(offset).expect("64 bits");
        let part = file.get(from..from.saturating_add(bytes.len()));
        part.map(|part| bytes.copy_from_slice(part)).is_some()
    }
}

fn container(file: &[u8], index: usize) -> Result<Option<Stated>, Unreadable> {
    podman::in_sqlite(&reads(file), &|| false, &id(index))
}

#[test]
fn every_row_is_found_whatever_its_length() {
    for index in (0..14).filter(|index| *index != 5) {
        let stated = container(REAL, index).expect("read").expect("a container");
        assert_eq!(stated.name.as_deref(), Some(&*format!("orders-{index}")));
        assert_eq!(stated.image.as_deref(), Some("registry.example/shop/orders:1.4"));
        let number = stated.labels.get("number").map(ToString::to_string);
        assert_eq!(number, (index != 3).then(|| index.to_string()));
        assert!(!stated.labels.is_unread());
        assert_eq!(stated.read_only_mounts.len(), 1);
    }
}

#[test]
fn a_row_that_was_removed_is_not_found() {
    assert_eq!(container(REAL, 5), Ok(None));
    assert_eq!(container(REAL, 14), Ok(None));
    let none = view(&reads(REAL), &|| false, |view| view.find("Containers", &id(0), |_| ()));
    assert_eq!(none, Ok(None), "no such table");
}

/// Numbers of a pair of looks at the journal: before and after the reading.
#[test]
fn a_database_that_is_being_written_is_read_later() {
    let read = reads(REAL);
    for (busy, tries) in [(0_u32, 1), (1, 2), (2, 3), (3, 4)] {
        let (left, looked) = (Cell::new(busy), Cell::new(0_u32));
        let journal = || {
            let is_busy = left.get() > 0;
            left.set(left.get().saturating_sub(1));
            is_busy
        };
        let found = view(&read, &journal, |_| {
            looked.set(looked.get() + 1);
            Ok(())
        });
        assert_eq!((found, looked.get()), (Ok(()), 1), "{tries} tries");
    }
    assert_eq!(view(&read, &|| true, |_| Ok(())), Err(Unreadable::Changing));
}

/// `changes`: transactions that begin and end during a reading.
#[test]
fn what_changes_while_it_is_read_is_read_again() {
    let find = |changes: u32| {
        let (counter, readings) = (Cell::new(0_u32), Cell::new(0));
        let read = |offset: u64, bytes: &mut [u8]| {
            let done = reads(REAL)(offset, bytes);
            if offset == 0 && bytes.len() == 100 {
                bytes[24..28].copy_from_slice(&counter.get().to_be_bytes());
            }
            done
        };
        let found = view(&read, &|| false, |_| {
            readings.set(readings.get() + 1);
            counter.set((counter.get() + 1).min(changes));
            Ok(())
        });
        (found, readings.get())
    };
    assert_eq!(find(0), (Ok(()), 1));
    assert_eq!(find(3), (Ok(()), 4));
    assert_eq!(find(50), (Err(Unreadable::Changing), 4));
}

#[test]
fn a_database_that_writes_ahead_is_not_read() {
    for (at, byte) in [(18, 2), (19, 2), (59, 2), (56, 1), (16, 3), (17, 7), (16, 0)] {
        let mut file = REAL.to_vec();
        file[at] = byte;
        assert!(matches!(container(&file, 0), Err(Unreadable::Damaged(_))), "byte {at}");
    }
    assert_eq!(container(b"", 0), Err(Unreadable::Malformed("an SQLite database")));
    assert_eq!(container(&REAL[1..], 0), Err(Unreadable::Malformed("an SQLite database")));
}

/// The page of the table's root, which has the tree's other pages below it.
fn root() -> usize {
    let is_interior = |page: &usize| REAL[page * PAGE] == 0x05;
    (1..REAL.len() / PAGE).find(is_interior).expect("a table of several pages")
}

#[test]
fn circles_and_pages_outside_are_refused() {
    let at = root() * PAGE;
    for below in [u32::try_from(root()).expect("few") + 1, 0, 1_000_000, u32::MAX] {
        let mut file = REAL.to_vec();
        // All children: the one behind the cells, and those of the cells.
        file[at + 8..at + 12].copy_from_slice(&below.to_be_bytes());
        for cell in 0..usize::from(u16::from_be_bytes([REAL[at + 3], REAL[at + 4]])) {
            let pointer = at + 12 + 2 * cell;
            let cell = at + usize::from(u16::from_be_bytes([REAL[pointer], REAL[pointer + 1]]));
            file[cell..cell + 4].copy_from_slice(&below.to_be_bytes());
        }
        let found = container(&file, 13);
        assert!(matches!(found, Err(Unreadable::Damaged(_) | Unreadable::Missing)), "{below}: {found:?}");
    }
}

#[test]
fn every_cut_of_a_database_has_an_answer() {
    for length in (0..REAL.len()).step_by(97) {
        let found = container(&REAL[..length], 13);
        assert!(
            matches!(found, Ok(Some(_)) | Err(Unreadable::Missing | Unreadable::Malformed(_))),
            "{found:?}"
        );
    }
}

#[test]
fn every_flipped_byte_of_a_database_has_an_answer() {
    for at in (0..REAL.len()).step_by(3) {
        let mut file = REAL.to_vec();
        file[at] ^= 0x85;
        let _ = container(&file, 12);
    }
}
