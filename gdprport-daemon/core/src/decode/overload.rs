//! From key and value of the kernel side's maps of groups to an [`OverloadGroup`], or an error that is counted. Total: no
//! bytes panic.
//!
//! Belongs here: what a group is, and the checks of what the maps hold. Does not belong here: what a group means for a
//! policy or the ledger.

use std::net::IpAddr;

use gdprport_common::{
    OVERLOAD_IN, OVERLOAD_NETWORKS, OVERLOAD_OUT, OVERLOAD_PEERS, OVERLOAD_PORTS, OverloadGroup as RawGroup,
    OverloadKey, OverloadSums, PREFIX_V4, PREFIX_V6, SocketRole,
};
use ipnet::IpNet;
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::{ConnectionEnd, ConnectionRecord, Record, SocketEvent, decode};
use crate::model::{Direction, Withheld};

/// How much the connections of a group have in common, from most to least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OverloadLevel {
    /// Port, direction, owner and the peer's address.
    Peer,
    /// Port, direction, owner and the peer's network.
    Network,
    /// Port, direction and the address family.
    Port,
}

/// Who owns this end of each connection of a group. No process id: a group is of everything that ran one executable as one
/// user in one cgroup, or of nobody who is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OverloadOwner {
    /// How the owner was determined. `None`: not, and the ids mean nothing.
    pub role: SocketRole,
    /// How the process kept itself from being known.
    pub withheld: Option<Withheld>,
    /// Exec id, 0 if not known.
    pub exec_id: u64,
    /// cgroup id, 0 if not known.
    pub cgroup_id: u64,
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Effective group id.
    pub egid: u32,
}

/// The record that the first occasion of a group would have made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Specimen {
    /// Its socket, with everything that is known of its owner.
    pub socket: SocketEvent,
    /// How it ended; `None` if the occasion was its opening.
    pub end: Option<ConnectionEnd>,
}

/// Connections that the kernel side counted together, because the ring buffer was nearly full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverloadGroup {
    /// What they have in common.
    pub level: OverloadLevel,
    /// The watched TCP port.
    pub port: u16,
    /// At which end of them it is.
    pub direction: Direction,
    /// Their peer: an address with its full prefix at level Peer, a network at level Network, `None` at level Port. No
    /// bits behind the prefix, and never IPv4-mapped.
    pub peer: Option<IpNet>,
    /// Their owner; `None` at level Port.
    pub owner: Option<OverloadOwner>,
    /// How many of them did what, and their bytes.
    pub sums: OverloadSums,
    /// When the first occasion was counted, nanoseconds of `CLOCK_BOOTTIME`.
    pub first_ns: u64,
    /// When the last one was, not before the first.
    pub last_ns: u64,
    /// Of the first occasion.
    pub specimen: Specimen,
}

/// Why an entry of a map could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Key or value have another length.
    #[error("a group with a key of {key} and a value of {value} bytes")]
    Length {
        /// How long the key is.
        key: usize,
        /// How long the value is.
        value: usize,
    },
    /// A field holds a value that it cannot have.
    #[error("a group with an impossible {0}")]
    Field(&'static str),
}

/// Reads one entry of a map of groups.
///
/// # Errors
/// What does not fit; the caller counts it.
pub fn group(key: &[u8], value: &[u8]) -> Result<OverloadGroup, GroupError> {
    let length = GroupError::Length { key: key.len(), value: value.len() };
    let key = OverloadKey::read_from_bytes(key).map_err(|_| length)?;
    let raw = RawGroup::read_from_bytes(value).map_err(|_| length)?;
    let level = match key.level {
        OVERLOAD_PEERS => OverloadLevel::Peer,
        OVERLOAD_NETWORKS => OverloadLevel::Network,
        OVERLOAD_PORTS => OverloadLevel::Port,
        _ => return Err(GroupError::Field("level")),
    };
    let direction = match key.direction {
        OVERLOAD_IN => Direction::In,
        OVERLOAD_OUT => Direction::Out,
        _ => return Err(GroupError::Field("direction")),
    };
    let specimen = specimen(&raw)?;
    let first_ns = raw.first_ns;
    Ok(OverloadGroup {
        level,
        port: key.port,
        direction,
        peer: peer(level, &key)?,
        owner: if level == OverloadLevel::Port { None } else { Some(owner(&key)?) },
        sums: raw.sums,
        first_ns,
        // Of two programs at the same moment the earlier may store its time last.
        last_ns: raw.last_ns.max(first_ns),
        specimen,
    })
}

fn peer(level: OverloadLevel, key: &OverloadKey) -> Result<Option<IpNet>, GroupError> {
    let address = super::address(key.family, key.peer).ok_or(GroupError::Field("address family"))?;
    if address.to_canonical() != address {
        return Err(GroupError::Field("peer"));
    }
    let prefix = match (level, address) {
        (OverloadLevel::Port, _) => return Ok(None),
        (OverloadLevel::Peer, IpAddr::V4(_)) => 32,
        (OverloadLevel::Peer, IpAddr::V6(_)) => 128,
        (OverloadLevel::Network, IpAddr::V4(_)) => PREFIX_V4,
        (OverloadLevel::Network, IpAddr::V6(_)) => PREFIX_V6,
    };
    match IpNet::new(address, prefix) {
        Ok(net) if net.network() == address => Ok(Some(net)),
        _ => Err(GroupError::Field("peer")),
    }
}

fn owner(key: &OverloadKey) -> Result<OverloadOwner, GroupError> {
    Ok(OverloadOwner {
        role: SocketRole::from_raw(key.role).ok_or(GroupError::Field("role"))?,
        withheld: super::withheld(key.withheld),
        exec_id: key.exec_id,
        cgroup_id: key.cgroup_id,
        uid: key.uid,
        gid: key.gid,
        euid: key.euid,
        egid: key.egid,
    })
}

fn specimen(raw: &RawGroup) -> Result<Specimen, GroupError> {
    match decode(raw.specimen.as_bytes()) {
        Ok(Record::Connection(ConnectionRecord::Connected(socket) | ConnectionRecord::Arrived(socket))) => {
            Ok(Specimen { socket, end: None })
        }
        Ok(Record::Connection(
            ConnectionRecord::Ended(socket, end)
            | ConnectionRecord::Failed(socket, end)
            | ConnectionRecord::Refused(socket, end),
        )) => Ok(Specimen { socket, end: Some(end) }),
        _ => Err(GroupError::Field("specimen")),
    }
}

#[cfg(test)]
mod tests;
