//! What the log is opened with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gdprport_core::delivery::SecretRef;

use super::key;
use super::place::LOCK;

/// Where the log is and how long its entries are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EvidenceSettings {
    /// Its directory.
    pub(crate) dir: PathBuf,
    /// Its private key: a file that is made if there is none, or a credential.
    pub(crate) key: SecretRef,
    /// For how long entries are kept, if there is room.
    pub(crate) keep: Duration,
    /// Bytes that entries may have: beyond it the oldest are erased.
    pub(crate) max_bytes: u64,
}

impl EvidenceSettings {
    /// Where the log is unless something else is said.
    pub(crate) const DIR: &str = "/var/lib/gdprport/evidence";
    /// As long as the ledger: personal data is kept no longer than somebody asks for (Art. 5(1)(e) GDPR).
    pub(crate) const KEEP: Duration = Duration::from_hours(400 * 24);
    /// Some 900,000 events: with `emit = "auto"` those of months.
    pub(crate) const MAX_BYTES: u64 = 1 << 30;
    /// Where its key is: beside the log, so that a copy of the log is none of the key.
    pub(crate) const KEY: &str = "/var/lib/gdprport/evidence.key";

    /// A file in each directory that is written to.
    pub(super) fn places(&self) -> Vec<PathBuf> {
        let key = key::file(&self.key).map(Path::to_owned);
        [self.dir.join(LOCK.0)].into_iter().chain(key).collect()
    }
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        let key = SecretRef::File(Self::KEY.into());
        Self { dir: Self::DIR.into(), key, keep: Self::KEEP, max_bytes: Self::MAX_BYTES }
    }
}
