//! Where a receiver listens: a host and a port.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::ServerName;
use crate::written::{Node, Read, Report, Text, quoted, schema};

/// A host, by name or address, and a TCP or UDP port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The name or address.
    pub host: ServerName,
    /// The port, not 0.
    pub port: u16,
}

impl Endpoint {
    /// Reads `HOST:PORT`, with an IPv6 address in brackets; without a port, `default` is meant if there is one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, default: Option<u16>) -> Result<Self, &'static str> {
        const HOST: &str = "it has no usable host";
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(HOST)?;
                host.parse::<Ipv6Addr>().map_err(|_| HOST)?;
                (host, port)
            }
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let host = ServerName::parse(host).ok_or(HOST)?;
        let port = match (port.strip_prefix(':'), default) {
            (Some(port), _) => {
                port.parse().ok().filter(|port| *port > 0).ok_or("its port is no number from 1 to 65535")?
            }
            (None, Some(default)) if port.is_empty() => default,
            (None, None) if port.is_empty() => return Err("it has no port"),
            (None, _) => return Err(HOST),
        };
        Ok(Self { host, port })
    }

    /// Whether it is this host's own: what is sent there crosses no network.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = &*self.host.0;
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host: ServerName(host), port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

schema!(Endpoint, json_schema!({ "type": "string", "pattern": ":[0-9]{1,5}$" }));

impl Read for Endpoint {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let text = Text::read(node, report)?;
        let help = "write HOST:PORT, and an IPv6 address in brackets".to_owned();
        match Self::parse(&text, None) {
            Ok(endpoint) => return Some(endpoint),
            // What is before an `@` may be a password, and nothing of it is shown.
            Err(_) if text.contains('@') => {
                let help = format!("{help}; users and passwords have keys of their own");
                let message = "this is no host with a port: it has a name or password in it";
                report.error_unquoted(node.loc, message, help);
            }
            Err(why) => {
                report.error(node.loc, format!("{} is no host with a port: {why}", quoted(&text)), help);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("siem.example.org:6514", None, "siem.example.org:6514")]
    #[case("192.0.2.1:514", Some(1), "192.0.2.1:514")]
    #[case("[2001:db8::1]:514", None, "[2001:db8::1]:514")]
    #[case("[::1]", Some(514), "[::1]:514")]
    #[case("siem", Some(514), "siem:514")]
    fn a_host_and_its_port_are_read(#[case] text: &str, #[case] default: Option<u16>, #[case] shown: &str) {
        assert_eq!(Endpoint::parse(text, default).map(|endpoint| endpoint.to_string()), Ok(shown.to_owned()));
    }

    #[rstest]
    #[case("", "host")]
    #[case(":514", "host")]
    #[case("siem", "no port")]
    #[case("siem:", "number")]
    #[case("siem:0", "number")]
    #[case("siem:65536", "number")]
    #[case("2001:db8::1", "number")]
    #[case("[::1]514", "host")]
    #[case("[siem]:514", "host")]
    #[case("si em:514", "host")]
    #[case("me:pw@siem:514", "number")]
    fn what_is_no_host_and_port_is_refused(#[case] text: &str, #[case] why: &str) {
        assert!(Endpoint::parse(text, None).is_err_and(|error| error.contains(why)), "{text}");
    }
}
