//! TLS records (RFC 8446 §5.1, RFC 5246 §6.2, RFC 6101 §5.2) and the handshake messages put together from them.
//!
//! Belongs here: framing. What messages contain is in `client_hello`, `server_hello` and `certificate`.

use std::borrow::Cow;

use crate::posture::cursor::Cursor;

/// Content type of a record that announces encryption (RFC 5246 §7.1; in TLS 1.3 without a meaning, RFC 8446 §D.4).
const CHANGE_CIPHER_SPEC: u8 = 20;
/// Content type of a handshake record.
pub(in crate::posture) const HANDSHAKE: u8 = 22;
/// Content type of an alert record.
pub(super) const ALERT: u8 = 21;
/// The longest fragment: 2^14 bytes and what compression and encryption may add (RFC 5246 §6.2.3).
const MAX_FRAGMENT: u16 = (1 << 14) + 2048;

/// The beginning of a direction, read as handshake records.
pub(super) struct Messages<'a> {
    /// The handshake messages one after the other, as far as captured. Copied only if they span records.
    pub bytes: Cow<'a, [u8]>,
    /// Something other than handshake records follows, so that no further message can.
    pub ended: bool,
}

/// Whether a direction can begin with a record of this content type; `None` while there are too few bytes. Versions up
/// to 3.4 are let through, as a record's version means little (RFC 8446 §5.1).
pub(super) fn begins(bytes: &[u8], content: u8) -> Option<bool> {
    let mut rest = Cursor(bytes);
    let fits = rest.u8()? == content
        && match rest.u8() {
            Some(major) => major == 3 && rest.u8().is_none_or(|minor| minor <= 4),
            None => true,
        }
        && rest.u16().is_none_or(|length| (1..=MAX_FRAGMENT).contains(&length));
    match (fits, bytes.len()) {
        (false, _) => Some(false),
        (true, 0..5) => None,
        (true, _) => Some(true),
    }
}

/// Whether a direction can go on with a record of any content type; `None` while there are too few bytes. A
/// ChangeCipherSpec carries nothing, and so the record behind it decides.
pub(in crate::posture) fn follows(mut bytes: &[u8]) -> Option<bool> {
    loop {
        let content = *bytes.first()?;
        if !matches!(content, 20..=24) || !begins(bytes, content)? {
            return Some(false);
        }
        if content != CHANGE_CIPHER_SPEC {
            return Some(true);
        }
        let mut body = Cursor(&bytes[3..]);
        if body.u16()? != 1 || body.u8()? != 1 {
            return Some(false);
        }
        bytes = body.0;
    }
}

/// What stands behind the record in which the first `length` bytes of handshake messages end; `None` while that was
/// not captured.
pub(super) fn behind(bytes: &[u8], mut length: usize) -> Option<&[u8]> {
    let mut rest = bytes;
    while length > 0 {
        begins(rest, HANDSHAKE).filter(|begins| *begins)?;
        let mut record = Cursor(rest);
        record.take(3)?;
        length = length.saturating_sub(record.vec16()?.len());
        rest = record.0;
    }
    Some(rest)
}

/// Puts the handshake messages together that stand at the beginning of `bytes`.
pub(super) fn messages(bytes: &[u8]) -> Messages<'_> {
    let mut messages = Cow::Borrowed(&[][..]);
    let mut rest = bytes;
    let ended = loop {
        match begins(rest, HANDSHAKE) {
            Some(true) => {}
            Some(false) => break true,
            None => break false,
        }
        let mut record = Cursor(rest);
        let Some(length) = record.take(3).and_then(|_| record.u16()) else { break false };
        let fragment = record.take_up_to(length.into());
        if messages.is_empty() {
            messages = Cow::Borrowed(fragment);
        } else {
            messages.to_mut().extend_from_slice(fragment);
        }
        rest = record.0;
    };
    Messages { bytes: messages, ended }
}

/// One handshake message, complete or cut at the end of what was captured.
pub(super) struct HandshakeMessage<'a> {
    /// `1` ClientHello, `2` ServerHello, `11` Certificate, ….
    pub kind: u8,
    /// Its body, as far as captured.
    pub body: &'a [u8],
    pub complete: bool,
    /// What stands behind it.
    pub rest: &'a [u8],
}

/// What stands behind the first message of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Next {
    /// The message is not there to its end.
    #[default]
    Unreached,
    /// So few bytes that they may be a record of TLS, at the end of what was captured.
    Open(usize),
    /// A record: TLS goes on.
    Record,
    /// Something else.
    Other,
}

impl Next {
    /// What these bytes are that stand behind a message; `None`: it is not there to its end.
    pub(super) fn of(rest: Option<&[u8]>) -> Self {
        match rest.map(|rest| (rest, follows(rest))) {
            None => Self::Unreached,
            Some((rest, None)) => Self::Open(rest.len()),
            Some((_, Some(true))) => Self::Record,
            Some((_, Some(false))) => Self::Other,
        }
    }

    /// Whether more bytes make no difference.
    pub(super) const fn is_decided(self) -> bool {
        matches!(self, Self::Record | Self::Other)
    }
}

impl HandshakeMessage<'_> {
    /// What stands behind it, if it is the first of the messages of this direction.
    pub(super) fn next(&self, direction: &[u8], messages: &Messages<'_>) -> Next {
        const HEADER: usize = 4;
        // Records of other kinds stand between messages, not within one (RFC 8446 §5.1).
        if !self.complete && messages.ended {
            return Next::Other;
        }
        Next::of(if self.complete { behind(direction, HEADER + self.body.len()) } else { None })
    }
}

/// The first of several messages; `None` while its header is not complete.
pub(super) fn message(messages: &[u8]) -> Option<HandshakeMessage<'_>> {
    let mut rest = Cursor(messages);
    let kind = rest.u8()?;
    let length = rest.u24()?;
    let body = rest.take_up_to(length);
    Some(HandshakeMessage { kind, body, complete: body.len() == length, rest: rest.0 })
}
