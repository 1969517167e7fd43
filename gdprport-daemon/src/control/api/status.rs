//! What the daemon reports about itself: hooks, policy, ports, coverage, sinks.
//!
//! Belongs here: the facts. Judging them is `health`'s.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::coverage::CoverageStatus;
use super::enforcement::EnforcementStatus;
use super::evidence::EvidenceStatus;
use super::ledger::LedgerStatus;
use super::policy::TrialStatus;
use gdprport_core::counters::{ContainerCounters, OwnerCounters, PortCounters};
use gdprport_core::event::{ByReason, RuleVolume, SinkCounts};
use gdprport_core::policy::Mode;
use gdprport_core::privacy::Applied;

/// The state of the daemon at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub version: String,
    /// The daemon's process id, in its own pid namespace.
    pub pid: u32,
    /// When the daemon began to watch.
    pub started: Timestamp,
    /// Seconds since `started`, by the monotonic clock.
    pub uptime_s: u64,
    pub kernel: Kernel,
    /// Capabilities that it was started without, each with what is therefore not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<Without>,
    /// Where only a part of the cgroup tree is mounted, such as a container's own: nothing outside of it is watched. Absent:
    /// the whole host is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of_cgroups: Option<String>,
    /// Every hook the daemon knows, in use or not.
    pub hooks: Vec<Hook>,
    /// Where hooks and maps outlive the daemon; `null` if they end with it.
    #[serde(default)]
    pub pins: Option<Pins>,
    pub policy: PolicyStatus,
    /// How connections are decided in the kernel; absent: no port has a mode but "observe".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforcement: Option<EnforcementStatus>,
    /// Every watched port, by number.
    pub ports: Vec<PortStatus>,
    /// Rules with a `volume`, those nearest to it first; at most a hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<VolumeStatus>,
    /// What was seen, delivered and lost, since `coverage.since`.
    pub coverage: CoverageStatus,
    /// How the owners of sockets were resolved.
    #[serde(default)]
    pub owners: OwnerCounters,
    /// How the names of containers were looked up.
    #[serde(default)]
    pub containers: ContainerCounters,
    /// How flows are translated by the host, as far as that was asked.
    #[serde(default)]
    pub translations: TranslationStatus,
    /// How the ledger is.
    #[serde(default)]
    pub ledger: LedgerStatus,
    /// How the evidence log is; absent: none is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceStatus>,
    /// Events handed to the sinks, by kind; all of them are `coverage.delivered`.
    #[serde(default)]
    pub events: ByReason,
    /// Where events go.
    pub sinks: Vec<SinkStatus>,
    /// The control socket's own counters.
    pub control: ControlStatus,
    pub memory: Memory,
    /// Processor time of the daemon, in user and kernel mode, in nanoseconds.
    #[serde(default)]
    pub cpu_ns: u64,
    /// What stands in flows and events instead of addresses of peers and names of persons; absent: they are true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<Applied>,
}

/// A capability that the daemon was started without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Without {
    /// Its name, such as `CAP_SYS_ADMIN`.
    pub capability: String,
    /// What is lost.
    pub cost: String,
}

/// What a rule has moved in the window that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VolumeStatus {
    /// The port's declaration.
    pub port: Arc<str>,
    #[serde(flatten)]
    pub volume: RuleVolume,
}

/// Where hooks and maps outlive the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pins {
    /// The directory on a bpffs.
    pub directory: String,
    /// How many hooks are pinned; the others are detached between two daemons.
    pub hooks: u32,
    /// Whether this daemon adopted what another one had pinned there; `null` if nothing was pinned.
    pub adopted: Option<bool>,
    /// When that one last wrote a checkpoint.
    pub noted: Option<Timestamp>,
    /// Why it was not adopted.
    pub refused: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kernel {
    /// As `uname -r` prints it.
    pub release: String,
    /// Identifies the boot; from `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}

/// One kernel hook and what depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hook {
    /// The attach point, such as `cgroup/connect4`.
    pub name: String,
    /// Whether it is in use.
    pub state: HookState,
    /// What the daemon learns through it.
    pub gives: String,
    /// The first kernel release that offers it, such as `5.8`.
    pub since: String,
    /// What is lost while it is not attached.
    pub cost: String,
    /// Why it is not attached; `null` while it is.
    pub error: Option<String>,
    /// How often its program has run; absent unless the kernel counts that (`kernel.bpf_stats_enabled`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<u64>,
    /// For how long, on all processors together, in nanoseconds; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_ns: Option<u64>,
}

/// Whether a hook is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HookState {
    /// Loaded and attached.
    Attached,
    /// This kernel does not offer it, and another hook replaces it: no defect.
    Missing,
    /// The kernel offers it, and loading or attaching was refused.
    Failed,
    /// It was not tried, for the reason in `error`: only where no daemon runs.
    Untried,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PolicyStatus {
    /// Where it was read from.
    pub source: PolicySource,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// When it became active.
    pub applied: Timestamp,
    /// Seconds since `applied`.
    pub age_s: u64,
    /// The last attempt to reload; `null` if there was none.
    pub last_reload: Option<Reload>,
    /// It is on trial; absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialStatus>,
    /// Number of declared TCP ports.
    pub ports: u32,
    /// Number of rules (`[[port.allow]]`).
    pub rules: u32,
    /// Number of exceptions (`[[exception]]`).
    #[serde(default)]
    pub exceptions: u32,
    /// Names of peers that do not resolve now; flows that only they could allow are `undecided`.
    pub unresolved: Vec<Unresolved>,
}

/// Where a policy was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PolicySource {
    /// These files, in the order in which they were read.
    Files(Vec<String>),
    /// No file: the built-in catalog, observing.
    Catalog,
}

/// One attempt to reload the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reload {
    /// When.
    pub at: Timestamp,
    /// Whether it became active; if not, the previous policy stayed.
    pub ok: bool,
    /// Every problem with file, line and column, as text of several lines; empty when `ok`.
    pub problems: String,
    /// How many problems these are; 0 when `ok`.
    pub problem_count: u64,
}

/// A name that the policy uses and that does not resolve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unresolved {
    /// The name as the policy writes it.
    pub name: String,
    /// Why, as the resolver reports it.
    pub error: String,
    /// The rules and ports that cannot be decided on without it.
    #[serde(default)]
    pub undecided: String,
}

/// What happened on one watched port, since `coverage.since`.
///
/// `opened + opening_missed = closed + evicted + unwatched + open` holds whenever nothing is in flight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PortStatus {
    /// The declaration's name, or the catalog's.
    pub name: Arc<str>,
    pub number: u16,
    /// The protocol by declaration or catalog, such as `postgresql`; `null` if neither names one.
    pub protocol: Option<Arc<str>>,
    /// Whether the policy declares it; if not, it is watched because the catalog knows it.
    pub declared: bool,
    /// What is done about connections that no rule allows; absent: they are reported.
    #[serde(default, skip_serializing_if = "Mode::is_observe")]
    pub mode: Mode,
    /// Flows open now.
    pub open: u64,
    /// What happened there. Its postures count the flows that are open now too; one of which nothing is known yet counts as
    /// unknown.
    #[serde(flatten)]
    pub counters: PortCounters,
}

/// What connection tracking was asked about the translation of flows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TranslationStatus {
    /// Why nothing is asked; `null` while it is.
    pub error: Option<String>,
    /// Questions, one for each flow that is not on loopback, and more for those that were not answered.
    pub asked: u64,
    /// Answers that show a translation.
    pub translated: u64,
    /// Questions without an answer that can be read or that fits; the flow's translation is `unknown`.
    pub unanswered: u64,
    /// Questions that were not asked because too many waited; likewise.
    pub dropped: u64,
}

/// One sink of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SinkStatus {
    /// Its name (kind and target, such as `file:/var/log/gdprport/events.ndjson`) and counters.
    #[serde(flatten)]
    pub counts: SinkCounts,
    /// The last error, `null` if there was none since the last success.
    pub last_error: Option<String>,
    /// Bytes written out whole.
    #[serde(default)]
    pub bytes: u64,
    /// Of the spool: what it holds; absent for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spool: Option<SpoolStatus>,
}

/// What the spool holds. What of it receivers have is the deliverer's to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SpoolStatus {
    /// Events in it.
    pub records: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes that they may have.
    pub max_bytes: u64,
    /// When the oldest file was begun; `null` if there is none.
    pub oldest: Option<Timestamp>,
    /// Ordinary events that were removed since the daemon started, for want of room or by age.
    pub removed: u64,
    /// Events that were removed although they are kept longest.
    pub removed_kept: u64,
}

/// The control socket's own counters, since the start of the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ControlStatus {
    /// Connections open now.
    pub connections: u64,
    /// Connections there may be at once.
    pub connections_cap: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused because too many were open.
    pub refused: u64,
    /// Connections ended by the server: malformed, oversized, or too slow in sending or in reading.
    pub broken: u64,
    /// Requests turned away because there was no room for them or the daemon's loop did not reply in time.
    pub busy: u64,
    /// Requests turned away because the caller may not do this.
    pub forbidden: u64,
    /// Connections to the address of `[metrics]` open now; they have places of their own.
    #[serde(default)]
    pub metrics_connections: u64,
    /// Clients that follow the events now.
    pub followers: u64,
    /// Events not sent to a follower that reads too slowly; each gap is marked in its stream.
    pub follower_lost: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Resident set in KiB.
    pub rss_kib: u64,
}

#[cfg(test)]
mod tests {
    use super::super::samples;

    #[test]
    fn a_sink_is_one_flat_object() {
        let json = serde_json::to_string(&samples::status().sinks[1]).expect("JSON");
        assert_eq!(
            json,
            r#"{"name":"journald","received":3144655,"delivered":3144637,"queued":3,"dropped":{"queue-full":15},"last_error":"No space left on device","bytes":5031419200}"#
        );
    }

    /// The counters stand in the port's own object, not in one of their own.
    #[test]
    fn the_fields_of_a_port_keep_their_names_and_order() {
        let json = serde_json::to_value(&super::super::samples::status().ports[0]).expect("plain data");
        let fields: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(
            fields,
            [
                "name",
                "number",
                "protocol",
                "declared",
                "open",
                "opened",
                "closed",
                "opening_missed",
                "evicted",
                "unwatched",
                "failed",
                "declared_flows",
                "undecided",
                "violations_total",
                "violations",
                "posture",
                "accepted",
                "bytes_sent",
                "bytes_received"
            ]
        );
    }
}
