//! Keys of signed notes: who signs, and what verifies it (C2SP signed-note, Ed25519 as of RFC 8032). Does not belong here:
//! where keys are kept.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// The byte that stands for Ed25519 in key ids and verifier keys.
const ED25519: u8 = 1;

/// Bytes of a signature.
pub(super) const SIGNATURE_BYTES: usize = 64;

/// Bytes of a name at most: a host name has 253 at most.
const NAME_BYTES_MAX: usize = 320;

/// The name of a key: not empty, without white space, control characters and `+`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// A name; `None` if it is not one.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fits = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+');
        fits.then(|| Self(name.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What verifies signatures: a name and a public key. Its text is a verifier key (`name+id+key`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: KeyName,
    id: u32,
    key: VerifyingKey,
}

impl PublicKey {
    /// Of a name and the 32 bytes of RFC 8032; `None` if these are no point of the curve.
    #[must_use]
    pub fn new(name: KeyName, key: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(key).ok()?;
        Some(Self { id: id_of(&name, &key), name, key })
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The first four bytes of the SHA-256 over name, line feed, type and key, big-endian.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Whether this is a signature of the text by this key. Strict: no key or signature of small order is accepted.
    #[must_use]
    pub fn verifies(&self, text: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self.key.verify_strict(text, &Signature::from_bytes(signature)).is_ok()
    }
}

fn id_of(name: &KeyName, key: &VerifyingKey) -> u32 {
    let digest = Sha256::new()
        .chain_update(name.as_str())
        .chain_update([b'\n', ED25519])
        .chain_update(key.as_bytes())
        .finalize();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [ED25519; 33];
        bytes[1..].copy_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, STANDARD.encode(bytes))
    }
}

/// Why a text is no verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It does not consist of three parts.
    #[error("a public key is written as name+id+key, with two `+`")]
    Parts,
    /// Its name is not one.
    #[error("the name before the first `+` is empty, too long, or has white space in it")]
    Name,
    /// Its key is not one.
    #[error(
        "behind the second `+` there is no Ed25519 key (Base64 of the byte 1 and the 32 bytes of the key)"
    )]
    Key,
    /// Its id is another one than that of name and key.
    #[error("the id between the two `+` is not that of this name and key: the text was changed or cut")]
    Id,
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, rest) = text.trim().split_once('+').ok_or(KeyError::Parts)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Parts)?;
        let name = KeyName::new(name).ok_or(KeyError::Name)?;
        let key: [u8; 33] =
            STANDARD.decode(key).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(KeyError::Key)?;
        let [ED25519, key @ ..] = key else { return Err(KeyError::Key) };
        let key = Self::new(name, &key).ok_or(KeyError::Key)?;
        if id == format!("{:08x}", key.id) { Ok(key) } else { Err(KeyError::Id) }
    }
}

/// What signs: a name and a private key. It is never shown.
pub struct SecretKey {
    key: SigningKey,
    public: PublicKey,
}

impl SecretKey {
    /// Of a name and 32 random bytes (the private key of RFC 8032).
    #[must_use]
    pub fn new(name: KeyName, secret: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(secret);
        let verifying = key.verifying_key();
        let public = PublicKey { id: id_of(&name, &verifying), name, key: verifying };
        Self { key, public }
    }

    /// What verifies its signatures.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a text. The same text has always the same signature.
    #[must_use]
    pub fn sign(&self, text: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.key.sign(text).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("public", &self.public.to_string()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hexadecimal"))
    }

    /// RFC 8032, section 7.1, tests 1 to 3: secret key, public key, message, signature.
    #[test]
    fn signatures_are_those_of_rfc_8032() {
        let vectors = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ];
        for (secret, public, message, signature) in vectors {
            let name = KeyName::new("example.org").expect("a name");
            let key = SecretKey::new(name.clone(), &bytes(secret));
            assert_eq!(key.public(), &PublicKey::new(name, &bytes(public)).expect("a point"));
            let message: Vec<u8> = (0..message.len() / 2)
                .map(|at| u8::from_str_radix(&message[2 * at..2 * at + 2], 16).expect("hexadecimal"))
                .collect();
            assert_eq!(key.sign(&message), bytes(signature));
            assert!(key.public().verifies(&message, &bytes(signature)));
            assert!(!key.public().verifies(b"another text", &bytes(signature)));
        }
    }

    #[test]
    fn the_example_of_the_specification_is_a_key() {
        let text = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        let key: PublicKey = text.parse().expect("the specification's");
        assert_eq!(key.id(), 0x530d_903a);
        assert_eq!(key.to_string(), text);
    }

    #[test]
    fn what_is_no_key_says_which_part_is_wrong() {
        let good = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        for (text, error) in [
            ("example.com/foo", KeyError::Parts),
            ("example.com/foo+530d903a", KeyError::Parts),
            ("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", KeyError::Name),
            ("a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", KeyError::Name),
            (&good.replace("Aeky", "AOky"), KeyError::Key),
            (&good.replace("+Aek", "+Bek"), KeyError::Key),
            (&good.replace("foo", "fox"), KeyError::Id),
            (&good[..good.len() - 4], KeyError::Key),
        ] {
            assert_eq!(text.parse::<PublicKey>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_secret_key_is_never_shown() {
        let key = SecretKey::new(KeyName::new("a").expect("a name"), &[0x5a; 32]);
        let shown = format!("{key:?}");
        assert!(!shown.contains("90") || !shown.contains("5a5a"), "{shown}");
        assert!(shown.contains("a+"), "{shown}");
    }
}
