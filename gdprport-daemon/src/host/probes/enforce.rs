//! The tables by which the kernel side decides connections: which generation of them is in force, and what is added to it.
//!
//! Does not belong here: what is in them (`gdprport_core::enforce`), writing and removing a generation ([`super::EnforceTables`]),
//! and which ports are decided ([`super::Probes::decide`]).

use aya::Ebpf;
use aya::maps::{Array, HashMap, MapData};
use gdprport_common::{
    EXE_PATH, EXE_UNKNOWN, EXE_WITHHELD, EnforceClassKey, EnforceExe, EnforceInForce, EnforceOwnKey,
    EnforceRule, EnforceRuleKey, ExecRecord, FileState, MountOwner,
};
use gdprport_core::enforce::Fingerprint;

use super::enforce_table::{self, EnforceError, Stop, Table, array};
use super::enforce_tables::{Classes, EnforceTables, Rules};
use super::error::{LoadError, map_error};

pub(super) const ACTIVE: &str = "ENFORCE_ACTIVE";
const KEY: &str = "ENFORCE_KEY";
const LEASE: &str = "ENFORCE_LEASE";
const OWN: &str = "ENFORCE_OWN";

/// How long the daemon counts as there after it has said so, which it does each second; ns. A host under load may let it wait.
const LEASE_NS: u64 = 10_000_000_000;

/// The tables in the kernel. They are pinned with the other maps: what is in force stays so without the daemon.
pub(crate) struct EnforceMaps {
    active: Array<MapData, EnforceInForce>,
    /// For whoever writes and removes; `None` once they were taken.
    tables: Option<EnforceTables>,
    classes: Classes,
    rules: Rules,
    /// The last number of a generation that was given out.
    last: u32,
    lease: Array<MapData, u64>,
    own: Table<HashMap<MapData, EnforceOwnKey, u32>>,
    fingerprint: Fingerprint,
}

impl EnforceMaps {
    /// Takes the maps out of the object. What a previous daemon left in force is still so.
    ///
    /// # Errors
    /// If one is missing or cannot be read.
    pub(super) fn take(object: &mut Ebpf) -> Result<Self, LoadError> {
        let key: Array<MapData, [u64; 2]> = array(object, KEY)?;
        let key = key.get(&0, 0).map_err(|e| map_error(KEY, &e))?;
        let tables = EnforceTables::take(object)?;
        let (rules, classes) = tables.grows()?;
        Ok(Self {
            active: array(object, ACTIVE)?,
            tables: Some(tables),
            classes,
            rules,
            last: 0,
            lease: array(object, LEASE)?,
            own: Table::take(object, OWN)?,
            fingerprint: Fingerprint::new(key),
        })
    }

    /// How the kernel side names paths of executables: with a key that is as old as the maps.
    #[must_use]
    pub(crate) const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The generation that decisions read, and the one that takes its place.
    ///
    /// # Errors
    /// If the map cannot be read.
    pub(crate) fn in_force(&self) -> Result<EnforceInForce, LoadError> {
        self.active.get(&0, 0).map_err(|e| map_error(ACTIVE, &e))
    }

    /// What writes and removes generations, for a thread that may take long; `None` once it was taken.
    #[must_use]
    pub(crate) const fn tables(&mut self) -> Option<EnforceTables> {
        self.tables.take()
    }

    /// A number for another generation: neither one in force, nor the last one, whose rows may still be there.
    ///
    /// # Errors
    /// If the map cannot be read.
    pub(crate) fn next(&mut self) -> Result<u32, LoadError> {
        let EnforceInForce { generation, then, .. } = self.in_force()?;
        let mut next = self.last.max(generation).max(then);
        loop {
            next = next.wrapping_add(1);
            if ![0, self.last, generation, then].contains(&next) {
                self.last = next;
                return Ok(next);
            }
        }
    }

    /// Lets decisions read this generation from now on; 0: nothing is decided any more. One that has begun ends by the
    /// generation that it read, or begins anew.
    ///
    /// # Errors
    /// If the map cannot be written; then the one before stays active.
    pub(crate) fn activate(&mut self, generation: u32) -> Result<(), LoadError> {
        // With itself in the other's place: who reads it half written finds it, or the one before.
        self.put(EnforceInForce { generation, then: generation, until_ns: 0 })
    }

    /// The same until this time (`CLOCK_BOOTTIME`), and then again the one before, whose rows stay as long; of several that are
    /// tried one after the other, the one before the first.
    ///
    /// # Errors
    /// As for [`Self::activate`].
    pub(crate) fn try_out(&mut self, generation: u32, now_ns: u64, until_ns: u64) -> Result<(), LoadError> {
        let before = self.in_force()?;
        let then = if before.until_ns == 0 { before.generation } else { before.then };
        // The time first: what is read half written is the one before, in whatever place it stands.
        self.put(EnforceInForce { generation: before.at(now_ns), then, until_ns })?;
        self.put(EnforceInForce { generation, then, until_ns })
    }

    /// Says that there is a daemon, for ten seconds from `now_ns` (`CLOCK_BOOTTIME`). Ports whose `on_daemon_loss` is not "keep" are
    /// decided otherwise after that.
    ///
    /// # Errors
    /// If the map cannot be written.
    pub(crate) fn renew(&mut self, now_ns: u64) -> Result<(), LoadError> {
        self.lease.set(0, now_ns + LEASE_NS, 0).map_err(|e| map_error(LEASE, &e))
    }

    /// Connects of these users to these ports, and no others, are never denied.
    ///
    /// # Errors
    /// If there is no room, or the map cannot be written.
    pub(crate) fn exempt(&mut self, own: &[EnforceOwnKey]) -> Result<(), EnforceError> {
        self.own.remove_others(|key| !own.contains(key), &Stop::default())?;
        self.own.fits(own.len())?;
        Ok(self.own.insert(&own.iter().map(|key| (*key, 0)).collect::<Vec<_>>())?)
    }

    fn put(&mut self, in_force: EnforceInForce) -> Result<(), LoadError> {
        self.active.set(0, in_force, 0).map_err(|e| map_error(ACTIVE, &e))
    }

    /// Adds rules and classes of values that have appeared: entries first, so that no value has a class that finds nothing.
    ///
    /// # Errors
    /// If there is no room, which a new generation may make, or a map cannot be written. What was added until then stays, and
    /// says nothing wrong.
    pub(crate) fn add(
        &mut self,
        rules: &[(EnforceRuleKey, EnforceRule)],
        classes: &[(EnforceClassKey, u32)],
    ) -> Result<(), EnforceError> {
        self.rules.fits(rules.len())?;
        self.classes.fits(classes.len())?;
        self.rules.insert(rules)?;
        Ok(self.classes.insert(classes)?)
    }

    /// Removes classes of values that are gone.
    ///
    /// # Errors
    /// If the map cannot be written.
    pub(crate) fn forget(&mut self, values: &[EnforceClassKey]) -> Result<(), LoadError> {
        self.classes.remove(values, &Stop::default())
    }
}

/// Gives new maps their key, before a program can read it.
///
/// # Errors
/// If the kernel gives no random bytes, or the map cannot be written.
pub(super) fn make_key(object: &mut Ebpf) -> Result<(), LoadError> {
    let failed = |reason: String| LoadError::Map { map: KEY, reason };
    let mut bytes = [0; 16];
    let flags = rustix::rand::GetRandomFlags::empty();
    let read = rustix::rand::getrandom(&mut bytes, flags).map_err(|error| failed(error.to_string()))?;
    if read < bytes.len() {
        return Err(failed("the kernel gave too few random bytes".to_owned()));
    }
    let (words, _) = bytes.as_chunks::<8>();
    let key: [u64; 2] = std::array::from_fn(|word| u64::from_ne_bytes(words[word]));
    let map = object.map_mut(KEY).ok_or_else(|| failed(enforce_table::MISSING.to_owned()))?;
    let mut map: Array<&mut MapData, [u64; 2]> = Array::try_from(map).map_err(|e| map_error(KEY, &e))?;
    map.set(0, key, 0).map_err(|e| map_error(KEY, &e))
}

/// What decisions know of an executable that the daemon found, as the kernel side makes it at `execve`.
#[must_use]
pub(super) fn of_executable(exec: &ExecRecord, fingerprint: Fingerprint) -> EnforceExe {
    let of_root = exec.header.file_mounts == MountOwner::Root as u8;
    let path = |fingerprint| EnforceExe { fingerprint, state: EXE_PATH, reserved: 0 };
    match FileState::from_raw(exec.header.file_state) {
        Some(FileState::Complete) if of_root => {
            path(fingerprint.of_components(&exec.file[..usize::from(exec.header.file_len)]))
        }
        Some(FileState::TooLong) if of_root => path([0, 0]),
        Some(FileState::TooLong | FileState::Unreachable) => {
            EnforceExe { state: EXE_WITHHELD, ..EnforceExe::default() }
        }
        _ => EnforceExe { state: EXE_UNKNOWN, ..EnforceExe::default() },
    }
}
