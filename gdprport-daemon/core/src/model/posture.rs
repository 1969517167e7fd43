//! What was seen of the encryption of a flow.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was seen of the encryption of a flow. Of the payload itself nothing is kept: no names of users or
/// databases, no query, no password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Posture {
    /// The state; `unknown` is never compliant.
    pub state: PostureState,
    /// What it is based on, as text.
    pub evidence: String,
    /// The version of TLS that the server chose; absent where its reply was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<TlsVersion>,
    /// The cipher suite that the server chose: its IANA name, or `0x` and four hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher: Option<Arc<str>>,
    /// How far the bytes show that both sides took part in the handshake; absent where nothing counts as TLS, or the
    /// server's hello was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// The server name that the client asked for (SNI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sni: Option<Arc<str>>,
    /// The application protocols that the client offered (ALPN), in its order, at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<Arc<str>>,
    /// The server's certificate, where TLS shows it (up to 1.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Box<Certificate>>,
}

/// The states of a posture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PostureState {
    /// TLS 1.3 from the first byte.
    #[serde(rename = "tls1.3")]
    Tls13,
    /// TLS 1.2 from the first byte.
    #[serde(rename = "tls1.2")]
    Tls12,
    /// SSL 2, SSL 3, TLS 1.0 or 1.1, or a cipher suite that is broken or does not authenticate; upgraded or not.
    WeakTls,
    /// Began in plaintext and was upgraded; `version` follows once the server's reply was seen.
    StarttlsUpgraded,
    /// The client asked for the upgrade and the server refused.
    StarttlsRefused,
    /// Not encrypted.
    Plaintext,
    /// Encrypted by something else than TLS: SSH, GSSAPI, a layer of SASL with Kerberos, SMB 3.
    EncryptedOther,
    /// Certainly not TLS, and nothing else that is known: whether it is encrypted is not known.
    Unrecognised,
    /// Neither side sent a byte of data, as the kernel counted them.
    NoData,
    /// Nothing was seen that decides it.
    Unknown,
}

impl PostureState {
    /// The identifier used in events and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls13 => "tls1.3",
            Self::Tls12 => "tls1.2",
            Self::WeakTls => "weak-tls",
            Self::StarttlsUpgraded => "starttls-upgraded",
            Self::StarttlsRefused => "starttls-refused",
            Self::Plaintext => "plaintext",
            Self::EncryptedOther => "encrypted-other",
            Self::Unrecognised => "unrecognised",
            Self::NoData => "no-data",
            Self::Unknown => "unknown",
        }
    }
}

impl PostureState {
    /// Whether it is TLS that counts as encrypted.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Tls13 | Self::Tls12 | Self::StarttlsUpgraded)
    }
}

/// How far the first bytes show that both sides took part in a handshake, from weakest to strongest. None shows that the
/// server holds a key: all of these bytes are public, so that two ends that cooperate can write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Only the server's hello was seen; stored bytes can begin like one.
    OneSide,
    /// Both hellos were seen, and the server's is one that the client's allows: its version, its cipher suite and, in
    /// TLS 1.3, its group are among those offered, as far as they were captured.
    BothSides,
    /// The server's hello also repeats the bytes that the client chose for this connection (RFC 8446 §4.1.3,
    /// `legacy_session_id_echo`).
    Echo,
}

/// The versions of TLS and its predecessors, from oldest to newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// SSL 2.0 (forbidden by RFC 6176).
    #[serde(rename = "ssl2")]
    Ssl2,
    /// SSL 3.0 (forbidden by RFC 7568).
    #[serde(rename = "ssl3")]
    Ssl3,
    /// TLS 1.0 (deprecated by RFC 8996).
    #[serde(rename = "1.0")]
    Tls10,
    /// TLS 1.1 (deprecated by RFC 8996).
    #[serde(rename = "1.1")]
    Tls11,
    /// TLS 1.2 (RFC 5246).
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    #[serde(rename = "1.3")]
    Tls13,
}

impl TlsVersion {
    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ssl2 => "SSL 2",
            Self::Ssl3 => "SSL 3",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a server's certificate states; whether it is trusted is not judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// The subject as in RFC 4514, without attributes of persons, at most 256 characters. It begins with `…` if a part of
    /// it was not captured.
    pub subject: String,
    /// The issuer, in the same form.
    pub issuer: String,
    /// Until when it is valid.
    #[schemars(with = "String")]
    pub not_after: Timestamp,
}

impl Posture {
    /// A posture without further facts.
    #[must_use]
    pub fn new(state: PostureState, evidence: impl Into<String>) -> Self {
        let evidence = evidence.into();
        Self {
            state,
            evidence,
            version: None,
            cipher: None,
            proof: None,
            sni: None,
            alpn: Vec::new(),
            certificate: None,
        }
    }

    /// The posture of a flow of which nothing is known, with the reason.
    #[must_use]
    pub fn unknown(why: &str) -> Self {
        Self::new(PostureState::Unknown, why)
    }
}
