//! The tables of one generation, and how large they may be.

use gdprport_common::{
    EnforceClassKey, EnforcePeer, EnforcePeerKey, EnforcePort, EnforcePortKey, EnforceRule, EnforceRuleKey,
    EnforceSteps, EnforceStepsKey,
};
use ipnet::IpNet;

/// Most networks of peers of all groups: 128 bytes each in the kernel.
pub(super) const PEERS_MAX: usize = 262_144;
/// Most lists of steps: 128 bytes each.
pub(super) const STEPS_MAX: usize = 262_144;
/// Most values with a class: 80 bytes each.
pub(super) const CLASSES_MAX: usize = 262_144;
/// Most entries of rules: 96 bytes each. A rule takes one for each combination of classes that may meet it, which are some ten
/// where it asks for executable, user and unit: so 100,000 of them have room.
pub(super) const RULES_MAX: usize = 1_048_576;

/// The rows of every table, all of one generation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    /// The ports that are decided.
    pub ports: Vec<(EnforcePortKey, EnforcePort)>,
    /// The networks of peers. Each group has one that contains every address of IPv6, and one of IPv4.
    pub peers: Vec<(EnforcePeerKey, EnforcePeer)>,
    /// The steps of peers.
    pub steps: Vec<(EnforceStepsKey, EnforceSteps)>,
    /// The classes of values.
    pub classes: Vec<(EnforceClassKey, u32)>,
    /// What rules say.
    pub rules: Vec<(EnforceRuleKey, EnforceRule)>,
}

/// A policy that is too large for the kernel's tables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// In a table.
    #[error("the ports with a mode need more than {most} {what}: {help}")]
    Table {
        /// Of what there are too many.
        what: &'static str,
        /// How many there may be.
        most: usize,
        /// What to do.
        help: &'static str,
    },
    /// Of one peer.
    #[error(
        "more than {most} different sets of rules are about {peer} on one port: name it in fewer sets of `[peers]`"
    )]
    Peer {
        /// The peer.
        peer: IpNet,
        /// How many there may be.
        most: usize,
    },
}

impl TooLarge {
    /// Refuses one more than there may be.
    pub(super) const fn check(
        count: usize,
        most: usize,
        what: &'static str,
        help: &'static str,
    ) -> Result<(), Self> {
        if count > most { Err(Self::Table { what, most, help }) } else { Ok(()) }
    }
}
