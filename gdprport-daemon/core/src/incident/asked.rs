//! The port that a draft is about.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::ledger::PortKey;
use crate::policy::DeclaredPort;

/// A port by its number, or by the name of its declaration or of its service in the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedPort {
    /// The TCP port.
    Number(u16),
    /// The name.
    Name(Arc<str>),
}

impl AskedPort {
    /// Whether the ledger means it by this.
    #[must_use]
    pub fn is(&self, port: &PortKey) -> bool {
        match self {
            Self::Number(number) => port.number == *number,
            Self::Name(name) => port.name == *name,
        }
    }

    /// Whether a policy declares it by this.
    #[must_use]
    pub fn is_declared(&self, port: &DeclaredPort) -> bool {
        match self {
            Self::Number(number) => port.numbers.iter().any(|range| range.contains(number)),
            Self::Name(name) => port.name == *name,
        }
    }
}

impl FromStr for AskedPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err("write a TCP port such as 5432, or the name of a declared port".to_owned());
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Name(text.into()));
        }
        match text.parse() {
            Ok(0) | Err(_) => Err("TCP ports are 1 to 65535".to_owned()),
            Ok(number) => Ok(Self::Number(number)),
        }
    }
}

impl fmt::Display for AskedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}
