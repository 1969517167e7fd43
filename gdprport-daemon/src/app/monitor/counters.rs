//! What happened on each port, and to records of which nothing is published.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::host::unseen::Unseen;
use gdprport_core::counters::{OverloadCounters, PortCounters};
use gdprport_core::event::Port;
use gdprport_core::flow::{Change, ChangeKind, Removal};

/// Counters of the monitor; those of ports by name of declaration and number.
#[derive(Debug, Default)]
pub struct Counters {
    ports: BTreeMap<(u16, Arc<str>), PortCounters>,
    /// Records that could not be read.
    pub undecodable: u64,
    pub records: u64,
    /// Flows and failed connects that are no longer reported because their port is not watched any more.
    pub unwatched: u64,
    /// Listeners that are no longer reported for the same reason.
    pub unwatched_listeners: u64,
    /// Flows found open whose opening was not seen although their port was watched.
    pub found_late: u64,
    /// What was counted because there was no room to describe it.
    pub overload: OverloadCounters,
    /// What of the host could not be looked at, the last time that it was tried.
    pub unseen: Unseen,
}

impl Counters {
    /// The counters of one port.
    pub fn port(&mut self, number: u16, name: &Arc<str>) -> &mut PortCounters {
        self.ports.entry((number, Arc::clone(name))).or_default()
    }

    /// The counters of one port, if anything ever happened there.
    #[must_use]
    pub fn get(&self, number: u16, name: &Arc<str>) -> Option<&PortCounters> {
        self.ports.get(&(number, Arc::clone(name)))
    }

    /// Counts a change of a flow on a watched port.
    pub fn flow(&mut self, change: &Change, port: &Port) {
        self.unwatched += u64::from(change.kind == ChangeKind::Removed(Removal::Unwatched));
        self.port(port.number, &port.name).flow(change);
    }
}
