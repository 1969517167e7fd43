//! The two meta pages of a bolt database: which transaction was the last, and where its tree begins.
//!
//! Belongs here: their layout (bbolt's `internal/common/meta.go`) and which of the two counts. Integers are those of the
//! machine that wrote the file, which is this one.

use super::Reads;
use crate::container::Unreadable;

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;

/// Bytes of a page's header, before the meta.
const HEADER: u64 = 16;

/// Bytes of a meta, and those that its checksum covers.
const META: usize = 64;
const SUMMED: usize = 56;

/// Sizes of pages: bbolt takes that of the machine, which is 4 KiB to 64 KiB; 1 KiB is the least that it tries.
const PAGE_SIZES: [u32; 7] = [1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16];

/// What a meta page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    /// Bytes of a page.
    pub(super) page_size: u32,
    /// The first page of the tree of buckets.
    pub(super) root: u64,
    /// Pages at and above this number are not in use.
    pub(super) end: u64,
    /// Number of the transaction that wrote it.
    txid: u64,
    /// Over all before, so that two metas are equal only if they are one.
    checksum: u64,
}

impl Meta {
    /// That of the last transaction that was written completely.
    pub(super) fn last(read: &Reads<'_>) -> Result<Self, Unreadable> {
        let first = Self::at(read, 0, None);
        let second = match first {
            Some(first) => Self::at(read, first.page_size.into(), Some(first.page_size)),
            None => PAGE_SIZES.into_iter().find_map(|size| Self::at(read, size.into(), Some(size))),
        };
        let last = first.into_iter().chain(second).max_by_key(|meta| meta.txid);
        last.ok_or(Unreadable::Malformed("a bolt database"))
    }

    /// The meta of the page that begins at `offset`, if it is whole. `None` too while it is being written: then the other one
    /// counts.
    fn at(read: &Reads<'_>, offset: u64, page_size: Option<u32>) -> Option<Self> {
        let mut bytes = [0; META];
        if !read(offset + HEADER, &mut bytes) {
            return None;
        }
        let meta = Self {
            page_size: u32_at(&bytes, 8)?,
            root: u64_at(&bytes, 16)?,
            end: u64_at(&bytes, 40)?,
            txid: u64_at(&bytes, 48)?,
            checksum: u64_at(&bytes, SUMMED)?,
        };
        let is_whole = u32_at(&bytes, 0)? == MAGIC
            && u32_at(&bytes, 4)? == VERSION
            && meta.checksum == fnv1a(&bytes[..SUMMED])
            && PAGE_SIZES.contains(&meta.page_size)
            && page_size.is_none_or(|size| size == meta.page_size);
        is_whole.then_some(meta)
    }
}

/// FNV-1a of 64 bits.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The number of two bytes at `at`.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The number of four bytes at `at`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The number of eight bytes at `at`.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}
