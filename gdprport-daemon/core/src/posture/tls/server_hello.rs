//! ServerHello (RFC 8446 §4.1.3, RFC 5246 §7.4.1.3): what was chosen.
//!
//! Belongs here: version, cipher suite and whether it asks the client to try again.

use super::record::HandshakeMessage;
use super::suites;
use super::version::version;
use crate::model::TlsVersion;
use crate::posture::cursor::Cursor;

/// The random value that marks a HelloRetryRequest (RFC 8446 §4.1.3): SHA-256 of that name.
const RETRY: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2,
    0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// What a server chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub version: TlsVersion,
    /// The cipher suite's number.
    pub suite: u16,
    /// It is a HelloRetryRequest: version and suite are chosen, the client has yet to send another key share.
    pub retry: bool,
}

/// Reads a hello, complete or cut. `Some(None)` if it is none of a known version, `None` while too little was captured.
pub(super) fn read(message: &HandshakeMessage<'_>) -> Option<Option<ServerHello>> {
    let mut rest = Cursor(message.body);
    let legacy = rest.u16()?;
    let random = rest.take(32)?;
    let session_id = rest.vec8()?;
    let suite = rest.u16()?;
    let Some(chosen) =
        version(legacy).filter(|chosen| *chosen <= TlsVersion::Tls12 && session_id.len() <= 32)
    else {
        return Some(None);
    };
    // A number that the table does not know may be of either version: then only the extension decides. For a known one
    // it must not contradict: no server chooses a suite of the other version.
    let tls13 = match (suites::is_tls13(suite), selects_tls13(rest, message.complete)) {
        (Some(known), _) if chosen < TlsVersion::Tls12 => known,
        (None, _) if chosen < TlsVersion::Tls12 => false,
        (Some(known), Some(selected)) if known != selected => return Some(None),
        (Some(known), _) => known,
        (None, selected) => selected?,
    };
    if tls13 && chosen != TlsVersion::Tls12 {
        return Some(None);
    }
    let version = if tls13 { TlsVersion::Tls13 } else { chosen };
    Some(Some(ServerHello { version, suite, retry: tls13 && random == RETRY }))
}

/// Whether `supported_versions` stands in the extensions and selects TLS 1.3; `None` while they are cut before it.
fn selects_tls13(mut rest: Cursor<'_>, complete: bool) -> Option<bool> {
    let not_found = complete.then_some(false);
    let Some(length) = rest.u8().and_then(|_compression| rest.u16()) else { return not_found };
    let mut rest = Cursor(rest.take_up_to(length.into()));
    while let Some((kind, body)) = rest.u16().zip(rest.vec16()) {
        if kind == 43 {
            return Some(body == [3, 4]);
        }
    }
    not_found
}
