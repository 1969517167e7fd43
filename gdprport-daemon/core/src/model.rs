//! The vocabulary of the product as types: directions, endpoints, processes and how they are known.
//!
//! Belongs here: plain values that more than one layer uses, with their text and JSON forms.
//! Does not belong here: anything that decides (`policy`), remembers (`flow`) or reads the machine (`host`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
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

/// How the owner of a flow is known. Ordered from weakest to strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Attribution {
    /// Nothing is known.
    Unknown,
    /// Found by scanning `/proc` for the socket's inode.
    Snapshot,
    /// Inherited from the process that bound the listener.
    Listener,
    /// Seen in the context of the process that called connect or accept.
    Exact,
}

impl Attribution {
    /// The identifier used in events and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Snapshot => "snapshot",
            Self::Listener => "listener",
            Self::Exact => "exact",
        }
    }
}

impl fmt::Display for Attribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The container a process runs in, read from its cgroup path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    /// The runtime's full container id (64 hexadecimal digits for docker, containerd, cri-o and podman).
    pub id: Arc<str>,
    /// `docker`, `containerd`, `cri-o`, `podman`, …; `null` where the path does not show it.
    pub runtime: Option<Arc<str>>,
    /// The Kubernetes pod's uid, with dashes, where the path names one.
    pub pod: Option<Arc<str>>,
}

/// The process that started another one, as far as it is still known.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Parent {
    /// Its process id (tgid) in the initial pid namespace.
    pub pid: u32,
    /// Its executable, `null` if it could not be read.
    pub exe: Option<Arc<str>>,
}

/// How a process itself kept evidence from being known. Only what can be nothing but its own doing: what memory pressure,
/// a late start or a loss may explain is missing evidence instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Withheld {
    /// It filled the option memory of its socket, so that the kernel could not keep with it who called.
    OptionMemory,
    /// It had a kernel thread of io_uring connect, which on kernels before 5.12 belongs to no process.
    KernelThread,
    /// Its executable lies deeper, or under a longer name, than the kernel side reads.
    LongPath,
    /// Its executable was moved out of the mounts through which it was reached.
    Unreachable,
    /// Its executable was reached through mounts that somebody else than root made, and is not the host's file of that path.
    OtherMounts,
}

impl Withheld {
    /// What it did, as text.
    #[must_use]
    pub const fn cause(self) -> &'static str {
        match self {
            Self::OptionMemory => {
                "it filled the option memory of its socket, where the kernel keeps the owner"
            }
            Self::KernelThread => {
                "it had a kernel thread of io_uring connect, which on this kernel shows no process"
            }
            Self::LongPath => {
                "its executable has a path of more than 511 bytes, or 127 directories and mounts, and it ended before it could be looked at"
            }
            Self::Unreachable => "its executable was moved out of the mounts through which it was reached",
            Self::OtherMounts => {
                "its executable was reached through mounts that root did not make, and is not this host's file of that path"
            }
        }
    }
}

/// The process at the local end of a flow.
///
/// Command-line arguments and environment are never part of it: they carry secrets and personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id (tgid) in the initial pid namespace.
    pub pid: u32,
    /// When the process was started (by fork), `null` if not known.
    #[schemars(with = "Option<String>")]
    pub started: Option<Timestamp>,
    /// Absolute path of the executable file; for a script, the interpreter. One that is no UTF-8 is quoted as a shell reads
    /// it: `$'/tmp/sh\xff'`. `null` if not known.
    pub exe: Option<Arc<str>>,
    /// Absolute path of the script, when the executable is an interpreter started through `#!`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Arc<str>>,
    /// The thread's command name at the time of the call (at most 15 bytes; a process may change it).
    pub comm: Option<Arc<str>>,
    /// Real user id at the time of the call, in the initial user namespace.
    pub uid: u32,
    /// The user's name, `null` if the id has none on this host, or if the name service did not reply in time.
    pub user: Option<Arc<str>>,
    /// Real group id at the time of the call, in the initial user namespace.
    pub gid: u32,
    /// The group's name, `null` if the id has none on this host, or if the name service did not reply in time.
    #[serde(default)]
    pub group: Option<Arc<str>>,
    /// True while it is not known whether `user` or `group` has a name: then a missing one proves nothing.
    #[serde(skip)]
    pub names_pending: bool,
    /// True if the cgroup is named like a container's and it can no longer be known whether root named it so: then a
    /// missing `container` proves nothing.
    #[serde(skip)]
    pub container_unproven: bool,
    /// How the process itself withheld its executable, if it did: then a missing one is no gap in the evidence.
    #[serde(skip)]
    pub exe_withheld: Option<Withheld>,
    /// systemd unit.
    pub unit: Option<Arc<str>>,
    /// systemd slice.
    pub slice: Option<Arc<str>>,
    /// Container, `null` outside of one.
    pub container: Option<Container>,
    /// Path below the cgroup root.
    pub cgroup: Option<Arc<str>>,
    /// Inode number of the network namespace of the socket, `null` if not known.
    #[serde(default)]
    pub netns: Option<u64>,
    /// The parent process.
    pub parent: Option<Parent>,
    /// How the process is known to be the owner.
    pub attribution: Attribution,
}

impl Process {
    /// A process of which nothing is known, and the base for one of which something is. User and group are
    /// the kernel's invalid id, never 0, which is root.
    pub const UNKNOWN: Self = Self {
        pid: 0,
        started: None,
        exe: None,
        script: None,
        comm: None,
        uid: u32::MAX,
        user: None,
        gid: u32::MAX,
        group: None,
        names_pending: false,
        container_unproven: false,
        exe_withheld: None,
        unit: None,
        slice: None,
        container: None,
        cgroup: None,
        netns: None,
        parent: None,
        attribution: Attribution::Unknown,
    };
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
    /// Encrypted by something else than TLS: SSH, GSSAPI.
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

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ssl2 => "SSL 2",
            Self::Ssl3 => "SSL 3",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_mapped_addresses_become_plain_ipv4() {
        let mapped = Endpoint::new("::ffff:192.0.2.7".parse().expect("address"), 5432);
        assert_eq!(mapped.to_string(), "192.0.2.7:5432");
    }
}
