//! HTTP/1 (RFC 9112) with its upgrade to TLS (RFC 2817), and the preface of HTTP/2 (RFC 9113 §3.4), as spoken by web services and many databases.

use super::line::{is_text, one_of, split};
use crate::posture::cursor::starts;
use crate::posture::reading::{Dialogue, Reading};
use crate::posture::tls::{self, Handshake};
use crate::posture::upgrade;

/// How long a request line is waited for: from here on its beginning is likeness enough.
const LONG: usize = 256;

/// How long a head is waited for. One that asks for TLS has little else in it.
const LONG_HEAD: usize = 512;

/// The most requests before the upgrade.
const MAX_REQUESTS: usize = 4;

/// HTTP/1: by the client's request or, where that was not captured (it came with the handshake: a deferred accept,
/// TCP Fast Open), by the server's response.
pub(in crate::posture) fn http1(dialogue: &Dialogue<'_>) -> Reading {
    if dialogue.client.is_empty() && response(dialogue.server) == Some(true) {
        return responded(dialogue.server);
    }
    match request(dialogue.client) {
        Some(true) => requested(dialogue),
        Some(false) => Reading::Foreign,
        None => Reading::open("too few bytes of the client to tell the protocol"),
    }
}

/// A response to a request that was not captured, which may still come, out of order.
fn responded(server: &[u8]) -> Reading {
    let plain = plaintext_so_far("HTTP/1 response without TLS, to a request that was not captured");
    let opens = Reading::open("HTTP/1 response that opens a tunnel or TLS: what follows is not read");
    let Some((head, body)) = head(server, LONG_HEAD) else {
        let tunnel = matches!(status(server), Some(200..300 | 101)) && server.len() < LONG_HEAD;
        return if tunnel { opens } else { plain };
    };
    match status(server) {
        Some(101) if head.names("upgrade", "tls") => opens,
        // RFC 9110 §9.3.6: a response to CONNECT has no content, whose length and type it would say.
        Some(200..300)
            if !["content-length", "transfer-encoding", "content-type"].iter().any(|name| head.has(name)) =>
        {
            if !body.is_empty() && tls::read(&[], body, [true; 2]) == Handshake::Not && is_text(body) {
                plain
            } else {
                opens
            }
        }
        _ => plain,
    }
}

/// A request: the upgrade to TLS that it may ask for (RFC 2817), as long as there is nothing of substance in it.
fn requested(dialogue: &Dialogue<'_>) -> Reading {
    let how = "HTTP Upgrade: TLS";
    let plain = "HTTP/1 request without TLS";
    let (mut client, mut server) = (dialogue.client, dialogue.server);
    for _ in 0..MAX_REQUESTS {
        let Some((head, rest)) = head(client, LONG_HEAD) else {
            let asks_nothing = client.len() >= LONG_HEAD || has_query(client);
            return if asks_nothing { upgrade::plaintext(plain) } else { plaintext_so_far(plain) };
        };
        if !head.names("upgrade", "tls") || head.has_substance() || has_query(client) {
            return upgrade::plaintext(plain);
        }
        client = rest;
        let Some((status, answer, behind)) = final_response(server) else {
            let unseen = Reading::Open(format!("{how} was asked for, the answer was not seen").into());
            return match request(client) {
                _ if client.is_empty() => unseen,
                Some(true) => plaintext_so_far(plain),
                _ => upgrade::after(how, dialogue, client, &[]).unwrap_or(unseen),
            };
        };
        if status == 101 && answer.names("upgrade", "tls") {
            return upgrade::after(how, dialogue, client, behind).unwrap_or_else(|| upgrade::ignored(how));
        }
        if status != 426 {
            return upgrade::refused(how, request(client) == Some(true));
        }
        // RFC 2817 §4.2: the server demands it, and says how.
        if request(client) != Some(true) {
            return Reading::Open(
                format!("{how}: the server demands it, and the client has not gone on").into(),
            );
        }
        let length = answer.value("content-length").and_then(|text| str::from_utf8(text).ok()?.parse().ok());
        server = behind.get(length.unwrap_or(0_usize)..).unwrap_or_default();
    }
    Reading::Never("HTTP/1: only requests to go on with TLS".into())
}

/// Nothing was encrypted until now; more bytes can show that the client asked for TLS.
fn plaintext_so_far(evidence: &'static str) -> Reading {
    match upgrade::plaintext(evidence) {
        Reading::Seen { posture, .. } => Reading::so_far(posture),
        other => other,
    }
}

/// Whether the target of a request has a query, which is data.
fn has_query(client: &[u8]) -> bool {
    let line = client.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.contains(&b'?')
}

/// The lines of a head behind the first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a>(&'a [u8]);

impl<'a> Head<'a> {
    /// The values of the fields of this name, which is given in lower case.
    fn values(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0.split(|byte| *byte == b'\n').filter_map(move |line| {
            let (field, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":")?;
            field.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
        })
    }

    fn value(self, name: &str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Whether a field stands in it that announces content, or may be the application's: credentials have many names.
    fn has_substance(self) -> bool {
        #[rustfmt::skip]
        const HARMLESS: [&str; 16] = [
            "host", "upgrade", "connection", "content-length", "user-agent", "date", "expect", "cache-control", "pragma",
            "accept", "accept-charset", "accept-encoding", "accept-language", "keep-alive", "te", "max-forwards",
        ];
        let mut fields =
            self.0.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.trim_ascii().is_empty());
        fields.any(|line| {
            let end = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            one_of(&line[..end], &HARMLESS).is_none()
        }) || self.values("content-length").any(|length| length != b"0")
    }

    /// Whether a field lists something that begins so, in any case of letters.
    fn names(self, name: &str, beginning: &str) -> bool {
        let begins = |item: &[u8]| {
            let item = item.trim_ascii();
            item.get(..beginning.len()).is_some_and(|item| item.eq_ignore_ascii_case(beginning.as_bytes()))
        };
        self.values(name).any(|value| value.split(|byte| *byte == b',').any(begins))
    }
}

/// A head of at most `longest` bytes up to its blank line, and what stands behind it.
pub(super) fn head(bytes: &[u8], longest: usize) -> Option<(Head<'_>, &[u8])> {
    let mut rest = &bytes[..bytes.len().min(longest)];
    let mut length = 0;
    loop {
        let (line, behind) = split(rest)?;
        if line.is_empty() {
            let (head, body) = bytes.split_at(length);
            return Some((Head(head), &body[rest.len() - behind.len()..]));
        }
        length += rest.len() - behind.len();
        rest = behind;
    }
}

/// The first response that is not an interim one: its status, its head, what stands behind.
pub(super) fn final_response(server: &[u8]) -> Option<(u16, Head<'_>, &[u8])> {
    let mut rest = server;
    loop {
        let (lines, behind) = head(rest, usize::MAX)?;
        match status(rest)? {
            100 | 102..200 => rest = behind,
            status => return Some((status, lines, behind)),
        }
    }
}

/// The status of a response of HTTP/1, by its first line as far as that is there.
fn status(server: &[u8]) -> Option<u16> {
    let digits = server.get(9..12)?;
    server.starts_with(b"HTTP/1.").then(|| str::from_utf8(digits).ok()?.parse().ok())?
}

/// Whether a server begins with a status line of HTTP/1.
fn response(server: &[u8]) -> Option<bool> {
    let (line, _) = split(server)?;
    let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', status @ ..] = line else {
        return Some(false);
    };
    let code = status.first_chunk::<3>().is_some_and(|code| code.iter().all(u8::is_ascii_digit));
    let ends = matches!(status.get(3), None | Some(b' '));
    Some(code && ends && is_text(line))
}

/// Whether a client begins with a request of HTTP/1. A CONNECT is left to `tunnel`.
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
pub(super) fn is_connect(client: &[u8]) -> Option<bool> {
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
    fn a_response_begins_with_a_status_line() {
        assert_eq!(response(b"HTTP/1.1 200 OK\r\n"), Some(true));
        assert_eq!(response(b"HTTP/1.0 404\r\n"), Some(true));
        assert_eq!(response(b"HTTP/1.1 2OO OK\r\n"), Some(false));
        assert_eq!(response(b"HTTP/1.1 2000\r\n"), Some(false));
        assert_eq!(response(b"HTTP/2 200\r\n"), Some(false));
        assert_eq!(response(b"+OK\r\n"), Some(false));
        assert_eq!(response(b"HTTP/1.1 20"), None);
    }
}
