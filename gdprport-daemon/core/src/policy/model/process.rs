//! What a rule demands of a process: patterns by key, and whether a process meets them.
//!
//! Belongs here: patterns, `ProcessSpec` and the three-valued comparison. Which rules are compared is `rule_index`'s.
//!
//! A pattern without wildcards is compared as text; only the others are globs (`*` and `?` do not cross `/`, a
//! backslash is a plain character because systemd escapes unit names with it).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use crate::model::Process;

/// The keys of `process`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ProcessKey {
    Exe,
    User,
    Group,
    Unit,
    Container,
    Cgroup,
}

impl ProcessKey {
    pub(crate) const ALL: [Self; 6] =
        [Self::Exe, Self::User, Self::Group, Self::Unit, Self::Container, Self::Cgroup];

    pub(crate) const fn as_str(self) -> &'static str {
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
    pub(crate) const fn is_path(self) -> bool {
        matches!(self, Self::Exe | Self::Cgroup)
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    /// The text itself.
    Text(Arc<str>),
    /// A user or group by number.
    Number(u32),
    /// A text with wildcards.
    Glob(Arc<Glob>),
}

#[derive(Debug)]
pub(crate) struct Glob {
    pub text: Arc<str>,
    matcher: GlobMatcher,
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
            Self::Number(_) => false,
            Self::Glob(glob) => glob.matcher.is_match(value),
        }
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
pub(crate) enum Fit {
    Matches,
    Fails,
    Unknown,
    /// Not known because the process itself saw to that: never a match, whatever it is.
    Withheld,
}

/// What a rule demands of a process: every given key must match one of its patterns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct ProcessSpec {
    /// By [`ProcessKey`], sorted; empty where the rule demands nothing.
    keys: [Box<[Pattern]>; 6],
}

impl ProcessSpec {
    /// Takes the patterns of a key, in any order: they are kept sorted, so that equal specs are the same and messages
    /// about them too.
    pub(crate) fn set(&mut self, key: ProcessKey, mut patterns: Vec<Pattern>) {
        patterns.sort_by_cached_key(ToString::to_string);
        patterns.dedup();
        self.keys[key as usize] = patterns.into_boxed_slice();
    }

    pub(crate) const fn patterns(&self, key: ProcessKey) -> &[Pattern] {
        &self.keys[key as usize]
    }

    /// Whether every given key is known to match.
    pub(crate) fn matches(&self, process: &Process) -> bool {
        ProcessKey::ALL.into_iter().all(|key| self.compare(key, process) == Fit::Matches)
    }

    /// How one key compares. A process whose cgroup is known and that has no unit is known to have none; where the
    /// cgroup is not known, neither is the absence of a unit or a container.
    pub(crate) fn compare(&self, key: ProcessKey, process: &Process) -> Fit {
        let patterns = self.patterns(key);
        if patterns.is_empty() {
            return Fit::Matches;
        }
        let any = |value: &str| patterns.iter().any(|pattern| pattern.text_matches(value));
        let absent = if process.cgroup.is_some() { Fit::Fails } else { Fit::Unknown };
        let matches = match key {
            ProcessKey::Exe => match &process.exe {
                // A path that is no UTF-8 is quoted: no pattern can mean it.
                Some(exe) => exe.starts_with('/') && any(exe),
                None if process.exe_withheld.is_some() => return Fit::Withheld,
                None => return Fit::Unknown,
            },
            ProcessKey::User => {
                return account(patterns, process.uid, process.user.as_deref(), process.names_pending);
            }
            ProcessKey::Group => {
                return account(patterns, process.gid, process.group.as_deref(), process.names_pending);
            }
            ProcessKey::Unit => match &process.unit {
                Some(unit) => any(unit),
                None => return absent,
            },
            ProcessKey::Container => match &process.container {
                Some(container) => any(&container.id) || container.pod.as_deref().is_some_and(any),
                None if process.container_unproven => return Fit::Unknown,
                None => return absent,
            },
            ProcessKey::Cgroup => match &process.cgroup {
                Some(cgroup) => any(cgroup),
                None => return Fit::Unknown,
            },
        };
        if matches { Fit::Matches } else { Fit::Fails }
    }
}

/// How a user or group compares. One whose name is not known yet is known by its number alone.
fn account(patterns: &[Pattern], id: u32, name: Option<&str>, pending: bool) -> Fit {
    let unnamed = pending && name.is_none();
    let by_number = |pattern: &Pattern| matches!(pattern, Pattern::Number(_));
    let comparable = |pattern: &&Pattern| !unnamed || by_number(pattern);
    if patterns.iter().filter(comparable).any(|pattern| pattern.account_matches(id, name)) {
        Fit::Matches
    } else if patterns.iter().all(|pattern| comparable(&pattern)) {
        Fit::Fails
    } else {
        Fit::Unknown
    }
}
