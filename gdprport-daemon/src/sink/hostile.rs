//! What must hold of a journal record whatever text is in its event, as assertions that any bytes can be put to: used
//! by the fuzzer (`fuzz/`) and by the property tests below. Compiled for those two only.

use super::journald::append_record;
use gdprport_core::encode::Encoder;
use gdprport_core::event::Event;
use gdprport_core::hostile::{self, Input};

/// Any text in an event and in its message ends up within its own field: the record has the fields that it should, and
/// what journald keeps of the event is the event.
pub fn event(bytes: &[u8]) {
    let event = hostile::event(bytes);
    let mut line = Vec::new();
    Encoder::default().native(&event, &mut line);
    let words = Input(bytes).text();
    let mut record = Vec::new();
    append_record(&event, &line, words.as_bytes(), &mut record);
    let fields = fields(&record).expect("a record as systemd's protocol has it");
    let of = |name: &str| {
        let values = fields.iter().filter(|(field, _)| *field == name.as_bytes());
        values.map(|(_, value)| *value).collect::<Vec<_>>()
    };
    assert_eq!(of("MESSAGE"), [words.as_bytes()]);
    let [whole] = of("GDPRPORT_EVENT")[..] else { panic!("one event is one field: {fields:?}") };
    let back: Event = serde_json::from_slice(whole).expect("the event's own JSON");
    assert_eq!(back, event);
    let exe = event.body.process().and_then(|process| process.exe.as_deref());
    assert_eq!(of("GDPRPORT_EXE"), exe.iter().map(|exe| exe.as_bytes()).collect::<Vec<_>>());
    let valid = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    assert!(fields.iter().all(|(name, _)| valid(name)), "{fields:?}");
}

type Field<'a> = (&'a [u8], &'a [u8]);

/// The fields of a record, as journald reads them; `None` if it would not.
fn fields(mut rest: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| matches!(byte, b'=' | b'\n'))?;
        let (name, behind) = rest.split_at(end);
        let (value, behind) = if behind[0] == b'=' {
            let behind = &behind[1..];
            behind.split_at(behind.iter().position(|byte| *byte == b'\n')?)
        } else {
            let (length, behind) = behind[1..].split_first_chunk()?;
            behind.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?
        };
        fields.push((name, value));
        rest = behind.strip_prefix(b"\n")?;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use gdprport_core::hostile::seeds::seeds;

    #[test]
    fn every_seed_of_events_keeps_its_promises() {
        seeds("event", event);
    }

    proptest! {
        #[test]
        fn any_text_stays_within_its_field(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            event(&bytes);
        }

        #[test]
        fn line_feeds_and_signs_of_equality_stay_within_their_field(
            kind in any::<u8>(),
            texts in proptest::collection::vec("[\n=\\PC]{0,12}", 0..24),
        ) {
            let mut bytes = vec![kind];
            for text in texts {
                bytes.push(u8::try_from(text.len()).expect("short"));
                bytes.extend(text.as_bytes());
            }
            event(&bytes);
        }
    }
}
