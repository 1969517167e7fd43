//! A map of the kernel side as a table of rows, which are counted: what does not fit is refused before any of it is written.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, Map, MapData, MapError};
use aya::{Ebpf, Pod};
use gdprport_common::{EnforcePeer, EnforcePeerKey};

use super::compatibility::data;
use super::error::{LoadError, map_error};
use super::sys;

/// Why tables are not in the kernel. Nothing of them is, then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnforceError {
    /// They do not fit beside those that are there.
    #[error(
        "the kernel's table {map} has room for {room} entries and {wanted} are needed, with those that are in force: restart the \
         daemon, which makes it as large as the policy needs"
    )]
    NoRoom {
        /// The table.
        map: &'static str,
        /// How many entries it has room for.
        room: u32,
        /// How many there would be.
        wanted: usize,
    },
    /// A map cannot be read or written.
    #[error(transparent)]
    Map(#[from] LoadError),
}

pub(super) const MISSING: &str = "the object has none of this name";

fn take(object: &mut Ebpf, map: &'static str) -> Result<Map, LoadError> {
    object.take_map(map).ok_or_else(|| LoadError::Map { map, reason: MISSING.to_owned() })
}

/// Takes an array out of the object.
///
/// # Errors
/// If it is not there, or no array of these values.
pub(super) fn array<V: Pod>(object: &mut Ebpf, map: &'static str) -> Result<Array<MapData, V>, LoadError> {
    Array::try_from(take(object, map)?).map_err(|e| map_error(map, &e))
}

/// Rows that the kernel writes or deletes in one call; between two of them it is looked whether the daemon ends.
const BATCH: usize = 1_024;

/// How long is waited for memory at once, and how often while no row can be written. The kernel takes it from what it has at hand, which
/// a busy host and many rows exhaust for a moment (`GFP_NOWAIT`).
const WAIT: Duration = Duration::from_millis(5);
const WAITS: u32 = 400;

/// `BPF_NOEXIST` (include/uapi/linux/bpf.h): only what is not there.
const NOEXIST: u64 = 1;

/// Whether rows may still be written or removed.
#[derive(Debug, Default)]
pub(crate) struct Stop(Mutex<bool>);

impl Stop {
    /// They may not from now on. Returns when nobody is at it any more: after some milliseconds at most.
    pub(crate) fn set(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Holds the end up until what is returned is dropped.
    fn goes_on(&self, map: &'static str) -> Result<MutexGuard<'_, bool>, LoadError> {
        let stopped = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *stopped { Err(failed(map, &"the daemon ends")) } else { Ok(stopped) }
    }
}

/// A map whose rows are counted, by whoever writes them.
pub(super) struct Table<M> {
    map: &'static str,
    rows: M,
    fd: OwnedFd,
    count: Arc<AtomicUsize>,
    room: u32,
}

/// A map of rows, whatever its kind.
pub(super) trait Rows: TryFrom<Map, Error = MapError> {
    type Key: Pod;
    type Value: Pod;
    fn put(&mut self, key: &Self::Key, value: &Self::Value, flags: u64) -> Result<(), MapError>;
    fn delete(&mut self, key: &Self::Key) -> Result<(), MapError>;
    fn all(&self) -> Result<Vec<Self::Key>, MapError>;
}

impl<K: Pod, V: Pod> Rows for HashMap<MapData, K, V> {
    type Key = K;
    type Value = V;

    fn put(&mut self, key: &K, value: &V, flags: u64) -> Result<(), MapError> {
        self.insert(key, value, flags)
    }

    fn delete(&mut self, key: &K) -> Result<(), MapError> {
        self.remove(key)
    }

    fn all(&self) -> Result<Vec<K>, MapError> {
        self.keys().collect()
    }
}

impl Rows for LpmTrie<MapData, [u32; 6], EnforcePeer> {
    type Key = EnforcePeerKey;
    type Value = EnforcePeer;

    fn put(&mut self, key: &EnforcePeerKey, value: &EnforcePeer, flags: u64) -> Result<(), MapError> {
        self.insert(&network(key), *value, flags)
    }

    fn delete(&mut self, key: &EnforcePeerKey) -> Result<(), MapError> {
        self.remove(&network(key))
    }

    fn all(&self) -> Result<Vec<EnforcePeerKey>, MapError> {
        let key = |key: Key<[u32; 6]>| {
            let [generation, group, address @ ..] = key.data();
            EnforcePeerKey { prefix: key.prefix_len(), generation, group, address }
        };
        self.keys().map(|found| found.map(key)).collect()
    }
}

/// The same bytes as aya wants them.
fn network(key: &EnforcePeerKey) -> Key<[u32; 6]> {
    let [a, b, c, d] = key.address;
    Key::new(key.prefix, [key.generation, key.group, a, b, c, d])
}

impl<M: Rows> Table<M> {
    /// Takes the map out of the object.
    ///
    /// # Errors
    /// If it is missing, or cannot be read.
    pub(super) fn take(object: &mut Ebpf, map: &'static str) -> Result<Self, LoadError> {
        let taken = take(object, map)?;
        let room = data(&taken).info().map_err(|e| map_error(map, &e))?.max_entries();
        let fd = another(&taken, map)?;
        let rows = M::try_from(taken).map_err(|e| map_error(map, &e))?;
        let count = rows.all().map_err(|e| map_error(map, &e))?.len();
        Ok(Self { map, rows, fd, count: Arc::new(AtomicUsize::new(count)), room })
    }

    /// The same map for another thread, which counts its rows with this one.
    ///
    /// # Errors
    /// If there is no descriptor for it.
    pub(super) fn shared(&self) -> Result<Self, LoadError> {
        let clone = || self.fd.try_clone().map_err(|error| failed(self.map, &error));
        let error = |error: MapError| map_error(self.map, &error);
        let rows = Map::from_map_data(MapData::from_fd(clone()?).map_err(error)?).map_err(error)?;
        let rows = M::try_from(rows).map_err(error)?;
        Ok(Self { map: self.map, rows, fd: clone()?, count: Arc::clone(&self.count), room: self.room })
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// All keys.
    pub(super) fn keys(&self) -> Result<Vec<M::Key>, LoadError> {
        self.rows.all().map_err(|e| map_error(self.map, &e))
    }

    /// Refuses more than there is room for.
    pub(super) fn fits(&self, more: usize) -> Result<(), EnforceError> {
        let wanted = self.count() + more;
        if wanted <= self.room as usize {
            return Ok(());
        }
        Err(EnforceError::NoRoom { map: self.map, room: self.room, wanted })
    }

    /// Writes rows that may be there already.
    pub(super) fn insert(&mut self, rows: &[(M::Key, M::Value)]) -> Result<(), LoadError> {
        self.insert_each(rows).1.map_err(|e| map_error(self.map, &e))
    }

    /// The same, with how many of the first were written.
    fn insert_each(&mut self, rows: &[(M::Key, M::Value)]) -> (usize, Result<(), MapError>) {
        for (done, (key, value)) in rows.iter().enumerate() {
            match self.rows.put(key, value, NOEXIST) {
                Ok(()) => _ = self.count.fetch_add(1, Ordering::Relaxed),
                Err(error) if is(&error, io::ErrorKind::AlreadyExists) => {
                    if let Err(error) = self.rows.put(key, value, 0) {
                        return (done, Err(error));
                    }
                }
                Err(error) => return (done, Err(error)),
            }
        }
        (rows.len(), Ok(()))
    }

    /// Writes rows that are not there, many at once. Waits where the kernel has no memory at hand.
    pub(super) fn fill(&mut self, rows: &[(M::Key, M::Value)], stop: &Stop) -> Result<(), LoadError> {
        let (mut rest, mut waited) = (rows, 0);
        while !rest.is_empty() {
            let at_work = stop.goes_on(self.map)?;
            let (some, _) = rest.split_at(rest.len().min(BATCH));
            let (keys, values): (Vec<_>, Vec<_>) = some.iter().copied().unzip();
            let at_once = sys::update_batch(&self.fd, &keys, &values);
            self.count.fetch_add(at_once, Ordering::Relaxed);
            let (alone, written) = self.insert_each(&some[at_once..]);
            drop(at_work);
            let done = at_once + alone;
            rest = &rest[done..];
            waited = if done > 0 { 0 } else { waited + 1 };
            match written {
                Err(error) if is(&error, io::ErrorKind::OutOfMemory) && waited < WAITS => {
                    std::thread::sleep(WAIT);
                }
                written => written.map_err(|e| map_error(self.map, &e))?,
            }
        }
        Ok(())
    }

    /// Removes rows, those that are there, many at once.
    pub(super) fn remove(&mut self, keys: &[M::Key], stop: &Stop) -> Result<(), LoadError> {
        for some in keys.chunks(BATCH) {
            let _at_work = stop.goes_on(self.map)?;
            let mut done = sys::delete_batch(&self.fd, some);
            for key in &some[done..] {
                match self.rows.delete(key) {
                    Ok(()) => done += 1,
                    Err(MapError::SyscallError(error))
                        if error.io_error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(map_error(self.map, &error)),
                }
            }
            self.count.fetch_sub(done, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Removes rows by their keys, and returns the keys of those that stay.
    pub(super) fn remove_others(
        &mut self,
        is_other: impl Fn(&M::Key) -> bool,
        stop: &Stop,
    ) -> Result<Vec<M::Key>, LoadError> {
        let (others, stay): (Vec<_>, Vec<_>) = self.keys()?.into_iter().partition(is_other);
        self.remove(&others, stop)?;
        Ok(stay)
    }
}

fn is(error: &MapError, kind: io::ErrorKind) -> bool {
    matches!(error, MapError::SyscallError(error) if error.io_error.kind() == kind)
}

fn failed(map: &'static str, reason: &dyn std::fmt::Display) -> LoadError {
    LoadError::Map { map, reason: reason.to_string() }
}

fn another(taken: &Map, map: &'static str) -> Result<OwnedFd, LoadError> {
    data(taken).fd().as_fd().try_clone_to_owned().map_err(|error| failed(map, &error))
}
