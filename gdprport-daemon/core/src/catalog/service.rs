//! What the catalog says of a service.

/// How a service starts TLS on its port, if it does at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsStart {
    /// From the first byte, or never on that connection.
    Direct,
    /// The connection starts in plaintext and asks for the upgrade (STARTTLS, `SSLRequest`, `StartTLS` extension).
    InBand,
    /// Both are in use, so that the first bytes decide.
    Either,
    /// The protocol has no TLS of its own.
    None,
}

/// One service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// The identifier used as `protocol` in a policy: lower case, stable.
    pub id: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// The TCP ports it listens on by default, ascending, never empty.
    pub ports: &'static [u16],
    /// File names of executables that are this service and nothing else, whatever their port is.
    pub executables: &'static [&'static str],
    /// File names of executables that serve it and much else: a virtual machine, an interpreter, a master of many protocols.
    /// They say nothing alone.
    pub runtimes: &'static [&'static str],
    /// How it negotiates TLS.
    pub tls: TlsStart,
    /// Why it usually carries personal data: one short sentence.
    pub why: &'static str,
}
