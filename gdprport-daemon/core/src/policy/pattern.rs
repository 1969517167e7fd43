//! What a rule demands of a process: patterns by key, and whether a process meets them.
//!
//! Belongs here: patterns, `ProcessSpec` and the three-valued comparison. Which rules are compared is `index`'s.
//!
//! A pattern without wildcards is compared as text; only the others become globs (`*` and `?` do not cross `/`, a
//! backslash is a plain character because systemd escapes unit names with it). Both are interned, as a compiled
//! glob weighs kilobytes and large policies repeat a few of them.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use crate::model::Process;

/// How many different globs a policy may have; each weighs some kilobytes once compiled.
pub(super) const GLOBS_MAX: usize = 4096;
/// How many bytes a glob may have.
pub(super) const GLOB_BYTES: usize = 256;

/// The keys of `process`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    Exe,
    User,
    Group,
    Unit,
    Container,
    Cgroup,
}

impl Key {
    pub const ALL: [Self; 6] =
        [Self::Exe, Self::User, Self::Group, Self::Unit, Self::Container, Self::Cgroup];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exe => "exe",
            Self::User => "user",
            Self::Group => "group",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::Cgroup => "cgroup",
        }
    }

    /// Keys whose values are absolute paths.
    pub const fn is_path(self) -> bool {
        matches!(self, Self::Exe | Self::Cgroup)
    }
}

/// One pattern.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// The text itself.
    Text(Arc<str>),
    /// A user or group by number.
    Number(u32),
    /// A text with wildcards.
    Glob(Arc<Glob>),
}

/// A compiled glob.
#[derive(Debug)]
pub(super) struct Glob {
    pub text: Arc<str>,
    matcher: GlobMatcher,
}

impl Pattern {
    fn text_matches(&self, value: &str) -> bool {
        match self {
            Self::Text(text) => **text == *value,
            Self::Number(_) => false,
            Self::Glob(glob) => glob.matcher.is_match(value),
        }
    }

    /// A user or group is compared by its name, or by its number in decimal where it has none; a pattern of digits
    /// is always compared with the number.
    fn account_matches(&self, id: u32, name: Option<&str>) -> bool {
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
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Glob(glob) => f.write_str(&glob.text),
        }
    }
}

/// What is known of one key of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Matches,
    Fails,
    Unknown,
}

/// What a rule demands of a process: every given key must match one of its patterns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct ProcessSpec {
    /// By [`Key`]; empty where the rule does not ask.
    keys: [Box<[Pattern]>; 6],
}

impl ProcessSpec {
    pub fn set(&mut self, key: Key, patterns: Vec<Pattern>) {
        self.keys[key as usize] = patterns.into_boxed_slice();
    }

    pub const fn patterns(&self, key: Key) -> &[Pattern] {
        &self.keys[key as usize]
    }

    /// Whether every given key is known to match.
    pub fn matches(&self, process: &Process) -> bool {
        Key::ALL.into_iter().all(|key| self.answer(key, process) == Answer::Matches)
    }

    /// How one key compares. A process whose cgroup is known and that has no unit is known to have none; where the
    /// cgroup is not known, neither is the absence of a unit or a container.
    pub fn answer(&self, key: Key, process: &Process) -> Answer {
        let patterns = self.patterns(key);
        if patterns.is_empty() {
            return Answer::Matches;
        }
        let any = |value: &str| patterns.iter().any(|pattern| pattern.text_matches(value));
        let absent = if process.cgroup.is_some() { Answer::Fails } else { Answer::Unknown };
        let matches = match key {
            Key::Exe => match &process.exe {
                Some(exe) => any(exe),
                None => return Answer::Unknown,
            },
            Key::User => {
                return account(patterns, process.uid, process.user.as_deref(), process.names_pending);
            }
            Key::Group => {
                return account(patterns, process.gid, process.group.as_deref(), process.names_pending);
            }
            Key::Unit => match &process.unit {
                Some(unit) => any(unit),
                None => return absent,
            },
            Key::Container => match &process.container {
                Some(container) => any(&container.id) || container.pod.as_deref().is_some_and(any),
                None if process.container_unproven => return Answer::Unknown,
                None => return absent,
            },
            Key::Cgroup => match &process.cgroup {
                Some(cgroup) => any(cgroup),
                None => return Answer::Unknown,
            },
        };
        if matches { Answer::Matches } else { Answer::Fails }
    }
}

/// How a user or group compares. One whose name the host has not told yet is known by its number alone.
fn account(patterns: &[Pattern], id: u32, name: Option<&str>, pending: bool) -> Answer {
    let unnamed = pending && name.is_none();
    let by_number = |pattern: &Pattern| matches!(pattern, Pattern::Number(_));
    let comparable = |pattern: &&Pattern| !unnamed || by_number(pattern);
    if patterns.iter().filter(comparable).any(|pattern| pattern.account_matches(id, name)) {
        Answer::Matches
    } else if patterns.iter().all(|pattern| comparable(&pattern)) {
        Answer::Fails
    } else {
        Answer::Unknown
    }
}

/// Makes patterns and specs, each different one once.
#[derive(Default)]
pub(super) struct Interner {
    globs: HashMap<Box<str>, Arc<Glob>>,
    specs: HashMap<Arc<ProcessSpec>, ()>,
    texts: HashMap<Arc<str>, ()>,
}

impl Interner {
    /// Makes a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in words: wildcards that do not parse, or too many different ones.
    pub fn pattern(&mut self, key: Key, text: &str) -> Result<Pattern, String> {
        let digits = matches!(key, Key::User | Key::Group) && text.bytes().all(|byte| byte.is_ascii_digit());
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
        let glob = GlobBuilder::new(text)
            .literal_separator(true)
            .backslash_escape(false)
            .build()
            .map_err(|error| error.kind().to_string())?;
        let glob = Arc::new(Glob { text: self.text(text), matcher: glob.compile_matcher() });
        self.globs.insert(text.into(), Arc::clone(&glob));
        Ok(Pattern::Glob(glob))
    }

    pub fn spec(&mut self, spec: ProcessSpec) -> Arc<ProcessSpec> {
        if let Some((known, ())) = self.specs.get_key_value(&spec) {
            return Arc::clone(known);
        }
        let spec = Arc::new(spec);
        self.specs.insert(Arc::clone(&spec), ());
        spec
    }

    pub fn text(&mut self, text: &str) -> Arc<str> {
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
        Interner::default().pattern(Key::Exe, pattern).expect("pattern").text_matches(value)
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
        let pattern = Interner::default().pattern(Key::User, "1001").expect("pattern");
        assert!(pattern.account_matches(1001, Some("etl")));
        assert!(!pattern.account_matches(5, Some("1001")));
        let pattern = Interner::default().pattern(Key::User, "10*").expect("pattern");
        assert!(pattern.account_matches(1001, None), "a user without a name is compared by number");
        assert!(!pattern.account_matches(1001, Some("etl")));
        let largest = Interner::default().pattern(Key::User, "*95").expect("pattern");
        assert!(largest.account_matches(u32::MAX, None));
    }
}
