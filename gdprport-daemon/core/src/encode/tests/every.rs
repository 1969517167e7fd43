//! What every encoding has to keep, and the snapshots.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{hostile, strict};
use crate::encode::Encoding;
use crate::event::{Event, Kind, samples};

fn record(encoding: Encoding, event: &Event) -> Vec<u8> {
    let mut record = Vec::new();
    encoding.write(event, &mut record);
    record
}

/// A record is one line of harmless text, and JSON where it says so.
fn sound(events: &[Event]) {
    for event in events {
        for &encoding in Encoding::ALL {
            let record = record(encoding, event);
            assert!(
                record.iter().all(|&byte| byte >= b' '),
                "{encoding:?}: {}",
                String::from_utf8_lossy(&record)
            );
            let text = std::str::from_utf8(&record).expect("UTF-8");
            assert!(!text.chars().any(crate::text::is_control_or_bidi), "{encoding:?}: {text:?}");
            if encoding.is_json() {
                assert!(strict::json(&record).is_object());
            }
        }
    }
}

#[test]
fn every_record_is_one_line_of_harmless_text() {
    sound(&hostile::events());
    sound(&hostile::with_text(hostile::NASTY));
    sound(&hostile::with_text(""));
    sound(&hostile::with_extremes());
}

#[test]
fn records_are_appended_and_equal_for_equal_events() {
    for &encoding in Encoding::ALL {
        for event in hostile::events() {
            let mut twice = record(encoding, &event);
            encoding.write(&event.clone(), &mut twice);
            let (first, second) = twice.split_at(twice.len() / 2);
            assert_eq!(first, second, "{encoding:?}");
        }
    }
}

#[test]
fn an_encoding_is_found_by_its_name() {
    for &encoding in Encoding::ALL {
        assert_eq!(Encoding::named(encoding.as_str()), Some(encoding));
    }
    assert_eq!(Encoding::named("leef"), None);
}

/// One snapshot for each kind and encoding; the native one has its own.
#[test]
fn every_kind_has_a_record_in_every_encoding() {
    for &kind in Kind::ALL {
        let event = samples::event(kind);
        for encoding in [Encoding::Ocsf, Encoding::Ecs, Encoding::Cef] {
            let record = record(encoding, &event);
            let text = if encoding.is_json() {
                serde_json::to_string_pretty(&strict::json(&record)).expect("JSON")
            } else {
                String::from_utf8(record).expect("UTF-8")
            };
            insta::assert_snapshot!(format!("{}_{kind}", encoding.as_str()), text);
        }
    }
}

/// What a kind is called in each encoding.
fn called(kind: Kind) -> [BTreeSet<String>; 3] {
    let mut names = <[BTreeSet<String>; 3]>::default();
    for event in hostile::events().iter().filter(|event| event.body.kind() == kind) {
        let ocsf = strict::json(&record(Encoding::Ocsf, event));
        let class = format!("{} {}", ocsf["class_uid"], ocsf["class_name"].as_str().expect("a name"));
        names[0].insert(class);
        let ecs = strict::json(&record(Encoding::Ecs, event));
        let of = |name: &str| ecs["event"][name].as_str().expect("a text").to_owned();
        names[1].insert(format!(
            "`{}` {}",
            of("kind"),
            ecs["event"]["category"][0].as_str().expect("a text")
        ));
        let cef = String::from_utf8(record(Encoding::Cef, event)).expect("UTF-8");
        let header: Vec<&str> = cef.split('|').collect();
        names[2].insert(format!("{}: {}", header[4].split('/').next().expect("a part"), header[5]));
    }
    names
}

#[test]
fn the_reference_says_what_each_kind_becomes() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/encodings.md"));
    for &kind in Kind::ALL {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{kind}` |")))
            .unwrap_or_else(|| panic!("docs/encodings.md has no row for {kind}"));
        let cells: Vec<&str> = row.split(" | ").collect();
        for (cell, names) in [1, 2, 3].into_iter().zip(called(kind)) {
            for name in names {
                assert!(cells[cell].contains(&name), "docs/encodings.md, {kind}: {name}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_text_breaks_out_of_its_record(text in hostile::text()) {
        sound(&hostile::with_text(&text));
    }
}
