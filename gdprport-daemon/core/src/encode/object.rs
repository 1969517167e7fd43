//! A JSON object, written straight into the record: no tree in between.
//!
//! Belongs here: commas, quotes, and that what is not known is left out. What stands in it is each encoding's.

use serde::Serialize;

use super::escape::json;

/// An object that is being written. Each name is put once.
#[derive(Debug)]
pub(super) struct Object<'a> {
    to: &'a mut Vec<u8>,
    empty: bool,
}

impl Object<'_> {
    /// Appends an object with what `fill` puts into it.
    pub(super) fn write(to: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        to.push(b'{');
        fill(&mut Object { to, empty: true });
        to.push(b'}');
    }

    /// A value under a name of this crate's own: plain ASCII, which needs no escape.
    pub(super) fn put(&mut self, name: &str, value: impl Serialize) {
        self.name(name);
        json(&value, self.to);
    }

    /// A value, if it is known.
    pub(super) fn may(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// Several values, if there are any.
    pub(super) fn all<T: Serialize>(&mut self, name: &str, values: impl IntoIterator<Item = T>) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return;
        }
        self.name(name);
        self.to.push(b'[');
        for (number, value) in values.enumerate() {
            if number > 0 {
                self.to.push(b',');
            }
            json(&value, self.to);
        }
        self.to.push(b']');
    }

    /// An object, left out if nothing is put into it.
    pub(super) fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let (begin, was_empty) = (self.to.len(), self.empty);
        self.name(name);
        self.to.push(b'{');
        let mut inner = Object { to: self.to, empty: true };
        fill(&mut inner);
        if inner.empty {
            self.to.truncate(begin);
            self.empty = was_empty;
        } else {
            self.to.push(b'}');
        }
    }

    /// An object for each of several items, left out if there are none.
    pub(super) fn objects<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Object<'_>, T),
    ) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_none() {
            return;
        }
        self.name(name);
        self.to.push(b'[');
        for (number, item) in items.enumerate() {
            if number > 0 {
                self.to.push(b',');
            }
            Object::write(self.to, |object| fill(object, item));
        }
        self.to.push(b']');
    }

    fn name(&mut self, name: &str) {
        debug_assert!(name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')));
        if !self.empty {
            self.to.push(b',');
        }
        self.empty = false;
        self.to.push(b'"');
        self.to.extend_from_slice(name.as_bytes());
        self.to.extend_from_slice(b"\":");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_or_empty_is_left_out() {
        let mut record = Vec::new();
        Object::write(&mut record, |o| {
            o.object("empty", |o| o.object("inner", |o| o.may("none", None::<u8>)));
            o.all("none", [0_u8; 0]);
            o.put("a", "x\n\"");
            o.object("empty", |_| {});
            o.object("b", |o| o.put("c", 1));
            o.all("d", [1, 2]);
            o.objects("e", [1, 2], |o, item| o.put("f", item));
            o.objects("none", [0_u8; 0], |o, item| o.put("f", item));
        });
        let text = String::from_utf8(record).expect("UTF-8");
        assert_eq!(text, r#"{"a":"x\n\"","b":{"c":1},"d":[1,2],"e":[{"f":1},{"f":2}]}"#);
    }
}
