//! A map of the kernel side as a table of rows, which are counted: what does not fit is refused before any of it is written.

use std::io;

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, Map, MapData, MapError};
use aya::{Ebpf, Pod};
use gdprport_common::{EnforcePeer, EnforcePeerKey};

use super::compatibility::data;
use super::error::{LoadError, map_error};

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

/// A map whose rows are counted.
pub(super) struct Table<M> {
    map: &'static str,
    rows: M,
    count: usize,
    room: u32,
}

/// A map of rows, whatever its kind.
pub(super) trait Rows: TryFrom<Map, Error = MapError> {
    type Key: Copy;
    type Value;
    fn put(&mut self, key: &Self::Key, value: &Self::Value) -> Result<(), MapError>;
    fn delete(&mut self, key: &Self::Key) -> Result<(), MapError>;
    fn all(&self) -> Result<Vec<Self::Key>, MapError>;
}

impl<K: Pod, V: Pod> Rows for HashMap<MapData, K, V> {
    type Key = K;
    type Value = V;

    fn put(&mut self, key: &K, value: &V) -> Result<(), MapError> {
        self.insert(key, value, 0)
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

    fn put(&mut self, key: &EnforcePeerKey, value: &EnforcePeer) -> Result<(), MapError> {
        self.insert(&network(key), *value, 0)
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

fn network(key: &EnforcePeerKey) -> Key<[u32; 6]> {
    let [a, b, c, d] = key.address;
    Key::new(key.prefix, [key.generation, key.group, a, b, c, d])
}

impl<M: Rows> Table<M> {
    pub(super) fn take(object: &mut Ebpf, map: &'static str) -> Result<Self, LoadError> {
        let taken = take(object, map)?;
        let room = data(&taken).info().map_err(|e| map_error(map, &e))?.max_entries();
        let rows = M::try_from(taken).map_err(|e| map_error(map, &e))?;
        let count = rows.all().map_err(|e| map_error(map, &e))?.len();
        Ok(Self { map, rows, count, room })
    }

    pub(super) const fn fits(&self, more: usize) -> Result<(), EnforceError> {
        let wanted = self.count + more;
        if wanted <= self.room as usize {
            return Ok(());
        }
        Err(EnforceError::NoRoom { map: self.map, room: self.room, wanted })
    }

    pub(super) fn insert(&mut self, rows: &[(M::Key, M::Value)]) -> Result<(), LoadError> {
        for (key, value) in rows {
            self.rows.put(key, value).map_err(|e| map_error(self.map, &e))?;
            self.count += 1;
        }
        Ok(())
    }

    pub(super) fn remove<'a>(&mut self, keys: impl Iterator<Item = &'a M::Key>) -> Result<(), LoadError>
    where
        M::Key: 'a,
    {
        for key in keys {
            match self.rows.delete(key) {
                Ok(()) => self.count = self.count.saturating_sub(1),
                Err(MapError::SyscallError(error)) if error.io_error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(map_error(self.map, &error)),
            }
        }
        Ok(())
    }

    pub(super) fn remove_others(&mut self, is_other: impl Fn(&M::Key) -> bool) -> Result<(), LoadError> {
        let all = self.rows.all().map_err(|e| map_error(self.map, &e))?;
        // Counted anew: a row that was written twice was counted twice.
        self.count = all.len();
        self.remove(all.iter().filter(|key| is_other(key)))
    }
}
