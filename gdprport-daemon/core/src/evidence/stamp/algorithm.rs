//! Digests and signatures that are verified, by their identifiers.

use der::Tag;
use der::asn1::ObjectIdentifier;
use rustls_pki_types::SignatureVerificationAlgorithm;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use webpki::ring;

use super::StampError;
use super::element::Elements;

/// A digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    /// Names certificates in tokens of older authorities (RFC 2634), and is good for nothing else.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// RSA, of which the digest stands beside it (RFC 8017).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

impl Digest {
    /// From the elements of an `AlgorithmIdentifier`.
    pub(super) fn read(mut algorithm: Elements<'_>) -> Result<Self, StampError> {
        let oid = algorithm.take(Tag::ObjectIdentifier).ok_or(StampError::Malformed("digest"))?;
        let known = [(SHA256, Self::Sha256), (SHA384, Self::Sha384), (SHA512, Self::Sha512)];
        let found = known.iter().find(|(known, _)| oid.is_oid(known));
        found
            .map(|(_, digest)| *digest)
            .ok_or(StampError::Algorithm("another digest than SHA-256, 384 or 512"))
    }

    /// Whether this is the digest of these bytes.
    pub(super) fn is_of(self, digest: &[u8], bytes: &[u8]) -> bool {
        match self {
            Self::Sha1 => Sha1::digest(bytes).as_slice() == digest,
            Self::Sha256 => Sha256::digest(bytes).as_slice() == digest,
            Self::Sha384 => Sha384::digest(bytes).as_slice() == digest,
            Self::Sha512 => Sha512::digest(bytes).as_slice() == digest,
        }
    }
}

/// An algorithm that verifies signatures.
pub(super) type Algorithm = &'static dyn SignatureVerificationAlgorithm;

const RSA_WITH: [Algorithm; 3] =
    [ring::RSA_PKCS1_2048_8192_SHA256, ring::RSA_PKCS1_2048_8192_SHA384, ring::RSA_PKCS1_2048_8192_SHA512];
const PSS_WITH: [Algorithm; 3] = [
    ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];
const ECDSA_WITH_SHA256: [Algorithm; 2] = [ring::ECDSA_P256_SHA256, ring::ECDSA_P384_SHA256];
const ECDSA_WITH_SHA384: [Algorithm; 2] = [ring::ECDSA_P256_SHA384, ring::ECDSA_P384_SHA384];

/// What an `AlgorithmIdentifier` of a signature means with a digest: those that may verify it; which one, the key says.
pub(super) fn signature(
    mut algorithm: Elements<'_>,
    digest: Digest,
) -> Result<&'static [Algorithm], StampError> {
    let oid = algorithm.take(Tag::ObjectIdentifier).ok_or(StampError::Malformed("signature"))?;
    let at = match digest {
        Digest::Sha256 => 0,
        Digest::Sha384 => 1,
        Digest::Sha512 | Digest::Sha1 => 2,
    };
    let known: [(ObjectIdentifier, &'static [Algorithm]); 7] = [
        (RSA, &RSA_WITH[at..=at]),
        (RSA_PSS, &PSS_WITH[at..=at]),
        (RSA_SHA256, &RSA_WITH[0..=0]),
        (RSA_SHA384, &RSA_WITH[1..=1]),
        (RSA_SHA512, &RSA_WITH[2..=2]),
        (ECDSA_SHA256, &ECDSA_WITH_SHA256),
        (ECDSA_SHA384, &ECDSA_WITH_SHA384),
    ];
    let found = known.into_iter().find(|(known, _)| oid.is_oid(known));
    found
        .map(|(_, algorithms)| algorithms)
        .ok_or(StampError::Algorithm("another signature than RSA, or ECDSA with SHA-256 or 384"))
}
