//! Values of the maps that kernel programs keep per port, per socket and per process.

use crate::enforce::EnforceExe;

/// What a port is watched for: the value of the port switch map, indexed by TCP port in host byte order.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortFlags(pub u8);

impl PortFlags {
    /// Flows of this port are reported; the programs return after one lookup for every other port.
    pub const WATCHED: Self = Self(1);

    /// The first payload segments of its flows are sent to the daemon, so that it can determine their encryption.
    pub const POSTURE: Self = Self(2);

    /// Connections of it are decided by the tables of the policy (`ENFORCE_*` maps).
    pub const DECIDED: Self = Self(4);

    /// Returns true if connections of this port are decided.
    #[must_use]
    #[inline(always)]
    pub const fn decided(self) -> bool {
        self.0 & Self::DECIDED.0 != 0
    }

    /// Returns true if flows of this port are reported.
    #[must_use]
    #[inline(always)]
    pub const fn watched(self) -> bool {
        self.0 & Self::WATCHED.0 != 0
    }

    /// Returns true if the first payload segments of this port's flows are sent to the daemon.
    #[must_use]
    #[inline(always)]
    pub const fn posture(self) -> bool {
        self.0 & Self::POSTURE.0 != 0
    }

    /// Combines both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How the owner of a socket was determined.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketRole {
    /// No owner is stored.
    None = 0,
    /// The process called listen on this socket, or bind; a child of the socket inherits it.
    Bound = 1,
    /// The process called connect on this socket.
    Connected = 2,
    /// The process accepted this socket: the accept was seen, or the process requested the peer's address of a passive
    /// socket and is the one that opened the listener or descends from it.
    Accepted = 3,
    /// Found by the daemon in `/proc` and written from userspace.
    Seeded = 4,
}

impl SocketRole {
    /// Returns the role for a stored number, `None` if there is no such role.
    #[must_use]
    pub const fn from_raw(raw: u8) -> Option<Self> {
        Some(match raw {
            0 => Self::None,
            1 => Self::Bound,
            2 => Self::Connected,
            3 => Self::Accepted,
            4 => Self::Seeded,
            _ => return None,
        })
    }
}

/// How far a socket has closed its own side, and how the peer's FIN is detected from then on.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// Not started, or started before the kernel side was attached.
    Open = 0,
    /// The process has closed the socket; once our FIN is sent, only a FIN is accepted from the peer.
    Released = 1,
    /// Then our FIN was acknowledged, and `fin_mark` is the low half of the kernel's `bytes_received` at that moment:
    /// if it grows, the peer's FIN arrived.
    Counted = 2,
    /// The process shut its sending side down; each segment is inspected, and none had a FIN so far.
    Watched = 3,
    /// Then a segment had a FIN, and `fin_mark` is the TCP sequence number after it: if all up to there is received,
    /// the FIN arrived.
    Ending = 4,
}

/// Whether TCP handles a connection.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// Not yet.
    No = 0,
    /// It does.
    Yes = 1,
    /// It does, and the connection goes to a port that is not watched: connect was called for another one than another
    /// program (`cgroup/connect`) turned it to.
    Elsewhere = 2,
}

/// A flag of [`SocketOwner`]: `out_base` was read from the SYN itself, which with TCP Fast Open (RFC 7413) may carry data.
pub const SOCKET_SYN_SEEN: u8 = 1;

/// A flag of [`SocketOwner`]: the opening of this connection was counted in a group ([`crate::OverloadGroup`]).
pub const SOCKET_GROUPED: u8 = 2;

/// A flag of [`SocketOwner`] and of [`crate::FlowRecord::decision`]: the policy would deny this connect, but for its mode.
pub const SOCKET_WOULD_DENY: u8 = 4;

/// Likewise: the policy denied this connect.
pub const SOCKET_DENIED: u8 = 8;

/// Likewise, with one of the two above: no rule allowed it as far as was known in the kernel, and one may have
/// (`on_unknown = "deny"`). Alone: that, and it passed.
pub const SOCKET_UNKNOWN: u8 = 16;

/// All flags of [`crate::FlowRecord::decision`].
pub const SOCKET_DECISION: u8 = SOCKET_WOULD_DENY | SOCKET_DENIED | SOCKET_UNKNOWN;

/// A process at the time of a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Caller {
    /// Exec id of the process's executable, 0 if not known.
    pub exec_id: u64,
    /// cgroup id (inode of the cgroup2 directory) at the time of the call.
    pub cgroup_id: u64,
    /// Network namespace cookie of the socket, 0 where the kernel has none (before 5.14).
    pub netns_cookie: u64,
    /// When the process was forked, nanoseconds of `CLOCK_BOOTTIME`, 0 if that was not seen.
    pub start_ns: u64,
    /// Process id (thread group id) in the initial pid namespace.
    pub tgid: u32,
    /// The parent's process id at fork, 0 if that was not seen.
    pub parent_tgid: u32,
    /// Real user id in the initial user namespace.
    pub uid: u32,
    /// Real group id in the initial user namespace.
    pub gid: u32,
    /// Effective user id; the real one where it cannot be read.
    pub euid: u32,
    /// Effective group id; likewise.
    pub egid: u32,
    /// Command name of the calling thread, NUL-terminated, as two 64-bit words in memory order.
    pub comm: [u64; 2],
}

/// Value of the socket storage: the process that owns this end of the connection, and what the kernel side stores about
/// the connection itself. This order keeps the fields that start as 0 together on full 64-bit words: the kernel
/// programs clear memory by words or byte by byte.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct SocketOwner {
    /// The owner.
    pub caller: Caller,
    /// When connect was called or, later, when the connection was established; nanoseconds of
    /// `CLOCK_BOOTTIME`.
    pub since_ns: u64,
    /// TCP sequence number of the first byte this end sends.
    pub out_base: u32,
    /// TCP sequence number of the first byte this end receives.
    pub in_base: u32,
    /// Shows whether the peer's FIN arrived; its meaning depends on `closing`.
    pub fin_mark: u32,
    /// TCP sequence number of the last recorded segment that this end sent: the same number again is a retransmission.
    pub last_out: u32,
    /// TCP sequence number after the furthest recorded byte that this end received: what begins before it may be a
    /// repetition.
    pub end_in: u32,
    /// A [`Started`]; a connect that ends with 0 was stopped on this host, or never sent by its caller.
    pub started: u8,
    /// 1 while payload segments are still wanted; the map `WANTING` then counts the socket.
    pub wants_payload: u8,
    /// How much of [`crate::PAYLOAD_BUDGET`] was spent on segments that this end sent.
    pub spent_out: u8,
    /// How much of it was spent on segments that this end received.
    pub spent_in: u8,
    /// The address passed to connect, network byte order, IPv4 in the first word; 0 in other roles.
    pub peer: [u32; 4],
    /// The TCP port passed to connect, host byte order; 0 in other roles.
    pub peer_port: u16,
    /// The watched TCP port that the socket was bound to, host byte order; 0 in role [`SocketRole::Connected`].
    pub local_port: u16,
    /// 4 or 6: the family of `peer`; 0 in other roles.
    pub peer_family: u8,
    /// A [`SocketRole`].
    pub role: u8,
    /// `SOCKET_*` bits.
    pub flags: u8,
    /// A [`Closing`].
    pub closing: u8,
}

/// Value of the storage of an MPTCP socket: the process that has it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MptcpOwner {
    /// The owner.
    pub caller: Caller,
    /// Cookie of the TCP socket that was accepted as its first path, 0 if there is none.
    pub first_path: u64,
    /// A [`SocketRole`].
    pub role: u8,
    /// Always 0.
    pub reserved: [u8; 7],
}

/// In [`TaskIdentity::threads`]: the process's first thread has exited, others still run.
pub const TASK_HEADLESS: u32 = 1 << 31;

/// Value of the task map, keyed by thread group id.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskIdentity {
    /// The executable it runs, as an exec id, 0 if not known.
    pub exec_id: u64,
    /// When it was forked, nanoseconds of `CLOCK_BOOTTIME`, 0 if that was not seen.
    pub start_ns: u64,
    /// The process that forked it, 0 if that was not seen.
    pub parent_tgid: u32,
    /// Its number of threads minus one, and [`TASK_HEADLESS`]: the entry is removed when the last one exits.
    pub threads: u32,
    /// The last of its executables that is known to have been sent to the daemon, as an exec id.
    pub shipped: u64,
    /// What decisions know of the executable it runs.
    pub exe: EnforceExe,
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: repr(C) structs of integers, sized without padding (asserted below), every bit pattern valid.
    unsafe impl aya::Pod for super::SocketOwner {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::TaskIdentity {}
}

const _: () = {
    // `SocketOwner::default()` must mean: no owner, not started, not closing.
    assert!(SocketRole::None as u8 == 0 && Started::No as u8 == 0 && Closing::Open as u8 == 0);
    assert!(size_of::<Caller>() == 72);
    assert!(size_of::<SocketOwner>() == 128);
    assert!(size_of::<TaskIdentity>() == 56);
};
