//! What of the host could not be looked at.
//!
//! Belongs here: the kinds, with a number for each. Does not belong here: what is made of it (`app::coverage`).

use crate::host::netns::NotVisited;

/// What a look at the host has left out. What is missing from such a look may be there all the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Network namespaces whose sockets were not listed; of those that may not even be named, the processes in them.
    pub namespaces: u64,
    /// Sockets that the kernel counts and did not list.
    pub sockets: u64,
    /// Processes whose descriptors may not be read; 1 if none could be listed.
    pub processes: u64,
}

impl Unseen {
    /// Whether everything was looked at.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.namespaces == 0 && self.sockets == 0 && self.processes == 0
    }

    /// Adds the namespaces that a visit has left out, and says why in the log.
    pub(crate) fn add(&mut self, left_out: &NotVisited) {
        for error in &left_out.errors {
            tracing::debug!(%error, "sockets are not known");
        }
        self.namespaces += left_out.errors.len() as u64 + left_out.not_allowed + left_out.over_cap;
    }
}
