//! LDAP (RFC 4511): messages up to the StartTLS operation (§4.14) or the first with substance.
//!
//! Belongs here: the messages of LDAP, as far as they distinguish operations. Their encoding is BER with definite lengths
//! only (§5.1).

use std::borrow::Cow;

use super::sasl;
use crate::posture::ber::{self, Element};
use crate::posture::cursor::Cursor;
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade::{self, plaintext};

const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";

/// The most messages that are followed.
const MAX_MESSAGES: usize = 16;

/// The next element; RFC 4511 bounds no length.
fn element<'a>(rest: &mut Cursor<'a>) -> Option<Option<Element<'a>>> {
    ber::element(rest, 4)
}

/// One message: its number, its operation and what stands behind it.
struct LdapMessage<'a> {
    id: &'a [u8],
    operation: Element<'a>,
    complete: bool,
    rest: &'a [u8],
}

/// The first message. `Some(None)` if it is none, `None` while there are too few bytes.
fn message(bytes: &[u8]) -> Option<Option<LdapMessage<'_>>> {
    if bytes.first().is_some_and(|tag| *tag != 0x30) {
        return Some(None);
    }
    let mut rest = Cursor(bytes);
    let Some(envelope) = element(&mut rest)? else { return Some(None) };
    let mut fields = Cursor(envelope.body);
    let read = (|| {
        let Some(id) = element(&mut fields)? else { return Some(None) };
        if id.tag != 0x02 || !id.complete && id.body.len() >= 4 || id.body.len() > 4 {
            return Some(None);
        }
        if !id.complete {
            return None;
        }
        let Some(operation) = element(&mut fields)? else { return Some(None) };
        // [APPLICATION 0] to [APPLICATION 25], primitive or constructed (§4.2 to §4.13).
        let application = operation.tag >> 6 == 1 && operation.tag & 0x1F <= 25 && !id.body.is_empty();
        Some(application.then_some((id.body, operation)))
    })();
    match read {
        Some(Some((id, operation))) => {
            Some(Some(LdapMessage { id, operation, complete: envelope.complete, rest: rest.0 }))
        }
        Some(None) => Some(None),
        None if envelope.complete => Some(None),
        None => None,
    }
}

/// What a client's operation asks for.
enum Asks {
    Harmless,
    StartTls,
    Substance(&'static str),
    /// SASL mechanisms that can encrypt what follows (RFC 4513 §5.2.1).
    Sasl,
    /// Not decided before more of it is there.
    Cut,
    Foreign,
}

pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    let mut rest = dialogue.client;
    if dialogue.server.first().is_some_and(|tag| *tag != 0x30) {
        return Reading::Foreign;
    }
    // The last bind by a mechanism that can encrypt what follows.
    let mut layered = None;
    for _ in 0..MAX_MESSAGES {
        let Some(next) = message(rest) else {
            return match layered {
                Some(_) => Reading::open(SASL),
                None => Reading::open("LDAP: neither StartTLS nor an operation with data was seen"),
            };
        };
        let message = match (next, layered) {
            (Some(message), _) => message,
            (None, Some(id)) => return behind_bind(dialogue, id, rest),
            (None, None) => return Reading::Foreign,
        };
        match asks(&message.operation) {
            Asks::Substance(what) => return plaintext(format!("LDAP {what} without StartTLS")),
            Asks::Sasl => {
                layered = Some(message.id);
                if !message.complete {
                    return Reading::open(SASL);
                }
                rest = message.rest;
            }
            Asks::Foreign => return Reading::Foreign,
            Asks::Cut if layered.is_some() => return Reading::open(SASL),
            Asks::Cut => return Reading::open("LDAP: the operation is cut"),
            Asks::Harmless | Asks::StartTls if !message.complete => {
                return Reading::open("LDAP: the operation is cut");
            }
            Asks::StartTls => return start_tls(dialogue, message.id, message.rest),
            Asks::Harmless => rest = message.rest,
        }
    }
    Reading::Never("LDAP: only harmless operations".into())
}

const SASL: &str = "LDAP SASL bind: it can encrypt what follows, which is not read";

/// What the client sent behind the bind of this number is no message: a layer, if the server agreed (RFC 4513 §5.2.1.5).
fn behind_bind(dialogue: &Dialogue<'_>, id: &[u8], client: &[u8]) -> Reading {
    let mut server = dialogue.server;
    let mut accepted = false;
    while let Some(Some(message)) = message(server).filter(|_| !accepted) {
        if !message.complete {
            break;
        }
        server = message.rest;
        let code = element(&mut Cursor(message.operation.body)).flatten();
        accepted = message.id == id
            && message.operation.tag == 0x61
            && code.is_some_and(|code| code.tag == 0x0A && code.body == [0]);
    }
    let server = if accepted { server } else { &[] };
    let is_message = |bytes: &[u8]| matches!(message(bytes), Some(Some(_)));
    sasl::behind("LDAP SASL bind", accepted, client, server, is_message)
}

fn asks(operation: &Element<'_>) -> Asks {
    let mut fields = OperationFields { rest: Cursor(operation.body), complete: operation.complete };
    let asks = match operation.tag {
        0x60 => bind(&mut fields),
        0x63 => search(&mut fields),
        0x77 => extended(&mut fields),
        0x42 | 0x50 => Ok(Asks::Harmless),
        0x66 | 0x68 | 0x4A | 0x6C => Ok(Asks::Substance("change")),
        0x6E => Ok(Asks::Substance("comparison")),
        _ => Ok(Asks::Foreign),
    };
    asks.unwrap_or_else(|unread| unread)
}

/// The fields of an operation, one after the other. What cannot be read ends the operation.
struct OperationFields<'a> {
    rest: Cursor<'a>,
    /// Whether all of them were captured.
    complete: bool,
}

impl<'a> OperationFields<'a> {
    fn next(&mut self) -> Result<Element<'a>, Asks> {
        match element(&mut self.rest) {
            Some(Some(element)) => Ok(element),
            Some(None) => Err(Asks::Foreign),
            None if self.complete => Err(Asks::Foreign),
            None => Err(Asks::Cut),
        }
    }

    fn complete(&mut self) -> Result<Element<'a>, Asks> {
        self.next().and_then(|element| if element.complete { Ok(element) } else { Err(Asks::Cut) })
    }
}

/// A bind: version, name, and credentials, simple (0x80) or of SASL (0xA3). Without any of both it is harmless.
fn bind(fields: &mut OperationFields<'_>) -> Result<Asks, Asks> {
    let version = fields.complete()?;
    let name = fields.complete()?;
    if version.tag != 0x02 || !matches!(version.body, [2..=3]) || name.tag != 0x04 {
        return Err(Asks::Foreign);
    }
    let credentials = fields.next()?;
    let anonymous = name.body.is_empty() && credentials.body.is_empty() && credentials.complete;
    match credentials.tag {
        0x80 if anonymous => Ok(Asks::Harmless),
        0x80 if name.body.is_empty() && credentials.body.is_empty() => Err(Asks::Cut),
        0x80 => Ok(Asks::Substance("simple bind")),
        0xA3 => {
            let mut inner =
                OperationFields { rest: Cursor(credentials.body), complete: credentials.complete };
            let mechanism = inner.complete()?.body;
            Ok(if sasl::layered(mechanism).is_some() { Asks::Sasl } else { Asks::Substance("SASL bind") })
        }
        _ => Ok(Asks::Sasl),
    }
}

/// An extended operation: its name, and its value if it has one (§4.12).
fn extended(fields: &mut OperationFields<'_>) -> Result<Asks, Asks> {
    let name = fields.complete()?;
    match (name.tag, name.body) {
        (0x80, START_TLS) => Ok(Asks::StartTls),
        (0x80, b"1.3.6.1.4.1.4203.1.11.1") => Ok(Asks::Substance("password change")),
        (0x80, _) if fields.rest.0.is_empty() && !fields.complete => Err(Asks::Cut),
        (0x80, _) if fields.rest.0.is_empty() => Ok(Asks::Harmless),
        (0x80, _) => Ok(Asks::Substance("extended operation with a value")),
        _ => Err(Asks::Foreign),
    }
}

/// A search: base and scope. Of the root alone it asks for what a server can do, such as StartTLS.
fn search(fields: &mut OperationFields<'_>) -> Result<Asks, Asks> {
    let base = fields.complete()?;
    let scope = fields.complete()?;
    if base.tag != 0x04 || scope.tag != 0x0A {
        return Err(Asks::Foreign);
    }
    let root = base.body.is_empty() && scope.body == [0];
    Ok(if root { Asks::Harmless } else { Asks::Substance("search") })
}

/// Finds the response to the operation of this number: its result code decides (0 is success).
fn start_tls(dialogue: &Dialogue<'_>, id: &[u8], client: &[u8]) -> Reading {
    let how = "LDAP StartTLS";
    let mut rest = dialogue.server;
    while let Some(Some(message)) = message(rest) {
        if !message.complete {
            break;
        }
        rest = message.rest;
        if message.id == id && message.operation.tag == 0x78 {
            let code =
                element(&mut Cursor(message.operation.body)).flatten().map(|code| (code.tag, code.body));
            return match code {
                Some((0x0A, [0])) => {
                    upgrade::after(how, dialogue, client, rest).unwrap_or_else(|| upgrade::ignored(how))
                }
                Some((0x0A, _)) => upgrade::refused(how, continues(client)),
                _ => Reading::Foreign,
            };
        }
    }
    let unseen: Cow<'static, str> = format!("{how} was asked for, the response was not seen").into();
    if client.is_empty() {
        return Reading::Open(unseen);
    }
    upgrade::after(how, dialogue, client, &[]).unwrap_or(Reading::Open(unseen))
}

/// Whether an operation with substance follows.
fn continues(client: &[u8]) -> bool {
    let mut rest = client;
    while let Some(Some(message)) = message(rest) {
        if matches!(asks(&message.operation), Asks::Substance(_)) {
            return true;
        }
        rest = message.rest;
    }
    false
}
