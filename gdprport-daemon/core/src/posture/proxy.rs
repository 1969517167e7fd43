//! The PROXY protocol (versions 1 and 2 of its specification by HAProxy): a header that a proxy puts before the
//! client's own first byte, so that the server learns who the client is.
//!
//! Belongs here: finding its end. Its contents are not read, and need not be captured: in version 2 its length stands at
//! its beginning (with a certificate in it, it is longer than what is captured of a segment).

use super::cursor::{Cursor, starts};
use super::stream::Stream;

/// The longest header of version 1, with its line end.
const MAX_LINE: usize = 107;

/// How a client's bytes begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// With a header of this many bytes.
    Header(u64),
    /// With so few bytes that they may be one.
    Open,
    /// With something else.
    Other,
}

/// Skips the header that the client's bytes begin with, once its length is known.
pub(super) fn skip(client: &mut Stream) {
    if client.skipped() == 0
        && let Beginning::Header(length) = beginning(client.head())
    {
        client.skip(length);
    }
}

/// The client's bytes behind the header, or all of them if there is none; `None` while only a header is there.
pub(super) fn behind(client: &Stream) -> Option<&[u8]> {
    let pending = client.skipped() == 0 && beginning(client.head()) == Beginning::Open;
    (!pending && (client.skipped() == 0 || !client.is_empty())).then(|| client.head())
}

fn beginning(client: &[u8]) -> Beginning {
    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    match (starts(client, b"PROXY "), starts(client, SIGNATURE)) {
        _ if client.is_empty() => Beginning::Other,
        (Some(true), _) => {
            let line = &client[..client.len().min(MAX_LINE)];
            match line.windows(2).position(|pair| pair == b"\r\n") {
                Some(end) => Beginning::Header(end as u64 + 2),
                None if line.len() == MAX_LINE => Beginning::Other,
                None => Beginning::Open,
            }
        }
        (_, Some(true)) => {
            let mut rest = Cursor(&client[SIGNATURE.len()..]);
            let _version_and_family = rest.u16();
            rest.u16().map_or(Beginning::Open, |length| Beginning::Header(16 + u64::from(length)))
        }
        (Some(false), Some(false)) => Beginning::Other,
        _ => Beginning::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind_of(pieces: &[(u64, &[u8])]) -> Option<Vec<u8>> {
        let mut stream = Stream::default();
        for (offset, bytes) in pieces {
            stream.write(*offset, bytes);
            skip(&mut stream);
        }
        behind(&stream).map(<[u8]>::to_vec)
    }

    #[test]
    fn both_versions_are_skipped_once() {
        for header in [&b"PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0"] {
            let whole = [header, b"EHLO"].concat();
            assert_eq!(behind_of(&[(0, &whole)]).as_deref(), Some(&b"EHLO"[..]));
            let twice = [header, header].concat();
            assert_eq!(behind_of(&[(0, &twice)]).as_deref(), Some(header));
            assert_eq!(behind_of(&[(0, header)]), None);
        }
    }

    #[test]
    fn a_header_without_its_end_waits_and_other_bytes_pass() {
        assert_eq!(behind_of(&[(0, b"PROXY TCP4 192")]), None);
        assert_eq!(behind_of(&[(0, b"PR")]), None);
        assert_eq!(behind_of(&[(0, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c1234")]), None);
        assert_eq!(behind_of(&[(0, b"\r\n\r\n\0\r\nQUIT\n\x21")]), None);
        assert_eq!(behind_of(&[(0, b"PRI * HTTP/2.0")]).as_deref(), Some(&b"PRI * HTTP/2.0"[..]));
        assert_eq!(behind_of(&[]).as_deref(), Some(&b""[..]));
    }

    /// Up to the longest that its field can give, whatever was captured of it, in any order.
    #[test]
    fn a_header_is_skipped_without_all_its_bytes() {
        for length in [600_u16, 3_000, u16::MAX] {
            let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
            header.extend_from_slice(&length.to_be_bytes());
            header.resize(512, b'x');
            let end = 16 + u64::from(length);
            let expected = Some(&b"EHLO a"[..]);
            for order in [[(0, &header[..]), (end, b"EHLO a")], [(end, &b"EHLO a"[..]), (0, &header[..])]] {
                assert_eq!(behind_of(&order).as_deref(), expected, "{length}");
            }
            let tail = [(0, &header[..]), (end - 4, &b"xxxxEHL"[..]), (end + 3, b"O a")];
            assert_eq!(behind_of(&tail).as_deref(), expected, "{length}");
        }
    }
}
