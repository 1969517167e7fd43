//! Pieces of JSON that requests are put together from.

/// Appends a string of JSON.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text is JSON, and a Vec takes it");
}

/// Appends a record: as it is if it is an object of JSON, as all encodings but CEF write, and else as a string.
pub(super) fn object_or_string(out: &mut Vec<u8>, record: &[u8]) {
    if record.first() == Some(&b'{') {
        out.extend_from_slice(record);
    } else {
        string(out, &String::from_utf8_lossy(record));
    }
}
