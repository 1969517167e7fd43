//! What an event is recognised by at a glance, so that its group is found without comparing texts.
//!
//! Texts are compared by their address (`shared`); each address is held, so that nothing else can take it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::kind::{Class, role};
use crate::event::{FlowEvent, Port};
use crate::model::Process;
use crate::shared::Shared;
use crate::verdict::ReasonSet;

/// As many are remembered; more are found by value.
const MOST: usize = 4_096;

/// And what their processes take together, bytes: a path has up to 4 KiB, and a server that forks for every connection has a
/// process for each of them.
const MOST_BYTES: usize = 4 << 20;

/// What an event is recognised by: equal for events of the same group. The group of two that are not equal may be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Glance {
    /// Addresses: of the port, the process, the role that the verdict names, and the policy's digest; 0 if there is none.
    port: usize,
    process: usize,
    role: usize,
    policy: usize,
    peer: u128,
    /// What was decided, how it is encrypted, and the direction, in bits.
    what: u64,
}

impl Glance {
    #[inline]
    pub(super) fn of(event: &FlowEvent) -> Self {
        let encrypted = event.posture.as_deref().map_or(0, |posture| {
            1 | (posture.state as u64) << 1 | posture.version.map_or(0, |version| version as u64 + 1) << 8
        });
        let reasons = u64::from(ReasonSet::from(&*event.verdict).bits());
        let (direction, class) = (event.flow.direction as u64, Class::of(event) as u64);
        Self {
            port: event.port.address(),
            process: event.process.as_ref().map_or(0, Shared::address),
            role: address(role(&event.verdict)),
            policy: address(event.policy.as_ref().map(|policy| &policy.digest)),
            peer: match event.flow.peer.ip {
                IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
                IpAddr::V6(address) => address.to_bits(),
            },
            what: reasons | encrypted << 16 | class << 32 | direction << 34,
        }
    }
}

fn address(text: Option<&Arc<str>>) -> usize {
    text.map_or(0, |text| Arc::as_ptr(text).addr())
}

/// A group that was found: its place, and the number by which it is known whether it still has that place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) place: u32,
    pub(super) number: u64,
}

/// The groups of what was seen before.
#[derive(Debug, Default)]
pub(super) struct Seen {
    groups: HashMap<Glance, (Found, Held), RandomState>,
    bytes: usize,
}

/// What the addresses of a glance belong to.
#[derive(Debug)]
struct Held {
    _port: Shared<Port>,
    _process: Option<Shared<Process>>,
    _role: Option<Arc<str>>,
    _policy: Option<Arc<str>>,
}

impl Seen {
    /// The group of one that was seen before.
    #[inline]
    pub(super) fn get(&self, glance: &Glance) -> Option<Found> {
        self.groups.get(glance).map(|(found, _)| *found)
    }

    /// Remembers the group of an event.
    pub(super) fn insert(&mut self, glance: Glance, event: &FlowEvent, found: Found) {
        let bytes = event.process.as_deref().map_or(0, Process::weight);
        if self.groups.len() >= MOST || self.bytes + bytes > MOST_BYTES {
            self.clear();
        }
        self.bytes += bytes;
        let held = Held {
            _port: Shared::clone(&event.port),
            _process: event.process.clone(),
            _role: role(&event.verdict).cloned(),
            _policy: event.policy.as_ref().map(|policy| Arc::clone(&policy.digest)),
        };
        self.groups.insert(glance, (found, held));
    }

    pub(super) fn clear(&mut self) {
        self.groups.clear();
        self.bytes = 0;
    }
}
