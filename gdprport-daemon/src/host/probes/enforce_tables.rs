//! Writing the tables of a generation that is not in force, and removing those that are not any more: what takes seconds of a large
//! policy, for a thread that may.
//!
//! Does not belong here: which generation is in force, and what is added to it ([`super::EnforceMaps`]). A generation that is not
//! active is read by nobody, so that it may be written and removed at leisure.

use std::collections::BTreeMap;
use std::sync::Arc;

use aya::Ebpf;
use aya::maps::lpm_trie::LpmTrie;
use aya::maps::{HashMap, MapData};
use gdprport_common::{
    EnforceClassKey, EnforcePeer, EnforcePeerKey, EnforcePort, EnforcePortKey, EnforceRule, EnforceRuleKey,
    EnforceSteps, EnforceStepsKey,
};
use gdprport_core::enforce::Tables;

use super::enforce_table::{EnforceError, Stop, Table};
use super::error::LoadError;
use super::room::{CLASSES, PEERS, PORTS, RULES, STEPS};

pub(super) type Classes = Table<HashMap<MapData, EnforceClassKey, u32>>;
pub(super) type Rules = Table<HashMap<MapData, EnforceRuleKey, EnforceRule>>;

/// The tables in the kernel, as far as they belong to one generation.
pub(crate) struct EnforceTables {
    ports: Table<HashMap<MapData, EnforcePortKey, EnforcePort>>,
    peers: Table<LpmTrie<MapData, [u32; 6], EnforcePeer>>,
    steps: Table<HashMap<MapData, EnforceStepsKey, EnforceSteps>>,
    classes: Classes,
    rules: Rules,
    /// The networks of the generations that this value has written: to list a trie takes as long as to write it.
    written: BTreeMap<u32, Vec<EnforcePeerKey>>,
    /// There may be other networks: a daemon before has left them, or they could not be removed.
    others: bool,
    stop: Arc<Stop>,
}

impl EnforceTables {
    /// Takes the maps out of the object.
    ///
    /// # Errors
    /// If one is missing or cannot be read.
    pub(super) fn take(object: &mut Ebpf) -> Result<Self, LoadError> {
        let peers = Table::take(object, PEERS)?;
        Ok(Self {
            ports: Table::take(object, PORTS)?,
            others: peers.count() > 0,
            peers,
            steps: Table::take(object, STEPS)?,
            classes: Table::take(object, CLASSES)?,
            rules: Table::take(object, RULES)?,
            written: BTreeMap::new(),
            stop: Arc::default(),
        })
    }

    /// What is added to while it is in force.
    ///
    /// # Errors
    /// If there are no descriptors for it.
    pub(super) fn grows(&self) -> Result<(Rules, Classes), LoadError> {
        Ok((self.rules.shared()?, self.classes.shared()?))
    }

    /// Ends writing and removing early.
    pub(crate) fn stop(&self) -> Arc<Stop> {
        Arc::clone(&self.stop)
    }

    /// Adds the rows of a generation of which there are none.
    ///
    /// # Errors
    /// If there is no room, or a map cannot be written; then none of them is there.
    pub(crate) fn write(&mut self, generation: u32, tables: &Tables) -> Result<(), EnforceError> {
        self.ports.fits(tables.ports.len())?;
        self.peers.fits(tables.peers.len())?;
        self.steps.fits(tables.steps.len())?;
        self.classes.fits(tables.classes.len())?;
        self.rules.fits(tables.rules.len())?;
        self.written.insert(generation, tables.peers.iter().map(|(key, _)| *key).collect());
        let written = (|| {
            self.rules.fill(&tables.rules, &self.stop)?;
            self.steps.fill(&tables.steps, &self.stop)?;
            self.peers.fill(&tables.peers, &self.stop)?;
            self.ports.fill(&tables.ports, &self.stop)?;
            self.classes.fill(&tables.classes, &self.stop)
        })();
        if written.is_err() {
            // The error that counts is the first one.
            let _ = self.remove(|found| found == generation);
        }
        Ok(written?)
    }

    /// Removes the rows of every generation but these, also those that a previous daemon left.
    ///
    /// # Errors
    /// If a map cannot be read or written.
    pub(crate) fn remove_others(&mut self, but: &[u32]) -> Result<(), LoadError> {
        self.remove(|found| !but.contains(&found))
    }

    /// Networks of peers, as they are counted and as there are.
    #[cfg(test)]
    pub(super) fn peers(&self) -> Result<(usize, usize), LoadError> {
        Ok((self.peers.count(), self.peers.keys()?.len()))
    }

    /// The generations of which there are rows.
    #[cfg(test)]
    pub(super) fn generations(&self) -> Result<Vec<u32>, LoadError> {
        let mut all: Vec<u32> = self.ports.keys()?.iter().map(|key| key.generation).collect();
        all.extend(self.peers.keys()?.iter().map(|key| key.generation));
        all.extend(self.steps.keys()?.iter().map(|key| key.generation));
        all.extend(self.classes.keys()?.iter().map(|key| key.generation));
        all.extend(self.rules.keys()?.iter().map(|key| key.generation));
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    fn remove(&mut self, goes: impl Fn(u32) -> bool) -> Result<(), LoadError> {
        let stop = &*self.stop;
        self.ports.remove_others(|key| goes(key.generation), stop)?;
        let gone: Vec<_> = self.written.extract_if(.., |generation, _| goes(*generation)).collect();
        let listed = std::mem::replace(&mut self.others, true);
        if listed {
            let stay = self.peers.remove_others(|key| goes(key.generation), stop)?;
            self.others = stay.iter().any(|key| !self.written.contains_key(&key.generation));
        } else {
            for (_, keys) in &gone {
                self.peers.remove(keys, stop)?;
            }
            self.others = false;
        }
        self.classes.remove_others(|key| goes(key.generation), stop)?;
        self.steps.remove_others(|key| goes(key.generation), stop)?;
        self.rules.remove_others(|key| goes(key.generation), stop)?;
        Ok(())
    }
}
