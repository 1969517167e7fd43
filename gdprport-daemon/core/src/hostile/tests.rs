//! The promises, tried with made-up bytes and with what the fuzzer starts from.

use proptest::prelude::*;

use super::seeds::seeds;
use super::*;
use crate::event::json_schema;

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 512 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_record_keeps_its_promises(kind in 0_u8..16, mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        record(&bytes);
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        record(&bytes);
    }

    #[test]
    fn any_order_of_records_closes_the_books(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        flow(&bytes);
    }

    #[test]
    fn any_segments_keep_their_promises(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        posture(&bytes);
        tls(&bytes);
    }

    #[test]
    fn an_event_with_any_text_reads_back(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        event(&bytes);
    }
}

#[test]
fn events_with_text_from_outside_are_as_the_schema_says() {
    let validator = jsonschema::validator_for(&json_schema()).expect("a valid schema");
    for kind in 0..64_u8 {
        let mut bytes = vec![kind];
        for step in 0..40_u8 {
            let text = [&[kind ^ step, b'"', b'\\', 0x1b, b'\n', 0xC3][..], "\u{202e}é".as_bytes()].concat();
            bytes.push(u8::try_from(text.len()).expect("short"));
            bytes.extend(text);
        }
        let value = serde_json::to_value(event(&bytes)).expect("plain data");
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn every_seed_of_the_core_keeps_its_promises() {
    seeds("record", record);
    seeds("flow", flow);
    seeds("posture", posture);
    seeds("tls", tls);
    seeds("policy", policy);
}
