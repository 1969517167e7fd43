//! One event on its way to a receiver.

use bytes::Bytes;
use gdprport_core::event::Event;

/// One event, and what a sink's encoding made of it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The event. Its `id` is the key by which a receiver recognises what it already has.
    pub event: Event,
    /// One record of the sink's encoding, without a line feed at its end and without any in it.
    pub record: Bytes,
}
