//! Remote desktops: VNC (RFC 6143, with VeNCrypt as the community's `rfbproto` describes it) and RDP (MS-RDPBCGR §2.2.1.1
//! and §2.2.1.2).

use crate::posture::cursor::{Cursor, starts};
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade::{self, plaintext};

/// VNC: both sides name a version, the server offers kinds of security, the client chooses.
pub(in crate::posture) fn vnc(dialogue: &Dialogue<'_>) -> Reading {
    let named = |bytes| starts(bytes, b"RFB 00");
    if named(dialogue.client) == Some(false) || named(dialogue.server) == Some(false) {
        return Reading::Foreign;
    }
    let too_few = Reading::open("VNC: the client's choice of security was not seen");
    // The server names its version first. Until it is there, the client's bytes may be of something else.
    if named(dialogue.server).is_none() {
        return too_few;
    }
    let Some((version, client)) = dialogue.client.split_first_chunk::<12>() else { return too_few };
    let server = dialogue.server.get(12..).unwrap_or_default();
    if version.starts_with(b"RFB 003.003") {
        // The server chooses alone (§7.1.2).
        return match server.first_chunk() {
            None => too_few,
            Some([0, 0, 0, 1 | 2]) => plaintext("VNC without encryption"),
            Some(_) => Reading::Never("VNC: a security that is not read".into()),
        };
    }
    let Some((chosen, client)) = client.split_first() else { return too_few };
    // The server's list, behind its length.
    let mut list = Cursor(server);
    let server = list.vec8().map(|_| list.0).unwrap_or_default();
    match chosen {
        1 | 2 => plaintext("VNC without encryption"),
        18 => tls("VNC TLS", dialogue, client, server),
        19 => vencrypt(dialogue, client, server),
        _ => Reading::Never("VNC: a security that is not read".into()),
    }
}

/// VeNCrypt: both sides' versions, the server's consent and its list, the client's choice, consent again.
fn vencrypt(dialogue: &Dialogue<'_>, client: &[u8], server: &[u8]) -> Reading {
    let how = "VNC VeNCrypt";
    let too_few = Reading::open("VNC VeNCrypt: the client's choice was not seen");
    let mut client = Cursor(client);
    let Some(version) = client.take(2) else { return too_few };
    if version != [0, 2] {
        return Reading::Never("VNC VeNCrypt: a version that is not read".into());
    }
    let Some(chosen) = client.u32() else { return too_few };
    // Plain, and TLS or X.509 with nothing, VNC's password, a password or SASL inside.
    match chosen {
        256 => return plaintext("VNC VeNCrypt without encryption"),
        257..=264 => {}
        _ => return Reading::Never("VNC VeNCrypt: a security that is not read".into()),
    }
    let mut server = Cursor(server);
    let consent = (|| {
        server.take(3)?;
        let count = server.u8()?;
        server.take(usize::from(count) * 4)?;
        server.u8()
    })();
    match consent {
        Some(1) => tls(how, dialogue, client.0, server.0),
        Some(_) => upgrade::refused(how, false),
        None => tls(how, dialogue, client.0, &[]),
    }
}

/// What follows the choice of TLS.
fn tls(how: &str, dialogue: &Dialogue<'_>, client: &[u8], server: &[u8]) -> Reading {
    upgrade::after(how, dialogue, client, server).unwrap_or_else(|| upgrade::ignored(how))
}

/// What an X.224 connection request or confirm says of the security.
struct Negotiation<'a> {
    /// The kind of its negotiation: request, response, failure. None if there is none.
    kind: Option<u8>,
    value: u32,
    rest: &'a [u8],
}

/// The first packet of a direction, whose X.224 type is `wanted`. `Some(None)` if it is none.
fn negotiation(bytes: &[u8], wanted: u8) -> Option<Option<Negotiation<'_>>> {
    let mut rest = Cursor(bytes);
    if starts(bytes, &[3, 0]) == Some(false) {
        return Some(None);
    }
    let _version = rest.u16()?;
    let length = usize::from(rest.u16()?);
    if !(11..=512).contains(&length) {
        return Some(None);
    }
    let header = bytes.get(..7)?;
    if header[5] != wanted || usize::from(header[4]) + 5 != length {
        return Some(None);
    }
    let body = rest.take(length - 4)?.get(7..)?;
    // A cookie or a token for routing ends with a line end.
    let end = body.windows(2).position(|pair| pair == b"\r\n").map_or(0, |at| at + 2);
    let body = if matches!(body.first(), Some(1..=3)) { body } else { &body[end..] };
    let field = match body {
        [kind @ 1..=3, _, 8, 0, a, b, c, d, ..] => Some((*kind, u32::from_le_bytes([*a, *b, *c, *d]))),
        _ => None,
    };
    let value = field.map_or(0, |(_, value)| value);
    Some(Some(Negotiation { kind: field.map(|(kind, _)| kind), value, rest: rest.0 }))
}

/// RDP: the client offers kinds of security, the server chooses. All but RDP's own are inside TLS.
pub(in crate::posture) fn rdp(dialogue: &Dialogue<'_>) -> Reading {
    const OWN: &str = "RDP with its own security: it can encrypt what follows, which is not read";
    let how = "RDP negotiation";
    let asked = match negotiation(dialogue.client, 0xE0) {
        None => return Reading::open("RDP: too few bytes of the client's connection request"),
        Some(None) => return Reading::Foreign,
        Some(Some(asked)) => asked,
    };
    if asked.value == 0 {
        return Reading::Never(OWN.into());
    }
    match negotiation(dialogue.server, 0xD0) {
        Some(None) => Reading::Foreign,
        None if asked.rest.is_empty() => Reading::open("RDP: the server's answer was not seen"),
        None => tls(how, dialogue, asked.rest, &[]),
        Some(Some(Negotiation { kind: Some(3), value: 2, .. })) => upgrade::refused(how, false),
        Some(Some(Negotiation { kind: Some(3), .. })) => {
            Reading::Never("RDP: the server demands another security".into())
        }
        Some(Some(Negotiation { value: 0, .. })) => Reading::Never(OWN.into()),
        Some(Some(chosen)) => tls(how, dialogue, asked.rest, chosen.rest),
    }
}
