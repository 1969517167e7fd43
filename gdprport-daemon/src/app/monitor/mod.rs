//! What is watched, and what follows from each input: records of the kernel side and what was found on the host go in,
//! events and counters come out.
//!
//! Belongs here: the state that a verdict depends on, and the one place that changes it. Does not belong here: where
//! inputs come from (`run`, `reconcile`), and what is reported about the daemon itself (`coverage`, `status`).

mod accepted;
mod binds;
mod counters;
mod denied_binds;
mod evidence;
mod existing;
mod flow_event;
mod listener_event;
mod listeners;
mod logged;
mod lost;
#[expect(clippy::module_inception, reason = "it holds the type of this name, and this file only declares")]
mod monitor;
mod overload;
mod policy;
mod publish;
mod resets;
mod sums;
mod volumes;

pub use evidence::Evidence;
pub(in crate::app) use existing::Comes;
pub(super) use flow_event::{flow_object, peer_name};
pub use monitor::{Input, Monitor};
pub(crate) use monitor::{Polled, SeenListener, Unwatched};
pub use publish::Publisher;
pub(crate) use publish::PublisherSnapshot;
