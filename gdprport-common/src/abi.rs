//! Numbers of the ABI that belong to no single layout.

/// Version of this ABI. Pinned maps of another version are never reused.
pub const ABI_VERSION: u32 = 9;

/// This bit is set in exec ids that the daemon assigned to processes it found at start, and clear in those that the
/// kernel side assigned.
pub const EXEC_ID_SEEDED: u64 = 1 << 63;

/// Number of TCP ports, and of entries of the port switch map.
pub const PORTS: u32 = 65_536;
