//! What a rule asks of the process, before and now.

use std::collections::BTreeMap;

use super::change::Effect;
use super::words;

/// What a rule asks for, by key; of labels each by itself.
type Keys<'k> = BTreeMap<(&'static str, &'k str), Vec<&'k str>>;

/// What a rule asks of a process, as the outline has it.
pub(super) type Asked = [(&'static str, Vec<String>)];

/// What differs, in words.
pub(super) fn compared(before: &Asked, now: &Asked) -> Vec<(Effect, String)> {
    if before == now {
        return Vec::new();
    }
    if now.is_empty() {
        let asked = words::process(before);
        return vec![(Effect::AllowsMore, format!("any process may now; before {asked} was asked for"))];
    }
    if before.is_empty() {
        return vec![(
            Effect::AllowsLess,
            format!("{} is asked for; before any process might", words::process(now)),
        )];
    }
    let (before, now) = (keys(before), keys(now));
    let mut found = Vec::new();
    for (key, old) in &before {
        match now.get(key) {
            None => found.push((
                unless_word(key, Effect::AllowsMore),
                format!("{} = {} is not asked for any more", called(key), words::list(old)),
            )),
            Some(new) => values(key, old, new, &mut found),
        }
    }
    for (key, new) in now.iter().filter(|(key, _)| !before.contains_key(*key)) {
        found.push((
            unless_word(key, Effect::AllowsLess),
            format!("{} = {} is asked for too", called(key), words::list(new)),
        ));
    }
    found
}

fn values(key: &(&'static str, &str), old: &[&str], new: &[&str], found: &mut Vec<(Effect, String)>) {
    let not_in = |one: &[&str], other: &[&str]| -> Vec<String> {
        one.iter().filter(|value| !other.contains(value)).map(|value| (*value).to_owned()).collect()
    };
    let (came, went) = (not_in(new, old), not_in(old, new));
    let key = called(key);
    match (came.is_empty(), went.is_empty()) {
        (true, true) => {}
        (false, true) => found.push((Effect::AllowsMore, format!("{key} may be {} too", words::list(&came)))),
        (true, false) => {
            found.push((Effect::AllowsLess, format!("{key} may not be {} any more", words::list(&went))));
        }
        // Which of two patterns matches more cannot be seen; that it matches something else can.
        (false, false) => {
            let text = format!("{key} is {} instead of {}", words::list(&came), words::list(&went));
            found.push((Effect::AllowsMore, text));
        }
    }
}

/// Whose word counts widens a rule that says it, and narrows one that does not any more.
fn unless_word(key: &(&'static str, &str), usual: Effect) -> Effect {
    match (key.0, usual) {
        ("stated_by", Effect::AllowsMore) => Effect::AllowsLess,
        ("stated_by", Effect::AllowsLess) => Effect::AllowsMore,
        _ => usual,
    }
}

fn called((key, label): &(&'static str, &str)) -> String {
    if label.is_empty() { (*key).to_owned() } else { format!("{key} {label}") }
}

fn keys(asked: &Asked) -> Keys<'_> {
    let mut keys = Keys::new();
    for (key, values) in asked {
        for value in values {
            // A label's key is what stands before its first `=`.
            let (label, value) = match (*key, value.split_once('=')) {
                ("label", Some((label, value))) => (label, value),
                _ => ("", value.as_str()),
            };
            keys.entry((key, label)).or_default().push(value);
        }
    }
    keys
}
