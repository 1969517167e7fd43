//! What a rule demands of a process: patterns by key, and whether a process meets them.
//!
//! Belongs here: `ProcessSpec` and the three-valued comparison. Patterns are `pattern`'s, the keys that ask about a container
//! `naming`'s. Which rules are compared is `rule_index`'s.

use std::sync::Arc;

use super::fit::Fit;
use super::pattern::Pattern;
use crate::model::Process;

/// The keys of `process`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ProcessKey {
    Exe,
    User,
    Group,
    Unit,
    Container,
    Image,
    Label,
    Pod,
    Namespace,
    Workload,
    /// Whose word about a container counts: asked by every rule that asks about one, written or not.
    StatedBy,
    Cgroup,
}

impl ProcessKey {
    /// How many there are.
    pub(crate) const COUNT: usize = 12;

    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Exe,
        Self::User,
        Self::Group,
        Self::Unit,
        Self::Container,
        Self::Image,
        Self::Label,
        Self::Pod,
        Self::Namespace,
        Self::Workload,
        Self::StatedBy,
        Self::Cgroup,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Exe => "exe",
            Self::User => "user",
            Self::Group => "group",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::Image => "image",
            Self::Label => "label",
            Self::Pod => "pod",
            Self::Namespace => "namespace",
            Self::Workload => "workload",
            Self::StatedBy => "stated_by",
            Self::Cgroup => "cgroup",
        }
    }

    /// Keys that ask about a container.
    pub(crate) const fn is_container(self) -> bool {
        matches!(
            self,
            Self::Container
                | Self::Image
                | Self::Label
                | Self::Pod
                | Self::Namespace
                | Self::Workload
                | Self::StatedBy
        )
    }

    /// Keys whose values are users or groups.
    pub(crate) const fn is_account(self) -> bool {
        matches!(self, Self::User | Self::Group | Self::StatedBy)
    }

    /// Keys whose values are absolute paths.
    pub(crate) const fn is_path(self) -> bool {
        matches!(self, Self::Exe | Self::Cgroup)
    }
}

/// A label that a rule asks for: its key, and the patterns of its value.
pub(crate) type Label = (Arc<str>, Box<[Pattern]>);

/// What a rule demands of a process: every given key must match one of its patterns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct ProcessSpec {
    /// By [`ProcessKey`], sorted; empty where the rule demands nothing.
    keys: [Box<[Pattern]>; ProcessKey::COUNT],
    /// Sorted by key.
    labels: Box<[Label]>,
    /// Whether one of the keys asks about a container, and so whose word counts.
    of_container: bool,
}

impl ProcessSpec {
    /// Takes the patterns of a key, in any order: they are kept sorted, so that equal specs are the same and messages
    /// about them too.
    pub(crate) fn set(&mut self, key: ProcessKey, patterns: Vec<Pattern>) {
        self.of_container |= key.is_container() && key != ProcessKey::StatedBy && !patterns.is_empty();
        self.keys[key as usize] = sorted(patterns);
    }

    /// Takes the labels, each with the patterns of its value.
    pub(crate) fn set_labels(&mut self, labels: Vec<(Arc<str>, Vec<Pattern>)>) {
        self.of_container |= !labels.is_empty();
        let mut labels: Vec<Label> =
            labels.into_iter().map(|(key, patterns)| (key, sorted(patterns))).collect();
        labels.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.labels = labels.into_boxed_slice();
    }

    /// What the rule asks by these keys, and nothing else.
    pub(crate) fn only(&self, keys: &[ProcessKey]) -> Self {
        let mut only = Self::default();
        for key in keys {
            only.set(*key, self.patterns(*key).to_vec());
            if *key == ProcessKey::Label {
                only.labels = self.labels.clone();
                only.of_container |= !self.labels.is_empty();
            }
        }
        only
    }

    /// The patterns of a key but for those of labels.
    pub(crate) const fn patterns(&self, key: ProcessKey) -> &[Pattern] {
        &self.keys[key as usize]
    }

    pub(crate) const fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Whether the rule asks for this key.
    pub(crate) const fn asks(&self, key: ProcessKey) -> bool {
        match key {
            ProcessKey::Label => !self.labels.is_empty(),
            ProcessKey::StatedBy => self.of_container,
            _ => !self.patterns(key).is_empty(),
        }
    }

    /// Whether every given key is known to match.
    pub(crate) fn matches(&self, process: &Process) -> bool {
        ProcessKey::ALL.into_iter().all(|key| self.compare(key, process) == Fit::Matches)
    }

    /// How one key compares. A process whose cgroup is known and that has no unit is known to have none; where the
    /// cgroup is not known, neither is the absence of a unit or a container.
    pub(crate) fn compare(&self, key: ProcessKey, process: &Process) -> Fit {
        if !self.asks(key) {
            return Fit::Matches;
        }
        let patterns = self.patterns(key);
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
                return numbered(patterns, process.uid, process.user.as_deref(), process.names_pending);
            }
            ProcessKey::Group => {
                return numbered(patterns, process.gid, process.group.as_deref(), process.names_pending);
            }
            ProcessKey::Unit => match &process.unit {
                Some(unit) => any(unit),
                None => return absent,
            },
            ProcessKey::Container
            | ProcessKey::Image
            | ProcessKey::Label
            | ProcessKey::Pod
            | ProcessKey::Namespace
            | ProcessKey::Workload
            | ProcessKey::StatedBy => return self.compare_container(key, process),
            ProcessKey::Cgroup => match &process.cgroup {
                Some(cgroup) => any(cgroup),
                None => return Fit::Unknown,
            },
        };
        if matches { Fit::Matches } else { Fit::Fails }
    }
}

/// How a process's own user or group compares. One whose number is the kernel's invalid id has one that is not known.
fn numbered(patterns: &[Pattern], id: u32, name: Option<&str>, pending: bool) -> Fit {
    let by_number = |pattern: &Pattern| matches!(pattern, Pattern::Number(_));
    match account(patterns, id, name, pending) {
        Fit::Fails if id == u32::MAX && patterns.iter().any(by_number) => Fit::Unknown,
        fit => fit,
    }
}

/// How a user or group compares. One whose name is not known yet is known by its number alone.
pub(super) fn account(patterns: &[Pattern], id: u32, name: Option<&str>, pending: bool) -> Fit {
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

fn sorted(mut patterns: Vec<Pattern>) -> Box<[Pattern]> {
    patterns.sort_by_cached_key(ToString::to_string);
    patterns.dedup();
    patterns.into_boxed_slice()
}
