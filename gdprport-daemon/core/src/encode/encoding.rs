//! Which encodings there are, by the names that configurations and the command line use.

use super::native;
use crate::event::Event;

/// A language in which events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// gdprport's own, schema `gdprport.event/1`: complete.
    Native,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: &[Self] = &[Self::Native];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
        }
    }

    /// Appends one event as one record, without a line feed at its end: no byte of it is a line feed or another control
    /// character of C0.
    pub fn write(self, event: &Event, record: &mut Vec<u8>) {
        match self {
            Self::Native => {
                native(event, record);
                record.pop();
            }
        }
    }
}
