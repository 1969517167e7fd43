//! Deciding a connection by the tables, step by step as it can be done in the kernel.
//!
//! The maps of the kernel are hash tables here; no step is left out or put together.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use gdprport_common::{
    CLASS_UNKNOWN, CLASS_UNLISTED, CLASS_WITHHELD, ENFORCE_CGROUP, ENFORCE_DENY, ENFORCE_DENY_UNKNOWN,
    ENFORCE_EXE, ENFORCE_GID, ENFORCE_LOST_DENIES, ENFORCE_LOST_PASSES, ENFORCE_OPEN, ENFORCE_PARTS,
    ENFORCE_STEPS_CHAIN, ENFORCE_UID, ENFORCE_WARN, EnforceClassKey, EnforceOwnKey, EnforcePeer,
    EnforcePeerKey, EnforcePort, EnforcePortKey, EnforceRule, EnforceRuleKey, EnforceStep, EnforceSteps,
    EnforceStepsKey, NAME_SERVICE,
};

use super::tables::Tables;
use crate::model::Direction;

/// Who makes a connection, as far as the kernel knows it in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Not known: a kernel thread, or whoever will accept.
    Unknown,
    /// Not known because a process saw to that: it had a worker of io_uring connect, before Linux 5.12.
    Withheld,
    /// A process.
    Process {
        /// The file that it runs.
        executable: Executable,
        /// Its real user id.
        uid: u32,
        /// Its real group id.
        gid: u32,
        /// Its cgroup's id.
        cgroup: u64,
    },
}

/// The file that a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executable {
    /// By the fingerprint of its path, which is proven.
    Path([u64; 2]),
    /// Not known.
    Unknown,
    /// Not known because the process saw to that.
    Withheld,
}

/// Whether the rules allow a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A rule allows it.
    Allowed,
    /// None does as far as is known, and one may.
    Unknown,
    /// None does.
    Denied,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// What the rules say.
    pub decision: Decision,
    /// Whether it is denied with `mode = "enforce"`, and would be with "warn".
    pub denies: bool,
    /// Whether the mode is "warn": it passes.
    pub passes: bool,
    /// The declaration that it falls under, by its place in the policy.
    pub declaration: u32,
}

/// The kernel's maps.
#[derive(Debug, Default)]
pub struct Interpreter {
    /// The generation that decisions read.
    active: u32,
    /// No daemon keeps the tables current.
    is_lost: bool,
    /// Connects that are never denied.
    own: HashSet<EnforceOwnKey>,
    ports: HashMap<EnforcePortKey, EnforcePort>,
    peers: HashMap<EnforcePeerKey, EnforcePeer>,
    steps: HashMap<EnforceStepsKey, EnforceSteps>,
    classes: HashMap<EnforceClassKey, u32>,
    rules: HashMap<EnforceRuleKey, EnforceRule>,
}

impl Interpreter {
    /// Adds the rows of a generation. No decision reads them until it is made the active one.
    pub fn load(&mut self, tables: &Tables) {
        self.ports.extend(tables.ports.iter().copied());
        self.peers.extend(tables.peers.iter().copied());
        self.steps.extend(tables.steps.iter().copied());
        self.classes.extend(tables.classes.iter().copied());
        self.rules.extend(tables.rules.iter().copied());
    }

    /// Lets decisions read this generation from now on.
    pub const fn activate(&mut self, generation: u32) {
        self.active = generation;
    }

    /// A daemon keeps the tables current, or none does any more.
    pub const fn lose(&mut self, is_lost: bool) {
        self.is_lost = is_lost;
    }

    /// Connects of this user to this port are never denied.
    pub fn exempt(&mut self, uid: u32, port: u16) {
        self.own.insert(EnforceOwnKey { uid, port: port.into() });
    }

    /// Removes the rows of a generation that no decision reads any more.
    pub fn remove(&mut self, generation: u32) {
        self.ports.retain(|key, _| key.generation != generation);
        self.peers.retain(|key, _| key.generation != generation);
        self.steps.retain(|key, _| key.generation != generation);
        self.classes.retain(|key, _| key.generation != generation);
        self.rules.retain(|key, _| key.generation != generation);
    }

    /// What becomes of a connection that arrives, before it is accepted: `listener` is who listens. What its rules allow of the
    /// listener is allowed; what they may allow of whoever else accepts is unknown.
    #[must_use]
    pub fn arriving(&self, number: u16, peer: IpAddr, listener: Caller, now_ns: u64) -> Option<Decided> {
        let of_listener = self.decide(Direction::In, number, peer, listener, now_ns)?;
        if of_listener.decision == Decision::Allowed {
            return Some(of_listener);
        }
        self.decide(Direction::In, number, peer, Caller::Unknown, now_ns)
    }

    /// What becomes of a connection at this moment of `CLOCK_BOOTTIME`, which is not 0; `None`: it is not decided here.
    #[must_use]
    pub fn decide(
        &self,
        direction: Direction,
        number: u16,
        peer: IpAddr,
        caller: Caller,
        now_ns: u64,
    ) -> Option<Decided> {
        let outward = direction == Direction::Out;
        if outward && number == NAME_SERVICE && peer.to_canonical().is_loopback() {
            return None;
        }
        let key = |uid| EnforceOwnKey { uid, port: number.into() };
        let is_own = outward && matches!(caller, Caller::Process { uid, .. } if self.own.contains(&key(uid)));
        let group = |port: &EnforcePort| match direction {
            Direction::In => port.accepted,
            Direction::Out => port.connected,
        };
        self.of_group(number, group, peer, caller, now_ns, is_own)
    }

    /// What becomes of a socket that a process binds to this port and address here; `None`: it is not decided.
    #[must_use]
    pub fn bind(&self, number: u16, address: IpAddr, caller: Caller, now_ns: u64) -> Option<Decided> {
        self.of_group(number, |port| port.bound, address, caller, now_ns, false)
    }

    /// What becomes of a connection with a peer of this group, or of a socket with an address of it. `is_own`: it is never denied.
    fn of_group(
        &self,
        number: u16,
        group: impl Fn(&EnforcePort) -> u32,
        peer: IpAddr,
        caller: Caller,
        now_ns: u64,
        is_own: bool,
    ) -> Option<Decided> {
        let generation = self.active;
        let peer = self.longest(generation, group(&EnforcePort::own(number.into())), peer).or_else(|| {
            let port = self.ports.get(&EnforcePortKey { generation, number: number.into() })?;
            self.longest(generation, group(port), peer)
        })?;
        if peer.flags & (ENFORCE_WARN | ENFORCE_DENY) == 0 {
            return None;
        }
        let passes = peer.flags & ENFORCE_DENY == 0;
        if self.is_lost && peer.flags & (ENFORCE_LOST_PASSES | ENFORCE_LOST_DENIES) != 0 {
            // No rule is asked.
            let (decision, denies) = (Decision::Denied, true);
            let is_left = peer.flags & ENFORCE_LOST_PASSES != 0 || is_own;
            return (!is_left).then_some(Decided { decision, denies, passes, declaration: peer.declaration });
        }
        let decision = if peer.flags & ENFORCE_OPEN != 0 {
            // Whatever rules say.
            Decision::Unknown
        } else {
            self.ask(generation, peer, &self.classes(generation, peer.parts, caller), now_ns)
        };
        let denies = match decision {
            Decision::Allowed => false,
            Decision::Unknown => peer.flags & ENFORCE_DENY_UNKNOWN != 0,
            Decision::Denied => true,
        };
        if denies && is_own {
            return None;
        }
        Some(Decided { decision, denies, passes, declaration: peer.declaration })
    }

    /// What the rules of a peer say, up to the first that allows.
    fn ask(
        &self,
        generation: u32,
        peer: &EnforcePeer,
        classes: &[u32; ENFORCE_PARTS],
        now_ns: u64,
    ) -> Decision {
        let mut may_allow = false;
        let mut allows = |step: &EnforceStep| {
            let mut key = EnforceRuleKey { generation, bucket: step.bucket, classes: *classes };
            for (part, class) in key.classes.iter_mut().enumerate() {
                if step.parts & (1 << part) == 0 {
                    *class = 0;
                }
            }
            let rule = self.rules.get(&key).copied().unwrap_or_default();
            may_allow |= now_ns <= rule.unknown_until;
            now_ns <= rule.allows_until
        };
        if peer.first.iter().take_while(|step| step.bucket != 0).any(&mut allows) {
            return Decision::Allowed;
        }
        let mut number = peer.steps;
        for _ in 0..ENFORCE_STEPS_CHAIN {
            if number == 0 {
                break;
            }
            let Some(list) = self.steps.get(&EnforceStepsKey { generation, number }) else {
                // A table that is not whole proves nothing.
                return Decision::Unknown;
            };
            if (0..list.count).zip(&list.steps).any(|(_, step)| allows(step)) {
                return Decision::Allowed;
            }
            number = list.next;
        }
        if may_allow { Decision::Unknown } else { Decision::Denied }
    }

    /// The longest prefix, as the kernel's trie finds it.
    fn longest(&self, generation: u32, group: u32, peer: IpAddr) -> Option<&EnforcePeer> {
        let whole = mapped(peer);
        (0..=128_u32).rev().find_map(|bits| {
            let key = EnforcePeerKey { prefix: 64 + bits, generation, group, address: cut(whole, bits) };
            self.peers.get(&key)
        })
    }

    fn classes(&self, generation: u32, parts: u8, caller: Caller) -> [u32; ENFORCE_PARTS] {
        let (executable, uid, gid, cgroup) = match caller {
            Caller::Unknown => return [CLASS_UNKNOWN; ENFORCE_PARTS],
            Caller::Withheld => return [CLASS_WITHHELD; ENFORCE_PARTS],
            Caller::Process { executable, uid, gid, cgroup } => (executable, uid, gid, cgroup),
        };
        let of = |part: usize, value: [u64; 2]| {
            if parts & (1 << part) == 0 {
                return CLASS_UNLISTED;
            }
            let part = u32::try_from(part).expect("four parts");
            let class = self.classes.get(&EnforceClassKey { generation, part, value });
            class.copied().unwrap_or(CLASS_UNLISTED)
        };
        let mut classes = [CLASS_UNLISTED; ENFORCE_PARTS];
        classes[ENFORCE_EXE] = match executable {
            Executable::Path(fingerprint) => of(ENFORCE_EXE, fingerprint),
            Executable::Unknown => CLASS_UNKNOWN,
            Executable::Withheld => CLASS_WITHHELD,
        };
        classes[ENFORCE_UID] = of(ENFORCE_UID, [uid.into(), 0]);
        classes[ENFORCE_GID] = of(ENFORCE_GID, [gid.into(), 0]);
        classes[ENFORCE_CGROUP] = of(ENFORCE_CGROUP, [cgroup, 0]);
        classes
    }
}

/// An address as the tables have it: 128 bits, of IPv4 the mapped one.
pub(super) fn mapped(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The first bits of an address, as words in network byte order.
pub(super) fn cut(address: u128, bits: u32) -> [u32; 4] {
    let kept = if bits == 0 { 0 } else { address & (u128::MAX << (128 - bits)) };
    let bytes = kept.to_be_bytes();
    std::array::from_fn(|word| {
        let at = 4 * word;
        u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    })
}
