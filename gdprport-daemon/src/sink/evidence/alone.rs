//! What a command does to a log while no daemon writes it.

use gdprport_core::evidence::Sums;
use uuid::Uuid;

use super::carry::{carry, refused};
use super::disk::Directory;
use super::key;
use super::log::CHECKPOINT;
use super::order::{Carried, Order};
use super::place::{LOCK, prepare, random};
use super::recover::{Unusable, open};
use super::running::{settle_next, signers};
use super::settings::EvidenceSettings;
use crate::host::lock::{Lock, LockError, flock};
use crate::sink::SinkError;

/// Carries out an order on a log that no daemon writes.
///
/// # Errors
/// A sentence: a daemon writes it, there is none, or it cannot be written.
pub(crate) fn carry_out(settings: &EvidenceSettings, order: &Order) -> Result<Carried, String> {
    let shown = settings.dir.display();
    if !settings.dir.join(CHECKPOINT).exists() {
        return Err(format!("there is no evidence log in {shown}: name the directory of one"));
    }
    let dir = prepare(&settings.dir)?;
    let _lock =
        Lock::take(&dir.join(LOCK.0), LOCK.1, "evidence.path", flock).map_err(|error| match error {
            LockError::Held(pid) => SinkError::EvidenceInUse { dir: dir.clone(), pid }.to_string(),
            LockError::Unavailable(why) => why,
        })?;
    let key = key::read(&settings.key).map_err(|unread| match unread {
        key::Unread::Absent => {
            format!("there is no key of the log at {}: name it with --key", key::shown(&settings.key))
        }
        key::Unread::Unusable(why) => why,
    })?;
    let signers = signers(key, &settings.key)?;
    let mut opened = match open(Directory::new(dir), signers, Uuid::nil(), random) {
        Ok(opened) => opened,
        Err(Unusable::Io(error)) => return Err(format!("the log {shown} cannot be used: {error}")),
        Err(Unusable::Wrong(why)) => {
            return Err(format!(
                "the log {shown} cannot be used: {why}; `gdprport evidence verify` shows more"
            ));
        }
    };
    settle_next(&opened, &settings.key)?;
    refused(order, &settings.key)?;
    let carried = carry(&mut opened.log, &settings.key, order, Sums::default());
    carried.map(|(carried, _)| carried).map_err(|error| format!("the log {shown} cannot be written: {error}"))
}
