//! How a sink writes an event.

use std::fmt;

use super::Batch;
use gdprport_core::event::Event;

/// Appends an event in words: one line without a line feed.
pub(crate) type Render = Box<dyn FnMut(&Event, &mut Vec<u8>) + Send>;

/// How a sink writes an event.
pub enum Format {
    /// As one line of NDJSON, schema `gdprport.event/1`.
    Native,
    /// As a line for people.
    Human(Render),
}

impl Format {
    /// The first lines of a batch, each ended by a line feed: the batch's own, or made into `buffer`, with where they
    /// end in `ends`.
    pub(super) fn lines<'a>(
        &mut self,
        batch: &'a Batch,
        count: usize,
        buffer: &'a mut Vec<u8>,
        ends: &'a mut Vec<usize>,
    ) -> (&'a [u8], &'a [usize]) {
        match self {
            Self::Native => (batch.lines(count), &batch.ends()[..count]),
            Self::Human(render) => {
                buffer.clear();
                ends.clear();
                for event in batch.events().iter().take(count) {
                    render(event, buffer);
                    buffer.push(b'\n');
                    ends.push(buffer.len());
                }
                (buffer, ends)
            }
        }
    }

    /// Whether it is made from the events themselves.
    pub(super) const fn wants_events(&self) -> bool {
        matches!(self, Self::Human(_))
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "Native",
            Self::Human(_) => "Human",
        })
    }
}
