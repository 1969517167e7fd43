//! What a verdict says of the keys of `process`, as text.
//!
//! Belongs here: the sentences. Which keys failed or are missing is `explain`'s.
//!
//! Where peers and persons are shown as something else, the texts are made of what is shown; what is compared is true.
//!
//! The names of a container are the texts of whoever made it: they are shortened here, and escaped where they are shown.

use std::borrow::Cow;
use std::fmt::{Display, Write};
use std::sync::Arc;

use crate::model::{Container, Label, Names, Naming, Process};
use crate::policy::model::{Fit, ImageFacts, Pattern, ProcessKey, ProcessSpec};
use crate::privacy::Privacy;

/// How many values a message names.
pub(super) const NAMED: usize = 4;
/// How many characters of a text a message has: a name of Kubernetes has at most 253, a label's value up to 4096.
const SHOWN: usize = 160;
/// Digits of a container's id, as container tools show it.
const ID_DIGITS: usize = 12;

/// The first few of a list, for a message.
pub(super) fn some<T: Display>(values: impl ExactSizeIterator<Item = T>) -> String {
    let more = values.len().saturating_sub(NAMED);
    let mut text = String::new();
    for (index, value) in values.take(NAMED).enumerate() {
        let separator = if index > 0 { ", " } else { "" };
        write!(text, "{separator}{value}").expect("writing to a String cannot fail");
    }
    if more > 0 {
        write!(text, " and {more} more").expect("writing to a String cannot fail");
    }
    text
}

/// Keys in a row.
pub(super) fn list(keys: impl Iterator<Item = ProcessKey>) -> String {
    keys.map(ProcessKey::as_str).collect::<Vec<_>>().join(", ")
}

/// What is said of one process and what a rule demands of it.
pub(super) struct Words<'a> {
    /// As it is: what is compared.
    process: &'a Process,
    /// As it is shown.
    shown: Cow<'a, Process>,
    spec: &'a ProcessSpec,
    privacy: Option<&'a Privacy>,
}

impl<'a> Words<'a> {
    pub(super) fn of(process: &'a Process, spec: &'a ProcessSpec, privacy: Option<&'a Privacy>) -> Self {
        let shown = privacy.map_or(Cow::Borrowed(process), |privacy| Cow::Owned(privacy.process(process)));
        Self { process, shown, spec, privacy }
    }

    /// Adds what is missing to compare these keys.
    pub(super) fn missing(&self, keys: &[ProcessKey], missing: &mut Vec<String>) {
        let process = &*self.shown;
        let of_names = |key: &ProcessKey| process.container.is_some() && key.is_container();
        let (named, plain): (Vec<ProcessKey>, Vec<ProcessKey>) = keys.iter().copied().partition(of_names);
        if !plain.is_empty() {
            let keys = list(plain.into_iter());
            // One that somebody asks about has no number.
            missing.push(match process.pid {
                0 => format!("{keys} of the process is not known"),
                pid => format!("{keys} of process {pid} is not known"),
            });
        }
        let Some(container) = &process.container else { return };
        if named.contains(&ProcessKey::StatedBy) {
            let uid = container.claimed_by.unwrap_or(0);
            let users = self.wanted(ProcessKey::StatedBy);
            missing.push(format!(
                "how user {uid} is called, who made container {}, is not known, and the rule takes the word of {users}",
                called(container)
            ));
        }
        let named: Vec<_> = named.into_iter().filter(|key| *key != ProcessKey::StatedBy).collect();
        if named.is_empty() {
            return;
        }
        let (id, keys) = (called(container), list(named.iter().copied()));
        match &container.naming {
            Naming::Pending => {
                missing.push(format!(
                    "the names of container {id} are not known yet, and the rule asks for {keys}"
                ));
            }
            Naming::Unknown => missing.push(format!(
                "no state of a runtime on this host names container {id}, and the rule asks for {keys}"
            )),
            Naming::Known(names) => {
                missing.extend(named.into_iter().map(|key| unstated(key, container, names)));
            }
        }
    }

    /// How it differs from what the rule wants by one key.
    pub(super) fn differs(&self, key: ProcessKey, role: &str) -> String {
        let Self { shown: process, spec, .. } = self;
        let patterns = spec.patterns(key);
        let key_is = key.as_str();
        let actual = match (key, &process.container) {
            (ProcessKey::StatedBy, Some(container)) => {
                let others =
                    if patterns.is_empty() { String::new() } else { format!(" and of {}", self.wanted(key)) };
                let word = self.word(container);
                return format!("{key_is} is {word}; {role} takes the word of root{others}");
            }
            (ProcessKey::Label, container) => {
                let (actual, wanted) = labels(spec, container.as_ref().and_then(Container::names));
                let place = place(process);
                return format!("{key_is} is {actual}{place}, {role} allows {wanted}");
            }
            (key, Some(container)) if key.is_container() => actual_name(key, container),
            (key, None) if key.is_container() => "none".to_owned(),
            _ => actual(key, process, patterns),
        };
        let place = if key.is_container() { place(process) } else { String::new() };
        format!("{key_is} is {actual}{place}, {role} allows {}", self.wanted(key))
    }

    /// All that the rule asks for by one key.
    pub(super) fn demanded(&self, key: ProcessKey) -> String {
        match key {
            ProcessKey::StatedBy if self.spec.patterns(key).is_empty() => "root".to_owned(),
            ProcessKey::StatedBy => format!("root, {}", self.wanted(key)),
            ProcessKey::Label => some(
                self.spec
                    .labels()
                    .iter()
                    .map(|(label, values)| format!("{}={}", short(label), some(values.iter()))),
            ),
            _ => self.wanted(key),
        }
    }

    /// What the process has for one key that matches or fails.
    pub(super) fn value(&self, key: ProcessKey) -> String {
        let Self { shown, spec, process, .. } = self;
        match (key, &shown.container) {
            (ProcessKey::StatedBy, Some(container)) if spec.compare(key, process) == Fit::Matches => {
                match container.claimed_by.or(container.names().map(|names| names.stated_by.uid)) {
                    None | Some(0) => "root".to_owned(),
                    Some(uid) => uid.to_string(),
                }
            }
            (ProcessKey::StatedBy, Some(container)) => self.word(container),
            (ProcessKey::Label, container) => {
                let names = container.as_ref().and_then(Container::names);
                some(spec.labels().iter().map(|(label, _)| match names.map(|names| names.label(label)) {
                    Some(Label::Value(value)) => short(&format!("{label}={value}")),
                    _ => format!("no {}", short(label)),
                }))
            }
            (key, Some(container)) if key.is_container() => actual_name(key, container),
            (key, None) if key.is_container() => "none, in no container".to_owned(),
            _ => actual(key, shown, spec.patterns(key)),
        }
    }

    /// What the rule wants by one key.
    fn wanted(&self, key: ProcessKey) -> String {
        let patterns = self.spec.patterns(key).iter();
        let Some(privacy) = self.privacy else { return some(patterns) };
        some(patterns.map(|pattern| match pattern {
            Pattern::Number(id) => privacy.id(*id).to_string(),
            Pattern::Text(_) | Pattern::Glob(_) | Pattern::Image(_) => {
                let text = pattern.to_string();
                if key.is_account() {
                    privacy.policy_account(&text).into_owned()
                } else {
                    privacy.policy_text(&text).into_owned()
                }
            }
        }))
    }

    /// Whose word it is that the rule does not take. `shown`: the container as it is shown.
    fn word(&self, shown: &Container) -> String {
        let container = self.process.container.as_ref().unwrap_or(shown);
        let stated = container.names().map(|names| &names.stated_by);
        let made = container.claimed_by.filter(|uid| *uid != 0);
        let is_made = made.filter(|uid| {
            let user = stated.filter(|by| by.uid == *uid).and_then(|by| by.user.as_deref());
            let patterns = self.spec.patterns(ProcessKey::StatedBy);
            !patterns.iter().any(|pattern| pattern.account_matches(*uid, user))
        });
        let (uid, what) = match (is_made, stated) {
            (None, Some(by)) => (by.uid, "can write the state that names"),
            (uid, _) => (uid.or(made).unwrap_or(0), "made"),
        };
        // What is compared is true, what is said is what is shown.
        let is_stated = stated.is_some_and(|by| by.uid == uid);
        let stated = shown.names().map(|names| &names.stated_by).filter(|_| is_stated);
        let user = stated.and_then(|by| by.user.as_deref());
        let shown_uid = self.privacy.map_or(uid, |privacy| privacy.id(uid));
        let who = match (uid, user) {
            (u32::MAX, _) => "more than one user".to_owned(),
            (_, Some(user)) => format!("{} ({shown_uid})", short(user)),
            (_, None) => shown_uid.to_string(),
        };
        format!("{who}, who {what} container {}", called(shown))
    }
}

/// What the state of a container that is named leaves open.
fn unstated(key: ProcessKey, container: &Container, names: &Names) -> String {
    let container = called(container);
    match key {
        ProcessKey::Image if ImageFacts::of(names).is_named() => {
            let image = short(names.image.as_deref().unwrap_or_default());
            format!("the state of its runtime has not every digest of image {image} of container {container}")
        }
        ProcessKey::Image if names.image.is_some() => {
            format!("the state of its runtime names the image of container {container} by its digest only")
        }
        ProcessKey::Label | ProcessKey::Workload if names.has_unread_labels() => {
            let whose = if key == ProcessKey::Workload { "the pod of container" } else { "container" };
            format!(
                "the labels of {whose} {container} could not be read, and the rule asks for {}",
                key.as_str()
            )
        }
        ProcessKey::Label => format!(
            "container {container} has {} labels that were too many or too long to keep, and a wanted one may be among them",
            (names.labels_omitted as usize).saturating_sub(names.labels_unshown.len())
        ),
        _ => format!("{} of container {container} is not in the state of its runtime", key.as_str()),
    }
}

/// The value that a process has for a key that is not about its container.
fn actual(key: ProcessKey, process: &Process, patterns: &[Pattern]) -> String {
    let text = |text: Option<&Arc<str>>| text.map_or_else(|| "none".to_owned(), ToString::to_string);
    let account = |id: u32, name: Option<&Arc<str>>| match name {
        Some(name) if patterns.iter().any(|pattern| matches!(pattern, Pattern::Number(_))) => {
            format!("{name} ({id})")
        }
        Some(name) => name.to_string(),
        None => id.to_string(),
    };
    match key {
        ProcessKey::Exe => text(process.exe.as_ref()),
        ProcessKey::User => account(process.uid, process.user.as_ref()),
        ProcessKey::Group => account(process.gid, process.group.as_ref()),
        ProcessKey::Unit => text(process.unit.as_ref()),
        _ => text(process.cgroup.as_ref()),
    }
}

fn actual_name(key: ProcessKey, container: &Container) -> String {
    let names = container.names();
    let shown = |text: Option<&Arc<str>>| text.map_or_else(|| "none".to_owned(), |text| short(text));
    match key {
        ProcessKey::Container => {
            names.and_then(|names| names.name.as_deref()).map_or_else(|| container.id.to_string(), short)
        }
        ProcessKey::Image => names.map_or_else(|| "none".to_owned(), image),
        ProcessKey::Pod => shown(names.and_then(|names| names.pod_name.as_ref()).or(container.pod.as_ref())),
        ProcessKey::Namespace => shown(names.and_then(|names| names.namespace.as_ref())),
        _ => names.and_then(|names| names.workload.as_ref()).map_or_else(
            || "none".to_owned(),
            |workload| short(&format!("{}/{}", workload.kind, workload.name)),
        ),
    }
}

/// An image as it was asked for, with the digests that the reference lacks.
fn image(names: &Names) -> String {
    let asked = names.image.as_deref();
    let digests = [names.image_digest.as_deref(), names.image_id.as_deref()];
    let digests =
        digests.into_iter().flatten().filter(|digest| asked.is_none_or(|asked| !asked.contains(digest)));
    let parts: Vec<String> = asked.into_iter().chain(digests).map(short).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(" ") }
}

/// Where the process is, behind the value of a key about its container.
fn place(process: &Process) -> String {
    let mut parts = Vec::new();
    match &process.container {
        None => parts.push("in no container".to_owned()),
        Some(container) => parts.push(format!("container {}", called(container))),
    }
    // A unit that is called by the container's id says nothing more.
    let container = process.container.as_ref();
    let unit = process.unit.as_ref().filter(|unit| container.is_none_or(|found| !unit.contains(&*found.id)));
    parts.extend(unit.map(|unit| format!("unit {unit}")));
    format!(" ({})", parts.join(", "))
}

/// The wanted labels that differ, as they are and as they should be.
fn labels(spec: &ProcessSpec, names: Option<&Names>) -> (String, String) {
    let value_of = |key: &str| match names?.label(key) {
        Label::Value(value) => Some(value),
        Label::Absent | Label::Omitted => None,
    };
    let differ = |(key, patterns): &&(Arc<str>, Box<[Pattern]>)| {
        value_of(key).is_none_or(|value| !patterns.iter().any(|pattern| pattern.text_matches(value)))
    };
    let differing: Vec<_> = spec.labels().iter().filter(differ).collect();
    let actual = differing.iter().map(|(key, _)| {
        value_of(key).map_or_else(|| format!("no {}", short(key)), |value| short(&format!("{key}={value}")))
    });
    let wanted = differing.iter().map(|(key, patterns)| format!("{}={}", short(key), some(patterns.iter())));
    (some(actual), some(wanted))
}

/// The name of a container, or the beginning of its id.
fn called(container: &Container) -> String {
    let id = container.id.get(..ID_DIGITS).unwrap_or(&container.id);
    container.names().and_then(|names| names.name.as_deref()).map_or_else(|| short(id), short)
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
