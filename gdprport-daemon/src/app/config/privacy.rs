//! What leaves the daemon instead of addresses and users, as it is written.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gdprport_core::privacy::Truncate;
use serde::{Deserialize, Deserializer, de};

/// The part `[privacy]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PrivacyConfig {
    /// What is shown by pseudonyms.
    pub pseudonymise: BTreeSet<Subject>,
    /// The file with their key. Not given: the credential that systemd passes.
    pub key: Option<PathBuf>,
    /// How much is kept of addresses of peers.
    #[serde(deserialize_with = "truncate")]
    pub truncate: Option<Truncate>,
}

/// What can be shown by pseudonyms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subject {
    /// Addresses of peers.
    Peers,
    /// Users and groups that may be persons.
    Users,
}

/// Both are written: an address of the family that was forgotten would leave whole.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lengths {
    ipv4: u8,
    ipv6: u8,
}

fn truncate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Truncate>, D::Error> {
    let Lengths { ipv4, ipv6 } = Lengths::deserialize(deserializer)?;
    Truncate::new(ipv4, ipv6).filter(|_| ipv4 > 0 && ipv6 > 0).map(Some).ok_or_else(|| {
        de::Error::custom("write it as { ipv4 = 24, ipv6 = 48 }: from 1 to 32 and from 1 to 128 bits")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address of a family that was forgotten would leave whole.
    #[test]
    fn what_is_to_be_hidden_is_written_whole() {
        for (text, why) in [
            ("pseudonymise = [\"user\"]", "expected `peers` or `users`"),
            ("truncate = { ipv4 = 24 }", "missing field `ipv6`"),
            ("truncate = { ipv4 = 33, ipv6 = 48 }", "from 1 to 32"),
            ("truncate = { ipv4 = 0, ipv6 = 48 }", "from 1 to 32"),
            ("truncated = true", "unknown field"),
        ] {
            let error = toml::from_str::<PrivacyConfig>(text).expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
