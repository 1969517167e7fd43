//! SHA-256 and the two hashes of a Merkle tree (RFC 6962, section 2.1). Does not belong here: where a tree's hashes are kept.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; Self::BYTES]);

impl Hash {
    /// Bytes of a digest.
    pub const BYTES: usize = 32;

    /// The root of a tree without leaves: the hash of nothing.
    #[must_use]
    pub fn of_no_leaf() -> Self {
        Self::of(b"")
    }

    /// The plain digest of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash of a leaf: of the byte 0 and its content, which is handed over in parts.
    #[must_use]
    pub fn of_leaf(parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new_with_prefix([0]);
        for part in parts {
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// The hash of a node: of the byte 1 and both its children.
    #[must_use]
    pub fn of_node(left: Self, right: Self) -> Self {
        let mut bytes = [1; 1 + 2 * Self::BYTES];
        bytes[1..=Self::BYTES].copy_from_slice(&left.0);
        bytes[1 + Self::BYTES..].copy_from_slice(&right.0);
        Self::of(&bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// From its standard Base64; `None` if it is not exactly one digest.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// In standard Base64, as checkpoints and proofs write it.
    #[must_use]
    pub fn base64(&self) -> String {
        STANDARD.encode(self.0)
    }
}

impl From<[u8; Self::BYTES]> for Hash {
    fn from(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }
}

/// In lower-case hexadecimal.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Hash;

    #[test]
    fn the_root_of_no_leaf_is_the_hash_of_nothing() {
        // RFC 6962's reference implementation, and FIPS 180-4.
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Hash::of_no_leaf().to_string(), expected);
    }

    #[test]
    fn an_empty_leaf_is_not_an_empty_tree() {
        let expected = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        assert_eq!(Hash::of_leaf(&[b""]).to_string(), expected);
    }

    #[test]
    fn the_parts_of_a_leaf_are_hashed_as_one() {
        assert_eq!(Hash::of_leaf(&[b"ab", b"", b"c"]), Hash::of_leaf(&[b"abc"]));
    }

    #[test]
    fn a_text_that_is_no_digest_is_refused() {
        let hash = Hash::of(b"x");
        assert_eq!(Hash::from_base64(&hash.base64()), Some(hash));
        for text in ["", "AAAA", &hash.base64()[1..], &format!("{}A", hash.base64()), "\u{2014}"] {
            assert_eq!(Hash::from_base64(text), None, "{text}");
        }
    }
}
