//! Events whose texts and numbers are whatever somebody outside made them.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;

use crate::event::{Event, samples};

/// A text that many an encoding stumbles over.
pub(in crate::encode) const NASTY: &str =
    "a|b=c\\d\\=e \"f\" 'g' \n\r\t\u{0}\u{1b}[31m\u{7f}\u{9b}2J\u{202e}\u{2028} cs1=x|CEF:0|\u{1f4a9} ";

/// Any text, and often what means something to an encoding, up to the 4 KiB that the kernel lets a path have.
pub(in crate::encode) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        "[|=\\\\\n\r \"a1\u{0}\u{1b}\u{202e}é漢]{0,60}",
        (0_usize..4_200).prop_map(|length| "漢=".repeat(length / 4)),
        Just(NASTY.to_owned()),
    ]
}

/// The samples, and a flow with everything that a flow may have.
pub(in crate::encode) fn events() -> Vec<Event> {
    samples::events().into_iter().chain([samples::rich::event()]).collect()
}

/// Events as JSON, each with the places of those texts that may be any text.
static TEXTS: LazyLock<Vec<(Value, Vec<String>)>> = LazyLock::new(|| {
    let marked = with(&|value| value.is_string().then(|| vec!["any text".into()]));
    let marked = marked.into_iter().map(|event| {
        let value = serde_json::to_value(event).expect("plain data");
        let mut places = Vec::new();
        leaves(&value, String::new(), &mut places);
        places.retain(|place| value.pointer(place).is_some_and(|value| value == "any text"));
        (value, places)
    });
    marked.collect()
});

/// Every event with this in place of every text that may be any text, and as a label.
pub(in crate::encode) fn with_text(text: &str) -> Vec<Event> {
    TEXTS
        .iter()
        .map(|(value, places)| {
            let mut value = value.clone();
            for place in places {
                *value.pointer_mut(place).expect("it was found") = text.into();
            }
            for process in ["process", "peer_process"] {
                if let Some(Value::Object(labels)) =
                    value.pointer_mut(&format!("/{process}/container/labels"))
                {
                    labels.insert(text.to_owned(), text.into());
                }
            }
            serde_json::from_value(value).expect("these may be any text")
        })
        .collect()
}

/// Every sample with the greatest numbers, and with times far away.
pub(in crate::encode) fn with_extremes() -> Vec<Event> {
    let numbers = |value: &Value| {
        let all = [u64::MAX, u32::MAX.into(), u16::MAX.into()];
        value.is_number().then(|| all.into_iter().map(Value::from).collect())
    };
    let times = |value: &Value, time: &str| value.is_string().then(|| vec![time.into()]);
    let mut all = with(&numbers);
    all.extend(with(&|value| times(value, "-009999-01-02T01:59:59Z")));
    all.extend(with(&|value| times(value, "9999-12-30T22:00:00.999999999Z")));
    all
}

/// Every sample, each of its values replaced by the first of these with which it is still an event.
fn with(values: &dyn Fn(&Value) -> Option<Vec<Value>>) -> Vec<Event> {
    events()
        .into_iter()
        .map(|event| {
            let mut whole = serde_json::to_value(&event).expect("plain data");
            let mut paths = Vec::new();
            leaves(&whole, String::new(), &mut paths);
            for path in paths {
                let old = whole.pointer(&path).expect("it was found").clone();
                for new in values(&old).unwrap_or_default() {
                    *whole.pointer_mut(&path).expect("it was found") = new;
                    if serde_json::from_value::<Event>(whole.clone()).is_ok() {
                        break;
                    }
                    *whole.pointer_mut(&path).expect("it was found") = old.clone();
                }
            }
            serde_json::from_value(whole).expect("each step left an event")
        })
        .collect()
}

fn leaves(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                leaves(value, format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                leaves(value, format!("{path}/{number}"), found);
            }
        }
        _ => found.push(path),
    }
}
