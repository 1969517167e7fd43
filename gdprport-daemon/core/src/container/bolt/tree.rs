//! The tree of one transaction: buckets, and what they hold.
//!
//! Belongs here: walking from page to page within a budget. Layout of pages is `page`, which transaction is `meta`.

use std::cell::Cell;

use super::Reads;
use super::meta::{Meta, u64_at};
use super::page::{self, Leaf, Page};
use crate::container::Unreadable;

/// Bytes that one view reads at most, for all its look-ups together.
const BUDGET: u64 = 16 << 20;

/// Levels of one bucket's tree. A page of 4 KiB has room for dozens of branches, so that three or four are many.
const DEPTH: usize = 24;

/// Bytes of a bucket's value: the number of its first page (0: the page follows at once), and a sequence.
const BUCKET: usize = 16;

/// Pages 0 and 1 are the metas.
const FIRST: u64 = 2;

/// What a database held when a transaction had ended. All that is read counts against one budget.
pub struct View<'a> {
    read: &'a Reads<'a>,
    meta: Meta,
    left: Cell<u64>,
}

/// A bucket of a [`View`].
pub struct Bucket<'v> {
    view: &'v View<'v>,
    root: Root,
}

/// Where a bucket's tree begins.
enum Root {
    Page(u64),
    /// A small bucket is one leaf inside the value.
    Inline(Vec<u8>),
}

/// What a key of a bucket holds.
pub enum Entry<'e, 'v> {
    /// A value.
    Value(&'e [u8]),
    /// A bucket below.
    Bucket(Bucket<'v>),
}

impl<'a> View<'a> {
    pub(super) fn new(read: &'a Reads<'a>, meta: Meta) -> Self {
        Self { read, meta, left: Cell::new(BUDGET) }
    }

    /// The bucket at a path of names from the root; `None` if there is none.
    ///
    /// # Errors
    /// The database is damaged, or the budget is used up.
    pub fn bucket(&'a self, path: &[&[u8]]) -> Result<Option<Bucket<'a>>, Unreadable> {
        let mut bucket = Bucket { view: self, root: Root::Page(self.meta.root) };
        for name in path {
            match bucket.bucket(name)? {
                Some(below) => bucket = below,
                None => return Ok(None),
            }
        }
        Ok(Some(bucket))
    }

    /// The bytes of a page and of those that follow and belong to it.
    fn page(&self, id: u64) -> Result<Vec<u8>, Unreadable> {
        let size = u64::from(self.meta.page_size);
        let offset = id.checked_mul(size).filter(|_| (FIRST..self.meta.end).contains(&id));
        let offset = offset.ok_or(Unreadable::Damaged("a page outside the database"))?;
        self.spend(size)?;
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| Unreadable::TooLarge)?];
        self.fill(offset, &mut bytes)?;
        let more = u64::from(page::overflow(&bytes).unwrap_or(0));
        if more > 0 {
            if more >= self.meta.end - id {
                return Err(Unreadable::Damaged("a page that ends outside the database"));
            }
            // 32 bits of pages of at most 64 KiB: no overflow.
            self.spend(more * size)?;
            let whole = usize::try_from((more + 1) * size).map_err(|_| Unreadable::TooLarge)?;
            let first = bytes.len();
            bytes.resize(whole, 0);
            self.fill(offset.saturating_add(size), &mut bytes[first..])?;
        }
        Ok(bytes)
    }

    fn fill(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Unreadable> {
        if (self.read)(offset, bytes) { Ok(()) } else { Err(Unreadable::Missing) }
    }

    fn spend(&self, bytes: u64) -> Result<(), Unreadable> {
        self.left.set(self.left.get().checked_sub(bytes).ok_or(Unreadable::TooLarge)?);
        Ok(())
    }

    /// The bucket that a leaf's value describes.
    fn below(&'a self, value: &[u8]) -> Result<Bucket<'a>, Unreadable> {
        let Some((root, inline)) = u64_at(value, 0).zip(value.get(BUCKET..)) else {
            return Err(Unreadable::Damaged("a bucket without header"));
        };
        if root != 0 {
            return Ok(Bucket { view: self, root: Root::Page(root) });
        }
        self.spend((BUCKET + inline.len()) as u64)?;
        if !Page::new(inline, 0)?.is_leaf() {
            return Err(Unreadable::Damaged("a bucket inside a value that is no leaf"));
        }
        Ok(Bucket { view: self, root: Root::Inline(inline.to_vec()) })
    }
}

impl<'v> Bucket<'v> {
    /// The value of a key; `None` if there is none, or the key is a bucket's.
    ///
    /// # Errors
    /// The database is damaged, or the budget is used up.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
        self.find(key, |leaf| Ok((!leaf.is_bucket).then(|| leaf.value.to_vec()))).map(Option::flatten)
    }

    /// The bucket below of a name; `None` if there is none, or the key is a value's.
    ///
    /// # Errors
    /// The database is damaged, or the budget is used up.
    pub fn bucket(&self, name: &[u8]) -> Result<Option<Self>, Unreadable> {
        let view = self.view;
        self.find(name, |leaf| leaf.is_bucket.then(|| view.below(leaf.value)).transpose())
            .map(Option::flatten)
    }

    /// Visits every key in order until `visit` returns `false`.
    ///
    /// # Errors
    /// The database is damaged, or the budget is used up. What was visited before is no whole.
    pub fn each(&self, mut visit: impl FnMut(&[u8], Entry<'_, 'v>) -> bool) -> Result<(), Unreadable> {
        match &self.root {
            Root::Inline(bytes) => self.visit_leaf(&Page::new(bytes, 0)?, &mut visit).map(drop),
            Root::Page(root) => self.visit(*root, DEPTH, &mut visit).map(drop),
        }
    }

    fn visit(
        &self,
        id: u64,
        depth: usize,
        visit: &mut impl FnMut(&[u8], Entry<'_, 'v>) -> bool,
    ) -> Result<bool, Unreadable> {
        let depth = depth.checked_sub(1).ok_or(TOO_DEEP)?;
        let bytes = self.view.page(id)?;
        let page = Page::new(&bytes, id)?;
        if page.is_leaf() {
            return self.visit_leaf(&page, visit);
        }
        for index in 0..page.count() {
            if !self.visit(page.child(index)?, depth, visit)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn visit_leaf(
        &self,
        page: &Page<'_>,
        visit: &mut impl FnMut(&[u8], Entry<'_, 'v>) -> bool,
    ) -> Result<bool, Unreadable> {
        for index in 0..page.count() {
            let leaf = page.leaf(index)?;
            let entry = if leaf.is_bucket {
                Entry::Bucket(self.view.below(leaf.value)?)
            } else {
                Entry::Value(leaf.value)
            };
            if !visit(leaf.key, entry) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn find<T>(
        &self,
        key: &[u8],
        take: impl FnOnce(Leaf<'_>) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, Unreadable> {
        let mut id = match &self.root {
            Root::Page(root) => *root,
            Root::Inline(bytes) => return find_in_leaf(&Page::new(bytes, 0)?, key, take),
        };
        for _ in 0..DEPTH {
            let bytes = self.view.page(id)?;
            let page = Page::new(&bytes, id)?;
            if page.is_leaf() {
                return find_in_leaf(&page, key, take);
            }
            if page.count() == 0 {
                return Err(Unreadable::Damaged("a branch without pages below"));
            }
            // The last whose least key is not above it.
            let (index, is_equal) = page.search(key)?;
            id = page.child(if is_equal { index } else { index.saturating_sub(1) })?;
        }
        Err(TOO_DEEP)
    }
}

fn find_in_leaf<T>(
    page: &Page<'_>,
    key: &[u8],
    take: impl FnOnce(Leaf<'_>) -> Result<T, Unreadable>,
) -> Result<Option<T>, Unreadable> {
    let (index, is_there) = page.search(key)?;
    if is_there { take(page.leaf(index)?).map(Some) } else { Ok(None) }
}

const TOO_DEEP: Unreadable = Unreadable::Damaged("a tree that is too deep, or a circle");
