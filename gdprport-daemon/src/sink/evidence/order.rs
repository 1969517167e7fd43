//! What somebody asks of the log beside its events: erasing entries, signing with another key. Carried out by whoever writes it.

use std::fmt;

use super::erase::Erasure;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Erase entries.
    Erase(Erasure),
    /// Sign with another key.
    Rotate,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Entries that are gone.
    pub(crate) entries: u64,
    /// The checkpoint that covers it, as its note; absent: there was nothing to do.
    pub(crate) checkpoint: Option<String>,
    /// The public key that signs the log now.
    pub(crate) key: String,
}

/// Who is told what came of it.
pub(crate) struct Orderer(Box<dyn FnOnce(Result<Carried, String>) + Send>);

impl Orderer {
    /// Calls this once, from any thread.
    pub(crate) fn new(reply: impl FnOnce(Result<Carried, String>) + Send + 'static) -> Self {
        Self(Box::new(reply))
    }

    /// What came of it, or a sentence that says why nothing did.
    pub(super) fn reply(self, carried: Result<Carried, String>) {
        (self.0)(carried);
    }
}

impl fmt::Debug for Orderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Orderer")
    }
}

/// An order that nobody took up yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) order: Order,
    pub(super) to: Orderer,
}
