//! The header of an SQLite database.
//!
//! Belongs here: its layout (section 1.3 of the format), and which databases can be read.

use super::Reads;
use crate::container::Unreadable;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The first bytes of the file (section 1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// All of it: with the change counter, and with what a change of the schema changes.
    bytes: [u8; Self::BYTES],
    /// Bytes of a page.
    pub(super) page_size: u32,
}

impl Header {
    pub(super) const BYTES: usize = 100;

    /// Bytes of a page without those that are reserved at its end, of which there are at most 255.
    const USABLE_MIN: usize = 1024 - 255;

    pub(super) fn read(read: &Reads<'_>) -> Result<Self, Unreadable> {
        let mut bytes = [0; Self::BYTES];
        if !read(0, &mut bytes) || !bytes.starts_with(MAGIC) {
            return Err(Unreadable::Malformed("an SQLite database"));
        }
        // One that writes ahead has its newest pages in another file; one in UTF-16 is not Podman's.
        if bytes[18] != 1 || bytes[19] != 1 || !matches!(bytes[56..60], [0, 0, 0, 0 | 1]) {
            return Err(Unreadable::Damaged("a database that writes ahead, or in another encoding"));
        }
        let page_size = match u16::from_be_bytes([bytes[16], bytes[17]]) {
            1 => 1 << 16,
            size => u32::from(size),
        };
        let header = Self { bytes, page_size };
        // SQLite takes 4 KiB by itself. In smaller pages than these, the first bytes of a long row would not have its key.
        if !page_size.is_power_of_two() || header.usable() < Self::USABLE_MIN {
            return Err(Unreadable::Damaged("a size of pages that is too small"));
        }
        Ok(header)
    }

    /// Bytes of a page that hold content.
    pub(super) fn usable(&self) -> usize {
        (self.page_size as usize).saturating_sub(self.bytes[20].into())
    }
}
