//! The signed token (CMS `SignedData`, RFC 5652, as RFC 3161 and RFC 5816 narrow it): one signer, who signs the digest of the
//! statement and names the own certificate.

use der::asn1::ObjectIdentifier;
use der::{Tag, TagNumber};
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::algorithm::{Algorithm, Digest, signature};
use super::certificate::Certificate;
use super::element::{Element, Elements, context, implicit};
use super::{Authorities, StampError};

/// Certificates in a token at most.
const CERTIFICATES_MAX: usize = 16;

const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

/// A token that was taken apart and not verified.
#[derive(Debug)]
pub(super) struct Token<'a> {
    /// The statement, in DER.
    pub(super) statement: &'a [u8],
    certificates: Vec<Certificate<'a>>,
    signer: Signer<'a>,
}

#[derive(Debug)]
struct Signer<'a> {
    whose: Whose<'a>,
    digest: Digest,
    /// What is signed: the attributes, as a set.
    signed: Vec<u8>,
    attributes: Attributes<'a>,
    algorithms: &'static [Algorithm],
    signature: &'a [u8],
}

/// How a signer names the certificate.
#[derive(Debug)]
enum Whose<'a> {
    Issued { issuer: &'a [u8], serial: &'a [u8] },
    KeyId(&'a [u8]),
}

#[derive(Debug)]
struct Attributes<'a> {
    digest: &'a [u8],
    /// Hashes of the signer's certificate, at least one.
    certificates: Vec<(Digest, &'a [u8])>,
}

impl<'a> Token<'a> {
    /// Takes a `SignedData` apart.
    pub(super) fn read(data: &Element<'a>) -> Result<Self, StampError> {
        let malformed = |what| move || StampError::Malformed(what);
        let mut parts = data.elements().ok_or_else(malformed("token"))?;
        parts.take(Tag::Integer).ok_or_else(malformed("token"))?;
        parts.take(Tag::Set).ok_or_else(malformed("token"))?;
        let statement = parts.enter(Tag::Sequence).and_then(statement).ok_or_else(malformed("statement"))?;
        let certificates = parts.maybe(context(TagNumber::N0));
        let certificates = certificates.map_or(Some(Vec::new()), |all| all_certificates(&all));
        let certificates = certificates.ok_or_else(malformed("certificates"))?;
        parts.maybe(context(TagNumber::N1));
        let mut signers = parts.enter(Tag::Set).ok_or_else(malformed("signer"))?;
        let signer = Signer::read(signers.enter(Tag::Sequence).ok_or_else(malformed("signer"))?)?;
        if !signers.is_finished() || !parts.is_finished() {
            return Err(StampError::Malformed("signer"));
        }
        Ok(Self { statement, certificates, signer })
    }

    /// Verifies everything but what the statement says: digest, certificate and signature. The certificate is the signer's; whether
    /// it is trusted is not asked yet.
    pub(super) fn signed(&self) -> Result<Certificate<'a>, StampError> {
        let Signer { whose, digest, signed, attributes, algorithms, signature } = &self.signer;
        if !digest.is_of(attributes.digest, self.statement) {
            return Err(StampError::Digest);
        }
        let names = |certificate: &&Certificate<'_>| {
            let named = match whose {
                Whose::Issued { issuer, serial } => {
                    certificate.issuer == *issuer && certificate.serial == *serial
                }
                Whose::KeyId(id) => certificate.has_key_id(id),
            };
            named
                && attributes.certificates.iter().all(|(digest, hash)| digest.is_of(hash, certificate.whole))
        };
        let certificate = self.certificates.iter().find(names).ok_or(StampError::NoCertificate)?;
        let der = CertificateDer::from(certificate.whole);
        let key = EndEntityCert::try_from(&der)
            .map_err(|error| StampError::Chain(format!("cannot be read: {error}")))?;
        let verifies = |algorithm: &&Algorithm| key.verify_signature(**algorithm, signed, signature).is_ok();
        if algorithms.iter().any(|algorithm| verifies(&algorithm)) {
            Ok(*certificate)
        } else {
            Err(StampError::Signature)
        }
    }

    /// Whether a certificate of a signer is one for timestamps that leads to a trusted one.
    pub(super) fn trusted(
        &self,
        signer: &Certificate<'_>,
        authorities: &Authorities,
        time: jiff::Timestamp,
    ) -> Result<(), StampError> {
        if !signer.is_for_timestamps() {
            return Err(StampError::Usage);
        }
        let der = CertificateDer::from(signer.whole);
        let end = EndEntityCert::try_from(&der)
            .map_err(|error| StampError::Chain(format!("cannot be read: {error}")))?;
        let others = self.certificates.iter().filter(|other| other.whole != signer.whole);
        let others: Vec<CertificateDer<'_>> = others.map(|other| CertificateDer::from(other.whole)).collect();
        authorities.verify(&end, &others, time)
    }
}

/// The statement in an `EncapsulatedContentInfo`.
fn statement(mut content: Elements<'_>) -> Option<&[u8]> {
    let known = content.any()?.is_oid(&TST_INFO);
    let mut within = content.enter(context(TagNumber::N0))?;
    let octets = within.take(Tag::OctetString)?;
    (known && within.is_finished()).then_some(octets.value)
}

fn all_certificates<'a>(set: &Element<'a>) -> Option<Vec<Certificate<'a>>> {
    let mut elements = set.elements()?;
    let mut all = Vec::new();
    while !elements.is_finished() {
        let certificate = elements.any()?;
        // Other kinds than certificates have tags of their own, and are of no use here.
        if certificate.tag == Tag::Sequence && all.len() < CERTIFICATES_MAX {
            all.push(Certificate::read(certificate.whole)?);
        }
    }
    Some(all)
}

impl<'a> Signer<'a> {
    fn read(mut parts: Elements<'a>) -> Result<Self, StampError> {
        let malformed = || StampError::Malformed("signer");
        parts.take(Tag::Integer).ok_or_else(malformed)?;
        let whose = parts.any().and_then(|name| whose(&name)).ok_or_else(malformed)?;
        let digest = Digest::read(parts.enter(Tag::Sequence).ok_or_else(malformed)?)?;
        let set = parts.take(context(TagNumber::N0)).ok_or_else(malformed)?;
        let attributes = Attributes::read(set.elements().ok_or_else(malformed)?)?;
        // What is signed has the tag of a set, and stands here behind another one (RFC 5652 section 5.4).
        let mut signed = set.whole.to_vec();
        *signed.first_mut().ok_or_else(malformed)? = 0x31;
        let algorithms = signature(parts.enter(Tag::Sequence).ok_or_else(malformed)?, digest)?;
        let signature = parts.take(Tag::OctetString).ok_or_else(malformed)?.value;
        Ok(Self { whose, digest, signed, attributes, algorithms, signature })
    }
}

fn whose<'a>(name: &Element<'a>) -> Option<Whose<'a>> {
    if name.tag == implicit(TagNumber::N0) {
        return Some(Whose::KeyId(name.value));
    }
    let mut parts = name.elements().filter(|_| name.tag == Tag::Sequence)?;
    Some(Whose::Issued { issuer: parts.take(Tag::Sequence)?.whole, serial: parts.take(Tag::Integer)?.value })
}

impl<'a> Attributes<'a> {
    /// Each that matters has to be there once, with one value.
    fn read(mut all: Elements<'a>) -> Result<Self, StampError> {
        let malformed = || StampError::Malformed("signed attributes");
        let (mut content, mut digest, mut certificates) = (None, None, Vec::new());
        while !all.is_finished() {
            let mut attribute = all.enter(Tag::Sequence).ok_or_else(malformed)?;
            let oid = attribute.take(Tag::ObjectIdentifier).ok_or_else(malformed)?;
            let mut values = attribute.enter(Tag::Set).ok_or_else(malformed)?;
            let value = values.any().ok_or_else(malformed)?;
            let known = [CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2];
            if known.iter().any(|known| oid.is_oid(known)) && !values.is_finished() {
                return Err(malformed());
            }
            let twice = if oid.is_oid(&CONTENT_TYPE) {
                content.replace(value.is_oid(&TST_INFO)).is_some()
            } else if oid.is_oid(&MESSAGE_DIGEST) {
                digest.replace(value.value).is_some()
            } else if oid.is_oid(&SIGNING_CERTIFICATE) || oid.is_oid(&SIGNING_CERTIFICATE_V2) {
                let default = if oid.is_oid(&SIGNING_CERTIFICATE) { Digest::Sha1 } else { Digest::Sha256 };
                certificates.push(named(&value, default)?);
                certificates.len() > 2
            } else {
                false
            };
            if twice {
                return Err(malformed());
            }
        }
        let digest = digest.filter(|_| content == Some(true) && !certificates.is_empty());
        Ok(Self { digest: digest.ok_or_else(malformed)?, certificates })
    }
}

/// The hash of the signer's certificate: the first one that a `SigningCertificate` or `SigningCertificateV2` names (RFC 5035).
fn named<'a>(value: &Element<'a>, default: Digest) -> Result<(Digest, &'a [u8]), StampError> {
    let malformed = || StampError::Malformed("name of the signer's certificate");
    let mut all = value.elements().and_then(|mut value| value.enter(Tag::Sequence)).ok_or_else(malformed)?;
    let mut first = all.enter(Tag::Sequence).ok_or_else(malformed)?;
    let digest = match first.maybe(Tag::Sequence) {
        Some(algorithm) => Digest::read(algorithm.elements().ok_or_else(malformed)?)?,
        None => default,
    };
    let hash = first.take(Tag::OctetString).ok_or_else(malformed)?;
    Ok((digest, hash.value))
}
