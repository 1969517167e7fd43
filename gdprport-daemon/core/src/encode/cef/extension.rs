//! Keys and values of the extension: escapes, limits, blanks between them.

use std::fmt::Display;
use std::io::Write as _;
use std::net::IpAddr;

use jiff::Timestamp;

use super::dictionary::{Custom, Plain, Text};
use crate::text::is_control_or_bidi;

/// Stands at the end of a value that was cut: U+2026.
const CUT: char = '…';

/// The extension of one event.
#[derive(Debug)]
pub(super) struct Extension<'a> {
    to: &'a mut Vec<u8>,
    first: bool,
    #[cfg(debug_assertions)]
    written: Vec<&'static str>,
}

/// Where a text stands, which decides its escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Header,
    Extension,
}

impl<'a> Extension<'a> {
    /// Appends to the header's last bar.
    pub(super) fn new(to: &'a mut Vec<u8>) -> Self {
        Self {
            to,
            first: true,
            #[cfg(debug_assertions)]
            written: Vec::new(),
        }
    }

    /// A text; an empty one is left out.
    pub(super) fn text(&mut self, key: Text, value: &str) {
        if !value.is_empty() {
            self.name(key.name, "");
            text(value, key.limit, Place::Extension, self.to);
        }
    }

    /// A text, if it is known.
    pub(super) fn may_text(&mut self, key: Text, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A text of our own meaning, with its label.
    pub(super) fn custom(&mut self, custom: Custom<Text>, value: &str) {
        if !value.is_empty() {
            self.label(custom.key.name, custom.label);
            self.text(custom.key, value);
        }
    }

    /// A whole number; one that does not fit into the 63 bits that the standard's `Long` has is its greatest.
    pub(super) fn number(&mut self, key: Plain, value: u64) {
        self.name(key.name, "");
        self.display(value.min(i64::MAX.unsigned_abs()));
    }

    /// A number of our own meaning, with its label, if it is known.
    pub(super) fn may_custom(&mut self, custom: Custom<Plain>, value: Option<u64>) {
        if let Some(value) = value {
            self.label(custom.key.name, custom.label);
            self.number(custom.key, value);
        }
    }

    /// A time, as milliseconds since 1970.
    pub(super) fn time(&mut self, key: Plain, value: Timestamp) {
        self.number(key, u64::try_from(value.as_millisecond()).unwrap_or_default());
    }

    /// An address: IPv4 under its key, IPv6 under its own key.
    pub(super) fn address(&mut self, v4: Plain, v6: Custom<Plain>, ip: IpAddr) {
        match ip {
            IpAddr::V4(_) => self.name(v4.name, ""),
            IpAddr::V6(_) => {
                self.label(v6.key.name, v6.label);
                self.name(v6.key.name, "");
            }
        }
        self.display(ip);
    }

    /// An address for which the standard has no key if it is IPv6: then it is left out.
    pub(super) fn address_v4(&mut self, key: Plain, ip: IpAddr) {
        if ip.is_ipv4() {
            self.name(key.name, "");
            self.display(ip);
        }
    }

    fn label(&mut self, key: &'static str, label: &str) {
        self.name(key, "Label");
        self.to.extend_from_slice(label.as_bytes());
    }

    fn name(&mut self, key: &'static str, suffix: &str) {
        #[cfg(debug_assertions)]
        if suffix.is_empty() {
            assert!(!self.written.contains(&key), "{key} was written already");
            self.written.push(key);
        }
        if !self.first {
            self.to.push(b' ');
        }
        self.first = false;
        self.to.extend_from_slice(key.as_bytes());
        self.to.extend_from_slice(suffix.as_bytes());
        self.to.push(b'=');
    }

    fn display(&mut self, value: impl Display) {
        write!(self.to, "{value}").expect("writing to memory cannot fail");
    }
}

/// Appends a text, cut at a character if it is longer than its limit in bytes, so that it ends with [`CUT`]. The standard
/// escapes line breaks only: other characters that steer a terminal, and blanks at the ends, which readers trim, are shown
/// as `\u` and four digits.
pub(super) fn text(value: &str, limit: usize, place: Place, to: &mut Vec<u8>) {
    // Nearly every text is short and plain ASCII.
    if value.len() <= limit && is_plain(value.as_bytes()) {
        plain(value.as_bytes(), place, to);
    } else {
        any(value, limit, place, to);
    }
}

/// Whether each byte is a character that is written as it is, or with a backslash before it.
fn is_plain(value: &[u8]) -> bool {
    // Numbers and no branches: so the compiler looks at sixteen bytes at once.
    let others = value.iter().fold(0, |any, byte| any | u8::from(byte.wrapping_sub(b' ') > b'~' - b' '));
    others == 0 && value.first() != Some(&b' ') && value.last() != Some(&b' ')
}

/// Appends such a text.
fn plain(value: &[u8], place: Place, to: &mut Vec<u8>) {
    let special = match place {
        Place::Header => b'|',
        Place::Extension => b'=',
    };
    let escaped = |byte: &u8| (*byte == b'\\') | (*byte == special);
    let mut rest = value;
    // One look as above first: most texts have nothing to escape.
    if value.iter().fold(0, |any, byte| any | u8::from(escaped(byte))) != 0 {
        while let Some(at) = rest.iter().position(escaped) {
            to.extend_from_slice(&rest[..at]);
            to.extend_from_slice(&[b'\\', rest[at]]);
            rest = &rest[at + 1..];
        }
    }
    to.extend_from_slice(rest);
}

/// Appends any text, character by character.
pub(super) fn any(value: &str, limit: usize, place: Place, to: &mut Vec<u8>) {
    let last = value.len() - value.chars().next_back().map_or(0, char::len_utf8);
    let shown = |at: usize, c: char| {
        let edge = c == ' ' && (at == 0 || at == last);
        let break_ = place == Place::Extension && matches!(c, '\n' | '\r');
        edge || (is_control_or_bidi(c) && !break_)
    };
    // All of them are below U+10000: a backslash, `u` and four digits.
    let length = |at: usize, c: char| if shown(at, c) { 6 } else { c.len_utf8() };
    let whole: usize = value.char_indices().map(|(at, c)| length(at, c)).sum();
    let mut room = if whole <= limit { whole } else { limit - CUT.len_utf8() };
    for (at, c) in value.char_indices() {
        let Some(left) = room.checked_sub(length(at, c)) else { break };
        room = left;
        match (place, c) {
            _ if shown(at, c) => {
                write!(to, "\\\\u{:04x}", u32::from(c)).expect("writing to memory cannot fail");
            }
            (_, '\\') => to.extend_from_slice(br"\\"),
            (Place::Header, '|') => to.extend_from_slice(br"\|"),
            (Place::Extension, '=') => to.extend_from_slice(br"\="),
            (Place::Extension, '\n') => to.extend_from_slice(br"\n"),
            (Place::Extension, '\r') => to.extend_from_slice(br"\r"),
            _ => to.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if whole > limit {
        to.extend_from_slice(CUT.encode_utf8(&mut [0; 4]).as_bytes());
    }
}
