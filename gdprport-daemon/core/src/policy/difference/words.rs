//! Parts of a policy as the sentences about them name them.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;

use super::addresses::Addresses;
use crate::policy::declared::{Emit, TlsDemand};
use crate::policy::outline::{DeclaredPeer, DeclaredRule};

/// How many items of a list are named before the rest is counted.
const NAMED: usize = 6;

/// `a, b and 3 more`.
pub(super) fn list<T: AsRef<str>>(items: &[T]) -> String {
    let named: Vec<&str> = items.iter().take(NAMED).map(AsRef::as_ref).collect();
    match items.len().checked_sub(NAMED) {
        None | Some(0) => named.join(", "),
        Some(more) => format!("{} and {more} more", named.join(", ")),
    }
}

/// Peers as they are written.
pub(super) fn peers<'p>(peers: impl IntoIterator<Item = &'p DeclaredPeer>) -> String {
    let written: Vec<String> = peers.into_iter().map(ToString::to_string).collect();
    list(&written)
}

/// `10.0.2.0/24 (256 addresses)`: whom it is, and how many where that shows something.
pub(super) fn whom(of: &[DeclaredPeer]) -> String {
    let addresses = Addresses::of(of);
    if addresses.count() > 1 && !of.contains(&DeclaredPeer::Any) {
        return format!("{} ({})", peers(of), addresses.words());
    }
    peers(of)
}

/// What a rule asks of a process: `unit = a.service, exe = /usr/bin/a`.
pub(super) fn process(keys: &[(&'static str, Vec<String>)]) -> String {
    if keys.is_empty() {
        return "any process".to_owned();
    }
    let keys: Vec<String> = keys.iter().map(|(key, values)| format!("{key} = {}", list(values))).collect();
    keys.join(", ")
}

/// What a rule allows.
pub(super) fn allows(rule: &DeclaredRule) -> String {
    let (verb, side) = match rule.direction {
        crate::model::Direction::In => ("accepted", "from"),
        crate::model::Direction::Out => ("made", "to"),
    };
    let until = rule.until.map(|until| format!(", until {}", moment(until))).unwrap_or_default();
    let volume = rule.volume.map(|volume| format!(", at most {volume}")).unwrap_or_default();
    format!(
        "connections {verb} here {side} {}, by {}{until}{volume}",
        whom(&rule.peers),
        process(&rule.process)
    )
}

/// The end of a rule: to the second, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Numbers and ranges.
pub(super) fn numbers(ranges: &[RangeInclusive<u16>]) -> String {
    let one = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    list(&ranges.iter().map(one).collect::<Vec<_>>())
}

/// What is demanded of the encryption.
pub(super) fn demand(tls: &TlsDemand) -> String {
    match tls {
        TlsDemand::None => "nothing".to_owned(),
        TlsDemand::NotRequired { why } => format!("nothing, because \"{why}\""),
        TlsDemand::AtLeast(version) => format!("at least {}", version.name()),
    }
}

/// A length of time, in hours where it is some.
pub(super) fn length(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        _ => humantime::format_duration(time).to_string(),
    }
}

/// Which events are sent.
pub(super) fn emit(emit: Emit) -> String {
    match emit {
        Emit::Auto { most } => format!("single ones up to {most} a minute, sums beyond that"),
        Emit::Every => "every one".to_owned(),
        Emit::Violations => "violations only".to_owned(),
        Emit::Summary { every } => format!("sums every {}", humantime::format_duration(every)),
    }
}
