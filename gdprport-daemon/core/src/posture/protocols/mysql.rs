//! MySQL and MariaDB, in both their protocols: the classic one (MySQL internals, "Connection Phase": the server greets,
//! the client's reply has a bit for TLS) and the X Protocol of port 33060 (messages `Mysqlx.Connection`).
//!
//! Belongs here: how a session of either is upgraded or begins in plaintext.

use super::line::is_text;
use crate::posture::cursor::Cursor;
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade::{self, plaintext};

/// The capability bit for TLS in both sides' first two bytes of capabilities.
const CLIENT_SSL: u16 = 0x0800;

/// The longest request for TLS (MySQL internals, `SSLRequest`): capabilities, the longest packet, a character set, and
/// bytes without a meaning.
const SSL_REQUEST: usize = 32;

pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    match classic(dialogue) {
        Reading::Foreign => x_protocol(dialogue),
        reading => reading,
    }
}

/// One packet of the classic protocol: sequence number, payload as far as captured, what stands behind.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], bool, &[u8])> {
    let mut rest = Cursor(bytes);
    let [low, middle, high] = *rest.take(3)?.first_chunk()?;
    let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    let sequence = rest.u8()?;
    let payload = rest.take_up_to(length);
    Some((sequence, payload, payload.len() == length, rest.0))
}

fn classic(dialogue: &Dialogue<'_>) -> Reading {
    let offered = match greeting(dialogue.server) {
        Greeting::Foreign => return Reading::Foreign,
        Greeting::Error => return Reading::Never("MySQL: the server refused the connection".into()),
        Greeting::Cut => None,
        Greeting::Complete { tls, rest } => Some((tls, rest)),
    };
    // No reply is as long as 64 KiB.
    if dialogue.client.get(2).is_some_and(|byte| *byte != 0) {
        return Reading::Foreign;
    }
    let Some((sequence, payload, complete, rest)) = packet(dialogue.client) else {
        return Reading::open("MySQL: the client's reply to the greeting was not seen");
    };
    // The reply follows the greeting (number 0); without the greeting, a number alone is no likeness.
    if sequence != 1 {
        return Reading::Foreign;
    }
    let Some(capabilities) = payload.first_chunk().map(|bytes| u16::from_le_bytes(*bytes)) else {
        return if complete { Reading::Foreign } else { Reading::open("MySQL: the client's reply is cut") };
    };
    let Some((tls, server)) = offered else {
        return Reading::open("MySQL: the server's greeting was not seen");
    };
    if capabilities & CLIENT_SSL == 0 {
        let offer = if tls { "which the server offers" } else { "which the server does not offer" };
        return plaintext(format!("MySQL handshake response without CLIENT_SSL, {offer}"));
    }
    // The request for TLS is the reply up to the user's name, which a client may send all the same.
    if payload.len() > SSL_REQUEST {
        return plaintext("MySQL handshake response with CLIENT_SSL, sent before TLS");
    }
    if !complete {
        return Reading::open("MySQL: the client's reply is cut");
    }
    let how = "MySQL CLIENT_SSL";
    upgrade::after(how, dialogue, rest, server)
        .unwrap_or_else(|| plaintext("MySQL CLIENT_SSL, no TLS followed"))
}

enum Greeting<'a> {
    Foreign,
    Error,
    Cut,
    Complete { tls: bool, rest: &'a [u8] },
}

/// The server's first packet: version 10 of the handshake, the server's version, a connection id, 8 bytes of salt, a
/// zero, capabilities.
fn greeting(server: &[u8]) -> Greeting<'_> {
    // No greeting is as long as 64 KiB.
    if server.get(2).is_some_and(|byte| *byte != 0) {
        return Greeting::Foreign;
    }
    let Some((sequence, payload, _, rest)) = packet(server) else { return Greeting::Cut };
    match (sequence, payload) {
        (0, [10, ..]) => {}
        (0, [0xFF, low, high, ..]) if (1000..5000).contains(&u16::from_le_bytes([*low, *high])) => {
            return Greeting::Error;
        }
        (0, [] | [0xFF] | [0xFF, _]) => return Greeting::Cut,
        _ => return Greeting::Foreign,
    }
    let behind = &payload[1..];
    let Some(end) = behind.iter().take(256).position(|byte| *byte == 0) else {
        return if is_text(behind) && behind.len() < 256 { Greeting::Cut } else { Greeting::Foreign };
    };
    let mut fields = Cursor(&behind[end + 1..]);
    let capabilities = fields.take(4 + 8 + 1).and_then(|_| fields.take(2)).and_then(<[u8]>::first_chunk);
    match capabilities {
        _ if end == 0 || !is_text(&behind[..end]) => Greeting::Foreign,
        Some(bytes) => Greeting::Complete { tls: u16::from_le_bytes(*bytes) & CLIENT_SSL != 0, rest },
        None => Greeting::Cut,
    }
}

/// One message of the X Protocol: type, payload as far as captured, what stands behind.
fn message(bytes: &[u8]) -> Option<(u8, &[u8], bool, &[u8])> {
    let mut rest = Cursor(bytes);
    let length = rest.u32_le()?.checked_sub(1)? as usize;
    let kind = rest.u8()?;
    let payload = rest.take_up_to(length);
    Some((kind, payload, payload.len() == length, rest.0))
}

fn x_protocol(dialogue: &Dialogue<'_>) -> Reading {
    const TLS: &[u8] = b"\x0a\x03tls";
    let mut client = dialogue.client;
    let too_few = Reading::open("MySQL X Protocol: too few bytes");
    // All messages are short; replies are OK, error, capabilities and notice.
    let short = |bytes: &[u8]| bytes.iter().skip(2).take(2).all(|byte| *byte == 0);
    let reply = dialogue.server.get(4).is_none_or(|kind| matches!(kind, 0..=2 | 11));
    if !short(client) || !short(dialogue.server) || !reply {
        return Reading::Foreign;
    }
    for asked in 0..4 {
        let Some((kind, payload, complete, rest)) = message(client) else {
            // A length of zero has no message.
            return if client.len() < 4 || client[..4] != [0; 4] { too_few } else { Reading::Foreign };
        };
        let has_tls = payload.windows(TLS.len()).any(|part| part == TLS);
        match (kind, complete) {
            // CapabilitiesGet has no content.
            (1, true) if payload.is_empty() => client = rest,
            // AuthenticateStart begins with the name of a mechanism, in capitals.
            (4, _) if payload.len() >= 4 => {
                let name =
                    payload[0] == 0x0A && payload[2].is_ascii_uppercase() && payload[3].is_ascii_uppercase();
                return if name {
                    plaintext("MySQL X Protocol authentication without TLS")
                } else {
                    Reading::Foreign
                };
            }
            (2, true) if has_tls => return tls(dialogue, asked, rest),
            (2, true) if payload.starts_with(b"\x0a") => client = rest,
            (2 | 4, false) => return too_few,
            _ => return Reading::Foreign,
        }
    }
    Reading::Never("MySQL X Protocol: only requests for capabilities".into())
}

/// The client asked for TLS after `asked` other requests. Each has one reply; notices (type 11) may stand between.
fn tls(dialogue: &Dialogue<'_>, asked: usize, client: &[u8]) -> Reading {
    let how = "MySQL X Protocol tls capability";
    let mut server = dialogue.server;
    let mut replies = 0;
    while let Some((kind, _, true, rest)) = message(server) {
        server = rest;
        replies += usize::from(kind != 11);
        if replies > asked {
            return match kind {
                0 => upgrade::after(how, dialogue, client, server).unwrap_or_else(|| upgrade::ignored(how)),
                _ => upgrade::refused(how, !client.is_empty()),
            };
        }
    }
    let unseen = Reading::Open(format!("{how} was asked for, the answer was not seen").into());
    if client.is_empty() { unseen } else { upgrade::after(how, dialogue, client, &[]).unwrap_or(unseen) }
}
