//! An SQLite database, read beside the program that writes it, without a lock.
//!
//! Belongs here: the file's header, and how a reading is known to be of one transaction.
//!
//! A reader's lock would keep Podman from writing, and Podman gives up when it waits too long. So there is none. With a rollback
//! journal, SQLite writes a page only while the journal exists, writes a new change counter into the header with each
//! transaction, and removes the journal last (<https://www.sqlite.org/atomiccommit.html>). The order here is: header, journal,
//! reading, journal, header. If there is no journal at either time and the headers are equal, then no transaction wrote between:
//! one that had begun before the first look at the journal and ended after it would be seen there; one that began later either
//! left its journal to the second look, or its counter to the second header. What this does not see is a transaction that wrote
//! pages and then took all of them back, which SQLite does only where it fails for want of space, or its cache of two thousand
//! pages is full.

use super::Reads;
use super::tree::View;
use crate::container::Unreadable;

/// How often a database that changes is read again.
const TRIES: usize = 4;

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

    fn read(read: &Reads<'_>) -> Result<Self, Unreadable> {
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

/// Reads from a database what `look_up` asks for, all of it as of one transaction. `look_up` may be called more than once, and
/// what it returned counts only if this returns it.
///
/// `read` fills the bytes from an offset of the file, completely, and returns whether it could. It must ask the file each time.
/// `journal` returns whether there is a file beside it with its name and `-journal`, of any content.
///
/// # Errors
/// The file is no SQLite database or one that writes ahead, is damaged, would need too much reading, or was being written at every
/// try.
pub fn view<T>(
    read: &Reads<'_>,
    journal: &dyn Fn() -> bool,
    mut look_up: impl FnMut(&View<'_>) -> Result<T, Unreadable>,
) -> Result<T, Unreadable> {
    for _ in 0..TRIES {
        let before = Header::read(read)?;
        if journal() {
            continue;
        }
        let found = look_up(&View::new(read, before.clone()));
        if !journal() && Header::read(read)? == before {
            return found;
        }
    }
    Err(Unreadable::Changing)
}
