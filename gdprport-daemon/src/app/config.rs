//! How the daemon runs: `gdprport.toml`, every key with a default, so that no file is needed.
//!
//! What the policy is about (ports, peers, records) does not belong here.

mod containers;
mod ledger;
mod metrics;
mod privacy;
mod size;
mod spool;
#[cfg(test)]
mod tests;

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

pub(crate) use privacy::{PrivacyConfig, Subject};

use super::policy::Trust;
use crate::host::configured;
use crate::host::containers::Places;
use crate::host::probes::Sizes;
use crate::host::trust::{Exposure, exposure};
use crate::sink::DEFAULT_CAPACITY;
use crate::sink::spool::SpoolSettings;
use gdprport_core::container::ShownLabels;
use gdprport_core::flow::Limits;
use gdprport_core::ledger::TallyLimits;
use ledger::LedgerConfig;
use metrics::MetricsConfig;
use spool::SpoolConfig;

/// The file as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where events go.
    pub events: Events,
    /// How much is remembered.
    pub limits: Capacities,
    /// How often things are checked and reported.
    pub intervals: Intervals,
    /// Where containers are looked up.
    #[serde(deserialize_with = "containers::places")]
    pub containers: Places,
    /// What leaves the daemon instead of addresses and users.
    pub privacy: PrivacyConfig,
    /// Where the ledger is, and how much it keeps.
    pub ledger: LedgerConfig,
    /// Where the metrics are served beside the control socket.
    pub metrics: MetricsConfig,
    /// Where events wait for receivers on the network, and how many.
    pub spool: SpoolConfig,
    /// Whether there is a receiver. What it is about the deliverer reads.
    #[serde(rename = "sink", deserialize_with = "any")]
    sinks: bool,
    /// The deliverer's.
    #[serde(rename = "deliver", deserialize_with = "any")]
    _deliver: bool,
}

/// Whether there is such a table, whatever it says.
fn any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Where events go, unless the command line says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Events {
    /// A file of JSON lines.
    pub file: Option<PathBuf>,
    /// The systemd journal.
    pub journald: bool,
    /// Which labels of a container events show, by patterns of their keys.
    #[serde(deserialize_with = "containers::shown_labels")]
    pub labels: ShownLabels,
    /// Events that may wait for each way out; beyond it they are dropped and counted. Not given: as many as the
    /// memory allows.
    queue: Option<NonZeroUsize>,
}

/// Bytes that the file may have: every key with a comment takes a few thousand.
const BYTES_MAX: u64 = 1 << 20;

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

/// How much is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Capacities {
    /// Open flows. Not given: as many as the memory allows.
    flows: Option<u32>,
    /// Bytes that the first bytes of flows may take together while it is not decided how they are encrypted. Not given:
    /// an eighth of the memory, at most 32 MiB.
    undecided_bytes: Option<u32>,
    /// Bytes of the ring buffer between kernel and daemon; a power of two.
    pub ring_bytes: u32,
    /// Processes whose identity the kernel side keeps.
    pub tasks: u32,
    /// Executables whose name the kernel side keeps.
    pub execs: u32,
}

impl Default for Capacities {
    fn default() -> Self {
        let sizes = Sizes::default();
        Self {
            flows: None,
            undecided_bytes: None,
            ring_bytes: sizes.ring_bytes,
            tasks: sizes.tasks,
            execs: sizes.execs,
        }
    }
}

/// How often things are checked and reported.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Intervals {
    /// Between two `flow.update` of a long-lived flow.
    #[serde(deserialize_with = "duration")]
    pub flow_update: Duration,
    /// Between two rounds of resolving host names.
    #[serde(deserialize_with = "duration")]
    pub names: Duration,
    /// Between two `coverage` events when nothing is lost.
    #[serde(deserialize_with = "duration")]
    pub coverage: Duration,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            flow_update: Duration::from_secs(60),
            names: Duration::from_secs(60),
            coverage: Duration::from_secs(300),
        }
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = humantime::parse_duration(&text)
        .map_err(|error| de::Error::custom(format!("{error}: write it as \"60s\" or \"5m\"")))?;
    if (Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&duration) {
        Ok(duration)
    } else {
        Err(de::Error::custom("must be from 1s to 1d"))
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        path: PathBuf,
        /// The error of the system call.
        source: std::io::Error,
    },
    /// Others than root can change it.
    #[error("cannot use the configuration {}, as others than root can change it: {how}; --any-owner takes it all the same", path.display())]
    Exposed {
        path: PathBuf,
        /// How they can.
        how: Exposure,
    },
    /// It has an error; the text shows where.
    #[error("{}: {message}", path.display())]
    Invalid {
        path: PathBuf,
        /// What is wrong and where.
        message: String,
    },
}

impl ConfigError {
    /// The same in one line, without the excerpt of the file.
    pub(crate) fn in_one_line(&self) -> String {
        let text = match self {
            Self::Exposed { path, how } => {
                return format!("others than root can change the configuration {}: {how}", path.display());
            }
            other => other.to_string(),
        };
        let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('|') && !is_quoted(line));
        let first = lines.next().unwrap_or_default().to_owned();
        lines.fold(first, |text, line| format!("{text}: {}", line.trim()))
    }
}

/// Whether a line of an error of TOML quotes the file: `3 | key = 1`.
fn is_quoted(line: &str) -> bool {
    line.split_once('|').is_some_and(|(number, _)| number.trim().parse::<u32>().is_ok())
}

impl Config {
    /// Where it is, unless the command line says otherwise.
    pub(crate) const PLACE: &'static str = "/etc/gdprport/gdprport.toml";

    /// Reads the file; one that does not exist is the default.
    ///
    /// # Errors
    /// If it exists and cannot be read or understood, or if others than root can change it.
    pub(crate) fn load(path: &Path, trust: Trust) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.to_owned(), source };
        let place = path.to_owned();
        let read = move || {
            let bytes = configured::read(&place, BYTES_MAX)?;
            Ok((bytes, exposure(&place)?))
        };
        let done = configured::within(configured::START_WITHIN, read);
        let (bytes, exposed) = match done.unwrap_or_else(|late| Err(io::Error::from(late))) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(failed(source)),
        };
        match (exposed, trust) {
            (Some(how), Trust::RootOnly) => return Err(ConfigError::Exposed { path: path.to_owned(), how }),
            (Some(how), Trust::Anyone) => {
                tracing::warn!("others than root can change {}: {how}", path.display());
            }
            (None, _) => {}
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| failed(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8")))?;
        Self::parse(&text).map_err(|message| ConfigError::Invalid { path: path.to_owned(), message })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let limits = &config.limits;
        if !limits.ring_bytes.is_power_of_two() || !(1 << 16..=1 << 28).contains(&limits.ring_bytes) {
            return Err("limits.ring_bytes must be a power of two from 65536 to 268435456".to_owned());
        }
        if limits.undecided_bytes.is_some_and(|bytes| !(1 << 16..=1 << 30).contains(&bytes)) {
            return Err("limits.undecided_bytes must be from 65536 to 1073741824".to_owned());
        }
        let queue = config.events.queue.map(|queue| u32::try_from(queue.get()).unwrap_or(u32::MAX));
        for (name, value) in [
            ("flows", limits.flows),
            ("tasks", Some(limits.tasks)),
            ("execs", Some(limits.execs)),
            ("queue", queue),
        ] {
            if value.is_some_and(|value| !(64..=1 << 22).contains(&value)) {
                return Err(format!("{name} must be from 64 to 4194304"));
            }
        }
        Ok(config)
    }

    /// Whether there is a receiver on the network.
    #[must_use]
    pub(crate) const fn has_sinks(&self) -> bool {
        self.sinks
    }

    /// Sizes of the kernel side's maps.
    #[must_use]
    pub(crate) const fn sizes(&self) -> Sizes {
        Sizes { ring_bytes: self.limits.ring_bytes, tasks: self.limits.tasks, execs: self.limits.execs }
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
        self.events.queue.unwrap_or(most)
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
            flows: self.limits.flows.map_or(most, |flows| flows as usize),
            undecided_bytes: self.limits.undecided_bytes.map_or(undecided, |bytes| bytes as usize),
            update_ns: u64::try_from(self.intervals.flow_update.as_nanos()).unwrap_or(u64::MAX),
            ..Limits::default()
        }
    }
}
