//! The stable identifiers of losses, as they stand in `coverage` events.

/// Records that found the ring buffer full; the hook's name follows after a colon.
pub(crate) const RING_FULL: &str = "ring-full";
/// Records that could not be decoded.
pub(crate) const UNDECODABLE: &str = "undecodable";
/// Sockets whose owner the kernel side could not keep.
pub(crate) const OWNERS_UNKEPT: &str = "owners-unkept";
/// Flows that the full table had no room for.
pub(crate) const TABLE_FULL: &str = "flow-table-full";
/// Listeners that the full table had no room for.
pub(crate) const LISTENERS_FULL: &str = "listener-table-full";
/// Before the name and the reason of what a sink lost.
pub(crate) const SINK: &str = "sink";
/// Records that were read by a daemon that ended, and perhaps not written.
pub(crate) const UNWRITTEN: &str = "unwritten";
/// Time in which a hook was not attached; its name follows.
pub(crate) const AWAY: &str = "hook-away";
/// Time of which no record will ever be read; why follows.
pub(crate) const NOT_ADOPTED: &str = "not-adopted";
