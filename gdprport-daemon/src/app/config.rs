//! How the daemon runs: `gdprport.toml`, every key with a default, so that no file is needed.
//!
//! What the policy is about (ports, peers, records) does not belong here.

mod evidence;
mod ledger;
mod spool;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gdprport_core::container::ShownLabels;
use gdprport_core::delivery::{Delivery, Sink};
use gdprport_core::flow::Limits;
use gdprport_core::ledger::TallyLimits;
use gdprport_core::sensor::{self, Sensor};

pub(crate) use crate::host::configuration::ConfigError;
pub(crate) use gdprport_core::sensor::{Privacy as PrivacyConfig, Subject};

use super::enforcer::OwnSinks;
use super::policy::Trust;
use crate::host::configuration;
use crate::host::confine::Sandbox;
use crate::host::containers::Places;
use crate::host::probes::Sizes;
use crate::sink::DEFAULT_CAPACITY;
use crate::sink::spool::SpoolSettings;
pub(crate) use evidence::EvidenceConfig;
use ledger::LedgerConfig;
use spool::SpoolConfig;

/// What the file says, with what it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// A file of JSON lines.
    pub file: Option<PathBuf>,
    /// Whether events go to the systemd journal.
    pub journald: bool,
    /// Which labels of a container events show.
    pub labels: ShownLabels,
    /// How often things are checked and reported.
    pub intervals: Intervals,
    /// Where containers are looked up.
    pub containers: Places,
    /// What leaves the daemon instead of addresses and users.
    pub privacy: PrivacyConfig,
    /// Where the ledger is, and how much it keeps.
    pub ledger: LedgerConfig,
    /// Where the metrics are served beside the control socket.
    pub metrics: Option<SocketAddr>,
    spool: SpoolConfig,
    /// The evidence log.
    pub evidence: EvidenceConfig,
    /// What the daemon refuses itself.
    pub sandbox: Sandbox,
    /// Sizes of the kernel side's maps.
    sizes: Sizes,
    /// Events that may wait for each way out, if that is written: else as many as the memory allows.
    queue: Option<usize>,
    /// Likewise open flows.
    flows: Option<usize>,
    /// Likewise the first bytes of flows whose encryption is not decided.
    undecided_bytes: Option<usize>,
    /// Whether there is a receiver on the network.
    sinks: bool,
    /// Where the deliverer connects to.
    own_sinks: OwnSinks,
}

/// What the daemon needs before the first flow, in bytes: its own pages, the kernel side's maps (which are charged to
/// it) and room for listing the host's sockets.
const BASE_BYTES: u64 = 24 << 20;

/// What an open flow costs: its place in the table, the storage of its socket in the kernel.
const FLOW_BYTES: u64 = 1_024;

/// Of what is left of the memory, the first bytes of undecided flows may take one part in so many. Beside the flow table
/// and one way out an eighth is what is left for lists of flows and the page cache.
const UNDECIDED_SHARE: u64 = 8;

/// What an event costs that waits for a way out: its line, of 1.1 to 1.6 KB.
const QUEUED_BYTES: u64 = 1_600;

/// Of what is left of the memory, the flow table may take one part in so many.
const FLOWS_SHARE: u64 = 2;

/// What a row of the tally costs, and what it becomes when it is drained.
const ROW_BYTES: u64 = 600;

/// Of what is left of the memory, the tally may take one part in so many.
const TALLY_SHARE: u64 = 16;

/// And the queue of each way out.
const QUEUE_SHARE: u64 = 4;

/// How many things of a size fit into a share of the memory; at least a thousand.
fn share(memory: Option<u64>, parts: u64, bytes: u64) -> usize {
    let Some(memory) = memory else { return usize::MAX };
    let fitting = memory.saturating_sub(BASE_BYTES) / parts / bytes;
    usize::try_from(fitting.max(1_000)).unwrap_or(usize::MAX)
}

/// How often things are checked and reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intervals {
    /// Between two `flow.update` of a long-lived flow.
    pub flow_update: Duration,
    /// Between two rounds of resolving host names.
    pub names: Duration,
    /// Between two `coverage` events when nothing is lost.
    pub coverage: Duration,
}

impl Intervals {
    fn of(written: sensor::Intervals) -> Self {
        let minute = Duration::from_secs(60);
        Self {
            flow_update: written.flow_update.unwrap_or(minute),
            names: written.names.unwrap_or(minute),
            coverage: written.coverage.unwrap_or(5 * minute),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::of(Sensor::default())
    }
}

impl Config {
    /// Where it is, unless the command line says otherwise.
    pub(crate) const PLACE: &'static str = configuration::PLACE;

    /// Reads the file; one that does not exist is the default.
    ///
    /// # Errors
    /// If it exists and cannot be read or understood, or if others than root can change it.
    pub(crate) fn load(path: &Path, trust: Trust) -> Result<Self, ConfigError> {
        match configuration::read(path, trust == Trust::Anyone)? {
            Some(source) => {
                // What is wrong with a sink is the deliverer's to say.
                let Delivery { sinks, settings, .. } = Delivery::parse(source.clone()).unwrap_or_default();
                let ports = |sink: &Sink| {
                    sink.target
                        .tcp_ports()
                        .into_iter()
                        .map(|port| (Arc::clone(&sink.name), port))
                        .collect::<Vec<_>>()
                };
                let mut ports: Vec<_> = sinks.iter().flat_map(ports).collect();
                let state = settings.state();
                ports.extend(settings.timestamps.map(|stamps| ("timestamps".into(), stamps.http.url.port())));
                let own_sinks = OwnSinks { ports, state };
                let config = Sensor::parse(source).map(Self::of).map_err(ConfigError::Invalid)?;
                Ok(Self { own_sinks, ..config })
            }
            None => Ok(Self::default()),
        }
    }

    fn of(written: Sensor) -> Self {
        let Sensor {
            events,
            limits,
            intervals,
            containers,
            privacy,
            ledger,
            metrics,
            spool,
            evidence,
            sandbox,
            has_sinks,
        } = written;
        let (sizes, places) = (Sizes::default(), Places::default());
        let number = |written: Option<u32>| written.map(|number| number as usize);
        Self {
            file: events.file,
            journald: events.journald,
            labels: events.labels,
            intervals: Intervals::of(intervals),
            containers: Places {
                lookup: containers.lookup.unwrap_or(places.lookup),
                state: containers.state,
            },
            privacy,
            ledger: LedgerConfig::of(ledger),
            metrics,
            spool: SpoolConfig::of(spool),
            evidence: EvidenceConfig::of(evidence),
            sandbox: Sandbox {
                system_calls: sandbox.system_calls.unwrap_or(true),
                files: sandbox.files.unwrap_or(true),
            },
            sizes: Sizes {
                ring_bytes: limits.ring_bytes.unwrap_or(sizes.ring_bytes),
                tasks: limits.tasks.unwrap_or(sizes.tasks),
                execs: limits.execs.unwrap_or(sizes.execs),
                enforce: sizes.enforce,
            },
            queue: number(events.queue),
            flows: number(limits.flows),
            undecided_bytes: number(limits.undecided_bytes),
            sinks: has_sinks,
            own_sinks: OwnSinks::default(),
        }
    }

    /// Where the deliverer connects to.
    #[must_use]
    pub(crate) const fn own_sinks(&self) -> &OwnSinks {
        &self.own_sinks
    }

    /// Sizes of the kernel side's maps.
    #[must_use]
    pub(crate) const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// What the spool is opened with; `None`: there is none. A directory of the command line wins.
    #[must_use]
    pub(crate) fn spool(&self, given: Option<&Path>) -> Option<SpoolSettings> {
        self.spool.settings(self.sinks, given)
    }

    /// Events that may wait for each way out, in a service that may use so many bytes of memory (`None`: as many as
    /// there are).
    #[must_use]
    pub(crate) fn queue(&self, memory: Option<u64>) -> NonZeroUsize {
        let fitting = NonZeroUsize::new(share(memory, QUEUE_SHARE, QUEUED_BYTES));
        let most = fitting.map_or(DEFAULT_CAPACITY, |fitting| fitting.min(DEFAULT_CAPACITY));
        self.queue.and_then(NonZeroUsize::new).unwrap_or(most)
    }

    /// Bounds of what is added up for the ledger, in a service that may use so many bytes of memory.
    #[must_use]
    pub(crate) fn tally_limits(&self, memory: Option<u64>) -> TallyLimits {
        let rows = TallyLimits::default().rows.min(share(memory, TALLY_SHARE, ROW_BYTES));
        TallyLimits { rows, flows: self.flow_limits(memory).flows }
    }

    /// Bounds of the flow table, in a service that may use so many bytes of memory.
    #[must_use]
    pub(crate) fn flow_limits(&self, memory: Option<u64>) -> Limits {
        let most = Limits::default().flows.min(share(memory, FLOWS_SHARE, FLOW_BYTES));
        let undecided = Limits::default().undecided_bytes.min(share(memory, UNDECIDED_SHARE, 1).max(1 << 20));
        Limits {
            flows: self.flows.unwrap_or(most),
            undecided_bytes: self.undecided_bytes.unwrap_or(undecided),
            update_ns: u64::try_from(self.intervals.flow_update.as_nanos()).unwrap_or(u64::MAX),
            ..Limits::default()
        }
    }
}
