//! Per-CPU counters of the kernel side. For every hook, `seen = emitted + filtered + grouped + dropped`; for decisions,
//! `asked = left + allowed + unknown + would_deny + denied + unsettled`.

use crate::enforce::EnforceTally;

/// The places where the kernel side decides about a record.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `sock_ops` established callbacks.
    Established = 0,
    /// `cgroup/getpeername`: acceptors.
    Accept = 1,
    /// `sock_ops` state callbacks of connected sockets.
    Close = 2,
    /// `sock_ops` listen callbacks and their end, and at `cgroup/bind` the sockets that the policy does not let be bound.
    Listen = 3,
    /// Executables sent ahead of a flow.
    Exec = 4,
    /// `tracepoint/cgroup/cgroup_mkdir`.
    Cgroup = 5,
    /// Connects that never left this host: at `cgroup/sock_release`, and at `cgroup/connect` those that the policy denies. At
    /// `cgroup_skb` the SYNs that it denies.
    Denied = 6,
    /// `cgroup_skb`: payload segments of flows whose encryption is not yet known.
    Payload = 7,
}

/// Number of [`Hook`]s.
pub const HOOKS: usize = 8;

impl Hook {
    /// All hooks, in the order of their numbers.
    pub const ALL: [Self; HOOKS] = [
        Self::Established,
        Self::Accept,
        Self::Close,
        Self::Listen,
        Self::Exec,
        Self::Cgroup,
        Self::Denied,
        Self::Payload,
    ];

    /// The name used in status, events and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Accept => "accept",
            Self::Close => "close",
            Self::Listen => "listen",
            Self::Exec => "exec",
            Self::Cgroup => "cgroup",
            Self::Denied => "denied",
            Self::Payload => "payload",
        }
    }
}

/// What happened to the occasions of one hook. `seen = emitted + filtered + grouped +
/// dropped_ring_full`, always.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookCounters {
    /// Occasions on which a record could have been due.
    pub seen: u64,
    /// Records submitted to the ring buffer.
    pub emitted: u64,
    /// Occasions with nothing new to report.
    pub filtered: u64,
    /// Occasions that were counted in a group, because the ring buffer was nearly full ([`crate::OverloadGroup`]).
    pub grouped: u64,
    /// Records lost because the ring buffer was full.
    pub dropped_ring_full: u64,
}

/// One CPU's counters, by [`Hook`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Indexed by [`Hook`].
    pub hooks: [HookCounters; HOOKS],
    /// Times the owner of a socket could not be stored, because the socket's or the host's memory for that was used up
    /// (`net.core.optmem_max`): its flow is reported with an unknown owner.
    pub unkept: u64,
    /// What became of the connects that the policy decides.
    pub decisions: EnforceTally,
    /// What became of the connections that arrive and that the policy decides.
    pub arrivals: EnforceTally,
    /// SYNs of an attempt that was denied and is counted in `arrivals` already: its client sent them again.
    pub repeated: u64,
    /// What became of sockets that were bound to a port of which the policy decides who listens.
    pub binds: EnforceTally,
    /// Of the denied ones of `binds` those without a record: their process had tried the same within a second before.
    pub repeated_binds: u64,
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: repr(C) of u64 only, no padding, every bit pattern valid.
    unsafe impl aya::Pod for super::Counters {}
}
