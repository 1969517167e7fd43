//! The tables by which the kernel side decides connections: their keys and values.
//!
//! Belongs here: layouts and reserved numbers. How a policy becomes tables, and the algorithm that reads them, is
//! `gdprport_core::enforce`. Every key begins with the generation, so that two policies are in the same maps while one
//! replaces the other, and a decision reads one of them only.
//!
//! A decision: number, or its [`EnforcePort`] if its groups are called after another one → peer, by the longest prefix →
//! [`EnforcePeer`] → its steps, and those that have no room there in [`EnforceSteps`]. Each step is a bucket of rules and which
//! parts of the caller's identity they ask for: one look-up of [`EnforceRuleKey`] by the classes of these parts. The caller may,
//! if one of the rules found is not past its end; no further step is asked then.

/// The parts of an identity that rules ask about; each value of a part has a class.
pub const ENFORCE_PARTS: usize = 4;
/// The file that the caller runs: the fingerprint of its path.
pub const ENFORCE_EXE: usize = 0;
/// The caller's real user id.
pub const ENFORCE_UID: usize = 1;
/// The caller's real group id.
pub const ENFORCE_GID: usize = 2;
/// The caller's cgroup, by its id: unit, slice and container.
pub const ENFORCE_CGROUP: usize = 3;

/// The class of a value that no table names.
pub const CLASS_UNLISTED: u32 = 0;
/// The class of a part that is not known of the caller.
pub const CLASS_UNKNOWN: u32 = 1;
/// The class of a part that the caller withheld: no rule that asks for it allows.
pub const CLASS_WITHHELD: u32 = 2;
/// The first class that is no such.
pub const CLASS_FIRST: u32 = 3;

/// Steps that a peer itself has room for: most have no more.
pub const ENFORCE_FIRST: usize = 3;
/// Steps of one [`EnforceSteps`].
pub const ENFORCE_STEPS: usize = 8;
/// Most [`EnforceSteps`] of one peer: 64 look-ups bound a decision, with those of the steps that stand with the peer.
pub const ENFORCE_STEPS_CHAIN: usize = 8;

/// In [`EnforceRule`]: it never ends.
pub const ENFORCE_FOREVER: u64 = u64::MAX;

/// In [`EnforcePeer::flags`]: what is not allowed would be denied, and is marked so (`mode = "warn"`).
pub const ENFORCE_WARN: u8 = 1;
/// In [`EnforcePeer::flags`]: what is not allowed is denied.
pub const ENFORCE_DENY: u8 = 2;
/// In [`EnforcePeer::flags`]: so is what is unknown.
pub const ENFORCE_DENY_UNKNOWN: u8 = 4;
/// In [`EnforcePeer::flags`]: the peer may belong to another declaration, so that nothing is known.
pub const ENFORCE_OPEN: u8 = 8;
/// In [`EnforcePeer::flags`]: nothing is decided while no daemon renews its lease (`on_daemon_loss = "allow"`).
pub const ENFORCE_LOST_PASSES: u8 = 16;
/// In [`EnforcePeer::flags`]: nothing is allowed while none does ("deny").
pub const ENFORCE_LOST_DENIES: u8 = 32;

/// The port of name services. One on the loopback is never denied: without it nothing on a host works, also what would put it right.
pub const NAME_SERVICE: u16 = 53;

/// Key of connects that are never denied: of this user to this port.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnforceOwnKey {
    /// The real user id.
    pub uid: u32,
    /// The TCP port, host byte order.
    pub port: u32,
}

/// In [`EnforceExe::state`]: not known.
pub const EXE_UNKNOWN: u32 = 0;
/// In [`EnforceExe::state`]: known by the fingerprint of its path.
pub const EXE_PATH: u32 = 1;
/// In [`EnforceExe::state`]: the process saw to it that it is not known.
pub const EXE_WITHHELD: u32 = 2;

/// Which generation of the tables is in force. One that is on trial gives way by itself, whether there is a daemon or not.
///
/// It is written word by word, so that a reader may find some of the fields before and some after: whoever writes it sees to it
/// that all combinations name a generation that may be in force.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnforceInForce {
    /// It; 0: nothing is decided.
    pub generation: u32,
    /// The one that takes its place; 0: nothing is decided then.
    pub then: u32,
    /// When, in nanoseconds of `CLOCK_BOOTTIME`; 0: never.
    pub until_ns: u64,
}

impl EnforceInForce {
    /// The generation in force at this time.
    #[must_use]
    #[inline(always)]
    pub const fn at(&self, now_ns: u64) -> u32 {
        if self.until_ns != 0 && now_ns >= self.until_ns { self.then } else { self.generation }
    }
}

/// Key of a port that is decided.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnforcePortKey {
    /// The generation.
    pub generation: u32,
    /// The TCP port, host byte order: the local one of an accepted connection, the peer's of one that is made here.
    pub number: u32,
}

/// What a port is decided by. Ports with the same declarations share groups: those that [`Self::own`] says of one of them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnforcePort {
    /// The group of peers of connections that are accepted.
    pub accepted: u32,
    /// The group of peers of connections that are made here.
    pub connected: u32,
    /// The group of addresses that a socket may be bound to here, which stand where peers do; 0: binding is not decided.
    pub bound: u32,
}

impl EnforcePort {
    /// The groups that are called after this port. If they have peers, they are its own and it need not be looked up: each group
    /// has a network that contains every address of IPv6, and one of IPv4.
    #[must_use]
    #[inline(always)]
    pub const fn own(number: u32) -> Self {
        Self { accepted: number, connected: number | 1 << 16, bound: number | 2 << 16 }
    }
}

/// Key of a network of peers, for the longest prefix.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnforcePeerKey {
    /// Bits of what follows that count: 64 for generation and group, and those of the address.
    pub prefix: u32,
    /// The generation.
    pub generation: u32,
    /// The group, of [`EnforcePort`].
    pub group: u32,
    /// The address in network byte order; of IPv4 the mapped one, `::ffff:a.b.c.d`.
    pub address: [u32; 4],
}

/// What a peer is decided by.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnforcePeer {
    /// The number of the [`EnforceSteps`] that follow those in `first`; 0: none do.
    pub steps: u32,
    /// The declaration that the peer falls under, by its place in the policy.
    pub declaration: u32,
    /// `ENFORCE_*` bits.
    pub flags: u8,
    /// Which parts of the identity some step asks for: bit n for part n.
    pub parts: u8,
    /// Always 0.
    pub reserved: u16,
    /// The first steps, up to one with bucket 0; without any, nothing is allowed.
    pub first: [EnforceStep; ENFORCE_FIRST],
}

/// Key of a list of steps.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnforceStepsKey {
    /// The generation.
    pub generation: u32,
    /// Its number, from 1.
    pub number: u32,
}

/// Some rules, among which those are that allow the caller.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnforceStep {
    /// Their number, from 1.
    pub bucket: u32,
    /// Which parts of the identity they ask for: bit n for part n.
    pub parts: u32,
}

/// Steps of a peer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnforceSteps {
    /// How many there are.
    pub count: u32,
    /// The number of those that follow; 0: none do.
    pub next: u32,
    /// The steps.
    pub steps: [EnforceStep; ENFORCE_STEPS],
}

/// Key of a value's class, a `u32`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnforceClassKey {
    /// The generation.
    pub generation: u32,
    /// Which part of an identity it is: `ENFORCE_EXE` and others.
    pub part: u32,
    /// The value: an id in the first word and 0, or both words of a fingerprint.
    pub value: [u64; 2],
}

/// Key of the rules of a bucket that ask for these classes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnforceRuleKey {
    /// The generation.
    pub generation: u32,
    /// The bucket.
    pub bucket: u32,
    /// The class of each part that the bucket asks for, 0 for the others.
    pub classes: [u32; ENFORCE_PARTS],
}

/// What the rules of one key say, in nanoseconds of `CLOCK_BOOTTIME`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnforceRule {
    /// The last moment at which one of them allows; 0: none does.
    pub allows_until: u64,
    /// The last moment at which one of them may allow, were more known; 0: none may.
    pub unknown_until: u64,
}

/// What is known of the file that a process runs, for decisions: made at its `execve`, inherited by its children.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnforceExe {
    /// SipHash-2-4 with 128 bits of its path's components, as in [`crate::ExecRecord::file`]; 0 without a known path, or if
    /// that is too long for one that a rule could name.
    pub fingerprint: [u64; 2],
    /// `EXE_*`.
    pub state: u32,
    /// Always 0.
    pub reserved: u32,
}

/// What became of the connections that decisions were asked about: `asked = left + allowed + unknown + would_deny + denied +
/// unsettled`, always. A part of [`crate::Counters`].
///
/// One that arrives is asked about when it is established, or when its SYN is denied. Of sockets that are bound it says the same.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnforceTally {
    /// Connections of ports with [`crate::PortFlags::DECIDED`].
    pub asked: u64,
    /// Passed: the tables leave them alone, as no declaration with a mode is about this peer, or no generation is active.
    pub left: u64,
    /// Passed: a rule allows them.
    pub allowed: u64,
    /// Passed: no rule allows them as far as is known, and one may (`on_unknown = "allow"`).
    pub unknown: u64,
    /// Passed because of `mode = "warn"`: they would be denied.
    pub would_deny: u64,
    /// Denied. Each is an occasion of [`crate::Hook::Denied`] too.
    pub denied: u64,
    /// Passed undecided, because the active generation changed twice meanwhile; or, of one that arrived, between its SYN and the
    /// end of its handshake.
    pub unsettled: u64,
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: repr(C) structs of integers, sized without padding (asserted below), every bit pattern valid.
    unsafe impl aya::Pod for super::EnforceInForce {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::EnforcePortKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::EnforceOwnKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::EnforcePeerKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::EnforcePort {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::EnforcePeer {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::EnforceStepsKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::EnforceSteps {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::EnforceClassKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::EnforceRuleKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::EnforceRule {}
}

const _: () = {
    assert!(size_of::<EnforceOwnKey>() == 8);
    assert!(size_of::<EnforcePortKey>() == 8 && size_of::<EnforcePort>() == 12);
    assert!(size_of::<EnforcePeerKey>() == 28 && size_of::<EnforcePeer>() == 36);
    assert!(size_of::<EnforceStepsKey>() == 8 && size_of::<EnforceSteps>() == 72);
    assert!(size_of::<EnforceClassKey>() == 24 && size_of::<EnforceRuleKey>() == 24);
    assert!(size_of::<EnforceInForce>() == 16);
    assert!(size_of::<EnforceRule>() == 16 && size_of::<EnforceExe>() == 24);
};
