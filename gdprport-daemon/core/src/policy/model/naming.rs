//! How the keys that ask about a container compare with what is known of it.
//!
//! Belongs here: ids, names, labels, and whose word they are. Whoever makes a container or a pod chooses its names, and
//! who can write a runtime's state chooses everything in it: a user whom the rule does not accept is a failure, never missing
//! evidence.

use super::fit::Fit;
use super::image::ImageFacts;
use super::pattern::{ImagePattern, Pattern};
use super::process::{ProcessKey, ProcessSpec, account};
use crate::model::{Container, Label, Names, Process};

impl ProcessSpec {
    /// How a key compares that asks about the container ([`ProcessKey::is_container`]).
    pub(super) fn compare_container(&self, key: ProcessKey, process: &Process) -> Fit {
        let Some(container) = &process.container else {
            // That there is none is known by the cgroup, if by anything. Nobody's word is asked then.
            return match key {
                ProcessKey::StatedBy => Fit::Matches,
                _ if process.cgroup.is_none() || process.container_unproven => Fit::Unknown,
                _ => Fit::Fails,
            };
        };
        if self.is_met_by_id(key, container) {
            return Fit::Matches;
        }
        let patterns = self.patterns(key);
        // One that somebody asks about has no id that is known.
        if container.id.is_empty() && patterns.iter().any(Pattern::is_id) {
            return match container.names() {
                Some(names)
                    if key == ProcessKey::Container
                        && called(patterns, names.name.as_deref()) == Fit::Matches =>
                {
                    Fit::Matches
                }
                _ => Fit::Unknown,
            };
        }
        match (key, container.names()) {
            (ProcessKey::StatedBy, _) => self.word(container, process),
            _ if !self.asks_for_names(key) => Fit::Fails,
            (_, None) => Fit::Unknown,
            (ProcessKey::Container, Some(names)) => called(patterns, names.name.as_deref()),
            (ProcessKey::Image, Some(names)) => {
                let image = ImageFacts::of(names);
                patterns.iter().fold(Fit::Fails, |fit, pattern| match pattern {
                    Pattern::Image(pattern) => fit.or(pattern.compare(&image)),
                    Pattern::Text(_) | Pattern::Number(_) | Pattern::Glob(_) => fit,
                })
            }
            (ProcessKey::Label, Some(names)) => self.labelled(names),
            (_, Some(names)) if !is_in_pod(container, names) && !container.id.is_empty() => Fit::Fails,
            (ProcessKey::Pod, Some(names)) => called(patterns, names.pod_name.as_deref()),
            (ProcessKey::Namespace, Some(names)) => named(patterns, names.namespace.as_deref()),
            (_, Some(names)) => workload(patterns, names),
        }
    }

    /// Whether names can meet this key: those that are not for ids alone.
    fn asks_for_names(&self, key: ProcessKey) -> bool {
        match key {
            ProcessKey::Container | ProcessKey::Pod => {
                self.patterns(key).iter().any(|pattern| !pattern.is_id())
            }
            ProcessKey::StatedBy => false,
            _ => key.is_container() && self.asks(key),
        }
    }

    /// Whether the ids alone, which the cgroup shows, meet this key.
    fn is_met_by_id(&self, key: ProcessKey, container: &Container) -> bool {
        let any = |value: &str| self.patterns(key).iter().any(|pattern| pattern.text_matches(value));
        let pod = || container.pod.as_deref().is_some_and(any);
        match key {
            ProcessKey::Container => any(&container.id) || pod(),
            ProcessKey::Pod => pod(),
            _ => false,
        }
    }

    fn labelled(&self, names: &Names) -> Fit {
        self.labels().iter().fold(Fit::Matches, |fit, (key, patterns)| {
            fit.and(match names.label(key) {
                Label::Value(value) => named(&**patterns, Some(value)),
                Label::Absent => Fit::Fails,
                Label::Omitted => Fit::Unknown,
            })
        })
    }

    /// Whether the rule takes the word of those by whom this is known: of who has made the container's cgroup, for its id;
    /// and of who can write the runtime's state, if it is the names that the rule is about.
    fn word(&self, container: &Container, process: &Process) -> Fit {
        let names = container.names();
        let made = match container.claimed_by {
            None | Some(0) => Fit::Matches,
            Some(uid) => {
                let stated = names.filter(|names| names.stated_by.uid == uid);
                let own = (process.uid == uid).then_some(process.user.as_deref()).flatten();
                let user = stated.map_or(own, |names| names.stated_by.user.as_deref());
                account(self.patterns(ProcessKey::StatedBy), uid, user, stated.is_none())
            }
        };
        let mut keys = ProcessKey::ALL.into_iter();
        let by_name = keys.any(|key| self.asks_for_names(key) && !self.is_met_by_id(key, container));
        let stated = match names.filter(|_| by_name).map(|names| &names.stated_by) {
            Some(by) if by.uid != 0 => {
                account(self.patterns(ProcessKey::StatedBy), by.uid, by.user.as_deref(), false)
            }
            Some(_) | None => Fit::Matches,
        };
        made.and(stated)
    }
}

/// Whether the container is one of a pod.
fn is_in_pod(container: &Container, names: &Names) -> bool {
    container.pod.is_some() || names.pod_name.is_some() || names.namespace.is_some()
}

/// How one text compares. One that the state lacks may have been too long to keep.
fn named<'p>(patterns: impl IntoIterator<Item = &'p Pattern>, text: Option<&str>) -> Fit {
    match text {
        Some(text) if patterns.into_iter().any(|pattern| pattern.text_matches(text)) => Fit::Matches,
        Some(_) => Fit::Fails,
        None => Fit::Unknown,
    }
}

/// How the name of a container or a pod compares, which is never compared with a pattern for ids.
fn called(patterns: &[Pattern], name: Option<&str>) -> Fit {
    named(patterns.iter().filter(|pattern| !pattern.is_id()), name)
}

/// A pattern with a slash asks for the kind as well. The workload was sought among all labels, also those that are not kept.
fn workload(patterns: &[Pattern], names: &Names) -> Fit {
    let Some(workload) = &names.workload else {
        return if names.has_unread_labels() { Fit::Unknown } else { Fit::Fails };
    };
    let whole = format!("{}/{}", workload.kind, workload.name);
    let matches = |pattern: &Pattern| {
        let with_kind = matches!(pattern, Pattern::Text(text) if text.contains('/'))
            || matches!(pattern, Pattern::Glob(glob) if glob.text.contains('/'));
        pattern.text_matches(if with_kind { &whole } else { &workload.name })
    };
    if patterns.iter().any(matches) { Fit::Matches } else { Fit::Fails }
}

/// Kinds of evidence about a process that may be missing: what a rule rests on, and what is missing of a process. A rule
/// that rests on nothing that is missing is not undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Evidence(u16);

impl Evidence {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(u16::MAX);
    const EXE: Self = Self(1);
    const ACCOUNTS: Self = Self(1 << 1);
    const CGROUP: Self = Self(1 << 2);
    /// Whether it is in a container.
    const CONTAINER: Self = Self(1 << 3);
    const NAME: Self = Self(1 << 4);
    const IMAGE: Self = Self(1 << 5);
    const DIGEST: Self = Self(1 << 6);
    const POD: Self = Self(1 << 7);
    const NAMESPACE: Self = Self(1 << 8);
    const WORKLOAD: Self = Self(1 << 9);
    const LABELS: Self = Self(1 << 10);
    /// Who made the container.
    const WORD: Self = Self(1 << 11);

    const NAMES: [Self; 7] =
        [Self::NAME, Self::IMAGE, Self::DIGEST, Self::POD, Self::NAMESPACE, Self::WORKLOAD, Self::LABELS];

    pub(crate) const fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn any_of(given: impl IntoIterator<Item = (Self, bool)>) -> Self {
        Self(given.into_iter().filter(|(_, holds)| *holds).fold(0, |bits, (kind, _)| bits | kind.0))
    }

    /// What a rule rests on.
    pub(crate) fn of(spec: &ProcessSpec) -> Self {
        let image = |holds: fn(&ImagePattern) -> bool| {
            let patterns = spec.patterns(ProcessKey::Image).iter();
            patterns
                .filter_map(|pattern| match pattern {
                    Pattern::Image(image) => Some(image),
                    Pattern::Text(_) | Pattern::Number(_) | Pattern::Glob(_) => None,
                })
                .any(|image| holds(image))
        };
        let asks = |key| spec.asks(key);
        let in_container = asks(ProcessKey::StatedBy);
        Self::any_of([
            (Self::EXE, asks(ProcessKey::Exe)),
            (Self::ACCOUNTS, asks(ProcessKey::User) || asks(ProcessKey::Group)),
            (Self::CGROUP, asks(ProcessKey::Unit) || asks(ProcessKey::Cgroup)),
            (Self::CONTAINER, in_container),
            (Self::WORD, in_container),
            (Self::NAME, spec.asks_for_names(ProcessKey::Container)),
            (Self::IMAGE, image(|image| image.path.is_some())),
            (Self::DIGEST, image(|image| image.digest.is_some())),
            (Self::POD, spec.asks_for_names(ProcessKey::Pod)),
            (Self::NAMESPACE, asks(ProcessKey::Namespace)),
            (Self::WORKLOAD, asks(ProcessKey::Workload)),
            (Self::LABELS, asks(ProcessKey::Label)),
        ])
    }

    /// What is missing of a process.
    pub(crate) fn missing_of(process: &Process) -> Self {
        let no_cgroup = process.cgroup.is_none();
        let known = Self::any_of([
            (Self::EXE, process.exe.is_none() && process.exe_withheld.is_none()),
            (Self::ACCOUNTS, process.names_pending),
            (Self::CGROUP, no_cgroup),
        ]);
        let of_container = match &process.container {
            None => Self::any_of([(Self::CONTAINER, no_cgroup || process.container_unproven)]),
            Some(container) => {
                let word = (Self::WORD, container.claimed_by.is_some_and(|uid| uid != 0));
                let no_id = (Self::CONTAINER, container.id.is_empty());
                match container.names() {
                    None => {
                        Self::any_of(Self::NAMES.map(|kind| (kind, true)).into_iter().chain([word, no_id]))
                    }
                    Some(names) => {
                        let image = ImageFacts::of(names);
                        let in_pod = is_in_pod(container, names);
                        let labels = names.labels_omitted as usize > names.labels_unshown.len();
                        Self::any_of([
                            word,
                            no_id,
                            (Self::NAME, names.name.is_none()),
                            (Self::IMAGE, !image.is_named()),
                            (Self::DIGEST, !image.has_digests()),
                            (Self::POD, in_pod && names.pod_name.is_none()),
                            (Self::NAMESPACE, in_pod && names.namespace.is_none()),
                            (Self::WORKLOAD, in_pod && names.workload.is_none() && names.has_unread_labels()),
                            (Self::LABELS, labels),
                        ])
                    }
                }
            }
        };
        Self(known.0 | of_container.0)
    }
}
