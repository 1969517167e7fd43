//! Payload that comes before its flow: TCP Fast Open (RFC 7413) sends it with the SYN, and the connection is
//! told when the SYN was answered.
//!
//! Belongs here: holding it, in a bound, for the moment in between. A SYN that is never answered leaves its
//! payload here until two looks have passed.

use std::collections::VecDeque;

/// The most pieces that wait, of at most 512 bytes each: 32 KiB. Fast Open is rare, and a handshake short.
const PIECES: usize = 64;

/// Pieces that wait for their flow, oldest first.
#[derive(Debug, Default)]
pub(super) struct Early {
    waiting: VecDeque<Piece>,
    looks: u64,
}

#[derive(Debug)]
struct Piece {
    cookie: u64,
    bytes: Box<[u8]>,
    since: u64,
}

impl Early {
    /// Keeps the first bytes that the socket with this cookie sent.
    pub(super) fn keep(&mut self, cookie: u64, bytes: &[u8]) {
        if self.waiting.len() == PIECES {
            self.waiting.pop_front();
        }
        self.waiting.push_back(Piece { cookie, bytes: bytes.into(), since: self.looks });
    }

    /// Gives back what waits for this socket. Costs nothing while nothing waits.
    pub(super) fn take(&mut self, cookie: u64) -> Option<Box<[u8]>> {
        let at = self.waiting.iter().position(|piece| piece.cookie == cookie)?;
        self.waiting.remove(at).map(|piece| piece.bytes)
    }

    /// Forgets what was there at the look before.
    pub(super) fn look(&mut self) {
        self.looks += 1;
        while self.waiting.front().is_some_and(|piece| piece.since + 1 < self.looks) {
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_given_once_to_its_own_flow() {
        let mut early = Early::default();
        early.keep(1, b"one");
        early.keep(2, b"two");
        assert_eq!(early.take(2).as_deref(), Some(&b"two"[..]));
        assert_eq!(early.take(2), None);
        assert_eq!(early.take(1).as_deref(), Some(&b"one"[..]));
    }

    #[test]
    fn nothing_waits_beyond_the_bound_or_longer_than_two_looks() {
        let mut early = Early::default();
        for cookie in 0..1000 {
            early.keep(cookie, b"x");
        }
        assert_eq!(early.waiting.len(), PIECES);
        assert_eq!(early.take(0), None);
        early.look();
        assert!(early.take(999).is_some());
        early.look();
        assert!(early.waiting.is_empty());
    }
}
