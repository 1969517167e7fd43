//! Queues that have no upgrade of their own: Kafka, MQTT, STOMP, ActiveMQ's OpenWire, Pulsar.
//!
//! Belongs here: by which first bytes a client of each is known, in the form that `store` explains.

use super::line::is_text;
use crate::posture::cursor::{Cursor, starts};

/// Kafka's requests: a length, a key, a version, a number, the client's name. Undeclared, only the keys with which a
/// connection begins: Metadata, SaslHandshake, ApiVersions.
pub(in crate::posture) fn kafka(client: &[u8], declared: bool) -> Option<bool> {
    let mut rest = Cursor(client);
    // At most 100 MiB, as brokers allow.
    if client.first().is_some_and(|byte| *byte > 6) {
        return Some(false);
    }
    let length = rest.u32()?;
    let key = rest.u16()?;
    let version = rest.u16()?;
    let plausible = if declared { key <= 100 } else { matches!(key, 3 | 17 | 18) };
    if !plausible || version > 20 || length < 10 {
        return Some(false);
    }
    // Numbers count up from zero; PostgreSQL's StartupMessage has a letter here.
    if rest.u8()? != 0 {
        return Some(false);
    }
    rest.take(3)?;
    match rest.u16()? {
        0xFFFF => Some(true),
        name @ 0..=255 => {
            let part = rest.take_up_to(name.into());
            if part.len() < name.into() && is_text(part) { None } else { Some(is_text(part)) }
        }
        _ => Some(false),
    }
}

/// MQTT's CONNECT, versions 3.1 to 5.
pub(in crate::posture) fn mqtt(client: &[u8], _declared: bool) -> Option<bool> {
    let mut rest = Cursor(client);
    if rest.u8()? != 0x10 {
        return Some(false);
    }
    for _ in 0..4 {
        if rest.u8()? & 0x80 == 0 {
            let names = [starts(rest.0, b"\x00\x04MQTT"), starts(rest.0, b"\x00\x06MQIsdp")];
            return match names {
                [Some(true), _] | [_, Some(true)] => Some(true),
                [None, _] | [_, None] => None,
                _ => Some(false),
            };
        }
    }
    Some(false)
}

/// STOMP's first frame.
pub(in crate::posture) fn stomp(client: &[u8], _declared: bool) -> Option<bool> {
    let mut beginning = false;
    for frame in [&b"CONNECT\n"[..], b"CONNECT\r\n", b"STOMP\n", b"STOMP\r\n"] {
        match starts(client, frame) {
            Some(true) => return Some(true),
            None => beginning = true,
            Some(false) => {}
        }
    }
    if beginning { None } else { Some(false) }
}

/// OpenWire: a length, WIREFORMAT_INFO, its magic bytes.
pub(in crate::posture) fn openwire(client: &[u8], _declared: bool) -> Option<bool> {
    if client.first().is_some_and(|byte| *byte != 0) {
        return Some(false);
    }
    let mut rest = Cursor(client);
    rest.u32()?;
    starts(rest.0, b"\x01ActiveMQ")
}

/// Pulsar: two lengths and a command whose type is CONNECT.
pub(in crate::posture) fn pulsar(client: &[u8], _declared: bool) -> Option<bool> {
    if client.first().is_some_and(|byte| *byte != 0) {
        return Some(false);
    }
    let mut rest = Cursor(client);
    let total = rest.u32()?;
    let command = rest.u32()?;
    if total != command.saturating_add(4) || !(8..=1 << 16).contains(&total) {
        return Some(false);
    }
    starts(rest.0, &[0x08, 0x02, 0x12])
}
