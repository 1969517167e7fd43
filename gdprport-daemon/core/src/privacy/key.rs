//! The key of pseudonyms.
//!
//! Belongs here: its form, its id, and the one keyed function. It is never shown: not by `Debug`, not in an error.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes of a key: as many as HMAC-SHA-256 has of output (RFC 2104 §3 wants no fewer).
const BYTES: usize = 32;

/// A key of 32 random bytes.
#[derive(Clone)]
pub struct Key {
    /// HMAC-SHA-256 (RFC 2104, FIPS 180-4) that has taken the key in.
    mac: Hmac<Sha256>,
    id: KeyId,
}

/// What names a key without showing it: the first four bytes of a digest under it. It differs from key to key, by chance
/// but for one in 2³².
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// Two keys are the same if their ids are: nothing else of a key may be compared in variable time.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Key {}

/// Why the bytes of a file are no key. Nothing of them is in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// Neither form has this length.
    #[error("it has {0} bytes, and a key is 64 hexadecimal digits or 32 bytes")]
    Length(usize),
    /// 64 characters that are no hexadecimal digits.
    #[error("it has 64 characters that are not all hexadecimal digits")]
    Digits,
    /// Random bytes are no text: but for one key in 10¹³.
    #[error(
        "it is a text of 32 characters, which can be guessed: a key is 64 hexadecimal digits or 32 random bytes"
    )]
    Text,
    /// All bytes are the same.
    #[error("all of its bytes are the same, which can be guessed")]
    Constant,
}

impl Key {
    /// Reads the content of a file: 64 hexadecimal digits, with or without a line feed, or 32 bytes.
    ///
    /// # Errors
    /// If it has neither form, or can be guessed.
    pub fn parse(content: &[u8]) -> Result<Self, NotAKey> {
        let line = content.strip_suffix(b"\n").unwrap_or(content);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let secret = match (line.len(), content.len()) {
            (64, _) => digits(line).ok_or(NotAKey::Digits)?,
            (_, BYTES) if content.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') => {
                return Err(NotAKey::Text);
            }
            (_, BYTES) => content.try_into().map_err(|_| NotAKey::Length(content.len()))?,
            _ => return Err(NotAKey::Length(content.len())),
        };
        if secret.iter().all(|byte| *byte == secret[0]) {
            return Err(NotAKey::Constant);
        }
        Ok(Self::new(secret))
    }

    /// The key of these bytes, which must be random.
    #[must_use]
    pub fn new(secret: [u8; BYTES]) -> Self {
        let mac = Hmac::new_from_slice(&secret).expect("HMAC takes a key of any length");
        let mut key = Self { mac, id: KeyId([0; 4]) };
        key.id = KeyId(key.digest("key", &[]).to_be_bytes()[..4].try_into().expect("four of eight bytes"));
        key
    }

    /// The form in which a file keeps a key: 64 hexadecimal digits and a line feed.
    #[must_use]
    pub fn line(secret: &[u8; BYTES]) -> String {
        let mut text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push('\n');
        text
    }

    /// What names the key.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The first 64 bits of the HMAC of a value of this kind. The label keeps values of different kinds apart: it has no
    /// zero byte, and one follows.
    pub(super) fn digest(&self, label: &str, value: &[u8]) -> u64 {
        let mut mac = self.mac.clone();
        mac.update(label.as_bytes());
        mac.update(&[0]);
        mac.update(value);
        let bytes = mac.finalize().into_bytes();
        u64::from_be_bytes(bytes[..8].try_into().expect("eight of 32 bytes"))
    }
}

fn digits(text: &[u8]) -> Option<[u8; BYTES]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut secret = [0; BYTES];
    for (byte, pair) in secret.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; BYTES] = *b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";

    /// The digest and the id were computed by another implementation, Python's `hmac`.
    #[test]
    fn both_forms_are_the_same_key() {
        let line = Key::line(&SECRET);
        let keys = [line.as_bytes(), line.trim_end().as_bytes(), &SECRET].map(Key::parse);
        for key in keys {
            let key = key.expect("a key");
            assert_eq!(key.id().to_string(), "d8fd5cb8");
            assert_eq!(key.digest("peer", &[10, 0, 0, 9]), 0x36f3_7869_7328_d699);
        }
    }

    #[test]
    fn what_is_short_or_can_be_guessed_is_no_key() {
        let refused = |content: &[u8]| Key::parse(content).expect_err("refused");
        assert_eq!(refused(b""), NotAKey::Length(0));
        assert_eq!(refused(&SECRET[..31]), NotAKey::Length(31));
        assert_eq!(refused(b"correct horse battery staple, ok"), NotAKey::Text);
        assert_eq!(refused(&[7; 32]), NotAKey::Constant);
        assert_eq!(refused("0".repeat(64).as_bytes()), NotAKey::Constant);
        assert_eq!(refused("g".repeat(64).as_bytes()), NotAKey::Digits);
        assert_eq!(refused(&[b'a'; 4096]), NotAKey::Length(4096));
    }

    #[test]
    fn a_key_is_never_shown() {
        let shown = format!("{:?}", Key::new(SECRET));
        assert_eq!(shown, "Key(d8fd5cb8)");
    }
}
