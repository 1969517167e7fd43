//! Groups: what the kernel side counts together while the ring buffer has no room for each connection's records.
//!
//! Belongs here: keys and values of the maps `OVERLOAD_PEERS`, `OVERLOAD_NETWORKS` and `OVERLOAD_PORTS`. The maps are
//! levels, from fine to coarse: what finds no room in one is counted in the next.

use crate::record::FlowRecord;

/// [`OverloadKey::direction`]: accepted here, the watched port is the local one.
pub const OVERLOAD_IN: u8 = 0;
/// [`OverloadKey::direction`]: connected from here, the watched port is the peer's.
pub const OVERLOAD_OUT: u8 = 1;

/// [`OverloadKey::level`]: connections of one owner with one peer address.
pub const OVERLOAD_PEERS: u8 = 0;
/// [`OverloadKey::level`]: connections of one owner with the peers of one network, [`PREFIX_V4`] or [`PREFIX_V6`] long.
pub const OVERLOAD_NETWORKS: u8 = 1;
/// [`OverloadKey::level`]: all connections of one port, direction and address family.
pub const OVERLOAD_PORTS: u8 = 2;

/// Bits of an IPv4 network of [`OVERLOAD_NETWORKS`].
pub const PREFIX_V4: u8 = 24;
/// Bits of an IPv6 network of [`OVERLOAD_NETWORKS`]: what one site is usually given (RFC 6177).
pub const PREFIX_V6: u8 = 48;

/// What the connections of a group have in common. Every byte is defined, since the kernel compares bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct OverloadKey {
    /// The number of the collection that is to take this group. The daemon raises it before it reads; once no program
    /// uses the old number any more, its groups do not change.
    pub epoch: u32,
    /// The watched TCP port, host byte order.
    pub port: u16,
    /// [`OVERLOAD_IN`] or [`OVERLOAD_OUT`].
    pub direction: u8,
    /// 4 or 6: the family of `peer`, 4 for an IPv4-mapped address.
    pub family: u8,
    /// The peer's address or network, network byte order, IPv4 in the first word; bits behind the prefix are 0. All 0 at
    /// level [`OVERLOAD_PORTS`].
    pub peer: [u32; 4],
    /// Exec id of the owner's executable, 0 if not known; 0 at level [`OVERLOAD_PORTS`].
    pub exec_id: u64,
    /// cgroup id of the owner, 0 if not known; 0 at level [`OVERLOAD_PORTS`].
    pub cgroup_id: u64,
    /// Real user id of the owner; 0 at level [`OVERLOAD_PORTS`].
    pub uid: u32,
    /// Real group id of the owner; 0 at level [`OVERLOAD_PORTS`].
    pub gid: u32,
    /// Effective user id of the owner; 0 at level [`OVERLOAD_PORTS`].
    pub euid: u32,
    /// Effective group id of the owner; 0 at level [`OVERLOAD_PORTS`].
    pub egid: u32,
    /// One of the `OVERLOAD_*` levels.
    pub level: u8,
    /// A [`crate::SocketRole`]: how the owner was determined; 0 at level [`OVERLOAD_PORTS`].
    pub role: u8,
    /// [`crate::FLAG_OPTMEM_FULL`] and [`crate::FLAG_IO_WORKER`] as in a record: how the process kept itself from being the
    /// owner; 0 at level [`OVERLOAD_PORTS`].
    pub withheld: u8,
    /// Always 0.
    pub reserved: [u8; 5],
}

/// The sums of a group. Each grows by atomic additions only.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct OverloadSums {
    /// Connections that were established.
    pub opened: u64,
    /// Connects that failed.
    pub failed: u64,
    /// Connects that this host did not let out, but for those that the policy denied.
    pub denied: u64,
    /// Connects that the policy denied.
    pub denied_by_policy: u64,
    /// Ends of connections whose opening was counted in a group, this one or an earlier one.
    pub closed: u64,
    /// Bytes that those which ended sent and the peer acknowledged, without SYN and FIN.
    pub sent: u64,
    /// Bytes that they received, without FIN; see `fin_unknown`.
    pub received: u64,
    /// Of `closed` and `ends_of_described`, those of which it is not known whether the peer's FIN is counted as a byte received.
    pub fin_unknown: u64,
    /// Ends of connections whose opening is in a record of its own: only their end found no room.
    pub ends_of_described: u64,
    /// Bytes that those sent; they are not in `sent`.
    pub described_sent: u64,
    /// Bytes that they received; they are not in `received`.
    pub described_received: u64,
    /// Of `opened`, `failed` and `denied`, those that the policy would deny, but for its mode.
    pub would_deny: u64,
}

impl OverloadSums {
    /// Occasions that were counted: what `grouped` of the hooks adds up to ([`crate::HookCounters`]).
    #[must_use]
    pub const fn occasions(&self) -> u64 {
        self.opened
            .wrapping_add(self.failed)
            .wrapping_add(self.denied)
            .wrapping_add(self.denied_by_policy)
            .wrapping_add(self.closed)
            .wrapping_add(self.ends_of_described)
    }
}

/// A group: the value of the three maps.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct OverloadGroup {
    /// What was counted.
    pub sums: OverloadSums,
    /// When the first occasion was counted, nanoseconds of `CLOCK_BOOTTIME`.
    pub first_ns: u64,
    /// When the last one was; of several on different CPUs at the same moment, any.
    pub last_ns: u64,
    /// The record that the first occasion would have made, complete.
    pub specimen: FlowRecord,
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: repr(C) of integers without padding (its size is asserted below), every bit pattern valid.
    unsafe impl aya::Pod for super::OverloadKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::OverloadGroup {}
}

const _: () = {
    assert!(size_of::<OverloadKey>() == 64);
    assert!(size_of::<OverloadSums>() == 96);
    assert!(size_of::<OverloadGroup>() == 96 + 16 + size_of::<FlowRecord>());
};
