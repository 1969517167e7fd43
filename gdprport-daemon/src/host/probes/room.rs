//! How large the tables are by which connects are decided.

use gdprport_core::enforce::Tables;

pub(super) const PORTS: &str = "ENFORCE_PORTS";
pub(super) const PEERS: &str = "ENFORCE_PEERS";
pub(super) const STEPS: &str = "ENFORCE_STEP_LISTS";
pub(super) const CLASSES: &str = "ENFORCE_CLASSES";
pub(super) const RULES: &str = "ENFORCE_RULES";

/// Entries that each table has room for. It is fixed while the kernel side is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EnforceRoom {
    pub ports: u32,
    pub peers: u32,
    pub steps: u32,
    pub classes: u32,
    pub rules: u32,
}

/// Room for a policy of a thousand rules and as many peers as a policy may have, so that it can be put in force without a restart. A
/// trie takes memory for its entries alone, so that there is room for all peers twice, and a quarter more; the heads of the other
/// tables take 0.8 MB.
impl Default for EnforceRoom {
    fn default() -> Self {
        Self { ports: 256, peers: 655_360, steps: 8_192, classes: 8_192, rules: 32_768 }
    }
}

impl EnforceRoom {
    /// Room for these tables, for those that replace them, and for a quarter more of each: executables and cgroups appear.
    #[must_use]
    pub(crate) fn of(tables: &Tables) -> Self {
        let least = Self::default();
        let room = |rows: usize, least: u32| {
            u32::try_from((rows + rows / 4).saturating_mul(2)).unwrap_or(u32::MAX).max(least)
        };
        Self {
            ports: room(tables.ports.len(), least.ports),
            peers: room(tables.peers.len(), least.peers),
            steps: room(tables.steps.len(), least.steps),
            classes: room(tables.classes.len(), least.classes),
            rules: room(tables.rules.len(), least.rules),
        }
    }

    /// By the name of the map.
    pub(super) const fn by_map(self) -> [(&'static str, u32); 5] {
        [
            (PORTS, self.ports),
            (PEERS, self.peers),
            (STEPS, self.steps),
            (CLASSES, self.classes),
            (RULES, self.rules),
        ]
    }
}
