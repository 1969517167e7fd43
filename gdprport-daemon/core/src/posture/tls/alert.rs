//! Alerts (RFC 8446 §6, RFC 5246 §7.2) by which a handshake is refused.

use super::record::{self, ALERT};
use crate::posture::cursor::Cursor;

/// The length of an alert's record.
const LENGTH: usize = 7;

/// The description by which a server closes the connection, which is a warning by its level.
const CLOSE_NOTIFY: u8 = 0;

/// Whether a direction begins with an alert that ends the handshake, and its description; `None` while there
/// are too few bytes.
pub(super) fn read(bytes: &[u8]) -> Option<Option<u8>> {
    Some(alert(bytes)?.map(|(_, description)| description))
}

/// What stands behind the warnings at the beginning of a direction: some servers warn that they do not know the name
/// that was asked for, and go on (RFC 6066 §3).
pub(super) fn behind_warnings(mut bytes: &[u8]) -> &[u8] {
    while let Some(Some((1, description))) = alert(bytes)
        && description != CLOSE_NOTIFY
    {
        bytes = &bytes[LENGTH..];
    }
    bytes
}

/// Level and description.
fn alert(bytes: &[u8]) -> Option<Option<(u8, u8)>> {
    if !record::begins(bytes, ALERT)? {
        return Some(None);
    }
    let mut rest = Cursor(&bytes[3..]);
    let length = rest.u16()?;
    let level = rest.u8()?;
    let description = rest.u8()?;
    Some((length == 2 && (1..=2).contains(&level)).then_some((level, description)))
}

/// An alert's name in the registry of RFC 8446 §6, or its number.
pub(super) fn name(description: u8) -> String {
    let name = match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        other => return other.to_string(),
    };
    name.to_owned()
}
