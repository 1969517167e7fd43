//! One flow's first bytes, and the posture that they amount to so far.
//!
//! Belongs here: what is remembered between segments, and what is reported when. How the bytes are read is `assess`'s.

use super::assess::{CONTRADICTED, assess};
use super::proxy;
use super::reading::{Awaits, Reading};
use super::stream::{HEAD_BYTES, ISLAND_BYTES, Stream};
use super::table::Protocol;
use super::tls;
use crate::model::Posture;

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
    /// The bytes; freed once they can decide nothing more.
    streams: Option<Streams>,
    /// Where in the client's direction the one record begins that is still awaited.
    awaited: Option<usize>,
    /// What was reported last, or what is settled.
    posture: Option<Posture>,
}

#[derive(Debug, Default)]
struct Streams {
    client: Stream,
    server: Stream,
}

impl Tracker {
    /// The most bytes of payload that one tracker holds: 4 KiB from the start of each direction, and 2 KiB of pieces
    /// behind gaps. It allocates as they come.
    pub const MAX_BYTES: usize = 2 * (HEAD_BYTES + ISLAND_BYTES);

    /// A flow of which nothing was seen, on a port declared (or known by the catalog) to carry this protocol.
    #[must_use]
    pub fn new(protocol: Option<Protocol>) -> Self {
        Self { declared: protocol, streams: Some(Streams::default()), awaited: None, posture: None }
    }

    /// Adds a captured segment that begins `offset` bytes after the first byte of its direction. Segments may be cut
    /// anywhere, come twice, out of order, or not at all.
    ///
    /// Returns the posture when it is decided, and again when more is known of it (a certificate, the version behind an
    /// upgrade). It is `unknown` only to retract what was reported before (an upgrade whose handshake was refused or
    /// failed, hellos behind a gap that turn out to begin no segment), or where the server chose a cipher suite that is
    /// not known.
    pub fn segment(&mut self, from: Side, offset: u64, bytes: &[u8]) -> Option<Posture> {
        let Streams { client, server } = self.streams.as_mut()?;
        let stream = match from {
            Side::Client => &mut *client,
            Side::Server => &mut *server,
        };
        if !stream.write(offset, bytes) {
            return None;
        }
        proxy::skip(client);
        // Nearly every handshake ends here with its last segment, which spares reading all of it once more.
        if let Some(begin) = self.awaited.filter(|_| !client.is_cut() && !client.is_contradicted()) {
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
        let posture = match assess(self.declared, client, server, false) {
            // What was reported of an upgrade is retracted if its handshake fails.
            Reading::Foreign => return self.retract("the first bytes are of no known protocol"),
            Reading::Open(why) => return self.retract(&why),
            Reading::Never(why) => {
                self.streams = None;
                let retracted = self.retract(&why);
                self.posture = Some(Posture::unknown(&why));
                return retracted;
            }
            Reading::Seen { posture, awaits } => {
                match awaits {
                    Awaits::Nothing => self.streams = None,
                    Awaits::Bytes | Awaits::ServerHello { .. } => {}
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

    /// What was captured may not be what its receiver took. Returns what [`Self::segment`] does.
    pub fn distrust(&mut self) -> Option<Posture> {
        self.streams.take()?;
        let retracted = self.retract(CONTRADICTED);
        self.posture = Some(Posture::unknown(CONTRADICTED));
        retracted
    }

    fn retract(&mut self, why: &str) -> Option<Posture> {
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

    /// How many bytes it occupies in all.
    pub(crate) fn footprint(&self) -> usize {
        size_of::<Self>() + self.held()
    }

    /// What is known at the end of the flow: what was decided, what little there is decides now that no more will come,
    /// or `unknown` with the reason.
    #[must_use]
    pub fn conclude(&self) -> Posture {
        if let Some(posture) = &self.posture {
            return posture.clone();
        }
        let reading = self.streams.as_ref().map(|Streams { client, server }| {
            let missing = if client.is_cut() || server.is_cut() { "; a part was not captured" } else { "" };
            (assess(self.declared, client, server, true), missing)
        });
        match reading {
            Some((Reading::Open(why), missing)) => Posture::unknown(&format!("{why}{missing}")),
            Some((Reading::Seen { posture, .. }, _)) => posture,
            _ => Posture::unknown("nothing was seen that decides it"),
        }
    }
}
