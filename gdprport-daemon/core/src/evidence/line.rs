//! What the log has to know of an event's line before it stores it: its number, and whose it is. Found at the line's beginning
//! without reading the rest, since each event goes through here.

use uuid::Uuid;

/// Bytes of a line within which the envelope ends: a host's name has at most 64 bytes, six times as many when escaped.
const ENVELOPE_MAX: usize = 1024;

/// An event's number within its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineHead {
    /// `seq`.
    pub seq: u64,
    /// `agent.run`.
    pub run: Uuid,
}

impl LineHead {
    /// Of a line as [`encode`](crate::encode) writes it; `None` if it is another one. Within a text of JSON each quotation mark is
    /// escaped, so that no name that somebody chose looks like a key.
    #[must_use]
    pub fn of(line: &[u8]) -> Option<Self> {
        let envelope = &line[..line.len().min(ENVELOPE_MAX)];
        let seq = behind(envelope, br#""seq":"#)?;
        let digits = seq.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let run = behind(seq, br#""run":""#)?;
        let text = |bytes| std::str::from_utf8(bytes).ok();
        Some(Self { seq: text(&seq[..digits])?.parse().ok()?, run: text(run.get(..36)?)?.parse().ok()? })
    }
}

/// The `id` of such a line; `None` if it is another one.
#[must_use]
pub fn id_of(line: &[u8]) -> Option<Uuid> {
    let id = behind(&line[..line.len().min(ENVELOPE_MAX)], br#""id":""#)?;
    std::str::from_utf8(id.get(..36)?).ok()?.parse().ok()
}

/// What follows the first occurrence of a key.
fn behind<'a>(bytes: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let (first, rest) = key.split_first()?;
    let mut bytes = bytes;
    loop {
        // Byte by byte only to where it may begin: comparing at each costs half a microsecond of each event.
        let at = bytes.iter().position(|byte| byte == first)?;
        bytes = bytes.get(at + 1..)?;
        if let Some(behind) = bytes.strip_prefix(rest) {
            return Some(behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::Encoder;
    use crate::event::samples;

    #[test]
    fn the_number_and_run_of_every_event_are_found() {
        for event in samples::events() {
            let mut line = Vec::new();
            Encoder::default().native(&event, &mut line);
            let expected = LineHead { seq: event.seq, run: event.agent.run };
            assert_eq!(LineHead::of(&line), Some(expected), "{}", String::from_utf8_lossy(&line));
            assert_eq!(id_of(&line), Some(event.id), "{}", String::from_utf8_lossy(&line));
        }
    }

    #[test]
    fn another_line_has_none() {
        for line in ["", "{}", r#"{"seq":1}"#, r#"{"seq":,"run":"0"}"#, r#"{"seq":1,"run":"0"}"#] {
            assert_eq!(LineHead::of(line.as_bytes()), None, "{line}");
            assert_eq!(id_of(line.as_bytes()), None, "{line}");
        }
    }
}
