//! How the kernel names the path of an executable: by a fingerprint, as a path is too long for a key.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::executed::components;

/// The key of fingerprints: of this host and run. With it nobody can look for two paths with the same one.
#[derive(Clone, Copy)]
pub struct Fingerprint {
    key: [u64; 2],
}

impl Fingerprint {
    /// With a key of random bits.
    #[must_use]
    pub const fn new(key: [u64; 2]) -> Self {
        Self { key }
    }

    /// The fingerprint of a path: SipHash-2-4 with 128 bits over its components as the kernel side reads them, from last to
    /// first, each followed by `/` ([`components`]).
    #[must_use]
    pub fn of(self, path: &str) -> [u64; 2] {
        self.of_components(&components(path.as_bytes()))
    }

    /// The same of components as the kernel side reads them.
    #[must_use]
    pub fn of_components(self, components: &[u8]) -> [u64; 2] {
        let mut hasher = SipHasher24::new_with_keys(self.key[0], self.key[1]);
        hasher.write(components);
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector for an empty input of the authors' reference implementation (`vectors_sip128`).
    #[test]
    fn a_fingerprint_is_that_of_siphash() {
        let key = std::array::from_fn(|word| {
            u64::from_le_bytes(std::array::from_fn(|byte| u8::try_from(8 * word + byte).expect("below 16")))
        });
        let mut bytes = [0; 16];
        let words = Fingerprint::new(key).of("");
        bytes[..8].copy_from_slice(&words[0].to_le_bytes());
        bytes[8..].copy_from_slice(&words[1].to_le_bytes());
        assert_eq!(
            bytes,
            [0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93]
        );
        let one = Fingerprint::new(key);
        assert_ne!(one.of("/usr/bin/psql"), one.of("/usr/bin/psql2"));
        assert_ne!(one.of("/usr/bin/psql"), Fingerprint::new([1, 2]).of("/usr/bin/psql"));
    }
}
