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

/// Room for a policy of some hundred rules, so that it can be put in force without a restart. Its heads take 170 KB.
impl Default for EnforceRoom {
    fn default() -> Self {
        Self { ports: 256, peers: 4_096, steps: 2_048, classes: 4_096, rules: 4_096 }
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
