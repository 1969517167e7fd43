//! What the tables mean: values within their bounds, `None` where nothing is written.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::scalar::{SpoolSync, Subject};
use crate::container::ShownLabels;
use crate::delivery::SecretRef;
use crate::privacy::Truncate;

/// What the file asks of the sensor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sensor {
    /// Where events go.
    pub events: Events,
    /// How much is remembered.
    pub limits: Limits,
    /// How often things are checked and reported.
    pub intervals: Intervals,
    /// How containers are looked up.
    pub containers: Containers,
    /// What leaves the daemon instead of addresses and users.
    pub privacy: Privacy,
    /// Whether and where a ledger is kept.
    pub ledger: Ledger,
    /// An address of this host on which metrics are served beside the control socket.
    pub metrics: Option<SocketAddr>,
    /// Whether and where a spool is written.
    pub spool: Spool,
    /// Whether and where an evidence log is kept.
    pub evidence: Evidence,
    /// What the daemon refuses itself.
    pub sandbox: Sandbox,
    /// Whether there is a `[[sink]]`, whatever it says: what it is about the deliverer reads.
    pub has_sinks: bool,
}

/// Where events go, unless the command line says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// A file of JSON lines.
    pub file: Option<PathBuf>,
    /// The systemd journal.
    pub journald: bool,
    /// Which labels of a container events show.
    pub labels: ShownLabels,
    /// Events that may wait for each way out.
    pub queue: Option<u32>,
}

/// How much is remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Open flows.
    pub flows: Option<u32>,
    /// Bytes of flows whose encryption is not decided.
    pub undecided_bytes: Option<u32>,
    /// Bytes of the ring buffer; a power of two.
    pub ring_bytes: Option<u32>,
    /// Processes that the kernel side keeps.
    pub tasks: Option<u32>,
    /// Executables that the kernel side keeps.
    pub execs: Option<u32>,
}

/// How often things are checked and reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Intervals {
    /// Between two `flow.update` of a long-lived flow.
    pub flow_update: Option<Duration>,
    /// Between two rounds of resolving host names.
    pub names: Option<Duration>,
    /// Between two `coverage` events when nothing is lost.
    pub coverage: Option<Duration>,
}

/// How containers are looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Containers {
    /// Whether their names are looked up.
    pub lookup: Option<bool>,
    /// Directories with the state of runtimes beside those that are known.
    pub state: Vec<PathBuf>,
}

/// What leaves the daemon instead of addresses and users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Privacy {
    /// What is shown by pseudonyms.
    pub pseudonymise: BTreeSet<Subject>,
    /// The file with their key. Not given: the credential that systemd passes.
    pub key: Option<PathBuf>,
    /// How much is kept of addresses of peers.
    pub truncate: Option<Truncate>,
}

/// Whether and where a ledger is kept, and how much of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Whether there is one.
    pub enabled: Option<bool>,
    /// The database.
    pub path: Option<PathBuf>,
    /// Days that are kept.
    pub keep_days: Option<u32>,
    /// Bytes that the database may have.
    pub max_bytes: Option<u64>,
    /// Addresses kept one by one for a day, port, direction and identity.
    pub peers: Option<u32>,
}

/// Whether and where a spool is written, and how much of it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spool {
    /// Whether there is one.
    pub enabled: Option<bool>,
    /// Its directory.
    pub path: Option<PathBuf>,
    /// Bytes that it may have.
    pub max_bytes: Option<u64>,
    /// For how long events are kept.
    pub keep: Option<Duration>,
    /// When what was written is on the disk.
    pub sync: Option<SpoolSync>,
}

/// Whether and where an evidence log is kept, and how much of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Whether there is one.
    pub enabled: Option<bool>,
    /// Its directory.
    pub path: Option<PathBuf>,
    /// Where its private key is.
    pub key: Option<SecretRef>,
    /// Days that are kept.
    pub keep_days: Option<u32>,
    /// Bytes that entries may have.
    pub max_bytes: Option<u64>,
}

/// What the daemon refuses itself once it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// System calls that it never makes.
    pub system_calls: Option<bool>,
    /// Files outside of their directories, to threads that only write.
    pub files: Option<bool>,
}
