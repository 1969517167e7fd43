//! Patterns of the keys of `process`.
//!
//! Belongs here: what patterns are, and how one compares with a text. Comparing an image is `image`'s.
//!
//! A pattern without wildcards is compared as text; only the others are globs (`*` and `?` do not cross `/`, a
//! backslash is a plain character because systemd escapes unit names with it).

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

/// Characters that a text with wildcards has.
pub(crate) const WILDCARDS: [char; 6] = ['*', '?', '[', ']', '{', '}'];

/// Digits by which an id is known as one: container tools show as many. Whoever makes a pod or a container chooses its
/// name, so that a pattern for an id is never compared with a name.
const ID_DIGITS: usize = 12;

/// The pattern that matches this text and nothing else: wildcards in it are put in brackets.
#[must_use]
pub fn exactly(text: &str) -> Cow<'_, str> {
    if !text.contains(WILDCARDS) {
        return Cow::Borrowed(text);
    }
    let mut pattern = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if WILDCARDS.contains(&c) {
            pattern.extend(['[', c, ']']);
        } else {
            pattern.push(c);
        }
    }
    Cow::Owned(pattern)
}

#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    /// The text itself.
    Text(Arc<str>),
    /// A user or group by number.
    Number(u32),
    /// A text with wildcards.
    Glob(Arc<Glob>),
    /// An image, part by part.
    Image(Arc<ImagePattern>),
}

#[derive(Debug)]
pub(crate) struct Glob {
    pub text: Arc<str>,
    matcher: GlobMatcher,
}

/// What a rule asks of an image.
#[derive(Debug)]
pub(crate) struct ImagePattern {
    /// As it is written.
    pub text: Arc<str>,
    pub registry: Option<Pattern>,
    /// The repository's path; `None` if only a digest is asked for.
    pub path: Option<Pattern>,
    /// The path behind `library/`, where it is written so: docker.io's own images are compared without.
    pub official: Option<Pattern>,
    pub tag: Option<Pattern>,
    /// 64 hexadecimal digits.
    pub digest: Option<Arc<str>>,
}

impl Glob {
    /// Compiles a text with wildcards.
    ///
    /// # Errors
    /// Why the wildcards do not parse.
    pub(crate) fn new(text: Arc<str>) -> Result<Self, String> {
        let glob = GlobBuilder::new(&text).literal_separator(true).backslash_escape(false).build();
        let matcher = glob.map_err(|error| error.kind().to_string())?.compile_matcher();
        Ok(Self { text, matcher })
    }
}

impl Pattern {
    pub(crate) fn text_matches(&self, value: &str) -> bool {
        match self {
            Self::Text(text) => **text == *value,
            Self::Number(_) | Self::Image(_) => false,
            Self::Glob(glob) => glob.matcher.is_match(value),
        }
    }

    /// What it is written as before its first wildcard; all of a pattern without one.
    pub(crate) fn literal(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Glob(glob) => &glob.text[..glob.text.find(WILDCARDS).unwrap_or(glob.text.len())],
            Self::Number(_) | Self::Image(_) => "",
        }
    }

    /// Whether it can only mean the id of a container or the uid of a pod: at least twelve hexadecimal digits, or a uid
    /// with its dashes.
    pub(crate) fn is_id(&self) -> bool {
        let literal = self.literal();
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
        let is_uid = |(at, byte): (usize, u8)| if is_dash(at) { byte == b'-' } else { is_hex(byte) };
        let is_whole = literal.len() == 36 || !matches!(self, Self::Text(_));
        literal.len() >= ID_DIGITS
            && (literal.bytes().all(is_hex) || is_whole && literal.bytes().enumerate().all(is_uid))
    }

    /// A user or group is compared by its name, or by its number in decimal where it has none; a pattern of digits
    /// is always compared with the number.
    pub(crate) fn account_matches(&self, id: u32, name: Option<&str>) -> bool {
        match (self, name) {
            (Self::Number(number), _) => *number == id,
            (_, Some(name)) => self.text_matches(name),
            (_, None) => {
                let mut digits = [0; 10];
                let mut rest = &mut digits[..];
                // Ten digits hold every u32.
                write!(rest, "{id}").is_ok() && {
                    let unused = rest.len();
                    std::str::from_utf8(&digits[..10 - unused]).is_ok_and(|text| self.text_matches(text))
                }
            }
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Glob(a), Self::Glob(b)) => a.text == b.text,
            (Self::Image(a), Self::Image(b)) => a.text == b.text,
            _ => false,
        }
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text(text) => text.hash(state),
            Self::Number(number) => number.hash(state),
            Self::Glob(glob) => glob.text.hash(state),
            Self::Image(image) => image.text.hash(state),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Glob(glob) => f.write_str(&glob.text),
            Self::Image(image) => f.write_str(&image.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_pattern_of_a_text_matches_it_and_nothing_near(text in "[a-c*?\\[\\]{},!^/\\\\-]{1,12}", other in "[a-c*?\\[\\]/]{1,3}") {
            let pattern = exactly(&text);
            let matches = |value: &str| match pattern.contains(WILDCARDS) {
                true => Glob::new(pattern.as_ref().into()).expect("it parses").matcher.is_match(value),
                false => *pattern == *value,
            };
            prop_assert!(matches(&text), "{pattern} does not match {text}");
            prop_assert!(other == text || !matches(&other), "{pattern} matches {other}");
        }
    }
}
