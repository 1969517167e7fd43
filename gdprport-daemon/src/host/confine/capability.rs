//! The capabilities that the daemon uses, each with what it is for and what is lost without it.

use rustix::thread::CapabilitySet;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capability {
    pub(crate) name: &'static str,
    pub(super) set: CapabilitySet,
    /// What is lost without it; `None`: the daemon does not start.
    pub(crate) cost: Option<&'static str>,
}

/// All of them, those first without which there is no daemon.
static CAPABILITIES: [Capability; 6] = [
    Capability { name: "CAP_BPF", set: CapabilitySet::BPF, cost: None },
    Capability { name: "CAP_PERFMON", set: CapabilitySet::PERFMON, cost: None },
    Capability { name: "CAP_NET_ADMIN", set: CapabilitySet::NET_ADMIN, cost: None },
    Capability {
        name: "CAP_SYS_PTRACE",
        set: CapabilitySet::SYS_PTRACE,
        cost: Some(
            "executables of other users that ran before it, holders of sockets that are older than it, and names of containers are unknown",
        ),
    },
    Capability {
        name: "CAP_DAC_READ_SEARCH",
        set: CapabilitySet::DAC_READ_SEARCH,
        cost: Some(
            "what modes hide is unknown: names of containers, holders of other users' sockets, units that ended at once",
        ),
    },
    Capability {
        name: "CAP_SYS_ADMIN",
        set: CapabilitySet::SYS_ADMIN,
        cost: Some("sockets of other network namespaces (containers) that are older than it are unknown"),
    },
];

/// Those that are not among `given`.
pub(crate) fn missing(given: u64) -> impl Iterator<Item = &'static Capability> {
    CAPABILITIES
        .iter()
        .filter(move |capability| !CapabilitySet::from_bits_retain(given).contains(capability.set))
}

/// All of them together.
pub(super) fn used() -> CapabilitySet {
    CAPABILITIES.iter().fold(CapabilitySet::empty(), |all, capability| all | capability.set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_in_the_order_of_the_table() {
        let names = |given: u64| missing(given).map(|capability| capability.name).collect::<Vec<_>>();
        assert_eq!(names(u64::MAX), [""; 0]);
        assert_eq!(names(0).len(), CAPABILITIES.len());
        assert_eq!(names(!(1 << 21 | 1 << 2)), ["CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"]);
    }
}
