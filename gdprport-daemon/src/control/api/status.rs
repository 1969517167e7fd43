//! What the daemon says of itself: hooks, policy, ports, coverage, sinks.
//!
//! Belongs here: the facts. What to think of them is `health`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Counts;
use gdprport_core::model::PostureState;
use gdprport_core::verdict::ReasonId;

/// The state of the daemon at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// The daemon's process id, in its own pid namespace.
    pub pid: u32,
    /// When the daemon began to watch.
    pub started: Timestamp,
    /// Seconds since `started`, by the monotonic clock.
    pub uptime_s: u64,
    /// The running kernel.
    pub kernel: Kernel,
    /// Every hook the daemon knows, in use or not.
    pub hooks: Vec<Hook>,
    /// Where hooks and maps outlive the daemon; `null` if they end with it.
    #[serde(default)]
    pub pins: Option<Pins>,
    /// The policy in force.
    pub policy: PolicyStatus,
    /// Every watched port, by number.
    pub ports: Vec<PortStatus>,
    /// What was seen, handed on and lost, since `coverage.since`.
    pub coverage: Coverage,
    /// How processes were found out about.
    #[serde(default)]
    pub owners: OwnerStatus,
    /// Where events go.
    pub sinks: Vec<SinkStatus>,
    /// The control socket's own account.
    pub control: ControlStatus,
    /// Memory in use.
    pub memory: Memory,
}

/// Where hooks and maps outlive the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// The directory on a bpffs.
    pub directory: String,
    /// How many hooks are pinned; the others are away between two daemons.
    pub hooks: u32,
    /// Whether this daemon took over what another one had pinned there; `null` if nothing was pinned.
    pub adopted: Option<bool>,
    /// When that one last noted its state.
    pub noted: Option<Timestamp>,
    /// Why it was not taken over.
    pub refused: Option<String>,
}

/// The running kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// As `uname -r` prints it.
    pub release: String,
    /// Identifies the boot; from `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}

/// One kernel hook and what depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
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
}

/// Whether a hook is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookState {
    /// Loaded and attached.
    Attached,
    /// This kernel does not offer it, and another hook stands in: no defect.
    Missing,
    /// The kernel offers it, and loading or attaching was refused.
    Failed,
    /// It was not tried, as `error` says: only where no daemon runs.
    Untried,
}

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// Where it was read from.
    pub source: PolicySource,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// When it came into force.
    pub applied: Timestamp,
    /// Seconds since `applied`.
    pub age_s: u64,
    /// The last attempt to reload; `null` if there was none.
    pub last_reload: Option<Reload>,
    /// Number of declared TCP ports.
    pub ports: u32,
    /// Number of rules (`[[port.allow]]`).
    pub rules: u32,
    /// Names of peers that do not resolve now; flows that only they could allow are `undecided`.
    pub unresolved: Vec<Unresolved>,
}

/// Where a policy was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicySource {
    /// These files, in the order in which they were read.
    Files(Vec<String>),
    /// No file: the built-in catalog, observing.
    Catalog,
}

/// One attempt to reload the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// When.
    pub at: Timestamp,
    /// Whether it came into force; if not, the policy before it stayed.
    pub ok: bool,
    /// Every problem with file, line and column, as text of several lines; empty when `ok`.
    pub problems: String,
    /// How many problems these are; 0 when `ok`.
    pub problem_count: u64,
}

/// A name that the policy uses and that does not resolve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unresolved {
    /// The name as the policy writes it.
    pub name: String,
    /// Why, in the resolver's words.
    pub error: String,
    /// The rules and ports that cannot be decided on without it.
    #[serde(default)]
    pub undecided: String,
}

/// What happened on one watched port, since `coverage.since`.
///
/// `opened + opening_missed = closed + evicted + unwatched + open` holds whenever nothing is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStatus {
    /// The declaration's name, or the catalog's.
    pub name: Arc<str>,
    /// The TCP port.
    pub number: u16,
    /// The protocol by declaration or catalog, such as `postgresql`; `null` if neither says.
    pub protocol: Option<Arc<str>>,
    /// Whether the policy declares it; if not, it is watched because the catalog knows it.
    pub declared: bool,
    /// Flows open now.
    pub open: u64,
    /// Flows that were established.
    pub opened: u64,
    /// Flows that have ended.
    pub closed: u64,
    /// Of these, those whose beginning was not known: lost, forgotten, or from before.
    #[serde(default)]
    pub opening_missed: u64,
    /// Flows forgotten because the flow table was full.
    #[serde(default)]
    pub evicted: u64,
    /// Flows forgotten because a reload did away with the port, which has come back since.
    #[serde(default)]
    pub unwatched: u64,
    /// Connects that did not lead to a flow: refused, timed out, denied, aborted.
    pub failed: u64,
    /// Flows that a rule allows, by their last verdict.
    pub declared_flows: u64,
    /// Flows for which evidence is missing; never counted as declared.
    pub undecided: u64,
    /// Flows and listeners in violation, each counted once.
    pub violations_total: u64,
    /// The same by reason; one violation may have several.
    pub violations: BTreeMap<ReasonId, u64>,
    /// Flows open now and flows that ended, by how they are or were encrypted. An open flow of which nothing
    /// was told yet counts as unknown.
    #[serde(default)]
    pub posture: BTreeMap<PostureState, u64>,
}

/// What was seen, handed on and lost. All are counts of events, but for the flows.
///
/// `kernel.seen = kernel.emitted + kernel.filtered + Σ kernel.dropped` and
/// `received = delivered + suppressed + Σ dropped` hold whenever nothing is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// From when the counts run.
    pub since: Timestamp,
    /// What the kernel programs count.
    pub kernel: KernelCounts,
    /// Records read from the kernel programs; all that were emitted once nothing is under way.
    pub records: u64,
    /// Occurrences that became an event, or would have.
    pub received: u64,
    /// Events handed to every sink that wanted them.
    pub delivered: u64,
    /// Events that the policy asked not to have one by one (`emit`); their sums are reported.
    pub suppressed: u64,
    /// Events lost in the daemon, by reason.
    pub dropped: Counts,
    /// Flows forgotten because the flow table was full.
    pub evicted: u64,
    /// Listeners forgotten because there were too many.
    #[serde(default)]
    pub evicted_listeners: u64,
    /// Flows whose encryption was not followed any further because too many were undecided at once.
    #[serde(default)]
    pub posture_given_up: u64,
    /// Ends reported of flows whose beginning was lost.
    pub opening_missed: u64,
    /// Flows whose end was lost, or was not to be seen because they are older than the daemon.
    pub end_missed: u64,
    /// Flows, and failed connects, of which no more is told because a reload did away with their port.
    #[serde(default)]
    pub unwatched: u64,
    /// Listeners of which no more is told for the same reason.
    #[serde(default)]
    pub unwatched_listeners: u64,
    /// Flows in the table now.
    pub flows_open: u64,
    /// Flows the table can hold.
    pub flows_cap: u64,
    /// When something was last lost, in the kernel, the daemon or a sink; `null` if nothing ever was.
    pub last_loss: Option<Timestamp>,
}

/// What the kernel programs count, summed over the CPUs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelCounts {
    /// Occurrences on watched ports, executables and cgroups, of which there could be something to tell.
    pub seen: u64,
    /// Records written to the ring buffer.
    pub emitted: u64,
    /// Occurrences of which there was nothing new to tell.
    pub filtered: u64,
    /// Records lost in the kernel, by reason.
    pub dropped: Counts,
    /// Times the kernel had no memory to keep a socket's owner, whose flow is then told as unknown.
    pub owners_unkept: u64,
}

/// How the processes behind sockets were found out about, since the start of the daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnerStatus {
    /// Owners that were asked for.
    pub asked: u64,
    /// Of these, answered from memory.
    pub remembered: u64,
    /// Executables shown by a live process.
    pub exe_live: u64,
    /// Executables of processes that were gone: known by the name that `execve` was given.
    pub exe_named: u64,
    /// Answers without an executable.
    pub exe_unknown: u64,
    /// Entries that were forgotten because a cache was full.
    pub forgotten: u64,
    /// Answers that went without the name of a user or a group, because the host's name service was late.
    pub names_late: u64,
    /// Users and groups whose names are waited for now.
    pub names_awaited: u64,
}

/// One place events go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkStatus {
    /// Kind and target, such as `file:/var/log/gdprport/events.ndjson`.
    pub name: String,
    /// Events handed to it.
    pub received: u64,
    /// Events it took.
    pub delivered: u64,
    /// Events waiting now.
    pub queued: u64,
    /// Events it lost, by reason.
    pub dropped: Counts,
    /// The last error, `null` if there was none since the last success.
    pub last_error: Option<String>,
}

/// The control socket's own account, since the start of the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlStatus {
    /// Connections open now.
    pub connections: u64,
    /// Connections there may be at once.
    pub connections_cap: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused because too many were open.
    pub refused: u64,
    /// Connections ended by the server: malformed, oversized, or too slow in asking or in reading.
    pub broken: u64,
    /// Requests turned away because there was no room for them or the daemon's loop did not answer in time.
    pub busy: u64,
    /// Requests turned away because the caller may not do this.
    pub forbidden: u64,
    /// Clients that follow the events now.
    pub followers: u64,
    /// Events not sent to a follower that reads too slowly; each gap is marked in its stream.
    pub follower_lost: u64,
}

/// Memory in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Resident set in KiB.
    pub rss_kib: u64,
}
