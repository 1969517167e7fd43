//! SASL (RFC 4422) in the protocols that have it: which mechanisms can encrypt what follows, what a client chose, and
//! whether what follows is a layer that encrypts.
//!
//! Belongs here: mechanisms, responses and the packets of a layer. How a protocol carries them is its own parser's.
//!
//! A layer is claimed by a client's choice of mechanism and begins with the server's consent. It is only proven where
//! its packets say so themselves: those of Kerberos have a flag (RFC 4121 §4.2.2). Packets of other mechanisms are random
//! bytes at best, so what is not readable stays `unknown`.

use super::cut::{Reply, split};
use crate::model::{Posture, PostureState};
use crate::posture::ber;
use crate::posture::cursor::Cursor;
use crate::posture::reading::Reading;
use crate::posture::upgrade::plaintext;

/// A mechanism that can encrypt what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layered {
    /// GSSAPI and GSS-SPNEGO (RFC 4752, MS-SPNG).
    Gss,
    /// DIGEST-MD5 (RFC 2831).
    Digest,
    /// SRP, KERBEROS_V4 and what is not known.
    Other,
}

/// What a mechanism can do to what follows; `None` if it only authenticates.
pub(super) fn layered(mechanism: &[u8]) -> Option<Layered> {
    // RFC 5802 §9 and RFC 5801 §14: SCRAM and all of GS2 have no layer. NTLM has one in GSS-SPNEGO only.
    const NONE: [&[u8]; 12] = [
        b"PLAIN",
        b"LOGIN",
        b"EXTERNAL",
        b"ANONYMOUS",
        b"CRAM-MD5",
        b"OAUTHBEARER",
        b"XOAUTH2",
        b"NTLM",
        b"OTP",
        b"AMQPLAIN",
        b"SAML20",
        b"OPENID20",
    ];
    let mechanism = mechanism.to_ascii_uppercase();
    if NONE.contains(&mechanism.as_slice())
        || mechanism.starts_with(b"SCRAM-")
        || mechanism.starts_with(b"GS2-")
    {
        return None;
    }
    Some(match mechanism.as_slice() {
        b"GSSAPI" | b"GSS-SPNEGO" => Layered::Gss,
        b"DIGEST-MD5" => Layered::Digest,
        _ => Layered::Other,
    })
}

/// Whether a line can be a client's response in base64 (RFC 4648), empty or aborting ones too.
pub(super) fn is_response(line: &[u8]) -> bool {
    // As ManageSieve has them: in quotes, or as a literal (RFC 5804 §1.2).
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let line = line.strip_suffix(b"\"").unwrap_or(line);
    let is_literal = line.starts_with(b"{") && line.ends_with(b"}");
    is_literal
        || line == b"*"
        || line.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
}

/// Whether a response in base64 chooses a layer that encrypts; `None` if it does not say.
pub(super) fn chooses_encryption(mechanism: Layered, response: &[u8]) -> Option<bool> {
    let response = decode(response)?;
    match mechanism {
        // RFC 2831 §2.1.2: a digest-response; without a `qop` it is `auth`.
        Layered::Digest => {
            let mut directives = response.split(|byte| *byte == b',');
            directives.clone().find(|directive| directive.starts_with(b"response="))?;
            let wanted = directives.find_map(|directive| directive.strip_prefix(b"qop="));
            Some(
                wanted
                    .is_some_and(|wanted| wanted.trim_ascii() == b"auth-conf" || wanted == b"\"auth-conf\""),
            )
        }
        // RFC 4752 §3.1: in a packet that is not encrypted, one bit of: none, integrity, encryption.
        Layered::Gss => match *unsealed(&response)?.first()? {
            1 | 2 => Some(false),
            4 => Some(true),
            _ => None,
        },
        Layered::Other => None,
    }
}

/// The contents of a packet of Kerberos that is not encrypted (RFC 4121 §4.2.4), by its initiator.
fn unsealed(packet: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Cursor(packet);
    let [0x05, 0x04, flags, 0xFF] = *rest.take(4)? else { return None };
    let checksum = usize::from(rest.u16()?);
    let rotation = usize::from(rest.u16()?);
    let _sequence = rest.take(8)?;
    let mut body = rest.0.to_vec();
    if flags & (SEALED | BY_ACCEPTOR) != 0 || body.len() < 4 + checksum {
        return None;
    }
    let turns = rotation % body.len();
    body.rotate_left(turns);
    body.truncate(body.len() - checksum);
    Some(body)
}

/// Flags of a packet of Kerberos (RFC 4121 §4.2.2).
const BY_ACCEPTOR: u8 = 1;
const SEALED: u8 = 2;

/// Base64 without blanks; `None` if it is none.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let text = text.strip_suffix(b"\"").unwrap_or(text);
    let digits = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in digits {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

/// What a direction looks like behind the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// Too few bytes.
    Nothing,
    /// Text of the protocol, or packets whose contents are readable.
    Readable,
    /// Packets that are encrypted, and say so.
    Sealed,
    /// Anything else: packets of a layer that does not say, or no packets.
    Opaque,
}

/// Reads what both sides sent behind the exchange. `how` describes it; `accepted`: the server's consent was seen, so that
/// `server` is what stands behind it. `is_plain` recognises a message of a protocol that is not text.
pub(super) fn behind(
    how: &str,
    accepted: bool,
    client: &[u8],
    server: &[u8],
    is_plain: fn(&[u8]) -> bool,
) -> Reading {
    match (look(client, is_plain), look(server, is_plain)) {
        (Behind::Readable, _) | (_, Behind::Readable) => {
            plaintext(format!("{how}; what followed is not encrypted"))
        }
        (Behind::Sealed, Behind::Sealed) if accepted => Reading::so_far(Posture::new(
            PostureState::EncryptedOther,
            format!("{how} accepted, then encrypted packets of Kerberos by both sides"),
        )),
        _ => Reading::Open(format!("{how}: it can encrypt what follows, which is not read").into()),
    }
}

/// Looks at the packets of a layer: each has its length before it in four bytes, of which the first is zero (RFC 4422
/// §3.7: a maximum of 2^24).
fn look(bytes: &[u8], is_plain: fn(&[u8]) -> bool) -> Behind {
    let mut seen = Behind::Nothing;
    let mut rest = bytes;
    loop {
        let next = match rest.first() {
            None => return seen,
            Some(0) => {
                let mut fields = Cursor(rest);
                let Some(length) = fields.u32() else { return seen };
                let packet = fields.take_up_to(length as usize);
                rest = fields.0;
                packet_of_layer(packet, packet.len() == length as usize, is_plain)
            }
            Some(_) => {
                let text = line_of_text(rest);
                rest = &[];
                text
            }
        };
        match next {
            Behind::Nothing => return seen,
            Behind::Readable | Behind::Opaque => return next,
            Behind::Sealed => seen = next,
        }
    }
}

/// This many printable characters in a row are no chance: of random bytes, they come once in 2^33 times.
const RUN: usize = 24;

fn is_printable(byte: u8) -> bool {
    byte == b'\t' || byte == b' ' || byte.is_ascii_graphic()
}

/// Whether bytes are a line of a protocol of text.
fn line_of_text(bytes: &[u8]) -> Behind {
    let bytes = bytes.trim_ascii_start();
    let printable = bytes.iter().take_while(|byte| is_printable(**byte)).count();
    match bytes.get(printable) {
        _ if printable >= RUN => Behind::Readable,
        Some(b'\r' | b'\n') => Behind::Readable,
        Some(_) => Behind::Opaque,
        None => Behind::Nothing,
    }
}

/// Whether a packet is encrypted: by its header where it is one of Kerberos, else by whether it is readable.
fn packet_of_layer(packet: &[u8], complete: bool, is_plain: fn(&[u8]) -> bool) -> Behind {
    match packet {
        [0x05, 0x04, flags, 0xFF, ..] => {
            return if flags & SEALED != 0 { Behind::Sealed } else { Behind::Readable };
        }
        [0x60, ..] => match seal(packet) {
            Some([0xFF, 0xFF]) => return Behind::Readable,
            Some(_) => return Behind::Opaque,
            None if !complete && packet.len() < 32 => return Behind::Nothing,
            None => {}
        },
        _ => {}
    }
    // NTLM has its signature, of 16 bytes, before the message (MS-NLMP 2.2.2.9).
    let messages = [packet, packet.get(16..).unwrap_or_default()];
    let text = |message: &[u8]| {
        let line = split(message).map(|(line, _)| line);
        line.is_some_and(|line| line.len() >= 4 && line.iter().all(|byte| is_printable(*byte)))
    };
    let runs = packet.windows(RUN).any(|run| run.iter().all(|byte| is_printable(*byte)));
    if runs || messages.iter().any(|message| text(message) || is_plain(message)) {
        Behind::Readable
    } else if complete || packet.len() >= 2 * RUN {
        Behind::Opaque
    } else {
        Behind::Nothing
    }
}

/// How an older packet of Kerberos is sealed (RFC 1964 §1.2.2): `FF FF` is not at all.
fn seal(packet: &[u8]) -> Option<[u8; 2]> {
    let token = ber::element(&mut Cursor(packet), 2)??;
    let mut fields = Cursor(token.body);
    let _mechanism = ber::element(&mut fields, 1)??;
    match *fields.take(6)? {
        [0x02, 0x01, _, _, first, second] => Some([first, second]),
        _ => None,
    }
}

/// What the server says in an exchange, behind the reply to what came before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Exchange<'a> {
    /// How many responses it asked for.
    pub prompts: usize,
    /// Whether it agreed in the end, and what stands behind that reply.
    pub outcome: Option<Reply<'a>>,
}

/// Reads an exchange of lines in base64, of which `how` and `plain` are the evidence: the client's behind its command,
/// and the server's. What follows is plaintext if the server refused, or if the client chose no layer that encrypts.
pub(super) fn in_lines(
    how: &str,
    plain: &str,
    mechanism: Layered,
    client: &[u8],
    exchange: &Exchange<'_>,
) -> Reading {
    if matches!(exchange.outcome, Some((false, _))) {
        return plaintext(plain.to_owned());
    }
    let asked = exchange.outcome.map(|_| exchange.prompts);
    let mut rest = client;
    for taken in 0..=MAX_RESPONSES {
        if asked.is_some_and(|asked| taken >= asked) {
            break;
        }
        match split(rest) {
            Some((line, behind)) if is_response(line) => {
                if chooses_encryption(mechanism, line) == Some(false) {
                    return plaintext(plain.to_owned());
                }
                rest = behind;
            }
            // A response that is not there to its end.
            None if is_response(rest.strip_suffix(b"\r").unwrap_or(rest)) => {
                rest = &[];
                break;
            }
            _ => break,
        }
    }
    let server = exchange.outcome.map_or(&[][..], |(_, behind)| behind);
    behind(how, exchange.outcome.is_some(), rest, server, |_| false)
}

/// The most responses of an exchange.
const MAX_RESPONSES: usize = 16;
