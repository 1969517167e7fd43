//! Cutting lines, and what a server's reply comes to: what the protocols of text lines and the layers below them share.

/// The longest line that is waited for, with its end: a list of IMAP capabilities is one line.
pub(super) const MAX_LINE: usize = 2048;

/// Whether a server agrees, and what stands behind its reply.
pub(super) type Reply<'a> = (bool, &'a [u8]);

/// The first line, without its end, and what stands behind it.
pub(in crate::posture) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n')?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..]))
}
