//! Numbers of the ABI that belong to no single layout.

/// Version of this ABI. Pinned maps of another version are never reused.
pub const ABI_VERSION: u32 = 4;

/// Exec ids at or above this bit were given by the daemon to processes that it found at start;
/// ids below were given by the kernel side.
pub const EXEC_ID_SEEDED: u64 = 1 << 63;

/// Number of TCP ports, and of entries of the port switch map.
pub const PORTS: u32 = 65_536;
