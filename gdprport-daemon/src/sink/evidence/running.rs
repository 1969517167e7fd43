//! A log that the daemon writes now, and what is due in it.

use std::io;
use std::time::{Duration, Instant};

use gdprport_core::delivery::SecretRef;
use gdprport_core::evidence::{Hash, Kind, Own, PolicyFile, SecretKey};
use jiff::Timestamp;

use super::disk::{Directory, Disk as _};
use super::files::POLICIES;
use super::handle::PolicyTexts;
use super::key;
use super::log::Log;
use super::next_key;
use super::recover::{Opened, Signers};
use super::rotate::Next;
use crate::host::lock::Lock;

/// A checkpoint is made so long after the one before, if there was something to log.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// And so long after it, if there was nothing.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(3_600);
/// How often it is looked whether entries are older than they are kept, or are more than there is room for.
const RETENTION_EVERY: Duration = Duration::from_secs(600);

/// An open log.
pub(super) struct Running {
    pub(super) log: Log<Directory>,
    _lock: Lock,
    /// When it was looked last whether something is due.
    pub(super) tended: Instant,
    checkpointed: Instant,
    kept: Option<Instant>,
    /// Whether something was logged since the last checkpoint.
    pub(super) active: bool,
    pub(super) unsynced: bool,
}

/// Which checkpoint is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// One because something was logged.
    Activity,
    /// One because nothing was for long.
    Heartbeat,
}

impl Running {
    /// The log that was opened just now.
    pub(super) fn new(log: Log<Directory>, lock: Lock) -> Self {
        let now = Instant::now();
        Self { log, _lock: lock, tended: now, checkpointed: now, kept: None, active: true, unsynced: true }
    }

    /// A checkpoint of all entries was made.
    pub(super) fn checkpointed(&mut self) {
        self.checkpointed = Instant::now();
        (self.active, self.unsynced) = (false, false);
    }

    /// Which checkpoint is due, if one is.
    pub(super) fn checkpoint_due(&self) -> Option<Due> {
        let since = self.checkpointed.elapsed();
        if self.active && since >= CHECKPOINT_EVERY {
            Some(Due::Activity)
        } else {
            (since >= HEARTBEAT_EVERY).then_some(Due::Heartbeat)
        }
    }

    /// Whether it is time to look for entries that are older than they are kept; asked once, it is not for a while.
    pub(super) fn retention_due(&mut self) -> bool {
        let due = self.kept.is_none_or(|kept| kept.elapsed() >= RETENTION_EVERY);
        if due {
            self.kept = Some(Instant::now());
        }
        due
    }

    /// Appends a statement of the log.
    pub(super) fn state(&mut self, own: &Own) -> io::Result<()> {
        self.active = true;
        // Each has bounds that keep it shorter than an entry may be.
        self.log
            .append(Kind::Own, &own.content())?
            .map_err(|_too_long| io::Error::other("a statement is too long"))
    }

    /// Stores the texts of a policy and states it.
    pub(super) fn policy(&mut self, PolicyTexts { digest, files }: &PolicyTexts) -> io::Result<()> {
        let mut stated = Vec::new();
        for (path, text) in files {
            let sha256 = Hash::of(text.as_bytes()).to_string();
            self.log.disk.replace(&format!("{POLICIES}/{sha256}"), text.as_bytes())?;
            stated.push(PolicyFile { path: path.clone(), sha256, bytes: text.len() as u64 });
        }
        let digest = digest.clone();
        self.state(&Own::Policy { time: Timestamp::now(), digest, files: stated })
    }
}

/// The private keys of a log: `key` is the one that was read at this place.
///
/// # Errors
/// A sentence: the next key cannot be read.
pub(super) fn signers(key: SecretKey, place: &SecretRef) -> Result<Signers, String> {
    let next = match place {
        SecretRef::File(path) => next_key::find(path)?,
        // Beside a credential nobody writes one.
        SecretRef::Credential(_) => None,
    };
    Ok(Signers { key, next })
}

/// Does with the next key what was found when the log was opened.
///
/// # Errors
/// A sentence: its file cannot be renamed or removed.
pub(super) fn settle_next<D>(opened: &Opened<D>, place: &SecretRef) -> Result<(), String> {
    if opened.next == Next::Absent {
        return Ok(());
    }
    let path = key::file(place)?;
    let settled = match opened.next {
        Next::Absent => Ok(()),
        Next::Signs => next_key::take(path),
        Next::Void => next_key::discard(path),
    };
    settled.map_err(|error| key::unchanged(path, &error))
}
