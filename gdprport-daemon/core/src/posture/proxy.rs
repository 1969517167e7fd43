//! The PROXY protocol (versions 1 and 2 of its specification by HAProxy): a header that a proxy puts before the
//! client's own first byte, so that the server learns who the client is.
//!
//! Belongs here: finding its end. Its contents are not read.

use super::cursor::{Cursor, starts};

/// The longest header of version 1, with its line end.
const MAX_LINE: usize = 107;

/// The client's bytes behind the header, or all of them if there is none; `None` while the header is not complete.
pub(super) fn strip(client: &[u8]) -> Option<&[u8]> {
    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    match (starts(client, b"PROXY "), starts(client, SIGNATURE)) {
        (Some(true), _) => {
            let line = &client[..client.len().min(MAX_LINE)];
            match line.windows(2).position(|pair| pair == b"\r\n") {
                Some(end) => Some(&client[end + 2..]),
                None if line.len() == MAX_LINE => Some(client),
                None => None,
            }
        }
        (_, Some(true)) => {
            let mut rest = Cursor(&client[SIGNATURE.len()..]);
            let _version_and_family = rest.u16()?;
            rest.vec16()?;
            Some(rest.0)
        }
        (Some(false), Some(false)) => Some(client),
        _ if client.is_empty() => Some(client),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_stripped() {
        assert_eq!(strip(b"PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\nEHLO"), Some(&b"EHLO"[..]));
        assert_eq!(strip(b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0EHLO"), Some(&b"EHLO"[..]));
    }

    #[test]
    fn a_header_without_its_end_waits_and_other_bytes_pass() {
        assert_eq!(strip(b"PROXY TCP4 192"), None);
        assert_eq!(strip(b"PR"), None);
        assert_eq!(strip(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c1234"), None);
        assert_eq!(strip(b"PRI * HTTP/2.0"), Some(&b"PRI * HTTP/2.0"[..]));
        assert_eq!(strip(b""), Some(&b""[..]));
    }
}
