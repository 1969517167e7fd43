//! Records of the ring buffer. The first byte of each is its [`RecordKind`].

/// Longest name of an executable or path of a cgroup in a record, in bytes, with its NUL. A longer path is cut and fills the field.
pub const PATH_CAP: usize = 240;

/// Size of a [`CgroupRecord`], in bytes.
pub const RECORD_CAP: usize = 32 + PATH_CAP;

/// What a record is.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A connect of this socket completed ([`FlowRecord`] with [`OpenTail`]).
    ActiveEstablished = 1,
    /// An incoming connection completed its handshake ([`FlowRecord`] with [`OpenTail`]).
    PassiveEstablished = 2,
    /// The passive socket's acceptor became known ([`FlowRecord`] with [`OpenTail`]).
    Accepted = 3,
    /// A connected socket was closed ([`FlowRecord`] with [`CloseTail`]).
    Closed = 4,
    /// A connect that this host did not let out ended, or that the policy denied ([`FlowRecord`] with [`FailTail`]).
    Denied = 9,
    /// A connect failed ([`FlowRecord`] with [`FailTail`]).
    Failed = 10,
    /// A SYN reached a listener, and the policy denied it ([`FlowRecord`] with [`FailTail`]). Cookie and owner are the listener's.
    Refused = 12,
    /// A socket was not bound to its port, because the policy denies it ([`FlowRecord`] with [`OpenTail`], no peer).
    BindDenied = 13,
    /// The first bytes of a payload segment ([`PayloadHeader`] and up to [`PAYLOAD_LONG`] bytes).
    Payload = 11,
    /// A socket started to listen ([`FlowRecord`] with [`OpenTail`], no peer).
    Listening = 5,
    /// A listening socket was closed ([`FlowRecord`] with [`CloseTail`], no peer).
    ListenerClosed = 6,
    /// An executable that owns a flow ([`crate::ExecRecord`]); sent before the first flow that refers to it.
    Exec = 7,
    /// A cgroup directory was created ([`CgroupRecord`]).
    Cgroup = 8,
}

impl RecordKind {
    /// Returns the kind for a record's first byte, `None` if there is no such kind.
    #[must_use]
    pub const fn from_raw(raw: u8) -> Option<Self> {
        Some(match raw {
            1 => Self::ActiveEstablished,
            2 => Self::PassiveEstablished,
            3 => Self::Accepted,
            4 => Self::Closed,
            5 => Self::Listening,
            6 => Self::ListenerClosed,
            7 => Self::Exec,
            8 => Self::Cgroup,
            9 => Self::Denied,
            10 => Self::Failed,
            11 => Self::Payload,
            12 => Self::Refused,
            13 => Self::BindDenied,
            _ => return None,
        })
    }
}

/// Most bytes of one payload segment in a record, unless more of it may matter.
pub const PAYLOAD_CAP: usize = 512;

/// Most bytes where more of it may matter: in one that is no longer than this and does not begin with a record of TLS
/// (a mail server's capabilities, a directory's attributes), in a ClientHello (with a post-quantum key share it is some
/// 1,500 bytes long, and the server's name may come last), and in a PROXY header.
pub const PAYLOAD_LONG: usize = 2048;

/// Payload bytes in the smaller of the two sizes of payload records: a database's greeting fits.
pub const PAYLOAD_SMALL: usize = 128;

/// What the payload segments of each direction of a flow may cost. It covers four segments: a mail server that upgrades
/// (greeting, capabilities, go-ahead) sends its ServerHello as the fourth. Or eight of at most [`PAYLOAD_SMALL`] bytes:
/// some greet twice, are asked who they are, or send long capabilities in two segments. Or this many [`PAYLOAD_TINY`]
/// ones: a request that is written byte by byte is still recognised.
pub const PAYLOAD_BUDGET: u8 = 32;

/// Up to [`PAYLOAD_LONG`] bytes are captured of a segment before which less than this was spent: of the first three. A
/// client of a mail server sends its ClientHello as the third.
pub const PAYLOAD_LONG_BUDGET: u8 = 3 * PAYLOAD_COST;

/// What a segment takes from [`PAYLOAD_BUDGET`].
pub const PAYLOAD_COST: u8 = 8;

/// What one of at most [`PAYLOAD_SMALL`] bytes takes; one of at most [`PAYLOAD_TINY`] takes 1. Its record is less than a
/// third as large.
pub const PAYLOAD_COST_SMALL: u8 = 4;

/// The most payload bytes of a segment that costs 1.
pub const PAYLOAD_TINY: usize = 8;

/// A flag of [`FlowRecord`]: at least one segment was received before the socket closed. A failed connect with this
/// flag was refused; without it there was no reply.
pub const FLAG_PEER_REPLIED: u8 = 1;

/// A flag of [`FlowRecord`] of kind Closed: the peer's FIN arrived, and is counted in `bytes_received`.
pub const FLAG_PEER_FIN: u8 = 2;

/// A flag of [`FlowRecord`] of kind Closed: whether the peer's FIN is among `bytes_received` is not known.
pub const FLAG_PEER_FIN_UNKNOWN: u8 = 4;

/// A flag of [`FlowRecord`]: the owner could not be kept, because the option memory of the socket itself was full
/// (`net.core.optmem_max`). Only the process that holds the socket can fill it.
pub const FLAG_OPTMEM_FULL: u8 = 8;

/// A flag of [`FlowRecord`]: a kernel thread of io_uring connected the socket, which on this kernel shows no process. Only
/// a process that asks for that has it done.
pub const FLAG_IO_WORKER: u8 = 16;

/// A flag of [`FlowRecord`] of kind Closed: our FIN was on its way and never acknowledged.
pub const FLAG_FIN_UNACKED: u8 = 32;

/// A flag of [`FlowRecord`] of kind Closed: the opening of this connection was counted in a group
/// ([`crate::OverloadGroup`]), and there is no other record of it.
pub const FLAG_GROUPED: u8 = 64;

/// An event in the life of a socket on a watched port; 136 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct FlowRecord {
    /// A [`RecordKind`].
    pub kind: u8,
    /// 4 or 6: the address family of the socket, hence of both addresses.
    pub family: u8,
    /// A [`crate::SocketRole`]: how the owner below was determined.
    pub role: u8,
    /// Kinds Closed and Failed: the TCP state before the close (include/net/tcp_states.h); else 0.
    pub old_state: u8,
    /// FLAG_* bits.
    pub flags: u8,
    /// Kind Closed: the error number of the socket (include/uapi/asm-generic/errno.h) where the process did not end the
    /// connection itself; 0 if there is none or it cannot be read. Else 0.
    pub error: u8,
    /// What the policy said of the connect or, of a listener, of the bind, [`crate::SOCKET_DECISION`] bits; 0: it was not decided, or
    /// a rule allows it. Kind Denied with [`crate::SOCKET_DENIED`]: the policy denied it, and the record is of the call itself.
    pub decision: u8,
    /// Always 0.
    pub reserved: u8,
    /// When, nanoseconds of `CLOCK_BOOTTIME`.
    pub time_ns: u64,
    /// Socket cookie, unique until reboot.
    pub cookie: u64,
    /// Network namespace cookie, 0 where the kernel has none or the owner is not known.
    pub netns_cookie: u64,
    /// Exec id of the owner's executable, 0 if not known.
    pub exec_id: u64,
    /// cgroup id of the owner, 0 if not known.
    pub cgroup_id: u64,
    /// Local address in network byte order; IPv4 in the first word.
    pub local: [u32; 4],
    /// Peer's address in network byte order; IPv4 in the first word.
    pub peer: [u32; 4],
    /// Local TCP port, host byte order.
    pub local_port: u16,
    /// Peer's TCP port, host byte order.
    pub peer_port: u16,
    /// Process id (thread group id) of the owner, 0 if not known.
    pub tgid: u32,
    /// Real user id of the owner.
    pub uid: u32,
    /// Real group id of the owner.
    pub gid: u32,
    /// Effective user id of the owner; the real one where it cannot be read.
    pub euid: u32,
    /// Effective group id of the owner; likewise.
    pub egid: u32,
    /// [`OpenTail`], [`CloseTail`] or [`FailTail`], by kind.
    pub tail: FlowTail,
}

/// The last 32 bytes of a [`FlowRecord`], uninterpreted.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct FlowTail(pub [u64; 4]);

/// Tail of records about an open socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenTail {
    /// Command name of the owner's thread, NUL-terminated, as two 64-bit words in memory order.
    pub comm: [u64; 2],
    /// When the owner was forked, nanoseconds of `CLOCK_BOOTTIME`, 0 if that was not seen.
    pub start_ns: u64,
    /// The owner's parent at fork, 0 if that was not seen.
    pub parent_tgid: u32,
}

/// Tail of records about a closed socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseTail {
    /// `bytes_acked` of the kernel: payload that the peer acknowledged, plus SYN and FIN where they were sent.
    pub bytes_acked: u64,
    /// `bytes_received` of the kernel: payload in order, plus the peer's FIN where it arrived.
    pub bytes_received: u64,
    /// Smoothed round-trip time in microseconds, times 8, as the kernel keeps it; 0 if none was measured.
    pub srtt_us_x8: u32,
    /// Retransmitted segments over the whole life of the socket.
    pub retransmits: u32,
    /// When the connection was established or, if it never was, connect was called; nanoseconds of
    /// `CLOCK_BOOTTIME`, 0 if that was not seen.
    pub since_ns: u64,
}

/// Tail of records about a failed connect. It is the only record of its socket, so it describes the owner as fully as
/// the record of an open socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailTail {
    /// Command name of the owner's thread, NUL-terminated, as two 64-bit words in memory order.
    pub comm: [u64; 2],
    /// When the owner was forked, nanoseconds of `CLOCK_BOOTTIME`, 0 if that was not seen.
    pub start_ns: u64,
    /// The owner's parent at fork, 0 if that was not seen.
    pub parent_tgid: u32,
    /// Milliseconds since connect was called, at most [`FailTail::ELAPSED_MAX`] (4.6 hours).
    pub elapsed_ms: u32,
    /// Retransmitted SYNs, at most 255 (the kernel's own limit is 127).
    pub retransmits: u8,
}

impl FailTail {
    /// The largest `elapsed_ms`: 24 bits.
    pub const ELAPSED_MAX: u32 = (1 << 24) - 1;
}

impl FlowTail {
    /// Packs the tail of a failed connect; an `elapsed_ms` above its maximum is cut to it.
    #[inline(always)]
    #[must_use]
    pub const fn fail(t: FailTail) -> Self {
        let elapsed = if t.elapsed_ms > FailTail::ELAPSED_MAX { FailTail::ELAPSED_MAX } else { t.elapsed_ms };
        let last = (t.retransmits as u64) << 56 | (elapsed as u64) << 32 | t.parent_tgid as u64;
        Self([t.comm[0], t.comm[1], t.start_ns, last])
    }

    /// Unpacks it as the tail of a failed connect.
    #[must_use]
    pub const fn as_fail(self) -> FailTail {
        let [c0, c1, start_ns, last] = self.0;
        FailTail {
            comm: [c0, c1],
            start_ns,
            parent_tgid: last as u32,
            elapsed_ms: (last >> 32) as u32 & FailTail::ELAPSED_MAX,
            retransmits: (last >> 56) as u8,
        }
    }

    /// Packs the tail of an open socket.
    #[inline(always)]
    #[must_use]
    pub const fn open(t: OpenTail) -> Self {
        Self([t.comm[0], t.comm[1], t.start_ns, t.parent_tgid as u64])
    }

    /// Packs the tail of a closed socket.
    #[inline(always)]
    #[must_use]
    pub const fn close(t: CloseTail) -> Self {
        Self([
            t.bytes_acked,
            t.bytes_received,
            (t.retransmits as u64) << 32 | t.srtt_us_x8 as u64,
            t.since_ns,
        ])
    }

    /// Unpacks it as the tail of an open socket.
    #[must_use]
    pub const fn as_open(self) -> OpenTail {
        let [c0, c1, start_ns, parent] = self.0;
        OpenTail { comm: [c0, c1], start_ns, parent_tgid: parent as u32 }
    }

    /// Unpacks it as the tail of a closed socket.
    #[must_use]
    pub const fn as_close(self) -> CloseTail {
        let [bytes_acked, bytes_received, quality, since_ns] = self.0;
        CloseTail {
            bytes_acked,
            bytes_received,
            srtt_us_x8: quality as u32,
            retransmits: (quality >> 32) as u32,
            since_ns,
        }
    }
}

/// The header of a payload record. At least `len` bytes follow, at most [`PAYLOAD_LONG`]. The first `len` are the start
/// of a segment's payload; the others are without meaning.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct PayloadHeader {
    /// [`RecordKind::Payload`].
    pub kind: u8,
    /// 1 if this end sent the segment, 0 if it received it.
    pub sent: u8,
    /// Number of payload bytes that follow. None: what was recorded at this place and after it was not taken by TCP, and
    /// what came again is not recorded.
    pub len: u16,
    /// Their offset in the stream of this direction, modulo 2^32.
    pub offset: u32,
    /// When, nanoseconds of `CLOCK_BOOTTIME`.
    pub time_ns: u64,
    /// Socket cookie.
    pub cookie: u64,
}

/// A payload record as the kernel side reserves it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PayloadRecord<const N: usize> {
    /// Describes the bytes.
    pub header: PayloadHeader,
    /// The start of the payload.
    pub bytes: [u8; N],
}

/// A new cgroup directory.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct CgroupRecord {
    /// [`RecordKind::Cgroup`].
    pub kind: u8,
    /// Always 0.
    pub reserved: u8,
    /// Bytes of `path` in use; 0 if the name could not be read.
    pub path_len: u16,
    /// Its hierarchy: 0 is cgroup2, others are of cgroup v1.
    pub hierarchy: u32,
    /// cgroup id (inode of the directory in its hierarchy).
    pub cgroup_id: u64,
    /// When, nanoseconds of `CLOCK_BOOTTIME`.
    pub time_ns: u64,
    /// Always 0.
    pub reserved3: u64,
    /// Path below the cgroup2 root, with a leading `/`.
    pub path: [u8; PATH_CAP],
}

const _: () = {
    assert!(size_of::<FlowRecord>() == 136);
    assert!(size_of::<PayloadHeader>() == 24);
    assert!(size_of::<PayloadRecord<PAYLOAD_LONG>>() == 24 + PAYLOAD_LONG);
    assert!(size_of::<CgroupRecord>() == RECORD_CAP);
};
