//! ServerHello (RFC 8446 §4.1.3, RFC 5246 §7.4.1.3): what was chosen.
//!
//! Belongs here: version, cipher suite, what repeats the client's choice, and whether it asks the client to try again.

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
pub(super) struct ServerHello<'a> {
    pub version: TlsVersion,
    /// The cipher suite's number.
    pub suite: u16,
    /// In TLS 1.3 the client's (`legacy_session_id_echo`).
    pub session_id: &'a [u8],
    /// The group of `key_share`, where it was captured.
    pub group: Option<u16>,
    /// The extensions say another version than the suite: no client goes on with that (RFC 8446 §4.1.3, §4.2.1).
    pub contradicts_itself: bool,
    /// It is a HelloRetryRequest: version and suite are chosen, the client has yet to send another key share.
    pub retry: bool,
}

/// Reads a hello, complete or cut. `Some(None)` if it is none of a known version, `None` while too little was captured.
///
/// The version is that of the suite, if the table knows it, whatever the extensions say: they may come later, or never,
/// behind a large key share, and what was once read of a hello must not depend on how it was cut. What contradicts it is
/// reported beside it.
pub(super) fn read<'a>(message: &HandshakeMessage<'a>) -> Option<Option<ServerHello<'a>>> {
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
    let Extensions { selects_tls13, group } =
        if chosen == TlsVersion::Tls12 { extensions(rest, message.complete) } else { Extensions::NONE };
    // A number that the table does not know may be of either version: then only the extension decides.
    let tls13 = match suites::is_tls13(suite) {
        Some(known) => known,
        None => selects_tls13?,
    };
    if tls13 && chosen != TlsVersion::Tls12 {
        return Some(None);
    }
    Some(Some(ServerHello {
        version: if tls13 { TlsVersion::Tls13 } else { chosen },
        suite,
        session_id,
        group,
        contradicts_itself: selects_tls13.is_some_and(|selected| selected != tls13),
        retry: tls13 && random == RETRY,
    }))
}

/// What the extensions say.
struct Extensions {
    /// `supported_versions` is there and selects TLS 1.3; `None` while they are cut before it.
    selects_tls13: Option<bool>,
    group: Option<u16>,
}

impl Extensions {
    const NONE: Self = Self { selects_tls13: Some(false), group: None };
}

fn extensions(mut rest: Cursor<'_>, complete: bool) -> Extensions {
    let (mut selects_tls13, mut group) = (None, None);
    if let Some(length) = rest.u8().and_then(|_compression| rest.u16()) {
        let mut rest = Cursor(rest.take_up_to(length.into()));
        while let Some(kind) = rest.u16() {
            // The group stands before its share, which may be cut.
            if kind == 51 {
                group = group.or_else(|| Cursor(rest.0.get(2..)?).u16());
            }
            let Some(body) = rest.vec16() else { break };
            if kind == 43 {
                selects_tls13 = selects_tls13.or(Some(body == [3, 4]));
            }
        }
    }
    Extensions { selects_tls13: selects_tls13.or(complete.then_some(false)), group }
}
