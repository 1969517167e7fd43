//! Db2's DRDA (DRDA volume 3: DDM architecture): requests up to ACCSEC, in which the client names how it authenticates, and
//! the server's ACCSECRD, which agrees by the same value.

use crate::posture::cursor::Cursor;
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade::plaintext;

/// Exchange of attributes, which begins a session.
const EXCSAT: u16 = 0x1041;
/// Access security, and its reply.
const ACCSEC: u16 = 0x106D;
const ACCSECRD: u16 = 0x14AC;
/// A statement, and its kind where it is not encrypted.
const SQLSTT: u16 = 0x2414;
const OBJECT: u8 = 3;
/// The parameter for the security mechanism.
const SECMEC: u16 = 0x11A2;

/// One message: its code, its parameters as far as captured, whether they are complete, what stands behind.
struct Message<'a> {
    /// What it is: request, reply, object, encrypted object.
    kind: u8,
    code: u16,
    parameters: &'a [u8],
    complete: bool,
    rest: &'a [u8],
}

/// The first message. `Some(None)` if it is none, `None` while there are too few bytes.
fn message(bytes: &[u8]) -> Option<Option<Message<'_>>> {
    let mut rest = Cursor(bytes);
    let length = usize::from(rest.u16()?);
    if rest.u8()? != 0xD0 {
        return Some(None);
    }
    let kind = rest.u8()? & 0x0F;
    let _correlation = rest.u16()?;
    let _inner_length = rest.u16()?;
    let code = rest.u16()?;
    let Some(length) = length.checked_sub(10) else { return Some(None) };
    let parameters = rest.take_up_to(length);
    Some(Some(Message { kind, code, parameters, complete: parameters.len() == length, rest: rest.0 }))
}

/// The message of this code, behind any others.
fn find(bytes: &[u8], code: u16) -> Option<Message<'_>> {
    let mut rest = bytes;
    loop {
        let message = message(rest)??;
        if message.code == code {
            return Some(message);
        }
        if !message.complete {
            return None;
        }
        rest = message.rest;
    }
}

/// The first value of a message's SECMEC. `Some(None)` if it has none, `None` while there are too few bytes.
fn mechanism(message: &Message<'_>) -> Option<Option<u16>> {
    let mut rest = Cursor(message.parameters);
    loop {
        let parameter = (|| {
            let length = usize::from(rest.u16()?);
            let code = rest.u16()?;
            let value = rest.take(length.checked_sub(4)?)?;
            Some((code, value))
        })();
        match parameter {
            Some((SECMEC, [high, low, ..])) => return Some(Some(u16::from_be_bytes([*high, *low]))),
            Some((SECMEC, _)) => return Some(None),
            Some(_) => {}
            None => return message.complete.then_some(None),
        }
    }
}

/// Db2, Derby, and what speaks like them.
pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    let too_few = Reading::open("Db2: how the client authenticates was not seen");
    match message(dialogue.client) {
        None if dialogue.client.get(2).is_some_and(|magic| *magic != 0xD0) => return Reading::Foreign,
        None => return too_few,
        Some(Some(message)) if message.code == EXCSAT => {}
        Some(_) => return Reading::Foreign,
    }
    let Some(asked) = find(dialogue.client, ACCSEC) else {
        return if goes_on(dialogue.client) { plaintext("Db2 DRDA request without TLS") } else { too_few };
    };
    let Some(wanted) = mechanism(&asked) else { return too_few };
    // Only the credentials, or also the data (SECMEC of DRDA: EUSRIDDTA, EUSRPWDDTA, EUSRNPWDDTA).
    let wanted = match wanted {
        Some(wanted @ 12..=14) => wanted,
        Some(7 | 9 | 10 | 16) => {
            return plaintext("Db2 DRDA request without TLS: only credentials are encrypted");
        }
        _ => return plaintext("Db2 DRDA request without TLS"),
    };
    match find(dialogue.server, ACCSECRD).map(|reply| mechanism(&reply)) {
        Some(Some(Some(granted))) if granted == wanted => {
            if find(dialogue.client, SQLSTT).is_some_and(|statement| statement.kind == OBJECT) {
                plaintext("Db2 encryption of data accepted by the server, the client went on in plaintext")
            } else {
                Reading::open(
                    "Db2 encryption of credentials and data, agreed on by both sides: it is not read",
                )
            }
        }
        Some(Some(_)) => plaintext("Db2 encryption of data refused by the server"),
        _ => Reading::open("Db2 encryption of credentials and data was asked for, the answer was not seen"),
    }
}

/// Whether something else than an exchange of attributes and the choice of security is asked for.
fn goes_on(client: &[u8]) -> bool {
    let mut rest = client;
    while let Some(Some(message)) = message(rest) {
        if !matches!(message.code, EXCSAT | ACCSEC) {
            return true;
        }
        rest = message.rest;
    }
    false
}
