//! Peers as they are written: the grammar of one, and the named sets.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::range::networks_of_range;
use crate::written::quoted;

/// The sets of `[peers]` by name.
#[derive(Default)]
pub(crate) struct PeerSets(pub HashMap<String, Vec<PeerSpec>>);

impl PeerSets {
    /// The members of a set; none for a name that was refused.
    pub(crate) fn members(&self, name: &str) -> &[PeerSpec] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// A peer as it is written in `peers`, `service`, `listen` or `[peers]`. Their order is the one in which messages name
/// them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum PeerSpec {
    /// A network, or an address as a network of one.
    Net(IpNet),
    /// A host name, in lower case and without a trailing dot.
    Host(Arc<str>),
    /// A text that must be a name of `[peers]`.
    Set(Box<str>),
    /// `loopback`: 127.0.0.0/8 and ::1.
    Loopback,
    /// `any`.
    Any,
}

/// Why a text is no peer: what is wrong, and what would be right.
pub(crate) type Refusal = (String, String);

impl PeerSpec {
    /// Reads one peer.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |what: &str, help: &str| Err((format!("{} {what}", quoted(text)), help.to_owned()));
        match text {
            "any" => return Ok(Self::Any),
            "loopback" => return Ok(Self::Loopback),
            _ => {}
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Net(address.to_canonical().into()));
        }
        if text.contains('/') {
            let Ok(net) = text.parse::<IpNet>() else {
                return refuse("is no network", "write it as \"10.0.2.0/24\" or \"fd00:2::/64\"");
            };
            if net.trunc() != net {
                let help =
                    format!("the network is \"{}\"; the one address is \"{}\"", net.trunc(), net.addr());
                return Err((format!("{} has bits set beyond its prefix", quoted(text)), help));
            }
            return Ok(Self::Net(canonical(net)));
        }
        if let Some(help) = networks_of_range(text) {
            return refuse("is a range, and no peer", &help);
        }
        if text.contains(':') {
            return refuse("is no address", "write an address without a port or a zone");
        }
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return refuse("is no address", "write it as \"10.0.2.15\" or, for a network, \"10.0.2.0/24\"");
        }
        if text.contains('.') {
            let name = text.strip_suffix('.').unwrap_or(text);
            if ends_like_an_address(name) {
                return refuse(
                    "is neither an address nor a host name",
                    "write an address as \"10.0.2.15\" or a network as \"10.0.2.0/24\"; the last part of a host name has \
                     a letter",
                );
            }
            if is_host_name(name) {
                return Ok(Self::Host(name.to_ascii_lowercase().into()));
            }
            return refuse(
                "is no host name",
                "a host name has letters, digits, `-` and `_` between its dots and no wildcards",
            );
        }
        if is_set_name(text) {
            return Ok(Self::Set(text.into()));
        }
        refuse(
            "is no peer",
            "write a name from [peers], a network, an address, a host name, \"loopback\" or \"any\"",
        )
    }
}

/// Whether a name can stand in `[peers]`: no dots, so that it is never mistaken for a host name or an address.
pub(crate) fn is_set_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(plain)
        && !text.bytes().all(|byte| byte.is_ascii_digit())
        && !["any", "loopback", "local"].contains(&text)
}

/// RFC 1123 §2.1 with the underscore that is common in practice.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Whether the last label can be no top-level domain: it has a letter (RFC 1123 §2.1), and a hexadecimal number is one of
/// an address (WHATWG URL §3.5, "ends in a number"). Resolvers disagree on what such a text is.
fn ends_like_an_address(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let plain = |byte: u8| byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    is_number || (!last.is_empty() && last.bytes().all(plain))
}

/// An IPv4-mapped network is the IPv4 network that it stands for, as flows never carry mapped addresses.
fn canonical(net: IpNet) -> IpNet {
    match (net, net.addr().to_canonical()) {
        (IpNet::V6(v6), IpAddr::V4(v4)) if v6.prefix_len() >= 96 => {
            Ipv4Net::new(v4, v6.prefix_len() - 96).map_or(net, IpNet::V4)
        }
        _ => net,
    }
}

/// 127.0.0.0/8 (RFC 1122 §3.2.1.3) and ::1 (RFC 4291 §2.5.3).
pub(crate) fn loopback_nets() -> [IpNet; 2] {
    [
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    ]
}

impl fmt::Display for PeerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Loopback => f.write_str("loopback"),
            Self::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Net(net) => net.fmt(f),
            Self::Host(name) => f.write_str(name),
            Self::Set(name) => f.write_str(name),
        }
    }
}
