//! Whose timestamps are trusted: the certificates of a file.

use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use super::StampError;
use super::certificate::TIMESTAMPING;

/// Certificates of a file at most.
const CERTIFICATES_MAX: usize = 1_000;

/// Certificates that are trusted to say who may stamp.
#[derive(Debug, Clone)]
pub struct Authorities {
    anchors: Vec<TrustAnchor<'static>>,
}

/// Why a file has no certificates that can be trusted; a part of a sentence that begins with the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// It is no PEM.
    #[error("it is no PEM that can be read")]
    NoPem,
    /// It has no certificate.
    #[error("there is no certificate in it, in PEM")]
    Empty,
    /// It has too many.
    #[error("it has more than {CERTIFICATES_MAX} certificates")]
    TooMany,
    /// One of them cannot be used.
    #[error("a certificate in it cannot be used: {0}")]
    Unusable(String),
}

impl Authorities {
    /// All certificates of a file in PEM, each of which is trusted.
    ///
    /// # Errors
    /// If there is none, or one cannot be read.
    pub fn from_pem(bytes: &[u8]) -> Result<Self, AuthoritiesError> {
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(bytes) {
            let certificate = certificate.map_err(|_| AuthoritiesError::NoPem)?;
            if anchors.len() == CERTIFICATES_MAX {
                return Err(AuthoritiesError::TooMany);
            }
            let anchor = anchor_from_trusted_cert(&certificate)
                .map_err(|error| AuthoritiesError::Unusable(error.to_string()))?;
            anchors.push(anchor.to_owned());
        }
        if anchors.is_empty() { Err(AuthoritiesError::Empty) } else { Ok(Self { anchors }) }
    }

    /// Whether a certificate leads to one of these by others, each valid at a time.
    pub(super) fn verify(
        &self,
        signer: &EndEntityCert<'_>,
        others: &[CertificateDer<'_>],
        time: Timestamp,
    ) -> Result<(), StampError> {
        let seconds = u64::try_from(time.as_second()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        // Of the signer's own certificate it was asked before; those between need not say what they are for.
        let usage = KeyUsage::required_if_present(TIMESTAMPING.as_bytes());
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let path = signer.verify_for_usage(algorithms, &self.anchors, others, time, usage, None, None);
        path.map(|_| ()).map_err(|error| StampError::Chain(why(&error)))
    }
}

/// The end of a sentence about the signer's certificate.
fn why(error: &Error) -> String {
    match error {
        Error::CertExpired { .. } => "or one above it had expired then".to_owned(),
        Error::CertNotValidYet { .. } => "or one above it was not valid yet then".to_owned(),
        Error::UnknownIssuer => "does not lead to one that is trusted (`ca`, --tsa)".to_owned(),
        error => format!("cannot be verified: {error}"),
    }
}
