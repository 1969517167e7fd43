//! JSON of runtimes, in which one odd value loses nothing but itself.
//!
//! Belongs here: reading a text into values that are asked for what they are expected to be. A text that is not completely
//! written is not read at all: half of the labels would be other labels.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Unreadable;
use super::labels::Labels;

/// Bytes of a text. The largest is an OCI configuration, in which the environment of a Kubernetes container has seven
/// variables for each service of its namespace.
const BYTES_MAX: usize = 8 << 20;

/// Bytes of a list, of which one item is kept at a time: some thousand containers or images.
const LIST_BYTES_MAX: usize = 32 << 20;

/// Values of one text that are kept.
const VALUES_MAX: usize = 16 << 10;

/// Levels that are kept; the labels of a pod lie at the fourth.
const DEPTH_MAX: usize = 8;

/// A value. Numbers, `null` and what lies too deep are nothing here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Json<'de> {
    #[default]
    Nothing,
    Flag(bool),
    Text(Cow<'de, str>),
    List(Vec<Self>),
    Object(Vec<(Cow<'de, str>, Self)>),
}

static NOTHING: Json<'static> = Json::Nothing;

impl<'de> Json<'de> {
    /// Reads a whole text. Of an object at its top only the fields in `wanted` are kept.
    pub(super) fn read(bytes: &'de [u8], wanted: &[&str]) -> Result<Self, Unreadable> {
        Self::read_fields(bytes, Some(wanted))
    }

    /// Reads a whole text and all that is in it.
    pub(super) fn read_all(bytes: &'de [u8]) -> Result<Self, Unreadable> {
        Self::read_fields(bytes, None)
    }

    fn read_fields(bytes: &'de [u8], wanted: Option<&[&str]>) -> Result<Self, Unreadable> {
        if bytes.len() > BYTES_MAX {
            return Err(Unreadable::TooLarge);
        }
        let left = Cell::new(VALUES_MAX);
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let read = Level { wanted, depth: DEPTH_MAX, left: &left }.deserialize(&mut reader);
        let read = read.and_then(|value| reader.end().map(|()| value));
        read.map_err(|_| if left.get() == 0 { Unreadable::TooLarge } else { Unreadable::Malformed("JSON") })
    }

    /// Reads a whole list of objects, and returns the first that `is_it` takes. Of each, only the fields in `wanted` are kept.
    pub(super) fn find(
        bytes: &'de [u8],
        wanted: &[&str],
        is_it: impl Fn(&Self) -> bool,
    ) -> Result<Option<Self>, Unreadable> {
        if bytes.len() > LIST_BYTES_MAX {
            return Err(Unreadable::TooLarge);
        }
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let found = reader.deserialize_any(Find { wanted, is_it });
        let found = found.and_then(|found| reader.end().map(|()| found));
        found.map_err(|_| Unreadable::Malformed("a list of JSON"))
    }

    /// The field of an object; of two with one name the last, as for the programs that write them.
    pub(super) fn get(&self, name: &str) -> &Json<'de> {
        let Self::Object(fields) = self else { return &NOTHING };
        fields.iter().rfind(|(field, _)| field == name).map_or(&NOTHING, |(_, value)| value)
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The fields of an object, as they were written.
    pub(super) fn fields(&self) -> &[(Cow<'de, str>, Self)] {
        if let Self::Object(fields) = self { fields } else { &[] }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        if let Self::Flag(flag) = self { Some(*flag) } else { None }
    }

    pub(super) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The fields whose names `keep` keeps, as labels. One whose value is no text is counted as left out.
    pub(super) fn labels(&self, keep: impl Fn(&str) -> bool) -> Labels {
        let Self::Object(fields) = self else { return Labels::default() };
        let kept = || fields.iter().filter(|(key, _)| keep(key));
        let odd = kept().filter(|(_, value)| value.text().is_none()).count();
        Labels::collect(kept().filter_map(|(key, value)| Some((&**key, value.text()?))))
            .omitting(u32::try_from(odd).unwrap_or(u32::MAX))
    }
}

/// Reads one value and what is in it.
#[derive(Clone, Copy)]
struct Level<'a> {
    /// The names of fields to keep, at the top.
    wanted: Option<&'a [&'a str]>,
    depth: usize,
    left: &'a Cell<usize>,
}

impl Level<'_> {
    fn below(self) -> Self {
        Self { wanted: None, depth: self.depth - 1, left: self.left }
    }

    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        self.left.set(left);
        if left == 0 { Err(E::custom("too many values")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        if self.depth == 0 {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| Json::Nothing);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = Json<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Json<'de>, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Json<'de>, E> {
        Ok(Json::Nothing)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Json<'de>, E> {
        Ok(Json::Nothing)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Nothing)
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Nothing)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self.below())? {
            self.count()?;
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(Name(name)) = object.next_key::<Name<'de>>()? {
            if self.wanted.is_some_and(|wanted| !wanted.contains(&&*name)) {
                object.next_value::<IgnoredAny>()?;
                continue;
            }
            self.count()?;
            fields.push((name, object.next_value_seed(self.below())?));
        }
        Ok(Json::Object(fields))
    }
}

/// Finds an item of a list.
struct Find<'a, F> {
    wanted: &'a [&'a str],
    is_it: F,
}

impl<'de, F: Fn(&Json<'de>) -> bool> Visitor<'de> for Find<'_, F> {
    type Value = Option<Json<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    /// Of an empty list, Go writes this.
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let left = Cell::new(0);
        loop {
            left.set(VALUES_MAX);
            let level = Level { wanted: Some(self.wanted), depth: DEPTH_MAX, left: &left };
            match list.next_element_seed(level)? {
                None => return Ok(None),
                Some(item) if (self.is_it)(&item) => {
                    // The rest must be there too: what is not completely written counts for nothing.
                    while list.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(Some(item));
                }
                Some(_) => {}
            }
        }
    }
}

/// The name of a field, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Json<'_>, Unreadable> {
        Json::read(text.as_bytes(), &["a", "b"])
    }

    #[test]
    fn an_odd_value_loses_nothing_but_itself() {
        for odd in ["1", "-1", "1.5", "1e400", "true", "null", "[1]", "{\"a\":{}}"] {
            let text = format!("{{\"a\":{odd},\"b\":{{\"x\":\"y\",\"z\":{odd}}},\"c\":{odd}}}");
            let value = read(&text);
            if odd == "1e400" {
                assert_eq!(value, Err(Unreadable::Malformed("JSON")), "no number");
                continue;
            }
            let value = value.expect("read");
            assert_eq!((value.get("a").text(), value.get("b").get("x").text()), (None, Some("y")), "{odd}");
            let (labels, omitted) = value.get("b").labels(|_| true).into_parts();
            assert_eq!((labels.len(), omitted), (1, 1), "{odd}");
        }
    }

    #[test]
    fn half_of_a_text_is_nothing() {
        let whole = r#"{"a":"1","b":{"x":"\u00e9"}}"#;
        for end in 0..whole.len() {
            assert_eq!(
                Json::read(&whole.as_bytes()[..end], &["a"]),
                Err(Unreadable::Malformed("JSON")),
                "{end}"
            );
        }
        assert!(read(whole).is_ok());
        assert!(read(&format!("{whole}x")).is_err());
        assert!(Json::read(b"{\"a\":\"\xff\"}", &["a"]).is_err());
    }

    #[test]
    fn what_lies_too_deep_is_nothing() {
        let deep = format!("{{\"a\":{}{},\"b\":\"y\"}}", "[".repeat(100_000), "]".repeat(100_000));
        let value = read(&deep).expect("read");
        assert_eq!(value.get("b").text(), Some("y"));
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        assert_eq!(Json::read(&vec![b' '; BYTES_MAX + 1], &[]), Err(Unreadable::TooLarge));
        let many = format!("{{\"a\":[{}0]}}", "0,".repeat(VALUES_MAX));
        assert_eq!(read(&many), Err(Unreadable::TooLarge));
        let skipped = format!("{{\"c\":[{}0],\"a\":\"x\"}}", "0,".repeat(VALUES_MAX));
        assert_eq!(read(&skipped).expect("read").get("a").text(), Some("x"));
    }

    #[test]
    fn the_last_of_two_fields_counts() {
        assert_eq!(read(r#"{"a":"1","\u0061":"2"}"#).expect("read").get("a").text(), Some("2"));
    }
}
