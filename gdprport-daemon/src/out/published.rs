//! An event on its way out, shared by all sinks.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::core::event::{Event, encode};

/// Room for most lines, so that the buffer grows rarely: a flow event of a service takes 1.1 to 1.5 KB.
const LINE: usize = 1536;

/// An event and its encodings, each made at most once, by the sink that needs it first, off the daemon's loop.
#[derive(Debug)]
pub struct Published {
    event: Event,
    native: OnceLock<Bytes>,
}

impl Published {
    /// An event that is about to leave.
    #[must_use]
    pub const fn new(event: Event) -> Self {
        Self { event, native: OnceLock::new() }
    }

    /// The event itself.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }

    /// Its line of NDJSON, ended by a line feed.
    pub fn native(&self) -> &Bytes {
        self.native.get_or_init(|| {
            let mut line = Vec::with_capacity(LINE);
            encode::native(&self.event, &mut line);
            line.into()
        })
    }
}
