//! A reader of CEF as strict as the standard: what it refuses, some receiver misreads. It knows nothing of the writer.

use std::collections::BTreeMap;

/// The header and the extension of a record.
#[derive(Debug)]
pub(super) struct Read {
    /// Vendor, product, version, signature id, name, severity.
    pub(super) header: Vec<String>,
    pub(super) extension: BTreeMap<String, String>,
}

/// Reads a record.
pub(super) fn read(line: &str) -> Result<Read, String> {
    let rest = line.strip_prefix("CEF:0|").ok_or("it does not begin with CEF:0|")?;
    if line.chars().any(char::is_control) {
        return Err("it has control characters".to_owned());
    }
    let mut header = vec![String::new()];
    let mut chars = rest.char_indices();
    let extension = loop {
        let (at, c) = chars.next().ok_or("the header has fewer than seven fields")?;
        match c {
            '\\' => match chars.next() {
                Some((_, escaped @ ('\\' | '|'))) => header.last_mut().expect("one").push(escaped),
                other => return Err(format!("an escape in the header that there is not: {other:?}")),
            },
            '|' if header.len() == 6 => break &rest[at + 1..],
            '|' => header.push(String::new()),
            c => header.last_mut().expect("one").push(c),
        }
    };
    if header.iter().any(String::is_empty) {
        return Err(format!("an empty field in the header: {header:?}"));
    }
    if !header[5].parse::<u8>().is_ok_and(|severity| severity <= 10) {
        return Err(format!("{} is no severity", header[5]));
    }
    Ok(Read { header, extension: self::extension(extension)? })
}

/// Keys and values: a key begins behind a blank and ends at the next equals sign that is not escaped.
fn extension(text: &str) -> Result<BTreeMap<String, String>, String> {
    let equals: Vec<usize> = unescaped_equals(text);
    let begin = |equal: usize| text[..equal].rfind(' ').map_or(0, |blank| blank + 1);
    let mut all = BTreeMap::new();
    for (number, &equal) in equals.iter().enumerate() {
        let key = &text[begin(equal)..equal];
        if number == 0 && begin(equal) != 0 {
            return Err(format!("something stands before {key}"));
        }
        let end = equals.get(number + 1).map_or(Some(text.len()), |&next| begin(next).checked_sub(1));
        let value =
            end.and_then(|end| text.get(equal + 1..end)).ok_or_else(|| format!("{key} has no end"))?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!("{key:?} is no key"));
        }
        if value.is_empty() || value.trim_matches(' ') != value {
            return Err(format!("{key}: blanks around its value, or nothing: {value:?}"));
        }
        if all.insert(key.to_owned(), unescape(key, value)?).is_some() {
            return Err(format!("{key} stands twice"));
        }
    }
    for key in all.keys() {
        let of_label = key.strip_suffix("Label");
        let is_custom =
            ["c6a", "cfp", "cn", "cs", "deviceCustomDate", "flexString", "flexNumber", "flexDate"]
                .iter()
                .any(|family| key.strip_prefix(family).is_some_and(|rest| rest.parse::<u8>().is_ok()));
        if of_label.is_some_and(|value| !all.contains_key(value)) {
            return Err(format!("{key} has no value"));
        }
        if is_custom && !all.contains_key(&format!("{key}Label")) {
            return Err(format!("{key} has no label"));
        }
    }
    Ok(all)
}

fn unescaped_equals(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'=' => found.push(at),
            _ => {}
        }
    }
    found
}

fn unescape(key: &str, value: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some(escaped @ ('\\' | '='))) => plain.push(escaped),
            ('\\', Some('n')) => plain.push('\n'),
            ('\\', Some('r')) => plain.push('\r'),
            ('\\', other) => return Err(format!("{key}: an escape that there is not: {other:?}")),
            (c, _) => plain.push(c),
        }
    }
    Ok(plain)
}

#[test]
fn what_is_not_cef_is_refused() {
    let refused = [
        "CEF:0|a|b|1|c|d|3",
        "CEF:0|a|b|1|c|d|11|",
        "CEF:0|a|b||c|d|3|",
        "CEF:1|a|b|1|c|d|3|",
        "CEF:0|a\\b|b|1|c|d|3|",
        "CEF:0|a|b|1|c|d|3|msg=a=b",
        "CEF:0|a|b|1|c|d|3|msg=a\\|b",
        "CEF:0|a|b|1|c|d|3|msg=a msg=b",
        "CEF:0|a|b|1|c|d|3|msg=a ",
        "CEF:0|a|b|1|c|d|3|x msg=a",
        "CEF:0|a|b|1|c|d|3|cs1=a",
        "CEF:0|a|b|1|c|d|3|cs1Label=a",
        "CEF:0|a|b|1|c|d|3|msg=a\tb",
    ];
    for line in refused {
        assert!(read(line).is_err(), "{line}");
    }
    let read = read(r"CEF:0|a\|b|b\\|1|c|d|3|msg=a b\=c\n|\\ spt=1").expect("CEF");
    assert_eq!(read.header[..2], ["a|b", r"b\"]);
    assert_eq!(read.extension["msg"], "a b=c\n|\\");
    assert_eq!(read.extension["spt"], "1");
}
