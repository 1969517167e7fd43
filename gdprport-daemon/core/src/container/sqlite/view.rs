//! An SQLite database, read beside the program that writes it, without a lock.
//!
//! Belongs here: how a reading is known to be of one transaction.
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
use super::header::Header;
use super::tree::View;
use crate::container::Unreadable;

/// How often a database that changes is read again.
const TRIES: usize = 4;

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
