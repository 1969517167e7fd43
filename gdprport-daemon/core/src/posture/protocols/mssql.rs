//! TDS of Microsoft SQL Server (MS-TDS §2.2.6.5): PRELOGIN of both sides settles the encryption; the TLS handshake
//! then travels inside TDS packets. TDS 8 is direct TLS and seen before this parser is asked. A login without PRELOGIN
//! (TDS 7.0 and Sybase's 4.2 and 5.0) is plaintext.

use std::borrow::Cow;

use super::line::is_text;
use crate::posture::cursor::Cursor;
use crate::posture::reading::{Awaits, Dialogue, Reading};
use crate::posture::upgrade::{self, plaintext};

const PRELOGIN: u8 = 0x12;
const RESPONSE: u8 = 0x04;
/// LOGIN7 (MS-TDS §2.2.6.4).
const LOGIN7: u8 = 0x10;
/// The login of TDS 4.2 and 5.0 (Sybase, "TDS 5.0 Functional Specification", login record).
const LOGIN: u8 = 0x02;

/// The option `ENCRYPTION`, its values.
const OFF: u8 = 0;
const NOT_SUPPORTED: u8 = 2;

/// One packet: its type, its payload as far as captured, whether that is complete, what stands behind.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], bool, &[u8])> {
    let mut rest = Cursor(bytes);
    let kind = rest.u8()?;
    let _status = rest.u8()?;
    let length = usize::from(rest.u16()?).saturating_sub(8);
    let _process_packet_window = rest.take(4)?;
    let payload = rest.take_up_to(length);
    Some((kind, payload, payload.len() == length, rest.0))
}

/// Whether a direction can begin with a packet of this type: last of its message, at most 4 KiB.
fn begins(bytes: &[u8], kind: u8) -> bool {
    let fits = |at: usize, possible: fn(u8) -> bool| bytes.get(at).copied().is_none_or(possible);
    bytes.first().is_none_or(|first| *first == kind)
        && fits(1, |status| status == 1)
        && fits(2, |high| high <= 0x10)
        && fits(6, |packet| packet <= 1)
        && fits(7, |window| window == 0)
}

/// The value of the option `ENCRYPTION` of a PRELOGIN. `Some(None)` if there is none, or it is no PRELOGIN.
fn encryption(payload: &[u8], complete: bool) -> Option<Option<u8>> {
    let mut options = Cursor(payload);
    // The first option is the version (0): an end of the list (0xFF) comes after at most a dozen.
    for index in 0..16 {
        let Some(option) = options.u8() else { return complete.then_some(None) };
        if option == 0xFF || (index == 0 && option != 0) {
            return Some(None);
        }
        let Some((offset, length)) = options.u16().zip(options.u16()) else {
            return complete.then_some(None);
        };
        if option == 1 {
            let value = payload.get(usize::from(offset)).copied();
            return if length == 1 && (value.is_some() || complete) { Some(value) } else { None };
        }
    }
    Some(None)
}

/// Whether a client begins with a login, of which one packet may be only a part.
fn login(client: &[u8]) -> Option<bool> {
    let mut header = Cursor(client);
    let kind = header.u8()?;
    if kind != LOGIN7 && kind != LOGIN {
        return Some(false);
    }
    let status = header.u8()?;
    let length = header.u16()?;
    // TDS 7.0 and older have packets of 512 to 4096 bytes until another length is agreed on.
    if status > 1 || !(64..=4096).contains(&length) {
        return Some(false);
    }
    let [_, _, packet, 0] = *header.take(4)? else { return Some(false) };
    if packet > 1 {
        return Some(false);
    }
    if kind == LOGIN7 {
        let length = header.u32_le()?;
        // 7.0 to 7.4, as the client writes it.
        let version = header.u32_le()?;
        return Some((86..=1 << 17).contains(&length) && matches!(version >> 24, 0x70..=0x74));
    }
    // The client's host, in 30 bytes with zeros behind it, its length, and the same of the user.
    for _ in 0..2 {
        let field = header.take(30)?;
        let used = usize::from(header.u8()?);
        let fits = used <= 30 && is_text(&field[..used]) && field[used..].iter().all(|byte| *byte == 0);
        if !fits {
            return Some(false);
        }
    }
    Some(true)
}

/// Microsoft SQL Server and what speaks like it.
pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    if !begins(dialogue.server, RESPONSE) {
        return Reading::Foreign;
    }
    match login(dialogue.client) {
        Some(true) => return plaintext("TDS login without PRELOGIN"),
        None if !dialogue.client.is_empty() => return Reading::open("TDS: the login is cut"),
        _ => {}
    }
    if !begins(dialogue.client, PRELOGIN) {
        return Reading::Foreign;
    }
    let too_few = Reading::open("TDS: the PRELOGIN of both sides was not seen");
    let Some((_, asked, asked_complete, client)) = packet(dialogue.client) else { return too_few };
    let wanted = match encryption(asked, asked_complete) {
        Some(Some(wanted)) => wanted & 0x7F,
        Some(None) => return Reading::Foreign,
        None => return too_few,
    };
    let Some((_, reply, reply_complete, server)) = packet(dialogue.server) else { return too_few };
    let granted = match encryption(reply, reply_complete) {
        Some(Some(granted)) => granted & 0x7F,
        Some(None) => return Reading::Foreign,
        None => return too_few,
    };
    if !asked_complete || !reply_complete {
        return too_few;
    }
    let how = "TDS PRELOGIN encryption";
    match (wanted, granted) {
        (NOT_SUPPORTED, OFF | NOT_SUPPORTED) => {
            plaintext("TDS PRELOGIN: encryption not supported by the client")
        }
        (OFF, NOT_SUPPORTED) => {
            plaintext("TDS PRELOGIN: encryption not asked for, not supported by the server")
        }
        (_, NOT_SUPPORTED) => upgrade::refused(how, !client.is_empty()),
        (_, OFF) => plaintext("TDS PRELOGIN: only the login is encrypted"),
        _ => {
            let (client, server) = (unwrap(client), unwrap(server));
            let reading =
                upgrade::after(how, dialogue, &client, &server).unwrap_or_else(|| upgrade::ignored(how));
            in_packets(reading)
        }
    }
}

/// What is awaited stands inside packets, not where the direction ends.
fn in_packets(reading: Reading) -> Reading {
    match reading {
        Reading::Seen { posture, awaits: Awaits::ClientRecord { .. } | Awaits::ServerHello { .. } } => {
            Reading::so_far(posture)
        }
        other => other,
    }
}

/// Takes the handshake out of the packets around it. Behind the handshake there are none.
fn unwrap(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut inner = Cow::Borrowed(&[][..]);
    let mut rest = bytes;
    while matches!(rest.first(), Some(&(PRELOGIN | RESPONSE))) {
        let Some((_, payload, _, behind)) = packet(rest) else { break };
        if inner.is_empty() {
            inner = Cow::Borrowed(payload);
        } else {
            inner.to_mut().extend_from_slice(payload);
        }
        rest = behind;
    }
    if inner.is_empty() && !matches!(rest.first(), Some(&(PRELOGIN | RESPONSE))) {
        return Cow::Borrowed(rest);
    }
    inner
}
