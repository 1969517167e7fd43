//! How a flow is encrypted, read from the first bytes of both its directions.
//!
//! Belongs here: pure and total parsers. Any bytes, in any order, give an answer; no input makes one panic, or take
//! more than [`Tracker::MAX_BYTES`]. What a policy makes of the answer is `policy`'s, how the bytes are captured
//! `host`'s. Of the bytes nothing is kept once the answer is there, and no evidence repeats what a user sent.

mod assess;
mod cursor;
mod protocols;
mod proxy;
mod reading;
mod stream;
mod table;
#[cfg(test)]
mod tests;
mod tls;
mod upgrade;

use reading::{Awaits, Reading};
use stream::{HEAD_BYTES, ISLAND_BYTES, Stream};

pub use table::Protocol;

use super::model::Posture;

/// The end of a connection that sent a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The end that connected.
    Client,
    /// The end that accepted.
    Server,
}

/// One flow's first bytes and what they amount to so far.
#[derive(Debug)]
pub struct Tracker {
    declared: Option<Protocol>,
    /// The bytes; given back once they can tell nothing more.
    streams: Option<Streams>,
    /// Where in the client's direction the one record begins that is still awaited.
    awaited: Option<usize>,
    /// What was told last, or what is settled.
    posture: Option<Posture>,
}

#[derive(Debug, Default)]
struct Streams {
    client: Stream,
    server: Stream,
}

impl Tracker {
    /// The most bytes of payload that one tracker holds: 2 KiB from the start of each direction, and 1 KiB of pieces
    /// behind gaps. It allocates as they come.
    pub const MAX_BYTES: usize = 2 * (HEAD_BYTES + ISLAND_BYTES);

    /// A flow of which nothing was seen, on a port declared (or known by the catalog) to carry this protocol.
    #[must_use]
    pub fn new(protocol: Option<Protocol>) -> Self {
        Self { declared: protocol, streams: Some(Streams::default()), awaited: None, posture: None }
    }

    /// Takes a captured segment that begins `offset` bytes after the first byte of its direction. Segments may be cut
    /// anywhere, come twice, out of order, or not at all.
    ///
    /// Gives the posture when it is decided, and again when more is known of it (a certificate, the version behind an
    /// upgrade). It is `unknown` only to take back what was told before (an upgrade whose handshake was refused or came
    /// to nothing, hellos behind a gap that turn out to begin no segment), or where the server chose a cipher suite that
    /// is not known.
    pub fn segment(&mut self, from: Side, offset: u64, bytes: &[u8]) -> Option<Posture> {
        let Streams { client, server } = self.streams.as_mut()?;
        let stream = match from {
            Side::Client => &mut *client,
            Side::Server => &mut *server,
        };
        if !stream.write(offset, bytes) {
            return None;
        }
        // Nearly every handshake comes by here with its last segment; the whole need not be read once more for it.
        if let Some(begin) = self.awaited.filter(|_| !client.is_cut()) {
            match client.head().get(begin..).and_then(tls::follows) {
                Some(true) => {
                    self.streams = None;
                    return None;
                }
                None => return None,
                Some(false) => {}
            }
        }
        self.awaited = None;
        let posture = match assess::assess(self.declared, client, server) {
            // What was told of an upgrade is taken back if its handshake comes to nothing.
            Reading::Foreign => return self.take_back("the first bytes match no known protocol"),
            Reading::Open(why) => return self.take_back(&why),
            Reading::Never(why) => {
                self.streams = None;
                let taken_back = self.take_back(&why);
                self.posture = Some(Posture::unknown(&why));
                return taken_back;
            }
            Reading::Seen { posture, awaits } => {
                match awaits {
                    Awaits::Nothing => self.streams = None,
                    Awaits::Bytes => {}
                    Awaits::ClientRecord { captured } => {
                        self.awaited = client.head().len().checked_sub(captured);
                    }
                }
                posture
            }
        };
        if self.posture.as_ref() == Some(&posture) {
            return None;
        }
        self.posture = Some(posture.clone());
        Some(posture)
    }

    fn take_back(&mut self, why: &str) -> Option<Posture> {
        self.posture.take().map(|_| Posture::unknown(why))
    }

    /// Whether further segments can add anything. Once not, none ever can.
    #[must_use]
    pub const fn wants_more(&self) -> bool {
        self.streams.is_some()
    }

    /// How many bytes it has allocated for payload.
    pub(crate) fn held(&self) -> usize {
        self.streams.as_ref().map_or(0, |streams| streams.client.held() + streams.server.held())
    }

    /// How many bytes it takes in all.
    #[must_use]
    pub fn footprint(&self) -> usize {
        size_of::<Self>() + self.held()
    }

    /// What is known at the end of the flow: what was decided, or `unknown` with the reason.
    #[must_use]
    pub fn conclude(&self) -> Posture {
        if let Some(posture) = &self.posture {
            return posture.clone();
        }
        let reading = self.streams.as_ref().map(|Streams { client, server }| {
            let missing = if client.is_cut() || server.is_cut() { "; a part was not captured" } else { "" };
            (assess::assess(self.declared, client, server), missing)
        });
        match reading {
            Some((Reading::Open(why), missing)) => Posture::unknown(&format!("{why}{missing}")),
            _ => Posture::unknown("nothing was seen that decides it"),
        }
    }
}
