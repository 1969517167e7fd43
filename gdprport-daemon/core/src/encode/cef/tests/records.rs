//! Every record, against the dictionary of the standard.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::parser::{Read, read};
use crate::encode::cef;
use crate::encode::cef::dictionary::{PLAIN, TEXTS};
use crate::encode::cef::extension::{Place, any, text};
use crate::encode::tests::hostile;
use crate::event::{Event, Kind, samples};

/// Keys by the extension dictionary for event producers: type, and for text the length.
const DICTIONARY: &[(&str, &str, usize)] = &[
    ("act", "text", 63),
    ("app", "text", 31),
    ("c6a2", "ipv6", 0),
    ("c6a3", "ipv6", 0),
    ("cat", "text", 1023),
    ("cn1", "long", 0),
    ("cn2", "long", 0),
    ("cn3", "long", 0),
    ("cnt", "long", 0),
    ("cs1", "text", 4000),
    ("cs2", "text", 4000),
    ("cs3", "text", 4000),
    ("cs4", "text", 4000),
    ("cs5", "text", 4000),
    ("cs6", "text", 4000),
    ("destinationServiceName", "text", 1023),
    ("destinationTranslatedAddress", "ipv4", 0),
    ("destinationTranslatedPort", "port", 0),
    ("deviceCustomDate1", "time", 0),
    ("deviceDirection", "direction", 0),
    ("deviceExternalId", "text", 255),
    ("deviceProcessName", "text", 1023),
    ("dhost", "text", 1023),
    ("dpid", "long", 0),
    ("dproc", "text", 1023),
    ("dpt", "port", 0),
    ("dst", "ipv4", 0),
    ("duid", "text", 1023),
    ("duser", "text", 1023),
    ("dvchost", "text", 100),
    ("dvcpid", "long", 0),
    ("end", "time", 0),
    ("externalId", "text", 40),
    ("fileHash", "text", 255),
    ("filePath", "text", 1023),
    ("flexString1", "text", 1023),
    ("flexString2", "text", 1023),
    ("in", "long", 0),
    ("msg", "text", 1023),
    ("oldFileHash", "text", 255),
    ("out", "long", 0),
    ("outcome", "text", 63),
    ("proto", "text", 31),
    ("reason", "text", 1023),
    ("rt", "time", 0),
    ("shost", "text", 1023),
    ("sourceServiceName", "text", 1023),
    ("sourceTranslatedAddress", "ipv4", 0),
    ("sourceTranslatedPort", "port", 0),
    ("spid", "long", 0),
    ("sproc", "text", 1023),
    ("spt", "port", 0),
    ("src", "ipv4", 0),
    ("start", "time", 0),
    ("suid", "text", 1023),
    ("suser", "text", 1023),
    ("type", "long", 0),
];

fn record(event: &Event) -> String {
    let mut record = Vec::new();
    cef(event, &mut record);
    String::from_utf8(record).expect("UTF-8")
}

fn valid(events: &[Event]) {
    for event in events {
        let line = record(event);
        let Read { header, extension } = read(&line).unwrap_or_else(|problem| panic!("{problem}: {line}"));
        assert!(header[4].len() <= 512 && header[3].len() <= 1023, "{line}");
        for (key, value) in &extension {
            let known = DICTIONARY.iter().find(|(name, ..)| name == key);
            let fits = match known {
                Some((_, "text", limit)) => value.len() <= *limit,
                Some((_, "ipv4", _)) => value.parse::<Ipv4Addr>().is_ok(),
                Some((_, "ipv6", _)) => value.parse::<Ipv6Addr>().is_ok(),
                Some((_, "port", _)) => value.parse::<u16>().is_ok(),
                Some((_, "direction", _)) => value == "0" || value == "1",
                Some(_) => value.parse::<i64>().is_ok_and(|number| number >= 0),
                None => key
                    .strip_suffix("Label")
                    .is_some_and(|of| DICTIONARY.iter().any(|(name, ..)| *name == of)),
            };
            assert!(fits, "{key}={value:?}: {line}");
        }
        assert_eq!(extension["externalId"], event.id.to_string());
        assert_eq!(extension["cn1"], event.seq.min(i64::MAX.unsigned_abs()).to_string());
    }
}

#[test]
fn every_record_is_cef_by_the_letter() {
    valid(&hostile::events());
    valid(&hostile::with_text(hostile::NASTY));
    valid(&hostile::with_text(""));
    valid(&hostile::with_extremes());
}

#[test]
fn the_dictionary_has_the_limits_of_the_standard() {
    for key in TEXTS {
        assert!(DICTIONARY.contains(&(key.name, "text", key.limit)), "{}", key.name);
    }
    for key in PLAIN {
        assert!(
            DICTIONARY.iter().any(|(name, kind, _)| *name == key.name && *kind != "text"),
            "{}",
            key.name
        );
    }
}

#[test]
fn ipv6_has_keys_of_its_own() {
    let mut event = samples::event(Kind::FlowOpen);
    let crate::event::Body::FlowOpen(flow) = &mut event.body else { panic!("asked for a flow.open") };
    flow.flow.peer.ip = "fd00:2::7".parse().expect("an address");
    let read = read(&record(&event)).expect("CEF").extension;
    assert_eq!(
        (read.get("src"), &*read["c6a2"], &*read["c6a2Label"]),
        (None, "fd00:2::7", "Source IPv6 Address")
    );
    assert_eq!(read["dst"], "10.0.2.15");
}

#[test]
fn bytes_go_in_from_the_source_to_the_destination() {
    let event = samples::event(Kind::FlowClose);
    let flow = &event.body.flow().expect("a flow").flow;
    let read = read(&record(&event)).expect("CEF").extension;
    assert_eq!(read["deviceDirection"], "0");
    assert_eq!(read["in"], flow.bytes_received.expect("known").to_string());
    assert_eq!(read["out"], flow.bytes_sent.expect("known").to_string());
}

#[test]
fn a_cut_is_at_a_character_and_is_seen() {
    let written = |value: &str, limit| {
        let mut to = Vec::new();
        text(value, limit, Place::Extension, &mut to);
        String::from_utf8(to).expect("UTF-8")
    };
    assert_eq!(written("abcdef", 6), "abcdef");
    assert_eq!(written("abcdefg", 6), "abc…");
    assert_eq!(written("aé漢字", 8), "aé…");
    assert_eq!(written("====\n\n", 5), r"\=\=…", "escapes do not count");
    assert_eq!(written(" a ", 99), r"\\u0020a\\u0020", "readers trim blanks");
    assert_eq!(written("\u{1b}[2J", 99), r"\\u001b[2J");
}

proptest! {
    /// Plain ASCII is written another way than the rest, and at every edge between the two the result is the same.
    #[test]
    fn plain_text_is_written_as_any_other_would_be(
        value in prop_oneof![
            "[ -~]{0,40}",
            "[ a\\\\=|]{0,40}",
            "[ -~\n\u{7f}\u{80}é…\u{202e}]{0,40}",
            ".{0,40}",
        ],
        limit in 3_usize..44,
    ) {
        for place in [Place::Header, Place::Extension] {
            let (mut fast, mut slow) = (b"x".to_vec(), b"x".to_vec());
            text(&value, limit, place, &mut fast);
            any(&value, limit, place, &mut slow);
            prop_assert_eq!(&fast, &slow, "{:?}", value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_gives_a_valid_record(text in hostile::text()) {
        valid(&hostile::with_text(&text));
    }

    /// What needs no other form than the standard's escapes is read as it was.
    #[test]
    fn what_can_be_escaped_reads_back(value in "[a-z|=\\\\\"é漢][ a-z|=\\\\\"\n\ré漢]{0,40}[a-z|=\\\\\"é漢]") {
        let mut to = b"CEF:0|a|b|1|c|d|3|msg=".to_vec();
        text(&value, 4000, Place::Extension, &mut to);
        let line = String::from_utf8(to).expect("UTF-8");
        prop_assert_eq!(&read(&line).expect("CEF").extension["msg"], &value);
        let mut to = b"CEF:0|".to_vec();
        text(value.trim_matches(['\n', '\r']), 4000, Place::Header, &mut to);
        let line = String::from_utf8(to).expect("UTF-8") + "|b|1|c|d|3|";
        let back = read(&line).expect("CEF").header.swap_remove(0);
        prop_assert_eq!(back, value.replace('\n', "\\u000a").replace('\r', "\\u000d"));
    }
}
