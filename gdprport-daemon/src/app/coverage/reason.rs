//! The stable identifiers of losses, as they stand in `coverage` events.

/// Records that found the ring buffer full; the hook's name follows after a colon.
pub(crate) const RING_FULL: &str = "ring-full";
/// What the kernel side counted because the ring buffer was nearly full: it is not lost.
pub(crate) const KERNEL_OVERLOAD: &str = "kernel-overload";
/// Records that could not be decoded.
pub(crate) const UNDECODABLE: &str = "undecodable";
/// Sockets whose owner the kernel side could not keep.
pub(crate) const OWNERS_UNKEPT: &str = "owners-unkept";
/// Flows that the full table had no room for.
pub(crate) const TABLE_FULL: &str = "flow-table-full";
/// Listeners that the full table had no room for.
pub(crate) const LISTENERS_FULL: &str = "listener-table-full";
/// Flows whose end was not seen when it came.
pub(crate) const END_UNSEEN: &str = "end-unseen";
/// Flows whose opening was not seen although their port was watched, and that were found open later.
pub(crate) const OPENING_UNSEEN: &str = "opening-unseen";
/// Network namespaces whose sockets cannot be listed.
pub(crate) const NAMESPACES_UNSEEN: &str = "namespaces-unseen";
/// Sockets that the kernel counts and does not list.
pub(crate) const SOCKETS_UNSEEN: &str = "sockets-unseen";
/// Processes of which it cannot be read what they hold.
pub(crate) const PROCESSES_UNSEEN: &str = "processes-unseen";
/// Before the name and the reason of what a sink lost.
pub(crate) const SINK: &str = "sink";
/// What the ledger had no room for on the way to it, because it could not be written for long.
pub(crate) const LEDGER_FULL: &str = "ledger:full";
/// Records that were read by a daemon that ended, and perhaps not written.
pub(crate) const UNWRITTEN: &str = "unwritten";
/// Time in which a hook was not attached; its name follows.
pub(crate) const AWAY: &str = "hook-away";
/// Time of which no record will ever be read; why follows.
pub(crate) const NOT_ADOPTED: &str = "not-adopted";
