//! Which events are kept longest, by their lines.
//!
//! Kind and severity stand at the beginning of a line, before any text that somebody else chose, so that no parsing of JSON is
//! needed ([`Event`](gdprport_core::event::Event) writes them there).

use gdprport_core::event::Kind;

use super::frame::Class;

/// Bytes of a line before its host: schema, id, number, time, kind and severity. 180 are the most there are.
const HEAD: usize = 256;

/// How long the event of a line is kept. What cannot be read is kept longest.
pub(super) fn class(line: &[u8]) -> Class {
    let head = &line[..line.len().min(HEAD)];
    let (Some(kind), Some(severity)) = (value(head, b"\"kind\":\""), value(head, b"\"severity\":\"")) else {
        return Class::Kept;
    };
    let is = |of: Kind| kind == of.as_str().as_bytes();
    let proves = [Kind::Violation, Kind::Finding, Kind::Coverage, Kind::PolicyApplied, Kind::DaemonStart]
        .into_iter()
        .any(is)
        || is(Kind::DaemonStop)
        || is(Kind::EvidenceCheckpoint);
    let matters = !matches!(severity, b"info" | b"low");
    if proves || matters || (is(Kind::FlowSummary) && holds_violations(line)) {
        Class::Kept
    } else {
        Class::Ordinary
    }
}

/// The text behind a key, up to its quotation mark.
fn value<'a>(head: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = head.windows(key.len()).position(|window| window == key)? + key.len();
    let rest = &head[at..];
    Some(&rest[..rest.iter().position(|byte| *byte == b'"')?])
}

/// Whether a summary counts violations. Text of somebody else that looks like it only has the summary kept.
fn holds_violations(line: &[u8]) -> bool {
    const KEY: &[u8] = b"\"violations\":";
    let mut at = line.windows(KEY.len()).enumerate().filter(|(_, window)| *window == KEY);
    at.any(|(begin, _)| line.get(begin + KEY.len()).is_some_and(|next| *next != b'0' && *next != b'n'))
}

#[cfg(test)]
mod tests {
    use gdprport_core::encode::Encoder;
    use gdprport_core::event::{Event, Severity, samples};

    use super::*;

    fn of(event: &Event) -> Class {
        let mut line = Vec::new();
        Encoder::default().native(event, &mut line);
        class(&line)
    }

    #[test]
    fn what_proves_or_matters_is_kept_longest() {
        let mut stamper = samples::stamper();
        let mut ordinary = Vec::new();
        for kind in Kind::ALL.iter().copied() {
            let event = stamper.stamp(samples::now(), samples::body(kind));
            let class = of(&event);
            if event.severity() >= Severity::Medium {
                assert_eq!(class, Class::Kept, "{}", kind.as_str());
            }
            if class == Class::Ordinary {
                ordinary.push(kind);
            }
        }
        assert!(ordinary.contains(&Kind::FlowClose), "{ordinary:?}");
        let proofs = [
            Kind::Violation,
            Kind::Finding,
            Kind::Coverage,
            Kind::PolicyApplied,
            Kind::DaemonStart,
            Kind::EvidenceCheckpoint,
        ];
        assert!(proofs.iter().all(|kind| !ordinary.contains(kind)), "{ordinary:?}");
    }

    #[test]
    fn a_line_that_cannot_be_read_is_kept() {
        for line in [&b""[..], b"{", b"\"kind\":\"flow.open", b"{\"kind\":\"flow.open\"}"] {
            assert_eq!(class(line), Class::Kept);
        }
    }
}
