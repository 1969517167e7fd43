//! SSL 2 (its specification is historic; RFC 5246 appendix E.2 keeps the form of its hello).
//!
//! Belongs here: knowing its two hellos. A hello of this form may also offer SSL 3 or TLS, so it decides nothing.

use crate::model::TlsVersion;
use crate::posture::cursor::Cursor;

/// Whether a client begins with a hello in the form of SSL 2, and the newest version it offers; `None` while there
/// are too few bytes.
pub(super) fn client_hello(bytes: &[u8]) -> Option<Option<TlsVersion>> {
    let mut rest = Cursor(bytes);
    if rest.u8()? & 0x80 == 0 {
        return Some(None);
    }
    rest.u8()?;
    if rest.u8()? != 1 {
        return Some(None);
    }
    let version = rest.u16()?;
    let (suites, session_id, challenge) = (rest.u16()?, rest.u16()?, rest.u16()?);
    let length = length(bytes);
    let parts = [9, suites, session_id, challenge].into_iter().try_fold(0_u16, u16::checked_add);
    let fits = parts == Some(length)
        && suites.is_multiple_of(3)
        && suites > 0
        && (session_id == 0 || session_id == 16)
        && (16..=32).contains(&challenge);
    Some(offered(version).filter(|_| fits))
}

/// What stands behind the hello that a client begins with; `None` while that was not captured.
pub(super) fn behind(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(2 + usize::from(length(bytes))..)
}

/// The length of the record at the beginning, behind its header of two bytes.
fn length(bytes: &[u8]) -> u16 {
    bytes.first_chunk().map_or(0, |[high, low]| u16::from_be_bytes([high & 0x7F, *low]))
}

/// Whether a server replies with SSL 2's own hello; `None` while there are too few bytes. To be called only if
/// the client sent a hello of that form.
pub(super) fn server_hello(bytes: &[u8]) -> Option<bool> {
    let mut rest = Cursor(bytes);
    if rest.u8()? & 0x80 == 0 {
        return Some(false);
    }
    rest.u8()?;
    let kind = rest.u8()?;
    let _session_id_hit = rest.u8()?;
    let _certificate_type = rest.u8()?;
    Some(kind == 4 && rest.u16()? == 2)
}

fn offered(version: u16) -> Option<TlsVersion> {
    if version == 2 { Some(TlsVersion::Ssl2) } else { super::version::version(version) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_must_agree() {
        let mut hello = vec![0x80, 28, 1, 0, 2, 0, 3, 0, 0, 0, 16];
        hello.extend([0; 19]);
        assert_eq!(client_hello(&hello), Some(Some(TlsVersion::Ssl2)));
        assert_eq!(client_hello(&hello[..10]), None);
        hello[1] = 29;
        assert_eq!(client_hello(&hello), Some(None));
    }
}
