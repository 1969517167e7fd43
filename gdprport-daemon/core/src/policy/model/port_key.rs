//! A port as an exception names it.

use std::sync::Arc;

/// A port by its name or its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PortKey {
    Name(Arc<str>),
    Number(u16),
}

impl PortKey {
    /// Whether it is the port of this name and number, as far as they are known.
    pub(crate) fn is(&self, name: Option<&str>, number: Option<u16>) -> bool {
        match self {
            Self::Name(own) => name == Some(&**own),
            Self::Number(own) => number == Some(*own),
        }
    }
}
