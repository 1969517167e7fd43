//! Makes patterns, specs and texts, each different one once: a compiled glob weighs kilobytes, and large policies repeat
//! a few of them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::policy::model::{Glob, Pattern, ProcessKey, ProcessSpec};

/// How many different globs a policy may have; each weighs some kilobytes once compiled.
const GLOBS_MAX: usize = 4096;
/// How many bytes a glob may have.
const GLOB_BYTES: usize = 256;

/// Makes patterns and specs, each different one once.
#[derive(Default)]
pub(crate) struct Interner {
    globs: HashMap<Box<str>, Arc<Glob>>,
    specs: HashMap<Arc<ProcessSpec>, ()>,
    texts: HashMap<Arc<str>, ()>,
}

impl Interner {
    /// A pattern, or what is wrong with it: wildcards that do not parse, or too many different ones.
    pub(super) fn pattern(&mut self, key: ProcessKey, text: &str) -> Result<Pattern, String> {
        let digits = matches!(key, ProcessKey::User | ProcessKey::Group)
            && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            return text
                .parse()
                .map(Pattern::Number)
                .map_err(|_| format!("there is no {} number {text}", key.as_str()));
        }
        if !text.contains(['*', '?', '[', ']', '{', '}']) {
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
