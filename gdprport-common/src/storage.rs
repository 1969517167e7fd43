//! Values of the maps that kernel programs keep per socket, per task and per executable.

/// What a port is watched for: the value of the port switch map, indexed by TCP port in host byte order.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortFlags(pub u8);

impl PortFlags {
    /// Flows of this port are reported; every other port leaves after one look-up.
    pub const WATCHED: Self = Self(1);

    /// True if flows of this port are reported.
    #[must_use]
    #[inline(always)]
    pub const fn watched(self) -> bool {
        self.0 & Self::WATCHED.0 != 0
    }
}

/// How the owner in a socket's storage got there.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketRole {
    /// No owner is stored.
    None = 0,
    /// The process called bind on this socket; a child of the socket inherits it.
    Bound = 1,
    /// The process called connect on this socket.
    Connected = 2,
    /// The process accepted this socket (it asked for the peer's address of a passive socket).
    Accepted = 3,
    /// Found by the daemon in `/proc` and written from userspace.
    Seeded = 4,
}

impl SocketRole {
    /// The role that a stored number stands for, `None` if it stands for no role.
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

/// Value of the socket storage: the process that stands for this end of the connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct SocketOwner {
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
    /// User id in the initial user namespace.
    pub uid: u32,
    /// Group id in the initial user namespace.
    pub gid: u32,
    /// Command name of the calling thread, NUL-terminated.
    pub comm: [u64; 2],
    /// A [`SocketRole`].
    pub role: u32,
    /// Always 0.
    pub reserved: u32,
}

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
    /// Always 0.
    pub reserved: u32,
}

/// Value of the executable map, keyed by exec id: what `execve` was called with.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecValue {
    /// When it was executed, nanoseconds of `CLOCK_BOOTTIME`.
    pub time_ns: u64,
    /// The process (thread group id) that executed it.
    pub tgid: u32,
    /// Bytes of `path` in use, without the NUL; 0 if the name could not be read.
    pub path_len: u16,
    /// Not 0 once an [`crate::ExecRecord`] with this id has been handed to the daemon.
    pub shipped: u16,
    /// The name as `execve` was given it: maybe relative, maybe a symbolic link, maybe a script.
    pub path: [u8; crate::PATH_CAP],
}

#[cfg(feature = "user")]
mod user {
    // SAFETY: repr(C) structs of integers, sized without padding (asserted below), every bit pattern valid.
    unsafe impl aya::Pod for super::SocketOwner {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::TaskIdentity {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::ExecValue {}
}

const _: () = {
    assert!(size_of::<SocketOwner>() == 72);
    assert!(size_of::<TaskIdentity>() == 24);
    assert!(size_of::<ExecValue>() == 16 + crate::PATH_CAP);
};
