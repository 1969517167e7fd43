//! HTTP/1 (RFC 9112) and the preface of HTTP/2 (RFC 9113 §3.4), as spoken by web services and many databases.

use super::line::{is_text, one_of, split};
use crate::posture::cursor::starts;
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::upgrade;

/// How long a request line is waited for: from here on its beginning is likeness enough.
const LONG: usize = 256;

/// HTTP/1: by the client's request or, where that was not captured (it came with the handshake: a deferred accept,
/// TCP Fast Open), by the server's response.
pub(in crate::posture) fn http1(dialogue: &Dialogue<'_>) -> Reading {
    if dialogue.client.is_empty() && response(dialogue.server) == Some(true) {
        return match upgrade::plaintext("HTTP/1 response without TLS, to a request that was not captured") {
            // The request may still come, out of order.
            Reading::Seen { posture, .. } => Reading::so_far(posture),
            other => other,
        };
    }
    match request(dialogue.client) {
        Some(true) => upgrade::plaintext("HTTP/1 request without TLS"),
        Some(false) => Reading::Foreign,
        None => Reading::open("too few bytes of the client to tell the protocol"),
    }
}

/// Whether a server begins with a status line of HTTP/1. One that opens a tunnel (RFC 9110 9.3.6) does not count: what
/// travels through it is another protocol's.
fn response(server: &[u8]) -> Option<bool> {
    let (line, _) = split(server)?;
    let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', status @ ..] = line else {
        return Some(false);
    };
    let code = status.first_chunk::<3>().is_some_and(|code| code.iter().all(u8::is_ascii_digit));
    let ends = matches!(status.get(3), None | Some(b' '));
    let tunnel = status.to_ascii_lowercase().windows(11).any(|words| words == b"established");
    Some(code && ends && !tunnel && is_text(line))
}

/// Whether a client begins with a request of HTTP/1. A CONNECT is left to [`tunnel`].
fn request(client: &[u8]) -> Option<bool> {
    const METHODS: [&str; 17] = [
        "GET",
        "POST",
        "PUT",
        "DELETE",
        "HEAD",
        "OPTIONS",
        "PATCH",
        "TRACE",
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
        "REPORT",
        "SEARCH",
    ];
    let end = client.iter().position(|byte| *byte == b' ');
    let method = &client[..end.unwrap_or(client.len())];
    let Some(end) = end else {
        let beginning = METHODS.iter().any(|known| known.as_bytes().starts_with(method));
        return if beginning { None } else { Some(false) };
    };
    let target = &client[end + 1..];
    let likely = |target: &[u8]| target.first().is_none_or(|byte| matches!(byte, b'/' | b'*' | b'h'));
    if one_of(method, &METHODS).is_none() || !likely(target) {
        return Some(false);
    }
    line_ends_with_version(client)
}

/// Whether a client begins with a CONNECT: what then travels through the tunnel is another protocol's.
pub(in crate::posture) fn tunnel(client: &[u8], _declared: bool) -> Option<bool> {
    match starts(client, b"CONNECT ") {
        Some(true) if client.get(8) == Some(&b'{') => Some(false),
        Some(true) => line_ends_with_version(client),
        other => other,
    }
}

/// Whether a client begins with the preface of HTTP/2.
pub(in crate::posture) fn preface(client: &[u8], _declared: bool) -> Option<bool> {
    starts(client, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
}

fn line_ends_with_version(client: &[u8]) -> Option<bool> {
    let beginning = &client[..client.len().min(LONG)];
    match split(beginning) {
        Some((line, _)) => {
            let version = line.len().checked_sub(9).map(|at| &line[at..]);
            Some(is_text(line) && matches!(version, Some(b" HTTP/1.0" | b" HTTP/1.1")))
        }
        None if !is_text(beginning) => Some(false),
        None => (beginning.len() == LONG).then_some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::response;

    #[test]
    fn a_status_line_that_opens_a_tunnel_is_no_response() {
        assert_eq!(response(b"HTTP/1.1 200 OK\r\n"), Some(true));
        assert_eq!(response(b"HTTP/1.0 404\r\n"), Some(true));
        assert_eq!(response(b"HTTP/1.1 200 Connection established\r\n"), Some(false));
        assert_eq!(response(b"HTTP/1.1 2OO OK\r\n"), Some(false));
        assert_eq!(response(b"HTTP/1.1 2000\r\n"), Some(false));
        assert_eq!(response(b"HTTP/2 200\r\n"), Some(false));
        assert_eq!(response(b"+OK\r\n"), Some(false));
        assert_eq!(response(b"HTTP/1.1 20"), None);
    }
}
