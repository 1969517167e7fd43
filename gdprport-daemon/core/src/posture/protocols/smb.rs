//! SMB (MS-SMB2, MS-CIFS) over TCP: what each message begins with shows whether it is encrypted (MS-SMB2 §2.2.41).

use crate::model::{Posture, PostureState};
use crate::posture::cursor::{Cursor, starts};
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade::plaintext;

/// One message.
enum Message {
    /// It negotiates, authenticates or names a share: encryption can still follow.
    Harmless,
    /// Anything else in plaintext; what, for the evidence.
    Substance(&'static str),
    /// Encrypted, in this session.
    Encrypted(u64),
    Foreign,
}

/// The most messages that are read.
const MAX_MESSAGES: usize = 16;

/// The first message, as far as captured, and what stands behind. `None` while there are too few bytes.
fn message(bytes: &[u8]) -> Option<(Message, &[u8])> {
    let mut rest = Cursor(bytes);
    let kind = rest.u8()?;
    let length = rest.u24()?;
    let body = rest.take_up_to(length);
    // Its session over NetBIOS (RFC 1002 §4.3.1): a request for one, an answer, a message to keep it.
    let message = match kind {
        0 => of(body)?,
        0x81 | 0x82 | 0x85 => Message::Harmless,
        _ => Message::Foreign,
    };
    Some((message, rest.0))
}

fn of(body: &[u8]) -> Option<Message> {
    const VALIDATE_NEGOTIATE_INFO: [u8; 4] = [0x04, 0x02, 0x14, 0x00];
    let magic = body.first_chunk::<4>()?;
    Some(match magic {
        // Negotiate and session setup.
        b"\xFFSMB" => match body.get(4)? {
            0x72 | 0x73 => Message::Harmless,
            _ => Message::Substance("SMB 1 request"),
        },
        b"\xFESMB" => match (body.get(12)?, body.get(13)?) {
            // Negotiate, session setup, log-off, tree connect, echo.
            (0..=3 | 13, 0) => Message::Harmless,
            // A request that validates the negotiation is sent before it is encrypted (§3.2.5.5).
            (11, 0) if body.get(68..72)? == VALIDATE_NEGOTIATE_INFO => Message::Harmless,
            _ => Message::Substance("SMB 2 request"),
        },
        b"\xFDSMB" => {
            let mut header = Cursor(body.get(36..)?);
            let size = header.u32_le()?;
            let _reserved = header.u16()?;
            let flags = header.u16()?;
            let session = header.take(8)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))?;
            let inside = header.0.get(..4)?;
            // Encrypted is all that the flags can say (1, least significant byte first).
            let fits = flags == 0x0100 && size > 0 && session != 0 && inside[1..] != *b"SMB";
            if fits { Message::Encrypted(session) } else { Message::Substance("SMB 3 message") }
        }
        b"\xFCSMB" => Message::Substance("SMB 3 compressed message"),
        _ => Message::Foreign,
    })
}

pub(in crate::posture) fn read(dialogue: &Dialogue<'_>) -> Reading {
    let magic = |bytes: &[u8]| match bytes.first() {
        Some(0) => bytes
            .get(5..8)
            .map(|magic| magic == b"SMB")
            .or(starts(bytes.get(5..).unwrap_or_default(), b"SMB")),
        Some(0x81..=0x85) => (bytes.len() >= 4).then_some(true),
        Some(_) => Some(false),
        None => None,
    };
    if magic(dialogue.client) == Some(false) || magic(dialogue.server) == Some(false) {
        return Reading::Foreign;
    }
    let mut session = None;
    let mut rest = dialogue.client;
    for count in 0..MAX_MESSAGES {
        match message(rest) {
            None if count == 0 => return Reading::open("SMB: too few bytes of the client's first message"),
            None => break,
            Some((Message::Substance(what), _)) => return plaintext(format!("{what} without encryption")),
            Some((Message::Foreign, _)) if count == 0 => return Reading::Foreign,
            Some((Message::Foreign, _)) => break,
            Some((Message::Harmless, behind)) => rest = behind,
            Some((Message::Encrypted(of), behind)) => {
                session = Some(of);
                rest = behind;
            }
        }
    }
    let Some(session) = session else {
        return Reading::open("SMB: neither encryption nor a request with data was seen");
    };
    let mut rest = dialogue.server;
    for _ in 0..MAX_MESSAGES {
        match message(rest) {
            Some((Message::Encrypted(of), _)) if of == session => {
                let evidence = "SMB 3 encryption by both sides";
                return Reading::so_far(Posture::new(PostureState::EncryptedOther, evidence));
            }
            Some((Message::Foreign, _)) | None => break,
            Some((_, behind)) => rest = behind,
        }
    }
    Reading::open("SMB 3 encryption by the client, the server's was not seen")
}
