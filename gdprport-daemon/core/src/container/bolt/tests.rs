//! A database that bbolt 1.3.6 made (pages of 1 KiB, two transactions), and ones that nobody would make.

use std::cell::Cell;

use super::meta::fnv1a;
use super::{Entry, View, view};
use crate::container::Unreadable;

const REAL: &[u8] = include_bytes!("../fixtures/bbolt.db");

const PAGE: usize = 1024;

fn reads(file: &[u8]) -> impl Fn(u64, &mut [u8]) -> bool {
    move |offset, bytes| {
        let from = usize::try_from(offset).expect("64 bits");
        let part = file.get(from..from.saturating_add(bytes.len()));
        part.map(|part| bytes.copy_from_slice(part)).is_some()
    }
}

fn get(file: &[u8], path: &[&[u8]], key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
    view(&reads(file), |view| match view.bucket(path)? {
        Some(bucket) => bucket.get(key),
        None => Ok(None),
    })
}

fn keys(view: &View<'_>, path: &[&[u8]]) -> Result<Vec<Vec<u8>>, Unreadable> {
    let mut keys = Vec::new();
    let bucket = view.bucket(path)?.expect("a bucket");
    bucket.each(|key, _| {
        keys.push(key.to_vec());
        true
    })?;
    Ok(keys)
}

/// A file of pages, in the order of their numbers; the first two are metas.
struct File(Vec<u8>);

impl File {
    fn new(pages: u64) -> Self {
        let mut file = Self(vec![0; PAGE * usize::try_from(pages).expect("few")]);
        file.meta(0, 0, 2, pages);
        file.meta(1, 1, 2, pages);
        file
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn meta(&mut self, slot: usize, txid: u64, root: u64, end: u64) {
        let mut meta = Vec::new();
        for number in [0xED0C_DAED_u32, 2, 1024, 0] {
            meta.extend(number.to_ne_bytes());
        }
        for number in [root, 0, u64::MAX, end, txid] {
            meta.extend(number.to_ne_bytes());
        }
        meta.extend(fnv1a(&meta).to_ne_bytes());
        self.put(slot * PAGE + 16, &meta);
    }

    fn leaf(&mut self, id: u64, elements: &[(&[u8], &[u8], bool)]) {
        self.put(PAGE * usize::try_from(id).expect("few"), &leaf(id, elements));
    }

    fn branch(&mut self, id: u64, elements: &[(&[u8], u64)]) {
        let mut page = header(id, 1, elements.len());
        let mut data: Vec<u8> = Vec::new();
        for (index, (key, child)) in elements.iter().enumerate() {
            let position = (elements.len() - index) * 16 + data.len();
            page.extend(number(position));
            page.extend(number(key.len()));
            page.extend(child.to_ne_bytes());
            data.extend(*key);
        }
        page.extend(data);
        self.put(PAGE * usize::try_from(id).expect("few"), &page);
    }
}

fn number(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("small").to_ne_bytes()
}

fn header(id: u64, flags: u16, count: usize) -> Vec<u8> {
    let mut page = id.to_ne_bytes().to_vec();
    page.extend(flags.to_ne_bytes());
    page.extend(u16::try_from(count).expect("few").to_ne_bytes());
    page.extend(0_u32.to_ne_bytes());
    page
}

fn leaf(id: u64, elements: &[(&[u8], &[u8], bool)]) -> Vec<u8> {
    let mut page = header(id, 2, elements.len());
    let mut data: Vec<u8> = Vec::new();
    for (index, (key, value, is_bucket)) in elements.iter().enumerate() {
        page.extend(u32::from(*is_bucket).to_ne_bytes());
        page.extend(number((elements.len() - index) * 16 + data.len()));
        page.extend(number(key.len()));
        page.extend(number(value.len()));
        data.extend(*key);
        data.extend(*value);
    }
    page.extend(data);
    page
}

#[test]
fn a_value_of_any_size_is_found_by_its_key() {
    assert_eq!(get(REAL, &[b"small"], b"a"), Ok(Some(b"one".to_vec())));
    assert_eq!(get(REAL, &[b"small"], b"b"), Ok(Some(Vec::new())));
    let text = get(REAL, &[b"big"], b"text").expect("read").expect("a value");
    assert!(text.len() == 5000 && text.starts_with(b"abcdef") && text[4999] == b'a' + (4999 % 26) as u8);
    for index in 0..240 {
        let found = get(REAL, &[b"many"], format!("key-{index:05}").as_bytes()).expect("read");
        let put = (index % 3 != 0).then(|| format!("value-{index}").into_bytes());
        assert_eq!(found, put, "{index}");
    }
}

#[test]
fn a_small_bucket_inside_a_value_is_read() {
    assert_eq!(get(REAL, &[b"small", b"inner"], b"k"), Ok(Some(b"v".to_vec())));
    assert_eq!(get(REAL, &[b"small", b"inner", b"deeper"], b"x"), Ok(Some(b"y".to_vec())));
    assert_eq!(get(REAL, &[b"empty"], b"x"), Ok(None));
}

#[test]
fn a_value_is_no_bucket_and_a_bucket_no_value() {
    assert_eq!(get(REAL, &[b"small"], b"inner"), Ok(None));
    assert_eq!(get(REAL, &[b"small", b"a"], b"k"), Ok(None));
    assert_eq!(get(REAL, &[b"none"], b"k"), Ok(None));
    assert_eq!(get(REAL, &[], b"small"), Ok(None));
}

#[test]
fn every_key_is_visited_in_order() {
    let read = reads(REAL);
    let many = view(&read, |view| keys(view, &[b"many"])).expect("read");
    assert!(many.len() == 160 && many.is_sorted());
    let names = view(&read, |view| keys(view, &[])).expect("read");
    assert_eq!(names, [&b"big"[..], b"empty", b"many", b"small"]);
    let inner = view(&read, |view| {
        let mut found = None;
        let small = view.bucket(&[b"small"])?.expect("a bucket");
        small.each(|_, entry| {
            if let Entry::Bucket(bucket) = entry {
                found = Some(bucket.get(b"k"));
            }
            true
        })?;
        found.expect("a bucket below")
    });
    assert_eq!(inner, Ok(Some(b"v".to_vec())));
}

#[test]
fn visiting_ends_when_asked() {
    let seen = Cell::new(0);
    let read = reads(REAL);
    let ended = view(&read, |view| {
        view.bucket(&[b"many"])?.expect("a bucket").each(|_, _| {
            seen.set(seen.get() + 1);
            seen.get() < 100
        })
    });
    assert_eq!((ended, seen.get()), (Ok(()), 100));
}

/// A meta that is being written, or was when the machine lost its power.
#[test]
fn the_last_complete_transaction_counts() {
    let mut file = File::new(4);
    file.leaf(2, &[(b"k", b"old", false)]);
    file.leaf(3, &[(b"k", b"new", false)]);
    file.meta(0, 6, 3, 4);
    file.meta(1, 5, 2, 4);
    assert_eq!(get(&file.0, &[], b"k"), Ok(Some(b"new".to_vec())));
    file.put(16 + 30, b"torn");
    assert_eq!(get(&file.0, &[], b"k"), Ok(Some(b"old".to_vec())));
    file.put(PAGE + 16 + 30, b"torn");
    assert_eq!(get(&file.0, &[], b"k"), Err(Unreadable::Malformed("a bolt database")));
}

/// `changes`: transactions that end while the tree is read.
fn read_beside_a_writer(changes: u32) -> Result<Option<Vec<u8>>, Unreadable> {
    let mut file = File::new(4);
    file.leaf(2, &[(b"k", b"old", false)]);
    let file = std::cell::RefCell::new(file);
    let left = Cell::new(changes);
    let read = |offset: u64, bytes: &mut [u8]| {
        let is_page = bytes.len() == PAGE;
        if is_page && left.get() > 0 {
            left.set(left.get() - 1);
            let txid = u64::from(changes - left.get()) + 1;
            let mut file = file.borrow_mut();
            let root = 2 + (txid - 1) % 2;
            file.leaf(root, &[(b"k", format!("new {txid}").as_bytes(), false)]);
            file.meta(usize::from(txid % 2 == 1), txid, root, 4);
        }
        reads(&file.borrow().0)(offset, bytes)
    };
    view(&read, |view| view.bucket(&[])?.expect("the root").get(b"k"))
}

#[test]
fn what_changes_while_it_is_read_is_read_again() {
    assert_eq!(read_beside_a_writer(0), Ok(Some(b"old".to_vec())));
    assert_eq!(read_beside_a_writer(1), Ok(Some(b"new 2".to_vec())));
    assert_eq!(read_beside_a_writer(3), Ok(Some(b"new 4".to_vec())));
    assert_eq!(read_beside_a_writer(50), Err(Unreadable::Changing));
}

#[test]
fn circles_and_pages_outside_are_refused() {
    let mut file = File::new(4);
    file.branch(2, &[(b"a", 2)]);
    assert!(matches!(get(&file.0, &[], b"k"), Err(Unreadable::Damaged(_))));
    let all = view(&reads(&file.0), |view| keys(view, &[]));
    assert!(matches!(all, Err(Unreadable::Damaged(_))), "{all:?}");
    for outside in [0, 1, 4, u64::MAX] {
        file.branch(2, &[(b"a", outside)]);
        assert!(matches!(get(&file.0, &[], b"k"), Err(Unreadable::Damaged(_))), "{outside}");
    }
    // Of a root bucket, 0 means no page at all.
    let below: Vec<u8> = [3_u64, 0].iter().flat_map(|number| number.to_ne_bytes()).collect();
    file.leaf(2, &[(b"b", &below, true)]);
    file.leaf(3, &[(b"b", &below, true)]);
    assert_eq!(get(&file.0, &[b"b", b"b", b"b", b"b"], b"k"), Ok(None));
    file.meta(0, 9, 2, u64::MAX);
    file.branch(2, &[(b"a", 1 << 60)]);
    assert!(get(&file.0, &[], b"k").is_err());
}

/// Each branch leads twice to the one below: 2^n ways through n pages.
#[test]
fn a_tree_that_meets_itself_ends_at_the_budget() {
    let mut file = File::new(24);
    for id in 2..23 {
        file.branch(id, &[(b"a", id + 1), (b"b", id + 1)]);
    }
    file.leaf(23, &[(b"k", b"v", false)]);
    let all = view(&reads(&file.0), |view| keys(view, &[]));
    assert_eq!(all, Err(Unreadable::TooLarge));
    assert_eq!(get(&file.0, &[], b"k"), Ok(Some(b"v".to_vec())));
}

#[test]
fn sizes_beyond_a_page_are_refused() {
    for (at, what) in [(10, "count"), (16 + 4, "position"), (16 + 8, "key"), (16 + 12, "value")] {
        let mut file = File::new(4);
        file.leaf(2, &[(b"k", b"v", false)]);
        file.put(2 * PAGE + at, &[0xff, 0xff]);
        let found = get(&file.0, &[], b"k");
        assert!(matches!(found, Err(Unreadable::Damaged(_))), "{what}: {found:?}");
    }
    let mut file = File::new(4);
    file.leaf(2, &[(b"k", b"v", false)]);
    file.put(2 * PAGE + 12, &5_u32.to_ne_bytes());
    assert!(matches!(get(&file.0, &[], b"k"), Err(Unreadable::Damaged(_))), "pages behind the end");
}

#[test]
fn every_cut_of_a_database_has_an_answer() {
    for length in (0..REAL.len()).step_by(211) {
        let found = get(&REAL[..length], &[b"many"], b"key-00001");
        assert!(
            matches!(found, Ok(Some(_)) | Err(Unreadable::Missing | Unreadable::Malformed(_))),
            "{found:?}"
        );
    }
}

#[test]
fn every_flipped_byte_of_a_database_has_an_answer() {
    for at in 0..REAL.len().min(8 * PAGE) {
        let mut file = REAL.to_vec();
        file[at] ^= 0x41;
        let _ = get(&file, &[b"small", b"inner"], b"k");
        let _ = view(&reads(&file), |view| keys(view, &[]));
    }
}
