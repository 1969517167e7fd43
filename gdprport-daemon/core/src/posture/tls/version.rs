//! Versions of TLS as numbers on the wire.

use crate::model::TlsVersion;

/// The version of this number on the wire, from SSL 3 on.
pub(super) fn version(number: u16) -> Option<TlsVersion> {
    Some(match number {
        0x0300 => TlsVersion::Ssl3,
        0x0301 => TlsVersion::Tls10,
        0x0302 => TlsVersion::Tls11,
        0x0303 => TlsVersion::Tls12,
        0x0304 => TlsVersion::Tls13,
        _ => return None,
    })
}
