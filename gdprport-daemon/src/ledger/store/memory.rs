//! What is remembered of the database while it is written.

use super::super::intern::Intern;
use super::super::peers::Peers;

/// What is remembered of a database, and how many peers it may have.
#[derive(Debug)]
pub(in super::super) struct Memory {
    /// Numbers of dimensions.
    pub(in super::super) intern: Intern,
    /// Peers of the days.
    pub(in super::super) peers: Peers,
    /// Addresses, and networks of each level, of a day, port, direction and identity.
    pub(in super::super) max_peers: usize,
}

impl Memory {
    /// Remembers nothing any more: the database is another one, or rows of it moved.
    pub(in super::super) fn forget(&mut self) {
        self.intern.forget();
        self.peers.forget();
    }
}
