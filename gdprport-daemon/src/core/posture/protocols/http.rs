//! HTTP/1 (RFC 9112) and the preface of HTTP/2 (RFC 9113 §3.4), as spoken by web services and many databases.

use super::line::{is_text, one_of, split};
use crate::core::posture::cursor::starts;

/// How long a request line is waited for: from here on its beginning is likeness enough.
const LONG: usize = 256;

/// Whether a client begins with a request of HTTP/1. A CONNECT is left to [`tunnel`].
pub(in crate::core::posture) fn request(client: &[u8], _declared: bool) -> Option<bool> {
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
pub(in crate::core::posture) fn tunnel(client: &[u8], _declared: bool) -> Option<bool> {
    match starts(client, b"CONNECT ") {
        Some(true) if client.get(8) == Some(&b'{') => Some(false),
        Some(true) => line_ends_with_version(client),
        other => other,
    }
}

/// Whether a client begins with the preface of HTTP/2.
pub(in crate::core::posture) fn preface(client: &[u8], _declared: bool) -> Option<bool> {
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
