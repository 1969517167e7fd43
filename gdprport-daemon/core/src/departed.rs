//! Sockets that left a table while the sockets of the host are being listed: the listing may still show them.
//!
//! Belongs here: remembering them for as long as a listing runs. Which departures count is up to each table.

use std::collections::HashSet;

/// Cookies of what departed since the listing began; `None` while no listing runs.
#[derive(Debug, Default)]
pub(crate) struct Departed(Option<HashSet<u64>>);

impl Departed {
    /// Remembers departures from now on.
    pub(crate) fn begin(&mut self) {
        self.0 = Some(HashSet::new());
    }

    /// Forgets all, and remembers none until the next listing.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    /// Remembers this socket if a listing runs.
    pub(crate) fn mark(&mut self, cookie: u64) {
        if let Some(cookies) = &mut self.0 {
            cookies.insert(cookie);
        }
    }

    /// True if this socket departed while the listing ran.
    pub(crate) fn contains(&self, cookie: u64) -> bool {
        self.0.as_ref().is_some_and(|cookies| cookies.contains(&cookie))
    }
}
