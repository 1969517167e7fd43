//! A bolt database, read beside the program that writes it, without its lock.
//!
//! Belongs here: how a reading is known to be of one transaction.
//!
//! A page of transaction T's tree is written over by T+2 at the earliest: T+1 may only free it, and what it frees is given out
//! from T+2 on (bbolt's `freelist`). T+2 writes its first page after T+1's meta was written. So: if T is the last transaction
//! before the reading and still the last after it, no page of its tree has changed between. Otherwise the reading is thrown
//! away, whatever it found. This does not rest on the lock, on `fsync` or on the process that writes being the same all the time:
//! the list of free pages that T stores names no page of T's own tree.

use super::Reads;
use super::meta::Meta;
use super::tree::View;
use crate::container::Unreadable;

/// How often a database that changes is read again.
const TRIES: usize = 4;

/// Reads from a database what `look_up` asks for, all of it as of one transaction. `look_up` may be called more than once, and
/// what it returned counts only if this returns it.
///
/// `read` fills the bytes from an offset of the file, completely, and returns whether it could. It must ask the file each time
/// (no cache of its own, no map of the file), and the same file all the time.
///
/// # Errors
/// The file is no bolt database, is damaged, would need too much reading, or changed at every try.
pub fn view<T>(
    read: &Reads<'_>,
    mut look_up: impl FnMut(&View<'_>) -> Result<T, Unreadable>,
) -> Result<T, Unreadable> {
    let mut before = Meta::last(read)?;
    for _ in 0..TRIES {
        let found = look_up(&View::new(read, before));
        let after = Meta::last(read)?;
        if after == before {
            return found;
        }
        before = after;
    }
    Err(Unreadable::Changing)
}
