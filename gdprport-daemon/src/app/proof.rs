//! What the evidence log has for a pack: its checkpoints of a period, and the key that signs the pack.
//!
//! Does not belong here: which checkpoints these are (`gdprport_core::pack`), and what a pack looks like (`report`).

use std::io;

use gdprport_core::evidence::{Log as _, SecretKey};
use gdprport_core::pack::{Choice, LogPart};
use jiff::Timestamp;

use super::transparency::{EvidenceSettings, LogError, Unread, latest};
use crate::sink::evidence::{Directory, Files, read_key, shown_key};

/// The log and its key, or for each why it is not there, as a part of a sentence.
#[derive(Debug)]
pub(crate) struct Proof {
    /// What the log has of the period.
    pub(crate) log: Result<LogPart, String>,
    /// Who signs.
    pub(crate) signer: Result<SecretKey, String>,
}

impl Proof {
    /// None, and why.
    pub(crate) fn none(why: &str) -> Self {
        Self { log: Err(why.to_owned()), signer: Err(why.to_owned()) }
    }

    /// Of the log and the key at this place, for a period. Of years of checkpoints one file is in memory at a time.
    pub(crate) fn read(place: &EvidenceSettings, from: Timestamp, to: Timestamp) -> Self {
        // Others may read neither, and a command that says so once more helps nobody.
        let root = rustix::process::geteuid().is_root();
        let who = if root { "" } else { "; root and the user of the service can" };
        let log = match latest(&place.dir) {
            Ok(_) => chosen(place, from, to).map_err(|error| {
                format!("the evidence log {} cannot be read: {error}{who}", place.dir.display())
            }),
            Err(LogError::NoLog(dir)) => Err(format!("there is no evidence log in {}", dir.display())),
            Err(error) => Err(format!("{error}{who}")),
        };
        let signer = read_key(&place.key).map_err(|unread| match unread {
            Unread::Absent => format!(
                "there is no key at {}: the daemon makes it when it keeps an evidence log for the first time",
                shown_key(&place.key)
            ),
            Unread::Unusable(why) => format!("{why}{who}"),
        });
        Self { log, signer }
    }
}

fn chosen(place: &EvidenceSettings, from: Timestamp, to: Timestamp) -> io::Result<LogPart> {
    let disk = Directory::new(place.dir.clone());
    let mut files = Files::new(&disk, |_| {});
    let mut choice = Choice::new(from, to);
    files.skip_to(|note| choice.is_before(note))?;
    while let Some(note) = files.next_checkpoint()? {
        choice.take(&note);
    }
    Ok(choice.chosen(&files.rotations()?))
}
