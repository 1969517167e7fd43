//! Collecting the groups in which the kernel side counts connections while the ring buffer is nearly full.
//!
//! The daemon raises the epoch, waits until every program that read the old one has returned, and then takes the groups of
//! older epochs out of the maps: nothing adds to them any more, so their sums are exact. Does not belong here: what a group
//! means.

use std::os::fd::AsFd as _;

use aya::Ebpf;
use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray};
use gdprport_common::{Counters, OverloadGroup as RawGroup, OverloadKey};
use gdprport_core::decode::overload::{OverloadGroup, group};
use zerocopy::IntoBytes as _;

use super::error::{LoadError, map_error};
use super::sys::Grace;

/// The maps of groups, from fine to coarse.
const LEVELS: [&str; 3] = ["GROUPS_OF_PEERS", "GROUPS_OF_NETWORKS", "GROUPS_OF_PORTS"];
/// The map of the epoch.
const EPOCH: &str = "OVERLOAD_EPOCH";
/// The map of counters.
const COUNTERS: &str = "COUNTERS";

/// Takes the groups. It waits for the kernel, some 10 ms as a rule: for a thread that may.
pub(crate) struct Collector {
    epoch: Array<MapData, u32>,
    levels: Vec<HashMap<MapData, OverloadKey, RawGroup>>,
    counters: PerCpuArray<MapData, Counters>,
    grace: Grace,
    /// Occasions that are accounted for since the maps were made: in groups that were taken, or known to be lost.
    pub(super) accounted: u64,
}

/// What one collection took.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub groups: Vec<OverloadGroup>,
    /// Occasions that are in no group, although the kernel side counted them as grouped: an earlier daemon took their group
    /// and ended before it reported it.
    pub missing: u64,
    /// Occasions of groups that could not be read.
    pub undecodable: u64,
    /// Why not all groups could be taken. Those that were not are still in the maps, and `missing` is not known.
    pub failed: Option<String>,
    /// Occasions that are accounted for with this collection and those before: [`super::Probes::note_collected`].
    pub accounted: u64,
}

impl Collected {
    /// Whether everything that the kernel side had counted before is in the groups of this collection and those before.
    #[must_use]
    pub(crate) const fn is_whole(&self) -> bool {
        self.missing == 0 && self.undecodable == 0 && self.failed.is_none()
    }
}

impl Collector {
    /// `accounted`: what earlier daemons accounted for.
    ///
    /// # Errors
    /// If a map is missing, or the kernel refuses another.
    pub(super) fn new(object: &mut Ebpf, accounted: u64) -> Result<Self, LoadError> {
        let levels =
            LEVELS.map(|name| HashMap::try_from(take(object, name)?).map_err(|e| map_error(name, &e)));
        let grace = Grace::new()
            .map_err(|error| LoadError::Map { map: "array of maps", reason: error.to_string() })?;
        Ok(Self {
            epoch: Array::try_from(take(object, EPOCH)?).map_err(|e| map_error(EPOCH, &e))?,
            levels: levels.into_iter().collect::<Result<_, _>>()?,
            counters: another(object)?,
            grace,
            accounted,
        })
    }

    /// Takes all groups that were begun before this call.
    #[must_use]
    pub(crate) fn collect(&mut self) -> Collected {
        let mut collected = Collected { accounted: self.accounted, ..Collected::default() };
        match self.take(&mut collected) {
            Ok(counted) => {
                collected.missing = counted.saturating_sub(collected.accounted);
                collected.accounted += collected.missing;
            }
            Err(error) => collected.failed = Some(error.to_string()),
        }
        self.accounted = collected.accounted;
        collected
    }

    /// Returns how many occasions had been counted as grouped before anything was taken. What is counted afterwards may be
    /// among what is taken, and will be counted at the next call.
    fn take(&mut self, collected: &mut Collected) -> Result<u64, LoadError> {
        let counted = self.grouped()?;
        let epoch = self.epoch.get(&0, 0).map_err(|e| map_error(EPOCH, &e))?.wrapping_add(1);
        self.epoch.set(0, epoch, 0).map_err(|e| map_error(EPOCH, &e))?;
        self.grace.wait().map_err(|error| LoadError::Map {
            map: EPOCH,
            reason: format!("the kernel does not wait for its programs: {error}"),
        })?;
        for (map, name) in self.levels.iter_mut().zip(LEVELS) {
            let old = |key: &Result<OverloadKey, _>| key.as_ref().map_or(true, |key| key.epoch != epoch);
            let keys: Result<Vec<_>, _> = map.keys().filter(old).collect();
            for key in keys.map_err(|e| map_error(name, &e))? {
                let raw = map.get(&key, 0).map_err(|e| map_error(name, &e))?;
                map.remove(&key).map_err(|e| map_error(name, &e))?;
                collected.add(&key, &raw);
            }
        }
        Ok(counted)
    }

    /// Occasions that were counted as grouped since the maps were made.
    fn grouped(&self) -> Result<u64, LoadError> {
        let per_cpu = self.counters.get(&0, 0).map_err(|e| map_error(COUNTERS, &e))?;
        Ok(per_cpu.iter().flat_map(|cpu| &cpu.hooks).fold(0, |sum, hook| sum.wrapping_add(hook.grouped)))
    }
}

impl Collected {
    fn add(&mut self, key: &OverloadKey, raw: &RawGroup) {
        let occasions = raw.sums.occasions();
        self.accounted = self.accounted.wrapping_add(occasions);
        match group(key.as_bytes(), raw.as_bytes()) {
            Ok(group) => self.groups.push(group),
            Err(error) => {
                tracing::error!(%error, occasions, "a group of connections cannot be read");
                self.undecodable = self.undecodable.saturating_add(occasions);
            }
        }
    }
}

fn take(object: &mut Ebpf, map: &'static str) -> Result<Map, LoadError> {
    object.take_map(map).ok_or(LoadError::Map { map, reason: "the object has none of this name".to_owned() })
}

/// The map of counters, which also the loop reads, by a descriptor of its own.
fn another(object: &Ebpf) -> Result<PerCpuArray<MapData, Counters>, LoadError> {
    let missing = |reason: String| LoadError::Map { map: COUNTERS, reason };
    let Some(Map::PerCpuArray(data)) = object.map(COUNTERS) else {
        return Err(missing("the object has none of this name".to_owned()));
    };
    let fd = data.fd().as_fd().try_clone_to_owned().map_err(|error| missing(error.to_string()))?;
    let data = MapData::from_fd(fd).map_err(|e| map_error(COUNTERS, &e))?;
    PerCpuArray::try_from(Map::PerCpuArray(data)).map_err(|e| map_error(COUNTERS, &e))
}
