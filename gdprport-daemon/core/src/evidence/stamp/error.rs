//! Why a timestamp is not accepted.

use jiff::Timestamp;

/// Why a timestamp is not accepted; each is a part of a sentence that begins with what was answered or kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// It is longer than an answer may be.
    #[error("it is longer than an answer of a time-stamping authority")]
    TooLong,
    /// It cannot be read.
    #[error("its {0} cannot be read: it is no answer of a time-stamping authority (RFC 3161, DER)")]
    Malformed(&'static str),
    /// The authority refused.
    #[error("the authority refused: {0}")]
    Refused(String),
    /// It has no token though it was granted.
    #[error("it was granted and has no token")]
    NoToken,
    /// The note that it is of is not beside it.
    #[error("the checkpoint that it is of is not beside it (the same name, ending with `.note`)")]
    NoNote,
    /// It is of another text.
    #[error("it is not of this checkpoint: the hash in it is another one")]
    Imprint,
    /// It is the answer to another request.
    #[error("its nonce is not the one of the request: it answers another one")]
    Nonce,
    /// An algorithm that is not verified here.
    #[error("it uses {0}, which is not supported")]
    Algorithm(&'static str),
    /// Its text is not the one that was signed.
    #[error("the digest that was signed is not that of its content: it was changed")]
    Digest,
    /// No certificate in it is the signer's.
    #[error("the certificate that its signature names is not in it")]
    NoCertificate,
    /// The signature does not fit.
    #[error("its signature is not by the key of its certificate, or it was changed")]
    Signature,
    /// The certificate is none for timestamps.
    #[error(
        "the certificate of its signer is not for timestamps alone (extended key usage timeStamping, critical, and no other)"
    )]
    Usage,
    /// The certificate does not lead to a trusted one.
    #[error("the certificate of its signer {0}")]
    Chain(String),
    /// Something in it has to be understood and is not.
    #[error("it has a critical extension that is not known")]
    Extension,
    /// The authority's clock and this host's differ.
    #[error("its time is {stamp:.0} and this host's clock says {host:.0}: one of them is wrong")]
    Clock {
        /// What the authority says.
        stamp: Timestamp,
        /// What this host says.
        host: Timestamp,
    },
}
