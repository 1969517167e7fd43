//! The tables of a database: their trees of pages, and the rows in the leaves.
//!
//! Belongs here: walking from page to page within a budget (sections 1.5, 1.6 and 2.6 of the format). Columns are `record`'s.

use std::cell::Cell;

use super::Reads;
use super::header::Header;
use super::record::{Row, varint};
use crate::container::Unreadable;

/// Bytes that one view reads at most, for all its look-ups together.
const BUDGET: u64 = 16 << 20;

/// Levels of a table's tree. A page of 4 KiB has room for hundreds of branches.
const DEPTH: usize = 12;

/// Bytes of one row.
const ROW_MAX: usize = 4 << 20;

/// The page with the list of tables; the file's header stands before its own.
const SCHEMA: u32 = 1;

const INTERIOR: u8 = 0x05;
const LEAF: u8 = 0x0d;

/// A database as it was between two transactions. All that is read counts against one budget.
pub struct View<'a> {
    read: &'a Reads<'a>,
    header: Header,
    left: Cell<u64>,
}

/// A row in a leaf: the bytes that are there, and where the others are.
struct InLeaf<'a> {
    local: &'a [u8],
    length: usize,
    overflow: u32,
}

impl<'a> View<'a> {
    pub(super) fn new(read: &'a Reads<'a>, header: Header) -> Self {
        Self { read, header, left: Cell::new(BUDGET) }
    }

    /// Finds the row of a table whose first column is the text `key`, and takes what is needed of it. `None` if there is no such
    /// table or row. Reads all leaves of the table, but of rows that are longer than a page only the one that is found.
    ///
    /// # Errors
    /// The database is damaged, or the budget is used up.
    pub fn find<T>(
        &self,
        table: &str,
        key: &str,
        mut take: impl FnMut(Row<'_>) -> T,
    ) -> Result<Option<T>, Unreadable> {
        let root = self.rows(
            SCHEMA,
            &|row| row.text(0) == Some("table") && row.text(1) == Some(table),
            &mut |row| row.number(3).and_then(|root| u32::try_from(root).ok()),
        )?;
        match root {
            None => Ok(None),
            Some(None) => Err(Unreadable::Damaged("a table without pages")),
            Some(Some(root)) => self.rows(root, &|row| row.text(0) == Some(key), &mut take),
        }
    }

    /// Takes from the first row of a table that `is_it` knows by its first bytes.
    fn rows<T>(
        &self,
        root: u32,
        is_it: &dyn Fn(Row<'_>) -> bool,
        take: &mut dyn FnMut(Row<'_>) -> T,
    ) -> Result<Option<T>, Unreadable> {
        let mut pages = vec![(root, DEPTH)];
        while let Some((id, depth)) = pages.pop() {
            let bytes = self.page(id)?;
            let page = Page::new(&bytes, id, &self.header)?;
            if page.kind == LEAF {
                for index in 0..page.count {
                    let cell = page.cell(index)?;
                    if is_it(Row::new(cell.local)) {
                        return Ok(Some(take(Row::new(&self.whole(&cell)?))));
                    }
                }
                continue;
            }
            let depth =
                depth.checked_sub(1).ok_or(Unreadable::Damaged("a tree that is too deep, or a circle"))?;
            // In order: the last one in comes first.
            pages.push((page.last()?, depth));
            for index in (0..page.count).rev() {
                pages.push((page.child(index)?, depth));
            }
        }
        Ok(None)
    }

    /// All bytes of a row.
    fn whole(&self, cell: &InLeaf<'_>) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = cell.local.to_vec();
        let mut next = cell.overflow;
        while bytes.len() < cell.length {
            let page = self.page(next)?;
            let usable = page.get(4..self.header.usable()).ok_or(OUTSIDE)?;
            let missing = cell.length - bytes.len();
            bytes.extend(usable.iter().take(missing));
            next = u32_at(&page, 0).ok_or(OUTSIDE)?;
        }
        Ok(bytes)
    }

    fn page(&self, id: u32) -> Result<Vec<u8>, Unreadable> {
        let size = u64::from(self.header.page_size);
        let index = id.checked_sub(1).ok_or(Unreadable::Damaged("a page with the number 0"))?;
        self.left.set(self.left.get().checked_sub(size).ok_or(Unreadable::TooLarge)?);
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| Unreadable::TooLarge)?];
        if (self.read)(u64::from(index) * size, &mut bytes) { Ok(bytes) } else { Err(Unreadable::Missing) }
    }
}

/// A page of a table's tree.
struct Page<'a> {
    bytes: &'a [u8],
    /// Where its own header begins.
    from: usize,
    kind: u8,
    count: usize,
    usable: usize,
}

impl<'a> Page<'a> {
    fn new(bytes: &'a [u8], id: u32, header: &Header) -> Result<Self, Unreadable> {
        let from = if id == SCHEMA { Header::BYTES } else { 0 };
        let kind = *bytes.get(from).ok_or(OUTSIDE)?;
        if !matches!(kind, INTERIOR | LEAF) {
            return Err(Unreadable::Damaged("a page of another kind in a table"));
        }
        let count = u16_at(bytes, from + 3).ok_or(OUTSIDE)?.into();
        Ok(Self { bytes, from, kind, count, usable: header.usable() })
    }

    /// Where a cell begins.
    fn offset(&self, index: usize) -> Result<usize, Unreadable> {
        let header = if self.kind == LEAF { 8 } else { 12 };
        u16_at(self.bytes, self.from + header + 2 * index).map(usize::from).ok_or(OUTSIDE)
    }

    /// The page below a cell of an interior page.
    fn child(&self, index: usize) -> Result<u32, Unreadable> {
        u32_at(self.bytes, self.offset(index)?).ok_or(OUTSIDE)
    }

    /// The page below, behind all cells.
    fn last(&self) -> Result<u32, Unreadable> {
        u32_at(self.bytes, self.from + 8).ok_or(OUTSIDE)
    }

    fn cell(&self, index: usize) -> Result<InLeaf<'a>, Unreadable> {
        let bytes = self.bytes.get(self.offset(index)?..self.usable).ok_or(OUTSIDE)?;
        let (length, first) = varint(bytes).ok_or(OUTSIDE)?;
        let (_rowid, second) = varint(&bytes[first..]).ok_or(OUTSIDE)?;
        let bytes = &bytes[first + second..];
        let length =
            usize::try_from(length).ok().filter(|length| *length <= ROW_MAX).ok_or(Unreadable::TooLarge)?;
        let here = local(length, self.usable);
        let local = bytes.get(..here).ok_or(OUTSIDE)?;
        let overflow = if here == length { 0 } else { u32_at(bytes, here).ok_or(OUTSIDE)? };
        Ok(InLeaf { local, length, overflow })
    }
}

/// How many bytes of a row are in its leaf (section 1.6).
const fn local(length: usize, usable: usize) -> usize {
    let most = usable - 35;
    if length <= most {
        return length;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let here = least + (length - least) % (usable - 4);
    if here <= most { here } else { least }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

const OUTSIDE: Unreadable = Unreadable::Damaged("a row outside its page");
