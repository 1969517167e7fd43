//! What one entry of the log holds, as bytes: its kind, its salt and its content. Does not belong here: how entries stand in a
//! file (`bundle`), and what the log says of itself (`own`).

use super::hash::Hash;

/// Bytes of a salt. With 128 bits that are erased with the entry, nobody can try out what the entry was.
pub const SALT_BYTES: usize = 16;

/// Bytes of an entry at most: its length is written with 16 bits.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// Bytes of an entry before its content.
const HEAD: usize = 1 + SALT_BYTES;

/// Bytes of content at most.
pub const CONTENT_BYTES_MAX: usize = ENTRY_BYTES_MAX - HEAD;

/// A random salt.
pub type Salt = [u8; SALT_BYTES];

/// What the content of an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An event, `gdprport.event/1`, as it was emitted, without a line feed.
    Event = 1,
    /// A statement of the log itself, as JSON ([`Own`](super::Own)).
    Own = 2,
}

impl Kind {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Event),
            2 => Some(Self::Own),
            _ => None,
        }
    }
}

/// An entry, borrowed from the bytes of its bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What its content is; `None`: a kind that a newer version writes.
    pub kind: Option<Kind>,
    /// Its content.
    pub content: &'a [u8],
    /// All of its bytes.
    bytes: &'a [u8],
}

impl<'a> Entry<'a> {
    /// An entry from its bytes; `None` if they are too few for a kind and a salt.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let content = rest.get(SALT_BYTES..)?;
        Some(Self { kind: Kind::from_byte(*kind), content, bytes })
    }

    /// All of its bytes: kind, salt and content.
    #[must_use]
    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its hash in the tree.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of_leaf(&[self.bytes])
    }
}

/// Appends an entry to a bundle: two bytes of length (big-endian), the kind, the salt and the content. Returns its hash in
/// the tree; `None`, and nothing is appended, if the content is longer than [`CONTENT_BYTES_MAX`].
#[must_use]
pub fn append(bundle: &mut Vec<u8>, kind: Kind, salt: &Salt, content: &[u8]) -> Option<Hash> {
    let length = u16::try_from(HEAD + content.len()).ok()?;
    bundle.extend_from_slice(&length.to_be_bytes());
    let begin = bundle.len();
    bundle.push(kind as u8);
    bundle.extend_from_slice(salt);
    bundle.extend_from_slice(content);
    Some(Hash::of_leaf(&[&bundle[begin..]]))
}
