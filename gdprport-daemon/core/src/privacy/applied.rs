//! What was applied, as events say it: so that nobody takes a pseudonym for a true value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What of `[privacy]` was applied to an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// What stands instead of the addresses of peers; absent: they are true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<AppliedPeers>,
    /// What stands instead of users; absent: they are true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<AppliedUsers>,
    /// What names the key of the pseudonyms, eight hexadecimal digits: pseudonyms of different keys cannot be compared.
    /// Absent without pseudonyms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// The bits that are kept of IPv4 addresses of peers; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4_bits: Option<u8>,
    /// The bits that are kept of IPv6 addresses of peers; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_bits: Option<u8>,
}

/// What stands instead of addresses of peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AppliedPeers {
    /// An address in 100::/64 made by HMAC-SHA-256 of the address, or of its network where that is truncated.
    Hmac,
    /// The first address of its network.
    Truncated,
}

/// What stands instead of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AppliedUsers {
    /// Names `u-` and 16 hexadecimal digits, ids from 2147483648 on, both made by HMAC-SHA-256; accounts of the system are
    /// true.
    Hmac,
}
