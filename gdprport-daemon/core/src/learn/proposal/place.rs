//! Where a policy file can be added to without touching what somebody wrote.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Behind which byte a rule can be added to each `[[port]]`, by name; those whose rules are an empty list have none, and neither has
/// a file that is no TOML.
pub(super) fn ends(text: &str) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    let Ok(root) = DeTable::parse(text) else { return ends };
    let Some(DeValue::Array(ports)) = root.get_ref().get("port").map(Spanned::get_ref) else { return ends };
    for port in ports.iter() {
        let DeValue::Table(table) = port.get_ref() else { continue };
        let Some(DeValue::String(name)) = table.get("name").map(Spanned::get_ref) else { continue };
        if is_empty_list(table, "allow") {
            continue;
        }
        ends.insert(name.clone().into_owned(), after(text, last(port)));
    }
    ends
}

/// Whether a key is written as an empty list, to which no table can be added.
fn is_empty_list(table: &DeTable<'_>, key: &str) -> bool {
    matches!(table.get(key).map(Spanned::get_ref), Some(DeValue::Array(items)) if items.is_empty())
}

/// The same of a key that stands above all tables.
pub(super) fn has_empty_list(text: &str, key: &str) -> bool {
    DeTable::parse(text).is_ok_and(|root| is_empty_list(root.get_ref(), key))
}

/// The end of what was written last of a value.
fn last(value: &Spanned<DeValue<'_>>) -> usize {
    let within = match value.get_ref() {
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| key.span().end.max(last(value))).max().unwrap_or(0)
        }
        DeValue::Array(items) => items.iter().map(last).max().unwrap_or(0),
        _ => 0,
    };
    within.max(value.span().end)
}

/// Behind the line that has this byte, and behind comments that go on below it: they are about what stands above unless a table
/// begins right behind them.
fn after(text: &str, byte: usize) -> usize {
    let line_end = |from: usize| text[from..].find('\n').map_or(text.len(), |at| from + at + 1);
    let end = line_end(byte.min(text.len()));
    let mut next = end;
    while text[next..].starts_with('#') {
        next = line_end(next);
    }
    if text[next..].trim_start_matches([' ', '\t']).starts_with('[') { end } else { next }
}

/// Where a line begins; lines count from 1.
pub(super) fn line(text: &str, number: usize) -> Option<usize> {
    let mut begins = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    begins.nth(number.checked_sub(1)?)
}

/// Whether a line is the header of a table in a list.
pub(super) fn is_header(text: &str, number: usize) -> bool {
    line(text, number).is_some_and(|begin| text[begin..].trim_start_matches([' ', '\t']).starts_with("[["))
}

/// A text with others put in, each in front of a byte, those for the same one in their order.
pub(super) fn put_in(text: &str, mut others: Vec<(usize, String)>) -> String {
    others.sort_by_key(|(at, _)| *at);
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut whole =
        String::with_capacity(text.len() + others.iter().map(|(_, other)| other.len()).sum::<usize>());
    let mut from = 0;
    for (at, other) in others {
        whole.push_str(&text[from..at]);
        from = at;
        if !whole.is_empty() && !whole.ends_with('\n') {
            whole.push_str(ending);
        }
        for line in other.lines() {
            whole.push_str(line);
            whole.push_str(ending);
        }
    }
    whole.push_str(&text[from..]);
    whole
}
