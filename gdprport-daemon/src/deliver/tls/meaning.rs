//! What went wrong with TLS, in one sentence about the receiver that says what to do.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use crate::deliver::bounded;

/// Names of a certificate that an error lists.
const NAMES_SHOWN: usize = 5;
/// Errors that may stand behind each other.
const CAUSES_MAX: usize = 16;

/// What a TLS error means, if one is among the causes of `error`: one sentence about the receiver ("its certificate …"), one
/// line, without control characters.
pub(crate) fn explain(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    for _ in 0..CAUSES_MAX {
        let error = next?;
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(sentence(error));
        }
        // The cause of an I/O error is what is behind the error that it wraps, not that one.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    None
}

fn sentence(error: &rustls::Error) -> String {
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(error) => certificate(error),
        E::AlertReceived(alert) => alerted(*alert),
        E::PeerIncompatible(_) => {
            format!(
                "it has no version or cipher of TLS that is safe (1.2 at least): {}",
                shown(&error.to_string())
            )
        }
        E::InvalidMessage(_) => "it does not speak TLS on this port".to_owned(),
        E::NoApplicationProtocol => "it does not speak the expected protocol over TLS (ALPN)".to_owned(),
        E::NoCertificatesPresented => "it shows no certificate".to_owned(),
        error => format!("TLS failed: {}", shown(&error.to_string())),
    }
}

fn certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::NotValidForNameContext { expected, presented } => {
            let expected = shown(&expected.to_str());
            let help = "correct the address, or set `server_name`";
            match names(presented) {
                None => format!("its certificate is for no name at all, and so not for {expected}"),
                Some(names) => format!("its certificate is for {names}, not for {expected}: {help}"),
            }
        }
        E::ExpiredContext { time, not_after } => {
            format!("its certificate expired at {} (the clock here says {})", moment(*not_after), moment(*time))
        }
        E::NotValidYetContext { time, not_before } => {
            format!("its certificate is valid from {} on (the clock here says {})", moment(*not_before), moment(*time))
        }
        E::UnknownIssuer => {
            "its certificate is from an authority that is not trusted here: name that authority's file in `ca`".to_owned()
        }
        E::BadSignature => {
            "its certificate has a signature that is wrong: is the authority in `ca` an older one of the same name?".to_owned()
        }
        E::InvalidPurposeContext { .. } | E::InvalidPurpose => "its certificate is not for servers".to_owned(),
        E::Revoked => "its certificate was revoked".to_owned(),
        E::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is an authority's and not a server's (often so when it is self-signed): give it one with \
             `CA:FALSE`"
                .to_owned()
        }
        error => format!("its certificate cannot be trusted: {}", shown(&error.to_string())),
    }
}

/// What the receiver says about this side.
fn alerted(alert: AlertDescription) -> String {
    use AlertDescription as A;
    let ours = "it does not accept the certificate of this host";
    match alert {
        A::CertificateRequired => {
            "it demands a certificate of this host: set `client_cert` and `client_key`".to_owned()
        }
        A::UnknownCA => format!("{ours}: it does not trust that authority"),
        A::CertificateExpired => format!("{ours}: expired, or not valid yet"),
        A::CertificateRevoked => format!("{ours}: revoked"),
        A::BadCertificate | A::UnsupportedCertificate | A::CertificateUnknown | A::AccessDenied => {
            format!("{ours} (it may also demand one where none is set: `client_cert`)")
        }
        A::ProtocolVersion => "it has no version of TLS from 1.2 on".to_owned(),
        A::HandshakeFailure | A::InsufficientSecurity => {
            "it has no cipher of TLS in common with this host, or demands a certificate of it (`client_cert`)"
                .to_owned()
        }
        A::UnrecognisedName => "it does not know the name that it was called by (`server_name`)".to_owned(),
        A::NoApplicationProtocol => "it does not speak the expected protocol over TLS (ALPN)".to_owned(),
        alert => format!("it ended TLS with the alert {alert:?}"),
    }
}

/// Names of a certificate; they come as `DnsName("…")` and the like.
fn names(presented: &[String]) -> Option<String> {
    let mut text = String::new();
    for name in presented.iter().take(NAMES_SHOWN) {
        let bare = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}{}", shown(bare.trim_matches('"')));
    }
    if presented.len() > NAMES_SHOWN {
        let _ = write!(text, " and {} more", presented.len() - NAMES_SHOWN);
    }
    (!text.is_empty()).then_some(text)
}

fn moment(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok();
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
}

/// Text from the other side, as a part of a sentence.
pub(super) fn shown(text: &str) -> String {
    bounded(text, 200)
}
