//! Checkpoints as others kept them: notes, or events in any encoding, wrapped in whatever a receiver stores. Does not belong here:
//! whether they are of this log (`verify`).

use serde_json::Value;

use super::note::NOTE_BYTES_MAX;

/// What divides text and signatures of a note.
const DIVISION: &str = "\n\n\u{2014} ";

/// What every event about a checkpoint has in its line, in every encoding.
const KIND: &str = "evidence.checkpoint";

/// The key that CEF has it in.
const IN_CEF: &str = " cs5=";

/// Lines within lines that are looked into: of an event that a receiver keeps as text, in an answer that is text again.
const DEPTH_MAX: u32 = 4;

/// Whether bytes are notes and not lines of events.
#[must_use]
pub fn is_notes(bytes: &[u8]) -> bool {
    bytes.windows(DIVISION.len()).any(|window| window == DIVISION.as_bytes())
}

/// The checkpoints in one line, as their notes: of an event in its native line, in OCSF, ECS or CEF, with whatever stands before
/// it, and whatever object a receiver put it into.
#[must_use]
pub fn notes_in(line: &str) -> Vec<String> {
    let mut notes = Vec::new();
    if line.contains(KIND) {
        of_text(line, DEPTH_MAX, &mut notes);
    }
    notes
}

fn of_text(text: &str, depth: u32, notes: &mut Vec<String>) {
    if text.contains(DIVISION) {
        if text.len() <= NOTE_BYTES_MAX {
            notes.push(text.to_owned());
        }
        return;
    }
    if depth == 0 || !text.contains(KIND) {
        return;
    }
    if let Some(begin) = text.find('{')
        && let Some(Ok(value)) =
            serde_json::Deserializer::from_str(&text[begin..]).into_iter::<Value>().next()
    {
        return of_value(&value, depth - 1, notes);
    }
    notes.extend(of_cef(text));
}

fn of_value(value: &Value, depth: u32, notes: &mut Vec<String>) {
    match value {
        Value::String(text) => of_text(text, depth, notes),
        Value::Array(values) => values.iter().for_each(|value| of_value(value, depth, notes)),
        Value::Object(fields) => fields.values().for_each(|value| of_value(value, depth, notes)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The note in a record of CEF, whose last line feed is not in it.
fn of_cef(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(IN_CEF)?;
    let end = next_key(rest);
    let mut note = String::with_capacity(end + 1);
    let mut chars = rest[..end].chars();
    while let Some(this) = chars.next() {
        note.push(match this {
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                other => other,
            },
            other => other,
        });
    }
    note.push('\n');
    note.contains(DIVISION).then_some(note)
}

/// Where the next key begins, or the text ends: an equals sign that is none of the value's stands behind it.
fn next_key(value: &str) -> usize {
    let bytes = value.as_bytes();
    let equals = (0..bytes.len()).find(|at| bytes[*at] == b'=' && (*at == 0 || bytes[*at - 1] != b'\\'));
    equals.and_then(|at| value[..at].rfind(' ')).unwrap_or(value.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encode::{Encoder, cef, ecs, ocsf};
    use crate::event::{Body, Event, Kind, samples};

    fn sample() -> (Event, String) {
        let event = samples::event(Kind::EvidenceCheckpoint);
        let Body::EvidenceCheckpoint(of) = &event.body else { panic!("a checkpoint") };
        let note = of.checkpoint.note.clone();
        (event, note)
    }

    #[test]
    fn a_checkpoint_is_found_in_every_encoding() {
        let (event, note) = sample();
        for (name, encode) in [
            ("native", (|event, line| Encoder::default().native(event, line)) as fn(&Event, &mut Vec<u8>)),
            ("ocsf", ocsf),
            ("ecs", ecs),
            ("cef", cef),
        ] {
            let mut line = Vec::new();
            encode(&event, &mut line);
            let line = String::from_utf8(line).expect("text");
            assert_eq!(notes_in(&line), std::slice::from_ref(&note), "{name}: {line}");
            let syslog = format!("<134>1 2026-11-30T01:02:03Z db-1 gdprport - - - {line}");
            assert_eq!(notes_in(&syslog), std::slice::from_ref(&note), "{name} behind a header");
            // As a receiver exports what it stored as text.
            let exported = serde_json::json!({ "result": { "_raw": line, "host": "db-1" } }).to_string();
            assert_eq!(notes_in(&exported), std::slice::from_ref(&note), "{name} as text in an object");
        }
    }

    #[test]
    fn other_events_have_no_checkpoint() {
        for event in samples::events().iter().filter(|event| event.body.kind() != Kind::EvidenceCheckpoint) {
            let mut line = Vec::new();
            Encoder::default().native(event, &mut line);
            assert_eq!(notes_in(&String::from_utf8(line).expect("text")), [""; 0]);
        }
    }

    #[test]
    fn a_file_of_notes_is_none_of_events() {
        let (event, note) = sample();
        assert!(is_notes(note.as_bytes()));
        let mut line = Vec::new();
        Encoder::default().native(&event, &mut line);
        assert!(!is_notes(&line));
    }

    proptest! {
        #[test]
        fn any_line_has_checkpoints_or_none(line in "(\\PC{0,30}| cs5=|evidence.checkpoint|\\\\|\\{|\"|=|\n\n\u{2014} ){0,12}") {
            for note in notes_in(&line) {
                prop_assert!(note.contains(DIVISION));
            }
        }
    }
}
