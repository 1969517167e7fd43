//! How a sink writes an event.

use std::fmt;

use super::Published;
use crate::core::event::Event;

/// Appends an event in words: one line without a line feed.
pub type Render = Box<dyn FnMut(&Event, &mut Vec<u8>) + Send>;

/// How a sink writes an event.
pub enum Format {
    /// As one line of NDJSON, schema `gdprport.event/1`.
    Native,
    /// As a line for people.
    Human(Render),
}

impl Format {
    /// Appends one line, ended by a line feed.
    pub(super) fn append(&mut self, event: &Published, buffer: &mut Vec<u8>) {
        match self {
            Self::Native => buffer.extend_from_slice(event.native()),
            Self::Human(render) => {
                render(event.event(), buffer);
                buffer.push(b'\n');
            }
        }
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
