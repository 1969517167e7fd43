//! The rules of one bucket by what they fix of a process (tuple space search).
//!
//! Belongs here: which values a rule fixes, and the hash tables over them. Which rules share a bucket is `rule_index`'s.
//!
//! Rules are grouped by *which* keys they fix to a plain text (at most some hundred combinations, in practice a handful),
//! and each group is a hash table over the values of those keys. Of the labels that a rule fixes one counts, the one that
//! fewest rules ask for: a process has several, and each is looked up. Rules that fix no key are grouped by the literal text
//! that their pattern of a key starts with. Only the remaining rules, distinguished by nothing but users, groups or labels
//! with wildcards, or patterns that start with one, are compared one by one.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::compiled_rule::CompiledRule;
use crate::model::{Names, Process};
use crate::policy::model::{ImageFacts, Pattern, ProcessKey, ProcessSpec};

/// How many hash entries one rule with lists may take.
const ENTRIES_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Tuples {
    shapes: Vec<Shape>,
    entries: HashMap<u64, Vec<u32>>,
    /// Rules that must be compared one by one.
    rest: Vec<u32>,
}

/// Which values of a process a group of rules is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shape {
    /// The complete values of these dimensions: a bit set.
    Exact(u32),
    /// The same and one label.
    Labelled(u32),
    /// The first bytes of one dimension's value.
    Prefix(Dimension, usize),
}

/// A value that a rule can fix. Users and groups are fixed by name or by number. A rule for a container or a pod stands under
/// everything that it may mean, and one for a digest under each that an image has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Dimension {
    Exe,
    User,
    Uid,
    Group,
    Gid,
    Unit,
    Cgroup,
    ContainerId,
    ContainerName,
    PodUid,
    PodName,
    Namespace,
    /// The workload's name.
    Workload,
    /// The repository's path.
    Image,
    Manifest,
    AskedDigest,
    ImageId,
}

const DIMENSIONS: [Dimension; 17] = [
    Dimension::Exe,
    Dimension::User,
    Dimension::Uid,
    Dimension::Group,
    Dimension::Gid,
    Dimension::Unit,
    Dimension::Cgroup,
    Dimension::ContainerId,
    Dimension::ContainerName,
    Dimension::PodUid,
    Dimension::PodName,
    Dimension::Namespace,
    Dimension::Workload,
    Dimension::Image,
    Dimension::Manifest,
    Dimension::AskedDigest,
    Dimension::ImageId,
];

/// Keys whose values a pattern with wildcards is looked up by, by what is before the first.
const PREFIXED: [ProcessKey; 8] = [
    ProcessKey::Exe,
    ProcessKey::Unit,
    ProcessKey::Cgroup,
    ProcessKey::Container,
    ProcessKey::Image,
    ProcessKey::Pod,
    ProcessKey::Namespace,
    ProcessKey::Workload,
];

/// The lengths in bytes that prefixes are cut to, so that a bucket has few shapes.
const PREFIXES: [usize; 7] = [64, 32, 16, 12, 8, 4, 2];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Value<'a> {
    Text(&'a str),
    Number(u32),
}

/// A label's key and value.
type LabelValue<'a> = (&'a str, &'a str);

impl Dimension {
    const fn bit(self) -> u32 {
        1 << self as u32
    }

    fn of(self, process: &Process) -> Option<Value<'_>> {
        let container = || process.container.as_ref();
        let names = || container()?.names();
        let digest = |which: usize| names().and_then(|names| ImageFacts::of(names).digests[which]);
        let text = match self {
            Self::Uid => return Some(Value::Number(process.uid)),
            Self::Gid => return Some(Value::Number(process.gid)),
            Self::ContainerId => Some(&*container()?.id),
            Self::PodUid => container()?.pod.as_deref(),
            Self::ContainerName => names()?.name.as_deref(),
            Self::PodName => names()?.pod_name.as_deref(),
            Self::Namespace => names()?.namespace.as_deref(),
            Self::Workload => names()?.workload.as_ref().map(|workload| &*workload.name),
            Self::Image => ImageFacts::of(names()?).path(),
            Self::Manifest => digest(0),
            Self::AskedDigest => digest(1),
            Self::ImageId => digest(2),
            Self::Exe => process.exe.as_deref(),
            Self::User => process.user.as_deref(),
            Self::Group => process.group.as_deref(),
            Self::Unit => process.unit.as_deref(),
            Self::Cgroup => process.cgroup.as_deref(),
        };
        text.map(Value::Text)
    }

    /// The values that the texts of a key are compared with.
    const fn of_texts(key: ProcessKey) -> &'static [Self] {
        match key {
            ProcessKey::Exe => &[Self::Exe],
            ProcessKey::User => &[Self::User],
            ProcessKey::Group => &[Self::Group],
            ProcessKey::Unit => &[Self::Unit],
            ProcessKey::Cgroup => &[Self::Cgroup],
            ProcessKey::Container => &[Self::ContainerId, Self::PodUid, Self::ContainerName],
            ProcessKey::Pod => &[Self::PodUid, Self::PodName],
            ProcessKey::Namespace => &[Self::Namespace],
            ProcessKey::Workload => &[Self::Workload],
            ProcessKey::Image => &[Self::Image],
            ProcessKey::Label | ProcessKey::StatedBy => &[],
        }
    }

    /// The values that a pattern of a key fixes, one of which a process must have; `None` if it fixes none.
    fn fixed(key: ProcessKey, pattern: &Pattern) -> Option<Vec<(Self, Value<'_>)>> {
        let under = |dimensions: &[Self], text| {
            dimensions.iter().map(|dimension| (*dimension, Value::Text(text))).collect()
        };
        match (key, pattern) {
            (ProcessKey::StatedBy | ProcessKey::Label, _) => None,
            (ProcessKey::User, Pattern::Number(number)) => Some(vec![(Self::Uid, Value::Number(*number))]),
            (ProcessKey::Group, Pattern::Number(number)) => Some(vec![(Self::Gid, Value::Number(*number))]),
            (ProcessKey::Workload, Pattern::Text(text)) => {
                Some(under(&[Self::Workload], text.split_once('/').map_or(&**text, |(_, name)| name)))
            }
            (_, Pattern::Text(text)) => Some(under(Self::of_texts(key), text)),
            (_, Pattern::Image(image)) => match (&image.path, &image.official, &image.digest) {
                (Some(Pattern::Text(path)), None, _) => Some(under(&[Self::Image], path)),
                (Some(Pattern::Text(path)), Some(Pattern::Text(official)), _) => {
                    Some([under(&[Self::Image], path), under(&[Self::Image], official)].concat())
                }
                (_, _, Some(digest)) => {
                    Some(under(&[Self::Manifest, Self::AskedDigest, Self::ImageId], digest))
                }
                _ => None,
            },
            (_, Pattern::Number(_) | Pattern::Glob(_)) => None,
        }
    }

    /// The text that a process's value of a key must start with, by its only pattern; empty if that is not known.
    fn begin(key: ProcessKey, pattern: &Pattern) -> &str {
        match (key, pattern) {
            (_, Pattern::Image(image)) if image.official.is_none() => {
                image.path.as_ref().map_or("", Pattern::literal)
            }
            // One with a slash is compared with the kind as well.
            (ProcessKey::Workload, Pattern::Glob(glob)) if glob.text.contains('/') => "",
            (_, Pattern::Glob(_)) => pattern.literal(),
            _ => "",
        }
    }
}

/// The hash of a shape and the values that it takes from a process or a rule, in the order of [`DIMENSIONS`].
fn entry<'a>(shape: Shape, values: impl Iterator<Item = Value<'a>>, label: Option<LabelValue<'_>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    shape.hash(&mut hasher);
    values.for_each(|value| value.hash(&mut hasher));
    label.hash(&mut hasher);
    hasher.finish()
}

impl Shape {
    /// Calls back with each entry under which rules that fit the process are found: none if it lacks one of the values.
    fn look_up(self, process: Option<&Process>, mut found: impl FnMut(u64)) {
        let mask = match (self, process) {
            (Self::Exact(0), _) => return found(entry(self, std::iter::empty(), None)),
            (_, None) => return,
            (Self::Prefix(dimension, length), Some(process)) => {
                if let Some(Value::Text(text)) = dimension.of(process)
                    && let Some(begin) = text.get(..length)
                {
                    found(entry(self, std::iter::once(Value::Text(begin)), None));
                }
                return;
            }
            (Self::Exact(mask) | Self::Labelled(mask), Some(_)) => mask,
        };
        let Some(process) = process else { return };
        let dimensions = DIMENSIONS.into_iter().filter(|dimension| mask & dimension.bit() != 0);
        let mut values = [Value::Number(0); DIMENSIONS.len()];
        let mut known = 0;
        for dimension in dimensions {
            let Some(value) = dimension.of(process) else { return };
            values[known] = value;
            known += 1;
        }
        let values = || values[..known].iter().copied();
        match self {
            Self::Labelled(_) => {
                let names = process.container.as_ref().and_then(|container| container.names());
                for (key, value) in names.into_iter().flat_map(Names::known_labels) {
                    found(entry(self, values(), Some((key, value))));
                }
            }
            Self::Exact(_) | Self::Prefix(..) => found(entry(self, values(), None)),
        }
    }

    /// The entries under which a rule must stand; empty if only comparing it will do. `asked` says how many rules ask
    /// for a label.
    fn entries(spec: Option<&ProcessSpec>, asked: &HashMap<LabelValue<'_>, usize>) -> Vec<(Self, u64)> {
        let Some(spec) = spec else {
            return vec![(Self::Exact(0), entry(Self::Exact(0), std::iter::empty(), None))];
        };
        let mut combinations: Vec<Vec<(Dimension, Value<'_>)>> = vec![Vec::new()];
        for key in ProcessKey::ALL {
            let fixed: Option<Vec<_>> =
                spec.patterns(key).iter().map(|pattern| Dimension::fixed(key, pattern)).collect();
            let fixed = fixed.unwrap_or_default().concat();
            if !fixed.is_empty() && combinations.len() * fixed.len() <= ENTRIES_MAX {
                let extend = |known: Vec<_>| fixed.iter().map(move |one| [&known[..], &[*one]].concat());
                combinations = combinations.into_iter().flat_map(extend).collect();
            }
        }
        let room = ENTRIES_MAX / combinations.len();
        let labels = fixed_labels(spec).filter(|values| values.len() <= room);
        let often = |values: &Vec<LabelValue<'_>>| -> usize {
            values.iter().map(|value| asked.get(value).copied().unwrap_or(0)).sum()
        };
        let label = labels.min_by_key(often);
        if label.is_some() || combinations.iter().all(|values| !values.is_empty()) {
            let labels = label.map_or(vec![None], |values| values.into_iter().map(Some).collect());
            let exact = combinations.into_iter().flat_map(|mut values| {
                values.sort_by_key(|(dimension, _)| *dimension);
                // `container` and `pod` may both be met by the uid of the pod: the same one, and no process has two.
                values.dedup();
                let possible = values.windows(2).all(|two| two[0].0 != two[1].0);
                let mask = values.iter().fold(0, |mask, (dimension, _)| mask | dimension.bit());
                let stands = move |label: &Option<LabelValue<'_>>| {
                    let shape = if label.is_some() { Self::Labelled(mask) } else { Self::Exact(mask) };
                    (shape, entry(shape, values.iter().map(|(_, value)| *value), *label))
                };
                labels.iter().filter(|_| possible).map(stands).collect::<Vec<_>>()
            });
            return exact.collect();
        }
        for key in PREFIXED {
            let [pattern] = spec.patterns(key) else { continue };
            let literal = Dimension::begin(key, pattern);
            let cut = |length: &usize| *length <= literal.len() && literal.is_char_boundary(*length);
            if let Some(length) = PREFIXES.into_iter().find(cut) {
                let begin = Value::Text(&literal[..length]);
                let prefixed = Dimension::of_texts(key).iter().map(|dimension| {
                    let shape = Self::Prefix(*dimension, length);
                    (shape, entry(shape, std::iter::once(begin), None))
                });
                return prefixed.collect();
            }
        }
        Vec::new()
    }
}

/// The labels that a rule fixes: of each the values, one of which a process must have.
fn fixed_labels(spec: &ProcessSpec) -> impl Iterator<Item = Vec<LabelValue<'_>>> {
    spec.labels().iter().filter_map(|(key, patterns)| {
        let values = patterns.iter().map(|pattern| match pattern {
            Pattern::Text(text) => Some((&**key, &**text)),
            Pattern::Number(_) | Pattern::Glob(_) | Pattern::Image(_) => None,
        });
        values.collect()
    })
}

impl Tuples {
    pub(super) fn build(numbers: &[u32], rules: &[CompiledRule]) -> Self {
        let spec = |number: &u32| rules[*number as usize].process.as_deref();
        let mut asked: HashMap<LabelValue<'_>, usize> = HashMap::new();
        for value in numbers.iter().filter_map(spec).flat_map(fixed_labels).flatten() {
            *asked.entry(value).or_default() += 1;
        }
        let mut tuples = Self::default();
        let mut shapes = HashSet::new();
        for number in numbers {
            let entries = Shape::entries(spec(number), &asked);
            if entries.is_empty() {
                tuples.rest.push(*number);
            }
            for (shape, entry) in entries {
                shapes.insert(shape);
                let list = tuples.entries.entry(entry).or_default();
                if list.last() != Some(number) {
                    list.push(*number);
                }
            }
        }
        tuples.shapes = shapes.into_iter().collect();
        tuples
    }

    /// Calls back with each list of rules, ascending, among which those are that allow the process.
    pub(super) fn candidates(&self, process: Option<&Process>, mut search: impl FnMut(&[u32])) {
        for shape in &self.shapes {
            shape.look_up(process, |entry| {
                if let Some(found) = self.entries.get(&entry) {
                    search(found);
                }
            });
        }
        search(&self.rest);
    }
}
