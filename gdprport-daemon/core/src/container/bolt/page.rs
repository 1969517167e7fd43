//! One page of a bolt database: a leaf with keys and values, or a branch with the pages below.
//!
//! Belongs here: its layout (bbolt's `internal/common/page.go` and `inode.go`), checked before anything of it is used.

use super::meta::{u16_at, u32_at, u64_at};
use crate::container::Unreadable;

/// Bytes of the header: id (8), flags (2), count (2), number of pages that follow and belong to it (4).
const HEADER: usize = 16;

/// Bytes of one element, of either kind.
const ELEMENT: usize = 16;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;

/// Flag of an element of a leaf whose value is a bucket.
const BUCKET: u32 = 0x01;

/// A page with all that belongs to it.
pub(super) struct Page<'a> {
    bytes: &'a [u8],
    count: usize,
    is_leaf: bool,
}

/// An element of a leaf.
pub(super) struct Leaf<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) is_bucket: bool,
}

/// How many pages follow this one and belong to it, by its first bytes.
pub(super) fn overflow(header: &[u8]) -> Option<u32> {
    u32_at(header, 12)
}

impl<'a> Page<'a> {
    /// Takes a page that was asked for by its `id` (0 for one inside a value).
    pub(super) fn new(bytes: &'a [u8], id: u64) -> Result<Self, Unreadable> {
        let header = (u64_at(bytes, 0), u16_at(bytes, 8), u16_at(bytes, 10));
        let (Some(own), Some(flags), Some(count)) = header else {
            return Err(Unreadable::Damaged("a page without header"));
        };
        if own != id {
            return Err(Unreadable::Damaged("a page with the number of another"));
        }
        let is_leaf = match flags {
            LEAF => true,
            BRANCH => false,
            _ => return Err(Unreadable::Damaged("a page of another kind in the tree")),
        };
        let count = usize::from(count);
        if HEADER + count * ELEMENT > bytes.len() {
            return Err(Unreadable::Damaged("more elements than fit into their page"));
        }
        Ok(Self { bytes, count, is_leaf })
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) const fn is_leaf(&self) -> bool {
        self.is_leaf
    }

    /// The key of an element; of a branch the least key of the page below.
    pub(super) fn key(&self, index: usize) -> Result<&'a [u8], Unreadable> {
        let (position, key) = if self.is_leaf { (4, 8) } else { (0, 4) };
        let element = self.element(index)?;
        self.part(index, self.number(element, position)?, self.number(element, key)?)
    }

    /// The page below an element of a branch.
    pub(super) fn child(&self, index: usize) -> Result<u64, Unreadable> {
        u64_at(self.bytes, self.element(index)? + 8).ok_or(OUTSIDE)
    }

    /// An element of a leaf.
    pub(super) fn leaf(&self, index: usize) -> Result<Leaf<'a>, Unreadable> {
        let element = self.element(index)?;
        let (position, key) = (self.number(element, 4)?, self.number(element, 8)?);
        Ok(Leaf {
            key: self.part(index, position, key)?,
            value: self.part(index, position.saturating_add(key), self.number(element, 12)?)?,
            is_bucket: u32_at(self.bytes, element).ok_or(OUTSIDE)? & BUCKET != 0,
        })
    }

    fn element(&self, index: usize) -> Result<usize, Unreadable> {
        if index < self.count { Ok(HEADER + index * ELEMENT) } else { Err(OUTSIDE) }
    }

    fn number(&self, element: usize, at: usize) -> Result<usize, Unreadable> {
        u32_at(self.bytes, element + at).and_then(|number| usize::try_from(number).ok()).ok_or(OUTSIDE)
    }

    /// Bytes by their distance from their element.
    fn part(&self, index: usize, position: usize, length: usize) -> Result<&'a [u8], Unreadable> {
        let from = self.element(index)?.saturating_add(position);
        self.bytes.get(from..from.saturating_add(length)).ok_or(OUTSIDE)
    }

    /// The first element whose key is not below `key`, and whether it is that key.
    pub(super) fn search(&self, key: &[u8]) -> Result<(usize, bool), Unreadable> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle)? < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok((low, low < self.count && self.key(low)? == key))
    }
}

const OUTSIDE: Unreadable = Unreadable::Damaged("an element outside its page");
