//! Connections: their ends, direction and outcome.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which end of the connection this host's socket is, seen from the local end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Accepted here: the GDPR port is the local one.
    In,
    /// Connected from here: the GDPR port is the peer's.
    Out,
}

impl Direction {
    /// The identifier used in policies, events and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An address and a TCP port, both in host terms; IPv4-mapped IPv6 addresses are already plain IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// The address, never `::ffff:a.b.c.d`.
    pub ip: IpAddr,
    /// The TCP port in host byte order.
    pub port: u16,
}

impl Endpoint {
    /// Makes an endpoint, turning an IPv4-mapped address into the IPv4 address that it stands for
    /// (RFC 4291 §2.5.5.2): a dual-stack listener must not need rules of its own.
    #[must_use]
    pub fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip: ip.to_canonical(), port }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&SocketAddr::new(self.ip, self.port), f)
    }
}

/// How a connection began or ended, as far as it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The handshake was completed; the flow is open.
    Established,
    /// Closed in an orderly way (FIN).
    Closed,
    /// Closed by a reset after it was established.
    Reset,
    /// The connect was answered with a reset (RFC 9293, 3.5.2).
    Refused,
    /// The connect was never answered; or the peer of an established flow did not answer any more, and TCP gave up.
    TimedOut,
    /// The connect ended on this host before a packet left: a program or a firewall refused it, or there is no route.
    Denied,
    /// The policy does not allow it, and its port has `mode = "enforce"`: a connect ended on this host before a packet left, or the
    /// SYN of another host did not reach the server.
    DeniedByPolicy,
    /// An open flow was ended by the daemon, because the policy denies it and asks for that: `existing = "reset"` or
    /// `posture = "reset"`.
    EndedByPolicy,
    /// The connect was given up unanswered before its SYN was sent again: by the caller, or because an ICMP message reported
    /// that the peer or its port cannot be reached, as a rejecting firewall does. TCP does not show which.
    Aborted,
    /// The flow is gone and its end was not seen (counted as lost).
    Lost,
}

impl Outcome {
    /// The outcome of a connect that left this host and failed: refused if there was any reply, else given up with or
    /// without having waited.
    pub(crate) const fn of_attempt(answered: bool, retransmits: u32) -> Self {
        match (answered, retransmits) {
            (true, _) => Self::Refused,
            (false, 0) => Self::Aborted,
            (false, _) => Self::TimedOut,
        }
    }

    /// The identifier used in events and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::TimedOut => "timed-out",
            Self::Denied => "denied",
            Self::DeniedByPolicy => "denied-by-policy",
            Self::EndedByPolicy => "ended-by-policy",
            Self::Aborted => "aborted",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_mapped_addresses_become_plain_ipv4() {
        let mapped = Endpoint::new("::ffff:192.0.2.7".parse().expect("address"), 5432);
        assert_eq!(mapped.to_string(), "192.0.2.7:5432");
    }
}
