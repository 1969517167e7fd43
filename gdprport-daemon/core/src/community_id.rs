//! Community ID v1: the id of a connection that other network tools compute too.
//!
//! Belongs here: the digest and its text form (the Community ID specification, version 1, by Corelight), for
//! TCP with seed 0, which Zeek, Suricata and Wireshark use by default.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha1::{Digest, Sha1};

use super::model::Endpoint;

/// The seed: the default, so that ids match those of other tools.
const SEED: u16 = 0;
/// The IANA protocol number of TCP.
const TCP: u8 = 6;
/// The version, which is also the prefix of the text form.
const PREFIX: &str = "1:";

/// A Community ID v1 of a TCP connection. Both ends of a connection have the same one.
///
/// The text form is `1:` and the base64 (with padding) of a SHA-1, 30 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommunityId([u8; 20]);

impl CommunityId {
    /// The id of the TCP connection between two endpoints; their order does not matter.
    ///
    /// Digested are, in network byte order: seed (2 bytes), lower address, higher address, protocol, one zero
    /// byte, lower endpoint's port, higher endpoint's port. Lower is by address, then by port.
    #[must_use]
    pub fn tcp(a: Endpoint, b: Endpoint) -> Self {
        let (low, high) = if (a.ip, a.port) <= (b.ip, b.port) { (a, b) } else { (b, a) };
        let mut hash = Sha1::new();
        hash.update(SEED.to_be_bytes());
        for end in [low, high] {
            match end.ip {
                IpAddr::V4(ip) => hash.update(ip.octets()),
                IpAddr::V6(ip) => hash.update(ip.octets()),
            }
        }
        hash.update([TCP, 0]);
        hash.update(low.port.to_be_bytes());
        hash.update(high.port.to_be_bytes());
        Self(hash.finalize().into())
    }

    /// Appends the text form.
    pub fn append(&self, text: &mut Vec<u8>) {
        let mut encoded = [0; 28];
        STANDARD.encode_slice(self.0, &mut encoded).expect("28 characters stand for 20 bytes");
        text.extend_from_slice(PREFIX.as_bytes());
        text.extend_from_slice(&encoded);
    }
}

impl fmt::Display for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", Base64Display::new(&self.0, &STANDARD))
    }
}

/// The text is not a Community ID of version 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Community ID of version 1: expected \"1:\" and 28 characters of base64")]
pub struct NotACommunityId;

impl FromStr for CommunityId {
    type Err = NotACommunityId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let encoded = text.strip_prefix(PREFIX).ok_or(NotACommunityId)?;
        let digest = STANDARD.decode(encoded).map_err(|_| NotACommunityId)?;
        Ok(Self(digest.try_into().map_err(|_| NotACommunityId)?))
    }
}

impl Serialize for CommunityId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CommunityId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for CommunityId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CommunityId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Community ID v1 (seed 0): the same for both ends of a connection and in other network tools.",
            "type": "string",
            "pattern": "^1:[A-Za-z0-9+/]{27}=$",
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn end(ip: &str, port: u16) -> Endpoint {
        Endpoint::new(ip.parse().expect("address"), port)
    }

    // The first and the third are the vectors of the specification's reference implementation; the others were
    // computed by an independent implementation of its text.
    #[rstest]
    #[case("128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=")]
    #[case("10.1.2.3", 48212, "203.0.113.7", 5432, "1:kyaC+DSFrgYS21zQB11Bsi1b5bM=")]
    #[case(
        "2001:470:e5bf:dead:4957:2174:e82c:4887",
        63943,
        "2607:f8b0:400c:c03::1a",
        25,
        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="
    )]
    #[case("127.0.0.1", 40000, "127.0.0.1", 5432, "1:tlwCO1v8PHUv7P4YH1ypBM4Y5rY=")]
    #[case("::1", 40000, "::1", 5432, "1:vu57EKz6FvV/2ty4vbvIIolHvl0=")]
    fn known_connections_have_their_known_ids_from_both_ends(
        #[case] a: &str,
        #[case] a_port: u16,
        #[case] b: &str,
        #[case] b_port: u16,
        #[case] expected: &str,
    ) {
        assert_eq!(CommunityId::tcp(end(a, a_port), end(b, b_port)).to_string(), expected);
        assert_eq!(CommunityId::tcp(end(b, b_port), end(a, a_port)).to_string(), expected);
    }

    #[test]
    fn the_text_form_reads_back_and_nothing_else_does() {
        let id = CommunityId::tcp(end("10.1.2.3", 1), end("10.1.2.4", 2));
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "1:", "2:LQU9qZlK+B5F3KDmev6m5PMibrg=", "1:LQU9", "1:LQU9qZlK+B5F3KDmev6m5PMibrg"] {
            assert_eq!(wrong.parse::<CommunityId>(), Err(NotACommunityId), "{wrong:?}");
        }
    }
}
