//! PostgreSQL's start of a session (its manual, "Message Flow" and "Message Formats").
//!
//! Belongs here: the requests before the first message with a type: for TLS, for GSSAPI encryption, to cancel, to
//! start. The reply to each of the first two is one byte. Direct TLS is seen before this parser is asked.

use crate::model::{Posture, PostureState};
use crate::posture::cursor::Cursor;
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade::{self, plaintext};

/// The most requests for encryption before the start: GSSAPI, then TLS, and once more.
const MAX_REQUESTS: usize = 4;

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// What a token of GSSAPI begins with (RFC 2743 §3.1).
const TOKEN: u8 = 0x60;
/// What a server's reply begins with where the mechanism is negotiated (RFC 4178 §4.2).
const NEGOTIATION: u8 = 0xA1;

/// A client's request before the session starts.
enum StartRequest {
    Start,
    Cancel,
    Ssl,
    Gss,
}

/// PostgreSQL and what speaks like it (pgbouncer, Redshift, CockroachDB, …).
pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    let (mut client, mut server) = (dialogue.client, dialogue.server);
    let mut refused = None;
    for _ in 0..MAX_REQUESTS {
        let Some(next) = request(client) else {
            return match refused {
                Some("SSLRequest") => upgrade::refused("SSLRequest", false),
                Some(_) => Reading::open("PostgreSQL: GSSENCRequest refused by the server, nothing followed"),
                None => Reading::open("PostgreSQL: too few bytes of the first request"),
            };
        };
        let (what, accepted) = match next {
            None if refused == Some("SSLRequest") => return upgrade::refused("SSLRequest", false),
            None => return Reading::Foreign,
            Some((StartRequest::Start, _)) => {
                return match refused {
                    Some(what) => upgrade::refused(what, true),
                    None => plaintext("PostgreSQL StartupMessage without SSLRequest"),
                };
            }
            Some((StartRequest::Cancel, _)) => {
                return plaintext("PostgreSQL CancelRequest without SSLRequest: a secret key, no data");
            }
            Some((StartRequest::Ssl, rest)) => {
                client = rest;
                ("SSLRequest", b'S')
            }
            Some((StartRequest::Gss, rest)) => {
                client = rest;
                ("GSSENCRequest", b'G')
            }
        };
        let Some((reply, rest)) = server.split_first() else {
            return no_reply(what, dialogue, client);
        };
        server = rest;
        match *reply {
            byte if byte == accepted => return accept(what, dialogue, client, server),
            // `E` begins an error message of a server too old to know the request.
            b'N' | b'E' => refused = Some(what),
            _ => return Reading::Foreign,
        }
    }
    Reading::Never("PostgreSQL: only requests for encryption".into())
}

fn accept(what: &'static str, dialogue: &Dialogue<'_>, client: &[u8], server: &[u8]) -> Reading {
    if what == "SSLRequest" {
        let how = "SSLRequest accepted";
        return upgrade::after(how, dialogue, client, server)
            .unwrap_or_else(|| upgrade::ignored("SSLRequest"));
    }
    let nothing = Reading::open("GSSENCRequest accepted, no GSSAPI packet was seen");
    // A client that goes on as if nothing had been agreed looks much the same: four bytes of length come first, and
    // then a version or a request's code, which is no token.
    match (packet(client, &[TOKEN]), packet(server, &[TOKEN, NEGOTIATION])) {
        (Some(false), _) => upgrade::ignored("GSSENCRequest"),
        (None, _) => nothing,
        (Some(true), Some(true)) => {
            let evidence = "GSSENCRequest accepted, GSSAPI packets by both sides followed";
            Reading::settled(Posture::new(PostureState::EncryptedOther, evidence))
        }
        (Some(true), Some(false)) => {
            Reading::Never("GSSENCRequest accepted, a GSSAPI packet was not answered by one".into())
        }
        (Some(true), None) => {
            Reading::open("GSSENCRequest accepted, the answer to a GSSAPI packet was not seen")
        }
    }
}

/// Whether bytes begin with a GSSAPI packet: its length, at most 16 KiB, and a token that begins with one of these
/// bytes; `None` while there are too few.
fn packet(bytes: &[u8], tokens: &[u8]) -> Option<bool> {
    let fits = |at: usize, fits: fn(u8) -> bool| bytes.get(at).is_none_or(|byte| fits(*byte));
    if !(fits(0, |byte| byte == 0) && fits(1, |byte| byte == 0) && fits(2, |byte| byte <= 0x40)) {
        return Some(false);
    }
    bytes.get(4).map(|token| tokens.contains(token))
}

/// The reply was not captured: a ClientHello behind the request still shows that the server agreed.
fn no_reply(what: &'static str, dialogue: &Dialogue<'_>, client: &[u8]) -> Reading {
    let unseen = Reading::Open(format!("PostgreSQL: {what} was sent, the answer was not seen").into());
    if what == "SSLRequest" && !client.is_empty() {
        return upgrade::after("SSLRequest", dialogue, client, &[]).unwrap_or(unseen);
    }
    unseen
}

/// The next request and what stands behind it. `Some(None)` if it is none, `None` while there are too few bytes.
fn request(bytes: &[u8]) -> Option<Option<(StartRequest, &[u8])>> {
    let mut rest = Cursor(bytes);
    if bytes.first().is_some_and(|byte| *byte != 0) || bytes.get(1).is_some_and(|byte| *byte != 0) {
        return Some(None);
    }
    let length = rest.u32()?;
    let code = rest.u32()?;
    let found = match (code, length) {
        (SSL, 8) => Some(StartRequest::Ssl),
        (GSS, 8) => Some(StartRequest::Gss),
        (CANCEL, 16..=300) => Some(StartRequest::Cancel),
        // Versions 2.0 and 3.x. The first byte behind is the first letter of a parameter's name (3.x).
        (0x0002_0000, 296) => Some(StartRequest::Start),
        (0x0003_0000..=0x0003_FFFF, 9..=10_000) => {
            let name = *rest.0.first()?;
            (name.is_ascii_alphabetic() || name == b'_' || (name == 0 && length == 9))
                .then_some(StartRequest::Start)
        }
        _ => None,
    };
    Some(found.map(|request| (request, rest.0)))
}
