//! Whether the maps that a previous daemon left pinned fit this version.

use std::collections::BTreeMap;

use aya::Ebpf;
use aya::maps::{Map, MapData, MapInfo};
use gdprport_common::{ABI_VERSION, Checkpoint};

use super::error::chain;
use super::load::LoadSource;
use super::pins::PinDirectory;

/// Why pins of a previous daemon cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Incompatibility {
    /// Its records or maps have another meaning.
    #[error("its ABI is version {was}, this one's {ABI_VERSION}")]
    Abi { was: u32 },
    /// A map exists in only one of the two, or differs in shape.
    #[error("{0}")]
    Layout(String),
    /// They are incomplete.
    #[error("{0}")]
    Damaged(String),
}

impl Incompatibility {
    #[must_use]
    pub(crate) const fn id(&self) -> &'static str {
        match self {
            Self::Abi { .. } => "abi",
            Self::Layout(_) => "layout",
            Self::Damaged(_) => "damaged",
        }
    }
}

/// Compares every pinned map with the one that this version would create.
pub(super) fn check_pins(
    source: &LoadSource,
    pins: &PinDirectory,
    checkpoint: &Checkpoint,
) -> Result<(), Incompatibility> {
    if checkpoint.abi != ABI_VERSION {
        return Err(Incompatibility::Abi { was: checkpoint.abi });
    }
    let damaged = |error: &dyn std::error::Error| Incompatibility::Damaged(chain(error));
    if checkpoint.complete != 1 {
        return Err(Incompatibility::Damaged("it was stopped before everything was pinned".to_owned()));
    }
    let object = source.load(&[]).map_err(|error| damaged(&error))?;
    let mut wanted = BTreeMap::new();
    for (name, map) in shared(&object) {
        wanted.insert(name.to_owned(), data(map).info().map_err(|error| damaged(&error))?);
    }
    for name in pins.maps().map_err(|error| damaged(&error))? {
        let there = MapInfo::from_pin(pins.map(&name)).map_err(|error| damaged(&error))?;
        let room = there.max_entries();
        match wanted.remove(&name) {
            Some(here) => {
                let mut needed = here.max_entries();
                if source.is_table(&name) {
                    if room < needed {
                        return Err(Incompatibility::Layout(format!(
                            "its map {name} has room for {room} entries, and the policy needs {needed}"
                        )));
                    }
                    needed = room;
                }
                let (there, here) = (shape(&there, room), shape(&here, needed));
                if here != there {
                    return Err(Incompatibility::Layout(format!(
                        "its map {name} is {there}, this one's {here}"
                    )));
                }
            }
            None => return Err(Incompatibility::Layout(format!("its map {name} is not known here"))),
        }
    }
    match wanted.into_keys().next() {
        Some(name) => Err(Incompatibility::Layout(format!("it had no map {name}"))),
        None => Ok(()),
    }
}

/// What two maps must have in common to hold the same, as text.
fn shape(info: &MapInfo, count: u32) -> String {
    let kind = info.map_type().map_or_else(|_| "of another kind".to_owned(), |kind| format!("{kind:?}"));
    let (key, value, flags) = (info.key_size(), info.value_size(), info.map_flags());
    format!("{kind}({count} x {key}+{value} bytes, flags {flags:#x})")
}

/// The maps that are shared between programs and daemon; not the constants of the programs, whose
/// names begin with a dot.
pub(super) fn shared(object: &Ebpf) -> impl Iterator<Item = (&str, &Map)> {
    object.maps().filter(|(name, _)| !name.starts_with('.'))
}

pub(super) fn data(map: &Map) -> &MapData {
    match map {
        Map::Array(data)
        | Map::ArrayOfMaps(data)
        | Map::BloomFilter(data)
        | Map::CgroupArray(data)
        | Map::CgroupStorage(data)
        | Map::CgrpStorage(data)
        | Map::CpuMap(data)
        | Map::DevMap(data)
        | Map::DevMapHash(data)
        | Map::HashMap(data)
        | Map::HashOfMaps(data)
        | Map::InodeStorage(data)
        | Map::LpmTrie(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuCgroupStorage(data)
        | Map::PerCpuHashMap(data)
        | Map::PerCpuLruHashMap(data)
        | Map::PerfEventArray(data)
        | Map::ProgramArray(data)
        | Map::Queue(data)
        | Map::ReusePortSockArray(data)
        | Map::RingBuf(data)
        | Map::SockHash(data)
        | Map::SockMap(data)
        | Map::SkStorage(data)
        | Map::Stack(data)
        | Map::StackTraceMap(data)
        | Map::Unsupported(data)
        | Map::XskMap(data) => data,
    }
}
