//! Values as the sentences and the evidence of findings name them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::figures::duration;
pub(super) use crate::figures::{bytes, counted, thousands};
use crate::ledger::Identity;

/// The evidence of where a listener is bound.
pub(super) const BOUND_TO: &str = "bound to";

/// The evidence of what listens.
pub(super) const EXECUTABLE: &str = "executable";

/// The evidence of what a record lacks.
pub(super) const MISSING: &str = "missing";

/// The evidence of who can reach a listener.
pub(super) const REACHED_BY: &str = "reached by";

/// The evidence of how a service was recognised.
pub(super) const KNOWN_BY: &str = "known by";

/// By its first bytes, which only a scan that watched has.
pub(super) const FIRST_BYTES: &str = "first bytes";

/// How many names a list of evidence has before it only counts.
const NAMES: usize = 8;

/// Seconds in the two largest units: `4s`, `2m 5s`, `3d 5h`. Fewer than none are none.
pub(super) fn span(seconds: i64) -> String {
    duration(u64::try_from(seconds).unwrap_or(0))
}

/// The day, in UTC.
pub(super) fn day(at: Timestamp) -> Date {
    Offset::UTC.to_datetime(at).date()
}

/// `2026-11-23 13:00 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// An address without its prefix, a network with it.
pub(super) fn net(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// An address and a port.
pub(super) fn bound(ip: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(ip, port).to_string()
}

/// Who, for people: `postgres (postgresql@15-main.service)`.
pub(super) fn who(identity: &Identity) -> String {
    match (identity.name(), identity.unit.as_deref()) {
        (Some(name), Some(unit)) if name != unit => format!("{name} ({unit})"),
        (Some(name), _) => name.to_owned(),
        (None, _) => "a process that is not known".to_owned(),
    }
}

/// The first names, and how many more there are.
pub(super) fn some<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<T> = names.into_iter().collect();
    let mut text = names.iter().take(NAMES).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > NAMES {
        text.push_str(&format!(", and {} more", names.len() - NAMES));
    }
    text
}

/// Names with their counts, the largest first: `10.0.2.7 (12), 10.0.2.8 (3)`.
pub(super) fn ranked(counts: &BTreeMap<String, u64>) -> String {
    let mut ranked: Vec<_> = counts.iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    some(ranked.into_iter().map(|(name, n)| format!("{name} ({})", thousands(*n))))
}
