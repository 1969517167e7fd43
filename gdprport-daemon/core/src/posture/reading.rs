//! What parsers return.
//!
//! Belongs here: the two byte streams as a parser sees them and its possible results.

use std::borrow::Cow;

use crate::model::Posture;

/// The beginnings of both directions, each without a gap, as far as they were captured. They only ever grow, so a
/// parser is a function of them: how they were cut into segments makes no difference.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialogue<'a> {
    /// Client to server.
    pub client: &'a [u8],
    /// Server to client.
    pub server: &'a [u8],
    /// The port is declared to carry this protocol, so that a weaker likeness is enough.
    pub declared: bool,
    /// Whether bytes are known to be missing behind what is there of the client and of the server.
    pub cut: [bool; 2],
}

/// What a parser makes of a dialogue. No further byte
/// changes `Foreign`, `Never` or a `Seen` that awaits nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// The bytes are not of this protocol.
    Foreign,
    /// More bytes may decide it; what is missing.
    Open(Cow<'static, str>),
    /// No further byte can decide it; why.
    Never(Cow<'static, str>),
    /// Decided.
    Seen {
        posture: Posture,
        /// What could still change it.
        awaits: Awaits,
    },
}

/// Which bytes can still change what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaits {
    Nothing,
    Bytes,
    /// The server's hello: the client's ends what was captured of it, and begins so many bytes before that end.
    ServerHello {
        /// What was captured of the client from its hello on.
        offer: usize,
    },
    /// Only those of the client behind its ClientHello, if they are no record of TLS. This many of them are there, at
    /// the end of what was captured of the client: too few to decide.
    ClientRecord {
        /// Less than a record's header and maybe a ChangeCipherSpec before it.
        captured: usize,
    },
}

impl Reading {
    /// Not decided, for a reason that is always the same.
    pub(super) const fn open(why: &'static str) -> Self {
        Self::Open(Cow::Borrowed(why))
    }

    /// Decided, with nothing more to learn.
    pub(super) const fn settled(posture: Posture) -> Self {
        Self::Seen { posture, awaits: Awaits::Nothing }
    }

    /// Decided, with more to learn.
    pub(super) const fn so_far(posture: Posture) -> Self {
        Self::Seen { posture, awaits: Awaits::Bytes }
    }
}
