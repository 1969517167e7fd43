//! AMQP 0-8 to 0-9-1 and 1.0: both sides begin with a header of eight bytes; one of 1.0's asks for TLS (AMQP 1.0,
//! part 5.2), another for SASL (part 5.3), as 0-10 always does.

use super::sasl;
use crate::posture::cursor::Cursor;
use crate::posture::cursor::starts;
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade::{self, plaintext};

/// The header that asks for TLS, and that agrees to it.
const TLS: &[u8; 8] = b"AMQP\x02\x01\x00\x00";

/// AMQP of any version.
pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    match starts(dialogue.client, b"AMQP") {
        Some(true) => {}
        Some(false) => return Reading::Foreign,
        None => return Reading::open("AMQP: the client's header was not seen"),
    }
    let Some((header, client)) = dialogue.client.split_first_chunk::<8>() else {
        return Reading::open("AMQP: the client's header is cut");
    };
    match header[4..] {
        [2, 1, 0, 0] => tls(dialogue, client),
        [0, 0, 9, 1] => plaintext("AMQP 0-9-1 header without TLS"),
        [1, 1, 0, 10] => start_ok(client),
        [1, 1, _, _] => plaintext("AMQP 0-8 to 0-10 header without TLS"),
        [0, 1, 0, 0] => plaintext("AMQP 1.0 header without TLS"),
        [3, 1, 0, 0] => sasl_init(dialogue, client),
        _ => Reading::Foreign,
    }
}

fn tls(dialogue: &Dialogue<'_>, client: &[u8]) -> Reading {
    let how = "AMQP TLS header";
    match starts(dialogue.server, TLS) {
        Some(true) => {
            let server = &dialogue.server[TLS.len()..];
            upgrade::after(how, dialogue, client, server).unwrap_or_else(|| upgrade::ignored(how))
        }
        Some(false) => upgrade::refused(how, !client.is_empty()),
        None => {
            let unseen = Reading::open("AMQP TLS header was sent, the answer was not seen");
            if client.is_empty() {
                unseen
            } else {
                upgrade::after(how, dialogue, client, &[]).unwrap_or(unseen)
            }
        }
    }
}

/// A frame of SASL of 1.0: the code of its performative, its fields, what stands behind.
type Frame<'a> = (u8, &'a [u8], &'a [u8]);

/// The first frame. `Some(None)` if it is none, `None` while there are too few bytes.
fn frame(bytes: &[u8]) -> Option<Option<Frame<'_>>> {
    let mut rest = Cursor(bytes);
    let length = rest.u32()?;
    let [2, 1, _, _] = *rest.take(4)? else { return Some(None) };
    let Some(length) = (length as usize).checked_sub(8).filter(|length| *length <= 4096) else {
        return Some(None);
    };
    let mut fields = Cursor(rest.take(length)?);
    let code = (|| match fields.take(2)? {
        [0, 0x53] => fields.u8(),
        // An ulong of eight bytes.
        [0, 0x80] => fields.take(8)?.last().copied(),
        _ => None,
    })();
    Some(code.map(|code| (code, fields.0, rest.0)))
}

/// The first field of a list (AMQP 1.0, part 1.6.22): its constructor and what stands behind.
fn first_field(list: &[u8]) -> Option<(u8, Cursor<'_>)> {
    let mut fields = Cursor(list);
    match fields.u8()? {
        0xC0 => fields.take(2)?,
        0xD0 => fields.take(8)?,
        _ => return None,
    };
    Some((fields.u8()?, fields))
}

/// SASL of 1.0: the client names its mechanism, and the server's outcome decides (part 5.3.3).
fn sasl_init(dialogue: &Dialogue<'_>, client: &[u8]) -> Reading {
    const INIT: u8 = 0x41;
    const RESPONSE: u8 = 0x43;
    const OUTCOME: u8 = 0x44;
    let (how, without) = ("AMQP 1.0 SASL", "AMQP 1.0 SASL header without TLS");
    let cut = Reading::open("AMQP 1.0 SASL: the client's mechanism was not seen");
    let (list, mut client) = match frame(client) {
        Some(Some((INIT, list, rest))) => (list, rest),
        Some(_) => return plaintext(without),
        None => return cut,
    };
    let mechanism = first_field(list).and_then(|(constructor, mut name)| match constructor {
        0xA3 => name.vec8(),
        _ => None,
    });
    if mechanism.and_then(sasl::layered).is_none() {
        return plaintext(without);
    }
    while let Some(Some((RESPONSE, _, rest))) = frame(client) {
        client = rest;
    }
    // The header of AMQP itself: without a layer.
    if starts(client, b"AMQP") == Some(true) {
        return plaintext(without);
    }
    let mut server = dialogue.server.get(8..).unwrap_or_default();
    while let Some(Some((code, list, rest))) = frame(server) {
        server = rest;
        if code == OUTCOME {
            let accepted = match first_field(list) {
                Some((0x50, mut code)) => code.u8() == Some(0),
                _ => false,
            };
            return if accepted {
                sasl::behind(how, true, client, server, |_| false)
            } else {
                plaintext(without)
            };
        }
    }
    sasl::behind(how, false, client, &[], |_| false)
}

/// AMQP 0-10: `connection.start-ok` names the mechanism (its specification, part 9.3).
fn start_ok(client: &[u8]) -> Reading {
    const CONTROL: u8 = 0;
    let mut rest = Cursor(client);
    let mechanism = (|| {
        let [_, CONTROL, ..] = *rest.take(12)? else { return Some(None) };
        let [1, 2, fields, _] = *rest.take(4)? else { return Some(None) };
        if fields & 1 != 0 {
            let properties = rest.u32()?;
            rest.take(properties as usize)?;
        }
        if fields & 2 == 0 { Some(None) } else { rest.vec8().map(Some) }
    })();
    match mechanism {
        None => Reading::open("AMQP 0-10: the client's mechanism was not seen"),
        Some(Some(name)) if sasl::layered(name).is_some() => {
            Reading::Never("AMQP 0-10 with SASL: it can encrypt what follows, which is not read".into())
        }
        Some(_) => plaintext("AMQP 0-8 to 0-10 header without TLS"),
    }
}
