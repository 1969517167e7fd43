//! The TCP Fast Open buffer: payload that comes before its flow. Fast Open (RFC 7413) sends it with the SYN, and the
//! connection is reported when the SYN was answered.
//!
//! Belongs here: holding it, in a bound, for the moment in between. A SYN that is never answered leaves its
//! payload here until two polls of the flows have passed.

use std::collections::VecDeque;

/// The most pieces that wait, of at most 2 KiB each: 128 KiB. Fast Open is rare, and a handshake short.
const PIECES: usize = 64;

/// Pieces that wait for their flow, oldest first.
#[derive(Debug, Default)]
pub(super) struct FastOpen {
    waiting: VecDeque<Piece>,
    polls: u64,
}

#[derive(Debug)]
struct Piece {
    cookie: u64,
    bytes: Box<[u8]>,
    since: u64,
}

impl FastOpen {
    /// Keeps the first bytes that the socket with this cookie sent.
    pub(super) fn keep(&mut self, cookie: u64, bytes: &[u8]) {
        if self.waiting.len() == PIECES {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Piece { cookie, bytes: bytes.into(), since: self.polls });
    }

    /// Removes what waits for this socket. Costs nothing while nothing waits.
    pub(super) fn take(&mut self, cookie: u64) -> Option<Box<[u8]>> {
        let at = self.waiting.iter().position(|piece| piece.cookie == cookie)?;
        self.waiting.remove(at).map(|piece| piece.bytes)
    }

    /// Drops what was there at the poll before the last.
    pub(super) fn next_poll(&mut self) {
        self.polls += 1;
        while self.waiting.front().is_some_and(|piece| piece.since + 1 < self.polls) {
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_payload_goes_once_to_its_own_flow() {
        let mut buffer = FastOpen::default();
        buffer.keep(1, b"one");
        buffer.keep(2, b"two");
        assert_eq!(buffer.take(2).as_deref(), Some(&b"two"[..]));
        assert_eq!(buffer.take(2), None);
        assert_eq!(buffer.take(1).as_deref(), Some(&b"one"[..]));
    }

    #[test]
    fn nothing_waits_beyond_the_bound_or_two_polls() {
        let mut buffer = FastOpen::default();
        for cookie in 0..1000 {
            buffer.keep(cookie, b"x");
        }
        assert_eq!(buffer.waiting.len(), PIECES);
        assert_eq!(buffer.take(0), None);
        buffer.next_poll();
        assert!(buffer.take(999).is_some());
        buffer.next_poll();
        assert!(buffer.waiting.is_empty());
    }
}
