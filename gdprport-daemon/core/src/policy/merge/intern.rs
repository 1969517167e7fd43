//! Makes patterns, specs and texts, each different one once: a compiled glob weighs kilobytes, and large policies repeat
//! a few of them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::container::{self, ImageRef};
use crate::policy::model::{Glob, ImagePattern, Pattern, ProcessKey, ProcessSpec, WILDCARDS};

/// How many different globs a policy may have; each weighs some kilobytes once compiled.
const GLOBS_MAX: usize = 4096;
/// How many bytes a glob may have.
const GLOB_BYTES: usize = 256;

/// Why a text is no pattern.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Its wildcards do not parse, or there are too many of them.
    Pattern(String),
    /// This part of it should be a digest.
    Digest(String),
}

/// Makes patterns and specs, each different one once.
#[derive(Default)]
pub(crate) struct Interner {
    globs: HashMap<Box<str>, Arc<Glob>>,
    images: HashMap<Arc<str>, Arc<ImagePattern>>,
    specs: HashMap<Arc<ProcessSpec>, ()>,
    texts: HashMap<Arc<str>, ()>,
}

impl Interner {
    /// A pattern, or what is wrong with it: wildcards that do not parse, or too many different ones.
    pub(super) fn pattern(&mut self, key: ProcessKey, text: &str) -> Result<Pattern, Unreadable> {
        if key.is_account() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let kind = if key == ProcessKey::Group { "group" } else { "user" };
            let number = text.parse().map(Pattern::Number);
            return number.map_err(|_| Unreadable::Pattern(format!("there is no {kind} number {text}")));
        }
        if key == ProcessKey::Image {
            return self.image(text).map(Pattern::Image);
        }
        self.plain(text).map_err(Unreadable::Pattern)
    }

    /// What a rule asks of an image: the parts that are written.
    fn image(&mut self, text: &str) -> Result<Arc<ImagePattern>, Unreadable> {
        if let Some(known) = self.images.get(text) {
            return Ok(Arc::clone(known));
        }
        let alone = container::digest(text);
        let (name, written) = match text.split_once('@') {
            None if alone.is_some() => ("", alone.as_deref()),
            None if text.starts_with("sha256:") => ("", Some(text)),
            None => (text, None),
            Some((name, digest)) => (name, Some(digest)),
        };
        let digest = match written {
            None => None,
            Some(written) => match container::digest(written).filter(|whole| **whole == *written) {
                Some(whole) => Some(self.text(&whole["sha256:".len()..])),
                None => return Err(Unreadable::Digest(written.to_owned())),
            },
        };
        let parts = ImageRef::split(name);
        // Without a registry the path is that in any, and only docker.io's own is called without `library/`.
        let official = name.strip_prefix("library/").filter(|_| parts.registry.is_none());
        let path = match official {
            Some(_) => &name[..name.len() - parts.tag.map_or(0, |tag| tag.len() + 1)],
            None => parts.repository,
        };
        let mut part = |text: &str| self.plain(text).map_err(Unreadable::Pattern);
        let pattern = ImagePattern {
            registry: parts.registry.map(&mut part).transpose()?,
            path: (!name.is_empty()).then(|| part(path)).transpose()?,
            official: official.map(|_| part(path.strip_prefix("library/").unwrap_or(path))).transpose()?,
            tag: parts.tag.map(&mut part).transpose()?,
            digest,
            text: self.text(text),
        };
        let pattern = Arc::new(pattern);
        self.images.insert(Arc::clone(&pattern.text), Arc::clone(&pattern));
        Ok(pattern)
    }

    /// A text with or without wildcards.
    fn plain(&mut self, text: &str) -> Result<Pattern, String> {
        if !text.contains(WILDCARDS) {
            return Ok(Pattern::Text(self.text(text)));
        }
        if let Some(glob) = self.globs.get(text) {
            return Ok(Pattern::Glob(Arc::clone(glob)));
        }
        if text.len() > GLOB_BYTES {
            return Err(format!("a pattern with wildcards has at most {GLOB_BYTES} bytes"));
        }
        if self.globs.len() >= GLOBS_MAX {
            return Err(format!("the policy has more than {GLOBS_MAX} different patterns with wildcards"));
        }
        let glob = Arc::new(Glob::new(self.text(text))?);
        self.globs.insert(text.into(), Arc::clone(&glob));
        Ok(Pattern::Glob(glob))
    }

    pub(super) fn spec(&mut self, spec: ProcessSpec) -> Arc<ProcessSpec> {
        if let Some((known, ())) = self.specs.get_key_value(&spec) {
            return Arc::clone(known);
        }
        let spec = Arc::new(spec);
        self.specs.insert(Arc::clone(&spec), ());
        spec
    }

    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        if let Some((known, ())) = self.texts.get_key_value(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text), ());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        Interner::default().pattern(ProcessKey::Exe, pattern).expect("pattern").text_matches(value)
    }

    #[test]
    fn a_star_does_not_cross_a_slash() {
        assert!(matches("/usr/lib/postgresql/*/bin/postgres", "/usr/lib/postgresql/15/bin/postgres"));
        assert!(!matches("/usr/*/postgres", "/usr/lib/postgresql/15/bin/postgres"));
        assert!(!matches("/usr/lib/?bin", "/usr/lib//bin"));
        assert!(matches("/usr/**/postgres", "/usr/lib/postgresql/15/bin/postgres"));
    }

    #[test]
    fn a_backslash_is_a_plain_character() {
        assert!(matches("dev-disk\\x2d*.swap", "dev-disk\\x2d1.swap"));
    }

    #[test]
    fn a_pattern_of_digits_is_the_number_and_never_the_name() {
        let pattern = Interner::default().pattern(ProcessKey::User, "1001").expect("pattern");
        assert!(pattern.account_matches(1001, Some("etl")));
        assert!(!pattern.account_matches(5, Some("1001")));
        let pattern = Interner::default().pattern(ProcessKey::User, "10*").expect("pattern");
        assert!(pattern.account_matches(1001, None), "a user without a name is compared by number");
        assert!(!pattern.account_matches(1001, Some("etl")));
        let largest = Interner::default().pattern(ProcessKey::User, "*95").expect("pattern");
        assert!(largest.account_matches(u32::MAX, None));
    }
}
