//! What was observed, as the forms for other tools have it: sums, and the numbers of the rows that they rest on.

use std::collections::BTreeSet;

use gdprport_core::records::{Activity, Counterpart, Posed, Rows, Use};
use serde_json::{Value, json};

/// Other ends that are listed of an activity, those with the most bytes; `record.json` has all.
pub(super) const MOST: usize = 100;

/// Ranges of row numbers that are written out before the rest is counted.
const RANGES: usize = 100;

/// Numbers of rows, as ranges: `101-103`.
pub(super) fn rows(rows: &Rows) -> Vec<String> {
    let ranges = rows.ranges();
    let mut texts: Vec<String> = ranges
        .iter()
        .take(RANGES)
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    if ranges.len() > RANGES {
        texts.push(format!("{} more ranges", ranges.len() - RANGES));
    }
    texts
}

/// Sums.
pub(super) fn used(used: &Use) -> Value {
    json!({
        "connections": used.volume.flows,
        "failed": used.volume.failed,
        "bytes_sent": used.volume.sent,
        "bytes_received": used.volume.received,
        "first": used.first.to_string(),
        "last": used.last.to_string(),
        "days": used.days,
        "ledger_rows": rows(&used.rows),
    })
}

/// One state of encryption. Only what is known to be encrypted is called so.
pub(super) fn posed(posed: &Posed) -> Value {
    json!({
        "state": posed.state,
        "version": posed.version,
        "encrypted": posed.is_encrypted(),
        "connections": posed.flows,
        "bytes": posed.bytes,
        "ledger_rows": rows(&posed.rows),
    })
}

/// One other end.
pub(super) fn counterpart(other: &Counterpart) -> Value {
    let mut value = json!({
        "address": other.at.net.to_string(),
        "zone": other.at.zone,
        "country": other.at.country,
        "direction": other.direction,
        "outcome": other.outcome,
        "rule": other.rule,
        "reasons": other.reasons,
    });
    merge(&mut value, used(&other.used));
    value
}

/// How much is left out of a list.
pub(super) fn left_out(activity: &Activity) -> usize {
    activity.seen.as_ref().map_or(0, |seen| seen.counterparts.len().saturating_sub(MOST))
}

/// Adds the fields of one object to another.
pub(super) fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// Numbers whatever has the same name in a field as one before: a service may have been seen both declared and not, and two roles
/// may differ in nothing that a name keeps.
#[derive(Debug)]
pub(super) struct Unique {
    field: &'static str,
    between: &'static str,
    known: BTreeSet<String>,
}

impl Unique {
    pub(super) const fn new(field: &'static str, between: &'static str) -> Self {
        Self { field, between, known: BTreeSet::new() }
    }

    /// The next value, with a name of its own.
    pub(super) fn named(&mut self, mut value: Value) -> Value {
        let Some(name) = value[self.field].as_str().map(str::to_owned) else { return value };
        let mut own = name.clone();
        let mut number = 2_u32;
        while !self.known.insert(own.clone()) {
            own = format!("{name}{}{number}", self.between);
            number = number.saturating_add(1);
        }
        value[self.field] = own.into();
        value
    }
}

/// Leaves out what is null: in these forms an absent field is what nobody declared or nothing saw.
pub(super) fn without_null(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_null(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_null).collect()),
        plain => plain,
    }
}
