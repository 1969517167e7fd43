//! What a flow is recognised by at a glance, so that its row is found without comparing texts.
//!
//! Texts are compared by their address (`shared`); each address is held, so that nothing else can take it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::flow::Flow;
use crate::model::{Posture, Process};
use crate::shared::Shared;
use crate::verdict::{ReasonSet, Verdict};

/// As many are remembered. A server with this many clients in an hour finds every row at once; one with more looks a part
/// of them up by value.
const MOST: usize = 16_384;

/// And what their processes take together, bytes: a path has up to 4 KiB, and a server that forks for every connection has
/// a process for each of them.
const MOST_BYTES: usize = 8 << 20;

/// What a flow is recognised by: equal for flows of the same row. The row of two that are not equal may be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Glance {
    /// Addresses: of the process, the role of the verdict's rule, and the cipher; 0 if there is none.
    process: usize,
    role: usize,
    cipher: usize,
    peer: u128,
    /// The hour, and the place of the port among those that are watched.
    place: u64,
    /// What was decided, how it is encrypted, and the direction, in bits.
    what: u64,
}

impl Glance {
    pub(super) fn of(flow: &Flow, port: usize, hour: i64) -> Self {
        let verdict = &*flow.verdict;
        let posture = flow.posture.as_deref();
        let outcome: u64 = match verdict {
            Verdict::Declared { .. } => 0,
            Verdict::Violation { .. } => 1,
            Verdict::Undecided { .. } => 2,
        };
        let encrypted = posture.map_or(0, |posture| {
            1 | (posture.state as u64) << 1 | posture.version.map_or(0, |version| version as u64 + 1) << 8
        });
        let reasons = u64::from(ReasonSet::from(verdict).bits());
        Self {
            process: flow.process.as_ref().map_or(0, Shared::address),
            role: address(role(verdict)),
            cipher: address(posture.and_then(|posture| posture.cipher.as_ref())),
            peer: bits(flow.known_peer()),
            place: (hour as u64) << 32 | port as u64,
            what: reasons | encrypted << 16 | outcome << 32 | (flow.direction as u64) << 34,
        }
    }
}

fn address(text: Option<&Arc<str>>) -> usize {
    text.map_or(0, |text| Arc::as_ptr(text).addr())
}

/// The role that a verdict names.
const fn role(verdict: &Verdict) -> Option<&Arc<str>> {
    match verdict {
        Verdict::Declared { rule } => Some(rule),
        Verdict::Violation { nearest: Some(nearest), .. }
        | Verdict::Undecided { nearest: Some(nearest), .. } => Some(&nearest.role),
        Verdict::Violation { .. } | Verdict::Undecided { .. } => None,
    }
}

/// Both families in one, those of version 4 as they stand in version 6.
pub(super) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The rows of what was seen before.
#[derive(Debug, Default)]
pub(super) struct Seen {
    rows: HashMap<Glance, (u32, Held), RandomState>,
    bytes: usize,
}

/// What the addresses of a glance belong to.
#[derive(Debug)]
struct Held {
    _process: Option<Shared<Process>>,
    _verdict: Option<Arc<str>>,
    _posture: Option<Arc<str>>,
}

impl Seen {
    /// The row of one that was seen before.
    pub(super) fn get(&self, glance: &Glance) -> Option<u32> {
        self.rows.get(glance).map(|(row, _)| *row)
    }

    /// Remembers the row of a flow.
    pub(super) fn insert(&mut self, glance: Glance, flow: &Flow, row: u32) {
        let bytes = flow.process.as_deref().map_or(0, Process::weight);
        if self.rows.len() >= MOST || self.bytes + bytes > MOST_BYTES {
            self.clear();
        }
        self.bytes += bytes;
        let cipher = |posture: &Posture| posture.cipher.clone();
        let held = Held {
            _process: flow.process.clone(),
            _verdict: role(&flow.verdict).cloned(),
            _posture: flow.posture.as_deref().and_then(cipher),
        };
        self.rows.insert(glance, (row, held));
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.bytes = 0;
    }
}
