//! What is handed to the ledger at once: all that came together since the last batch.

use std::sync::Arc;

use jiff::Timestamp;

use super::identity::Identity;
use super::observed::{Note, RunEnd, VolumeHour};
use super::row::{Edge, PortKey, VerdictKey};
use crate::event::Gap;
use crate::model::Endpoint;
use crate::policy::Source;

/// All that came together since the last batch; it is stored as a whole or not at all.
///
/// There is one every second while a daemon runs, also when nothing happened: that it came shows that it ran.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Everything that the daemon learnt up to this time, by the wall clock, is in this batch or in an earlier one. Before
    /// that of an earlier one if the clock was set back.
    pub until: Timestamp,
    /// Flows. Each key and day stands there once.
    pub edges: Vec<Edge>,
    /// Listeners, in the order in which it happened.
    pub listeners: Vec<ListenerDelta>,
    /// Coverage, each port and hour once.
    pub coverage: Vec<CoverageDelta>,
    /// Volume, each hour, port, direction and rule once: what is new since the last batch.
    pub volume: Vec<VolumeHour>,
    /// What is rare, in the order in which it happened. It is to be stored before the rest: the first entry of a run says
    /// that it began.
    pub entries: Vec<Entry>,
}

/// What happened to a listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerDelta {
    /// The port.
    pub port: Arc<PortKey>,
    /// Where it is bound.
    pub local: Endpoint,
    /// Who holds it.
    pub identity: Arc<Identity>,
    /// What the policy says of it.
    pub verdict: Arc<VerdictKey>,
    /// What happened.
    pub event: ListenerEvent,
    /// When.
    pub at: Timestamp,
}

/// What happens to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerEvent {
    /// It began to listen, or was found listening. Listeners of the same key are counted.
    Opened,
    /// One of them does not stand here any more: it ended, its port is not watched any more, or [`Self::Judged`] follows and
    /// says where it stands now.
    Closed,
    /// One that was open before stands here now, by another verdict or by a name that came later. It is counted like one
    /// that opened.
    Judged,
}

/// What was watched of a port in an hour, as far as it is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageDelta {
    /// Begin of the hour, by the wall clock.
    pub hour: Timestamp,
    /// The port.
    pub port: Arc<PortKey>,
    /// Seconds for which it was watched. If the clock was set back, those of an hour may add up to more than it has.
    pub watched_s: u32,
    /// Flows and failed connects that began and were seen.
    pub seen: u64,
    /// Occasions that were lost and are known to be of this port: flows that were forgotten because a table was full, and
    /// what there was no room for on the way to the ledger.
    pub lost: u64,
}

/// What is rare.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A daemon began to write. No listener is open, as far as it knows, until it says so.
    Began {
        /// Its run, as in events.
        run: Arc<str>,
        /// Its version.
        version: Arc<str>,
        /// The boot.
        boot_id: Arc<str>,
        /// When it began to watch.
        at: Timestamp,
    },
    /// It ends.
    Ended {
        /// How.
        end: RunEnd,
        /// When.
        at: Timestamp,
    },
    /// A policy applies from now on.
    Policy {
        /// Its digest; `None`: the catalog.
        digest: Option<Arc<str>>,
        /// Its files, in their order.
        sources: Arc<[Source]>,
        /// When.
        at: Timestamp,
    },
    /// Something was lost in a period.
    Gap(Gap),
    /// What a reader of the ledger has to know.
    Note(Note),
}
