//! Notifications of destroyed TCP sockets, which the kernel broadcasts: how the daemon learns of the end of sockets
//! that predate it and for whose end no hook fires.
//!
//! Belongs here: when to subscribe, what to pass on, and when to give up. Does not belong here: what the counts
//! mean (`core::flow`).
//!
//! While anyone is subscribed, every TCP socket that closes on the host costs the kernel a notice: 2.7 µs as
//! measured on Linux 6.18, in any network namespace, though only those of one namespace are delivered. Hence:
//! 1. A namespace is watched only while an existing connection remains in it. Existing listeners live for
//!    months; their ends are received while that lasts, and do not extend it.
//! 2. A namespace whose uninteresting notices come too fast, or overflow the buffer, is given up with a warning.
//!    What closes there is then found missing by the next poll.
//! 3. One thread reads for all namespaces, and naps after each wake-up: notices that come together cost one
//!    wake-up.

mod notice;
mod reader;
mod subscription;
#[cfg(test)]
mod tests;
mod watched;

pub(crate) use notice::DestroyNotice;
#[cfg(any(test, fuzzing))]
pub(super) use notice::hostile;
pub(crate) use reader::DestroyNotices;
pub(crate) use subscription::Subscription;
pub(crate) use watched::WantedSockets;
