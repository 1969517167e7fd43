//! Reading TOML values into typed ones, each with its place, reporting every problem instead of the first.
//!
//! Belongs here: the reading of tables, lists and scalars, independent of their meaning. serde's derive stops at the first
//! mistake, so the spanned TOML tree is walked instead; the tables' keys come from one place (`table`'s macro),
//! which is also where the JSON Schema comes from.

use std::borrow::Cow;
use std::ops::Deref;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset as UtcOffset;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::{Datetime, Offset};

use super::message::{did_you_mean, quoted};
use super::report::{At, Loc, Report};
use crate::text::is_control_or_bidi;

/// How many bytes a text in a policy may have.
pub(crate) const TEXT_MAX: usize = 1024;

/// A TOML value and its place.
#[derive(Clone, Copy)]
pub(crate) struct Node<'v> {
    pub value: &'v DeValue<'v>,
    pub loc: Loc,
}

impl<'v> Node<'v> {
    pub(crate) fn new(source: usize, value: &'v Spanned<DeValue<'v>>) -> Self {
        Self { value: value.get_ref(), loc: Loc::new(source, &value.span()) }
    }

    /// The kind of the value, and the value where it is short, for messages.
    pub(crate) fn described(self) -> String {
        match self.value {
            DeValue::String(text) => format!("the text {}", quoted(text)),
            DeValue::Integer(number) => format!("the number {}", quoted(number.as_str())),
            DeValue::Float(number) => format!("the number {}", quoted(number.as_str())),
            DeValue::Boolean(value) => format!("`{value}`"),
            DeValue::Datetime(value) => format!("the time `{value}`"),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }

    /// Reports that another kind of value belongs here.
    pub(crate) fn refuse(self, want: &str, report: &mut Report<'_>) {
        report.error(self.loc, format!("expected {want}, found {}", self.described()), None);
    }

    pub(crate) fn integer(self) -> Option<i64> {
        let DeValue::Integer(number) = self.value else { return None };
        i64::from_str_radix(number.as_str(), number.radix()).ok()
    }
}

/// A type that a TOML value can be read into.
pub(crate) trait Read: Sized {
    /// Reads the value; on `None` a problem was reported.
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self>;
}

impl<T: Read> Read for At<T> {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        T::read(node, report).map(|value| Self { value, loc: node.loc })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl Read for bool {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        if let DeValue::Boolean(value) = node.value {
            return Some(*value);
        }
        node.refuse("`true` or `false`", report);
        None
    }
}

/// A text that is not blank, has no control characters and at most [`TEXT_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub String);

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Text {
    /// The same without a problem if it is none: nothing of it may be shown.
    pub(crate) fn read_unquoted(node: Node<'_>) -> Option<Self> {
        let DeValue::String(text) = node.value else { return None };
        (text.len() <= TEXT_MAX && !text.chars().any(is_control_or_bidi)).then(|| Self(text.to_string()))
    }
}

impl Read for Text {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let DeValue::String(text) = node.value else {
            let help = "write it in quotes".to_owned();
            report.error(node.loc, format!("expected a text, found {}", node.described()), help);
            return None;
        };
        let wrong = if text.trim().is_empty() {
            "the text is empty".to_owned()
        } else if text.len() > TEXT_MAX {
            format!("the text has {} bytes, more than the {TEXT_MAX} allowed", text.len())
        } else if text.chars().any(is_control_or_bidi) {
            "the text has control characters (such as a line break or a change of direction)".to_owned()
        } else {
            return Some(Self(text.to_string()));
        };
        report.error(node.loc, wrong, None);
        None
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": TEXT_MAX })
    }
}

/// May be empty.
impl<T: Read> Read for Vec<At<T>> {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let DeValue::Array(items) = node.value else {
            let help = match node.value {
                DeValue::Table(_) => "write the table's name in double brackets: `[[…]]`",
                _ => "write it in brackets: `[…]`",
            };
            report.error(node.loc, format!("expected a list, found {}", node.described()), help.to_owned());
            return None;
        };
        let nodes = items.iter().map(|item| Node::new(node.loc.source, item));
        Some(nodes.filter_map(|item| At::read(item, report)).collect())
    }
}

/// One value, or a list of them that is not empty; empty only after a problem was reported.
#[derive(Debug)]
pub(crate) struct OneOrMany<T>(pub Vec<At<T>>);

impl<T: Read> Read for OneOrMany<T> {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        match node.value {
            DeValue::Array(items) if items.is_empty() => {
                let help = "name at least one, or leave the key out where it is optional".to_owned();
                report.error(node.loc, "the list is empty", help);
                Some(Self(Vec::new()))
            }
            DeValue::Array(_) => Vec::read(node, report).map(Self),
            _ => Some(Self(At::read(node, report).into_iter().collect())),
        }
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": one }] })
    }
}

/// Names chosen by the author, each with a value, in the order of the file.
#[derive(Debug)]
pub(crate) struct Named<T>(pub Vec<(At<String>, T)>);

impl<T: Read> Read for Named<T> {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let DeValue::Table(table) = node.value else {
            node.refuse("a table", report);
            return None;
        };
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let loc = Loc::new(node.loc.source, &key.span());
            if let Some(value) = T::read(Node::new(node.loc.source, value), report) {
                entries.push((At { value: key.get_ref().to_string(), loc }, value));
            }
        }
        entries.sort_by_key(|(key, _)| key.loc);
        Some(Self(entries))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": value })
    }
}

/// The last moment at which something is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Until(pub Timestamp);

impl Read for Until {
    fn read(node: Node<'_>, report: &mut Report<'_>) -> Option<Self> {
        let DeValue::Datetime(written) = node.value else {
            let help = "write a date without quotes, such as `until = 2027-01-31`".to_owned();
            report.error(node.loc, format!("expected a date, found {}", node.described()), help);
            return None;
        };
        let last = last_moment(*written);
        if let Err(why) = last {
            let help = "write a date (valid through the end of that day in UTC) or a time with its offset, \
                        such as `2027-01-31T18:00:00+01:00`";
            report.error(node.loc, why, help.to_owned());
        }
        last.ok().map(Self)
    }
}

pub(crate) fn last_moment(written: Datetime) -> Result<Timestamp, &'static str> {
    const RANGE: &str = "the time is beyond what can be represented";
    let Some(date) = written.date else { return Err("a time of day is no date") };
    let civil = |number: u8| i8::try_from(number).map_err(|_| RANGE);
    let year = i16::try_from(date.year).map_err(|_| RANGE)?;
    let day = Date::new(year, civil(date.month)?, civil(date.day)?).map_err(|_| RANGE)?;
    let in_utc = |moment| UtcOffset::UTC.to_timestamp(moment).map_err(|_| RANGE);
    match (written.time, written.offset) {
        (None, _) => {
            let next = in_utc(day.tomorrow().map_err(|_| RANGE)?.at(0, 0, 0, 0))?;
            next.checked_sub(jiff::SignedDuration::from_nanos(1)).map_err(|_| RANGE)
        }
        (Some(_), None) => Err("the time has no offset, so it would differ from host to host"),
        (Some(time), Some(offset)) => {
            let minutes = match offset {
                Offset::Z => 0,
                Offset::Custom { minutes } => minutes,
            };
            let nanosecond = i32::try_from(time.nanosecond.unwrap_or(0)).map_err(|_| RANGE)?;
            // jiff knows no leap second; the moment before it is the same for a policy.
            let second = civil(time.second.unwrap_or(0).min(59))?;
            let local = day.at(civil(time.hour)?, civil(time.minute)?, second, nanosecond);
            let moment = in_utc(local)?;
            moment.checked_sub(jiff::SignedDuration::from_mins(i64::from(minutes))).map_err(|_| RANGE)
        }
    }
}

impl JsonSchema for Until {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Until".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "anyOf": [
            { "type": "string", "format": "date" },
            { "type": "string", "format": "date-time" },
        ]})
    }
}

/// A table whose keys are known, while it is read.
pub(crate) struct TableReader<'v, 'r, 's> {
    what: &'static str,
    loc: Loc,
    table: &'v DeTable<'v>,
    taken: Vec<&'static str>,
    refused: Vec<&'static str>,
    /// Required keys that are not there, with what to write.
    missing: Vec<(&'static str, &'static str)>,
    report: &'r mut Report<'s>,
}

impl<'v, 'r, 's> TableReader<'v, 'r, 's> {
    /// Opens a table; `what` names it in messages ("a rule").
    pub(crate) fn open(node: Node<'v>, what: &'static str, report: &'r mut Report<'s>) -> Option<Self> {
        let DeValue::Table(table) = node.value else {
            node.refuse("a table", report);
            return None;
        };
        Some(Self::of(table, node.loc, what, report))
    }

    /// The same for the top-level table of a file.
    pub(crate) const fn of(
        table: &'v DeTable<'v>,
        loc: Loc,
        what: &'static str,
        report: &'r mut Report<'s>,
    ) -> Self {
        Self { what, loc, table, taken: Vec::new(), refused: Vec::new(), missing: Vec::new(), report }
    }

    fn entry(&self, key: &'static str) -> Option<(Loc, Node<'v>)> {
        let (name, value) = self.table.iter().find(|(name, _)| name.get_ref().as_ref() == key)?;
        Some((Loc::new(self.loc.source, &name.span()), Node::new(self.loc.source, value)))
    }

    pub(crate) fn optional<T: Read>(&mut self, key: &'static str) -> Option<At<T>> {
        self.taken.push(key);
        let (_, node) = self.entry(key)?;
        let value = At::read(node, self.report);
        if value.is_none() {
            self.report.mark_faulty(self.loc, key);
        }
        value
    }

    pub(crate) fn required<T: Read>(&mut self, key: &'static str, hint: &'static str) -> Option<At<T>> {
        self.taken.push(key);
        if let Some((_, node)) = self.entry(key) {
            return At::read(node, self.report);
        }
        self.missing.push((key, hint));
        None
    }

    /// A key that a later version will have: refused with a message of its own.
    #[expect(dead_code, reason = "no key is planned at present; where one is, it stands under `later`")]
    pub(crate) fn later(&mut self, key: &'static str, why: &str) {
        self.refused.push(key);
        if let Some((loc, _)) = self.entry(key) {
            let help = format!("{why}; remove the key");
            self.report.error(loc, format!("this version does not have `{key}` yet"), help);
        }
    }

    /// A key that somebody else reads.
    pub(crate) fn skip(&mut self, key: &'static str) {
        self.taken.push(key);
    }

    /// Ends the reading where nobody can say which keys are known: only what is missing is reported.
    pub(crate) fn abandon(self) {
        for (key, hint) in self.missing {
            if !self.report.is_faulty(self.loc, key) {
                let help = format!("add `{key} = {hint}`");
                self.report.missing(self.loc, format!("{} has no `{key}`", self.what), help);
            }
        }
    }

    /// Reports every key that is not known, and every required one that is missing, unless an unknown key is it,
    /// mistyped.
    pub(crate) fn close(self) {
        for (name, _) in self.table {
            let key = name.get_ref().as_ref();
            if self.taken.contains(&key) || self.refused.contains(&key) {
                continue;
            }
            let known = || self.taken.join("`, `");
            let help = match self.report.meant(key, self.taken.iter().copied()) {
                Some(meant) => {
                    self.report.mark_faulty(self.loc, meant);
                    did_you_mean(meant)
                }
                None => format!("the keys here are `{}`", known()),
            };
            let message = format!("{} has no key {}", self.what, quoted(key));
            self.report.error(Loc::new(self.loc.source, &name.span()), message, help);
        }
        self.abandon();
    }
}
