//! What is asked: the hash of a note, and a number that the answer has to repeat.

use sha2::{Digest as _, Sha256};

/// What stands before the hash: a sequence of 67 bytes, version 1, and an imprint by SHA-256 (RFC 3161 section 2.4.1, RFC 5754).
const HEAD: [u8; 24] = [
    0x30, 0x43, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
    0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
];

/// What stands behind the nonce: that the certificates are to come with the answer.
const WITH_CERTIFICATES: [u8; 3] = [0x01, 0x01, 0xff];

/// A request for a timestamp of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StampRequest {
    pub(super) imprint: [u8; 32],
    pub(super) nonce: [u8; 8],
}

impl StampRequest {
    /// Of these bytes, with a random number that was used for no other request.
    #[must_use]
    pub fn new(note: &[u8], random: u64) -> Self {
        let mut nonce = random.to_be_bytes();
        // A positive number without leading zeros, so that its length is always the same.
        nonce[0] = (nonce[0] & 0x3f) | 0x40;
        Self { imprint: Sha256::digest(note).into(), nonce }
    }

    /// The request in DER.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        [&HEAD, self.imprint.as_slice(), &[0x02, 0x08], &self.nonce, &WITH_CERTIFICATES].concat()
    }
}
