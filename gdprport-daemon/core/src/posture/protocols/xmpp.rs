//! XMPP (RFC 6120 §5): XML stanzas up to `<starttls/>` or the first with substance.
//!
//! Belongs here: finding tags. The XML is not parsed further.

use super::line::is_text;
use super::sasl;
use crate::posture::cursor::starts;
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade::{self, plaintext};

/// The first tag: its name and what stands behind its `>`. `None` if there is none, or its end is not there.
fn tag(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = bytes.iter().position(|byte| *byte == b'<')? + 1;
    let mut quote = None;
    let length = bytes[start..].iter().position(|byte| match quote {
        Some(open) => {
            if *byte == open {
                quote = None;
            }
            false
        }
        None if matches!(byte, b'"' | b'\'') => {
            quote = Some(*byte);
            false
        }
        None => *byte == b'>',
    })?;
    let inner = &bytes[start..start + length];
    let end = inner.iter().position(u8::is_ascii_whitespace).unwrap_or(inner.len());
    let name = &inner[..end];
    Some((name.strip_suffix(b"/").unwrap_or(name), &bytes[start + length + 1..]))
}

/// Whether these bytes begin an XMPP stream; `None` while there are too few.
fn opening(bytes: &[u8]) -> Option<bool> {
    let bytes = bytes.trim_ascii_start();
    match starts(bytes, b"<stream:stream") {
        Some(false) => {}
        other => return other,
    }
    match starts(bytes, b"<?xml ") {
        Some(true) => {}
        other => return other,
    }
    match tag(bytes) {
        Some((_, rest)) if is_text(&bytes[..bytes.len() - rest.len()]) => {
            starts(rest.trim_ascii_start(), b"<stream:stream")
        }
        Some(_) => Some(false),
        None => None,
    }
}

/// XMPP between client and server, and between servers.
pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    let nothing = Reading::open("XMPP: neither starttls nor a stanza was seen");
    match opening(dialogue.client) {
        Some(false) => return Reading::Foreign,
        None if is_text(dialogue.client) => return nothing,
        None => return Reading::Foreign,
        Some(true) => {}
    }
    let mut rest = dialogue.client;
    while let Some((name, behind)) = tag(rest) {
        let opened = &rest[..rest.len() - behind.len()];
        rest = behind;
        match name {
            b"starttls" => return starttls(dialogue, rest),
            b"?xml" | b"stream:stream" | b"/stream:stream" | b"/starttls" => {}
            b"auth" => return authentication(dialogue, opened, rest),
            // XEP-0388 has no layers.
            b"authenticate" => return plaintext(WITHOUT),
            b"iq" | b"message" | b"presence" => return plaintext("XMPP stanza without starttls"),
            b"db:result" | b"db:verify" | b"handshake" => return plaintext("XMPP peer without starttls"),
            _ => return Reading::Never("XMPP: an element that is not known".into()),
        }
    }
    nothing
}

const WITHOUT: &str = "XMPP authentication without starttls";

/// The client chose a mechanism in the tag `opened`; `client` is what it sent then (RFC 6120 §6.4).
fn authentication(dialogue: &Dialogue<'_>, opened: &[u8], client: &[u8]) -> Reading {
    let Some(mechanism) = attribute(opened, b"mechanism=").and_then(sasl::layered) else {
        return plaintext(WITHOUT);
    };
    let mut server = dialogue.server;
    let mut accepted = None;
    while let Some((name, behind)) = tag(server).filter(|_| accepted.is_none()) {
        server = behind;
        match name {
            b"success" => accepted = Some(text_of(server, b"success").1),
            b"failure" => return plaintext(WITHOUT),
            _ => {}
        }
    }
    let (_, mut rest) = text_of(client.trim_ascii_start(), b"auth");
    while let Some((b"response", behind)) = tag(rest).filter(|_| rest.first() == Some(&b'<')) {
        let (response, behind) = text_of(behind, b"response");
        if sasl::chooses_encryption(mechanism, response) == Some(false) {
            return plaintext(WITHOUT);
        }
        rest = behind.trim_ascii_start();
    }
    // An element that is not there to its end.
    if rest.starts_with(b"<response") || rest.iter().all(|byte| sasl::is_response(&[*byte])) {
        rest = &[];
    }
    let server = accepted.unwrap_or_default();
    sasl::behind("XMPP authentication", accepted.is_some(), rest, server, |_| false)
}

/// The text behind an opening tag up to its closing one, and what stands behind that.
fn text_of<'a>(bytes: &'a [u8], name: &[u8]) -> (&'a [u8], &'a [u8]) {
    let text = bytes.iter().take_while(|byte| sasl::is_response(&[**byte])).count();
    let (text, rest) = bytes.split_at(text);
    match tag(rest).filter(|_| rest.first() == Some(&b'<')) {
        Some((closing, behind)) if closing.strip_prefix(b"/") == Some(name) => (text, behind),
        _ => (text, rest),
    }
}

/// The value of an attribute in a tag, whose name is given with its `=`.
fn attribute<'a>(tag: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = tag.windows(name.len()).position(|part| part == name)? + name.len();
    let (quote, value) = tag[at..].split_first()?;
    value.split(|byte| byte == quote).next()
}

fn starttls(dialogue: &Dialogue<'_>, client: &[u8]) -> Reading {
    let how = "XMPP starttls";
    let client = client.strip_prefix(b"</starttls>").unwrap_or(client);
    let mut rest = dialogue.server;
    while let Some((name, behind)) = tag(rest) {
        rest = behind;
        match name {
            b"proceed" => {
                let server = rest.strip_prefix(b"</proceed>").unwrap_or(rest);
                return upgrade::after(how, dialogue, client, server)
                    .unwrap_or_else(|| upgrade::ignored(how));
            }
            b"failure" => {
                let next = tag(client).map(|(name, _)| name);
                return upgrade::refused(
                    how,
                    matches!(next, Some(b"auth" | b"authenticate" | b"iq" | b"message" | b"presence")),
                );
            }
            _ => {}
        }
    }
    let unseen = Reading::Open(format!("{how} was asked for, the answer was not seen").into());
    if client.is_empty() { unseen } else { upgrade::after(how, dialogue, client, &[]).unwrap_or(unseen) }
}
