//! Tunnels to another server: HTTP's CONNECT (RFC 9110 §9.3.6), SOCKS 4 and 5 (RFC 1928, RFC 1929).
//!
//! Belongs here: finding where a tunnel begins. What travels through it is read like a connection of its own.

use super::http;
use crate::posture::cursor::{Cursor, starts};
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade::plaintext;

/// A dialogue that opens a tunnel.
pub(in crate::posture) enum Tunnel<'a> {
    /// It does not, or not yet.
    Closed(Reading),
    /// The server agreed: how it was asked for, and what stands behind on both sides.
    Through { how: &'static str, client: &'a [u8], server: &'a [u8] },
}

/// The longest head of a CONNECT.
const LONG_HEAD: usize = 1024;

/// The tunnel that a client asks for; `None` if it asks for none.
pub(in crate::posture) fn asked<'a>(dialogue: &Dialogue<'a>) -> Option<Tunnel<'a>> {
    match dialogue.client.first()? {
        b'C' => match http::is_connect(dialogue.client) {
            Some(true) => Some(connect(dialogue)),
            None if dialogue.client.len() >= b"CONNECT ".len() => {
                Some(Tunnel::Closed(Reading::open("HTTP CONNECT: the end of the request was not seen")))
            }
            _ => None,
        },
        5 if dialogue.server.first() == Some(&5) => socks5(dialogue),
        4 => match (dialogue.client.get(1), starts(dialogue.server, &[0, 0x5A])) {
            (Some(1 | 2), Some(true)) => Some(socks4(dialogue)),
            (Some(1 | 2) | None, None) if !dialogue.server.is_empty() => {
                Some(Tunnel::Closed(unseen_socks4()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The longest port, address and user of SOCKS 4 that are waited for.
const MAX_USER: usize = 64;

/// Whether a client begins as one that asks for a tunnel by SOCKS, of whose server nothing was seen: the answer decides.
pub(in crate::posture) fn may_begin(client: &[u8]) -> bool {
    match *client {
        [5] | [4] => true,
        [5, methods @ 1..=16, ref rest @ ..] => {
            matches!(rest.get(usize::from(methods)), None | Some(1 | 5))
        }
        // A port and an address, and a user's name that ends.
        [4, 1 | 2, ref rest @ ..] => rest.len() < MAX_USER || rest[6..MAX_USER].contains(&0),
        _ => false,
    }
}

fn connect<'a>(dialogue: &Dialogue<'a>) -> Tunnel<'a> {
    let how = "HTTP CONNECT";
    let Some((head, client)) = http::head(dialogue.client, LONG_HEAD) else {
        return Tunnel::Closed(Reading::open("HTTP CONNECT: the end of the request was not seen"));
    };
    if ["proxy-authorization", "authorization", "cookie"].iter().any(|name| head.has(name)) {
        return Tunnel::Closed(Reading::Never(
            "HTTP CONNECT with credentials for the proxy in plaintext".into(),
        ));
    }
    match http::final_response(dialogue.server) {
        Some((200..300, _, server)) => Tunnel::Through { how, client, server },
        Some(_) => Tunnel::Closed(Reading::open("HTTP CONNECT refused by the server")),
        // TLS is one whether or not the answer was captured.
        None => Tunnel::Closed(Reading::open("HTTP CONNECT was asked for, the answer was not seen")),
    }
}

/// SOCKS 5: methods of authentication, the server's choice, a request, its answer.
fn socks5<'a>(dialogue: &Dialogue<'a>) -> Option<Tunnel<'a>> {
    let too_few = || Some(Tunnel::Closed(Reading::open("SOCKS 5: the request and its answer were not seen")));
    let (mut client, mut server) = (Cursor(&dialogue.client[1..]), Cursor(&dialogue.server[1..]));
    let Some(methods) = client.vec8() else { return too_few() };
    let Some(method) = server.u8() else { return too_few() };
    if !methods.contains(&method) && method != 0xFF {
        return None;
    }
    match method {
        0 => {}
        2 => return Some(Tunnel::Closed(plaintext("SOCKS 5 with a password in plaintext"))),
        0xFF => return Some(Tunnel::Closed(Reading::open("SOCKS 5 refused by the server"))),
        _ => return Some(Tunnel::Closed(Reading::Never("SOCKS 5: a security that is not read".into()))),
    }
    // Version, command or answer, reserved, then an address and a port.
    let request = address(&mut client);
    let answer = address(&mut server);
    match (request, answer) {
        (Some(Some(1..=2)), Some(Some(0))) => {
            Some(Tunnel::Through { how: "SOCKS 5", client: client.0, server: server.0 })
        }
        (Some(Some(_)), Some(Some(_))) => {
            Some(Tunnel::Closed(Reading::open("SOCKS 5 refused by the server")))
        }
        (Some(None), _) | (_, Some(None)) => None,
        _ => too_few(),
    }
}

/// The command of a request, or the code of an answer. `Some(None)` if it is none.
fn address(rest: &mut Cursor<'_>) -> Option<Option<u8>> {
    let [version, code, reserved, kind] = *rest.take(4)? else { return Some(None) };
    let length = match kind {
        1 => 4,
        3 => usize::from(rest.u8()?),
        4 => 16,
        _ => return Some(None),
    };
    rest.take(length + 2)?;
    Some((version == 5 && reserved == 0).then_some(code))
}

/// SOCKS 4: a command, a port, an address, a user; a name behind an address that is none (4a).
fn socks4<'a>(dialogue: &Dialogue<'a>) -> Tunnel<'a> {
    let (mut client, mut server) = (Cursor(&dialogue.client[1..]), Cursor(dialogue.server));
    let opened = (|| {
        let _command = client.u8()?;
        let _port = client.u16()?;
        let address = client.u32()?;
        let texts = if (1..256).contains(&address) { 2 } else { 1 };
        for _ in 0..texts {
            let end = client.0.iter().position(|byte| *byte == 0)?;
            client.take(end + 1)?;
        }
        server.take(8)
    })();
    match opened {
        Some(_) => Tunnel::Through { how: "SOCKS 4", client: client.0, server: server.0 },
        None => Tunnel::Closed(unseen_socks4()),
    }
}

fn unseen_socks4() -> Reading {
    Reading::open("SOCKS 4: the request and its answer were not seen")
}
