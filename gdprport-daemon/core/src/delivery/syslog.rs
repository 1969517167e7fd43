//! The keys of `type = "syslog"`.

use schemars::JsonSchema;

use crate::written::{At, Loc, Node, Read, Report, TableReader, Text, tables};

tables! {
    /// A syslog receiver.
    "a sink of type syslog" => struct RawSyslog as "Syslog" {
        required {
            /// Where it listens: `tls://HOST:PORT`, `tcp://HOST:PORT`, `udp://HOST:PORT` or `unix:PATH`.
            address: Text = "\"tls://siem.example.org:6514\"",
        }
        optional {}
        later {}
    }
}

/// How a syslog receiver is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogSettings {
    address: String,
}

impl SyslogSettings {
    pub(super) fn of(raw: RawSyslog, _: Loc, _: &mut Report<'_>) -> Option<Self> {
        Some(Self { address: raw.address?.value.0 })
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> String {
        self.address.clone()
    }
}
