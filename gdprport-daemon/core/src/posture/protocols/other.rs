//! Oracle, Firebird, DICOM, HL7, SSH, syslog, SIP, ZooKeeper: protocols of single products and trades.
//!
//! Belongs here: by which first bytes a client of each is known, in the form that `store` explains; for SSH both sides.

use super::line::{MAX_LINE, one_of, split, word};
use crate::model::{Posture, PostureState};
use crate::posture::cursor::{Cursor, starts};
use crate::posture::reading::{Dialogue, Reading};

/// Oracle's TNS: a CONNECT packet. Oracle's own encryption is agreed on later, inside.
pub(in crate::posture) fn oracle(client: &[u8], _declared: bool) -> Option<bool> {
    let mut rest = Cursor(client);
    let length = rest.u16()?;
    let checksum = rest.u16()?;
    let kind = rest.u8()?;
    if !(58..=4096).contains(&length) || checksum != 0 || kind != 1 {
        return Some(false);
    }
    let _reserved_and_header_checksum = rest.take(3)?;
    let version = rest.u16()?;
    let compatible = rest.u16()?;
    Some((300..=400).contains(&version) && (200..=version).contains(&compatible))
}

/// Firebird's `op_connect`. Its own encryption is agreed on later.
pub(in crate::posture) fn firebird(client: &[u8], _declared: bool) -> Option<bool> {
    // Operation 1 (connect), for operation 19 (attach), with connect version 2 or 3.
    match starts(client, &[0, 0, 0, 1, 0, 0, 0, 19, 0, 0, 0]) {
        Some(true) => Some(matches!(client.get(11)?, 2 | 3)),
        other => other,
    }
}

/// DICOM's A-ASSOCIATE-RQ (DICOM PS3.8 §9.3.2), protocol version 1.
pub(in crate::posture) fn dicom(client: &[u8], _declared: bool) -> Option<bool> {
    match starts(client, &[1, 0]) {
        Some(true) => {}
        other => return other,
    }
    let mut rest = Cursor(&client[2..]);
    let length = rest.u32()?;
    let version = rest.u16()?;
    let reserved = rest.u16()?;
    Some((68..=1 << 17).contains(&length) && version == 1 && reserved == 0)
}

/// HL7 version 2 in the minimal lower layer protocol: a vertical tab and a message header.
pub(in crate::posture) fn hl7(client: &[u8], _declared: bool) -> Option<bool> {
    starts(client, b"\x0BMSH|")
}

/// syslog over TCP (RFC 6587): a priority in angle brackets, with or without the message's length before it.
pub(in crate::posture) fn syslog(client: &[u8], _declared: bool) -> Option<bool> {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let length = digits(client);
    if length > 6 {
        return Some(false);
    }
    let message = match (length, client.get(length)) {
        (_, None) => return None,
        (0, Some(_)) => client,
        (_, Some(b' ')) => &client[length + 1..],
        _ => return Some(false),
    };
    match starts(message, b"<") {
        Some(true) => {}
        other => return other,
    }
    let priority = digits(&message[1..]);
    match (priority, message.get(1 + priority)) {
        (0..=3, None) => None,
        (1..=3, Some(b'>')) => {
            let value = str::from_utf8(&message[1..=priority]).ok().and_then(|text| text.parse().ok());
            // The version, a month or a host (RFC 5424 §6, RFC 3164 §4.1).
            let next = message.get(2 + priority)?;
            Some(
                value.is_some_and(|value: u16| value <= 191)
                    && (next.is_ascii_alphanumeric() || *next == b' '),
            )
        }
        _ => Some(false),
    }
}

/// SIP (RFC 3261 §7.1): a request line.
pub(in crate::posture) fn sip(client: &[u8], _declared: bool) -> Option<bool> {
    #[rustfmt::skip]
    const METHODS: [&str; 14] = [
        "INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "PRACK", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER",
        "MESSAGE", "PUBLISH",
    ];
    let (method, target) = word(client);
    if target.is_empty() {
        let beginning = METHODS.iter().any(|known| known.as_bytes().starts_with(method));
        return if beginning { None } else { Some(false) };
    }
    if one_of(method, &METHODS).is_none() {
        return Some(false);
    }
    let kinds = [&b"sip:"[..], b"sips:", b"tel:"].map(|kind| starts(target, kind));
    if kinds.contains(&Some(true)) {
        return Some(true);
    }
    if kinds.contains(&None) { None } else { Some(false) }
}

/// ZooKeeper's ConnectRequest: a length, version 0, the last transaction, a timeout, a session, a password of 16 bytes.
pub(in crate::posture) fn zookeeper(client: &[u8], _declared: bool) -> Option<bool> {
    match (starts(client, b"\0\0\0\x2C\0\0\0\0"), starts(client, b"\0\0\0\x2D\0\0\0\0")) {
        (Some(false), Some(false)) => return Some(false),
        (Some(true), _) | (_, Some(true)) => {}
        _ => return None,
    }
    Some(client.get(28..32)? == [0, 0, 0, 16])
}

/// SSH (RFC 4253 §4.2, §7.1): both sides name themselves in plaintext, then begin the exchange of keys.
pub(in crate::posture) fn ssh(dialogue: &Dialogue<'_>) -> Reading {
    let named = |bytes| starts(bytes, b"SSH-2.0-");
    match (named(dialogue.client), named(dialogue.server)) {
        (Some(true), Some(true)) => {}
        (Some(false), _) | (_, Some(false)) => return Reading::Foreign,
        _ => return Reading::open("SSH: only one side named itself"),
    }
    match (exchanges_keys(dialogue.client), exchanges_keys(dialogue.server)) {
        (Some(true), Some(true)) => {
            Reading::settled(Posture::new(PostureState::EncryptedOther, "SSH 2.0 key exchange by both sides"))
        }
        (Some(false), _) | (_, Some(false)) => {
            Reading::Never("SSH 2.0 by both sides, what followed is no key exchange".into())
        }
        _ => Reading::open("SSH 2.0 by both sides, the key exchange was not seen"),
    }
}

/// Whether the packet behind a side's name is SSH_MSG_KEXINIT; `None` while there are too few bytes.
fn exchanges_keys(bytes: &[u8]) -> Option<bool> {
    const KEXINIT: u8 = 20;
    let Some((_name, packet)) = split(bytes) else { return (bytes.len() > MAX_LINE).then_some(false) };
    match starts(packet, &[0, 0]) {
        Some(true) => Some(*packet.get(5)? == KEXINIT),
        other => other,
    }
}
