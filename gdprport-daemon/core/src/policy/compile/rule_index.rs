//! Finding the rule that allows a flow without looking at the others.
//!
//! Belongs here: the rules of one declaration and direction, indexed. Two steps, each of which does not grow with the
//! number of rules by more than a logarithm:
//!
//! 1. **Peer → items → buckets.** The policy's `PeerIndex` gives the items (named sets, networks, host names) that
//!    contain the peer; each item that this declaration uses has a bucket of rules.
//! 2. **Process → candidates.** A bucket of more than [`SMALL`] rules is searched by tuple space: its rules are
//!    grouped by *which* keys they fix to a plain text (at most some hundred combinations, in practice a handful), and each
//!    group is a hash table over the values of those keys. Rules that fix no key are grouped by the literal text
//!    that their pattern of `exe`, `unit`, `cgroup` or `container` starts with. Only the remaining rules, distinguished by
//!    nothing but users or groups with wildcards, or patterns that start with one, are compared one by one.
//!
//! Every candidate is compared in full, so that a hash collision costs time and never a wrong verdict. A rule that an
//! earlier one of the same bucket makes unreachable (same process, valid at least as long) is left out.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use super::peer_index::ItemId;
use crate::model::{Direction, Process};
use crate::policy::model::{Pattern, ProcessKey, ProcessSpec};

/// Up to this many rules are compared one by one.
const SMALL: usize = 8;
/// How many hash entries one rule with lists may take.
const ENTRIES_MAX: usize = 16;

#[cfg(test)]
thread_local! {
    /// How many rules were compared: what the cost of a verdict is measured by, as time depends on the machine.
    pub(crate) static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// One rule, ready to be compared.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub role: Arc<str>,
    pub direction: Direction,
    /// Sorted.
    pub peers: Box<[ItemId]>,
    pub process: Option<Arc<ProcessSpec>>,
    /// The last moment at which it is valid.
    pub until: Option<Timestamp>,
}

impl CompiledRule {
    fn allows(&self, process: Option<&Process>, now: Timestamp) -> bool {
        #[cfg(test)]
        COMPARED.set(COMPARED.get() + 1);
        self.until.is_none_or(|until| now <= until)
            && match (&self.process, process) {
                (None, _) => true,
                (Some(spec), Some(process)) => spec.matches(process),
                (Some(_), None) => false,
            }
    }
}

/// The rules of one declaration and direction by peer item.
#[derive(Debug, Default)]
pub(crate) struct RuleIndex {
    /// All of them, by role.
    all: Box<[u32]>,
    buckets: HashMap<ItemId, Bucket, RandomState>,
}

/// The rules that one item reaches.
#[derive(Debug, Default)]
struct Bucket {
    /// In the order written, without those that an earlier one makes unreachable.
    rules: Box<[u32]>,
    /// By role, without those that the rule of an earlier role makes needless in the same way: to explain a verdict,
    /// which must not depend on the order written.
    by_role: Box<[u32]>,
    tuples: Option<Tuples>,
}

#[derive(Debug, Default)]
struct Tuples {
    shapes: Vec<Shape>,
    entries: HashMap<u64, Vec<u32>>,
    /// Rules that must be compared one by one.
    rest: Vec<u32>,
}

/// Which values of a process a group of rules is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shape {
    /// The complete values of these dimensions: a bit set.
    Exact(u16),
    /// The first bytes of one dimension's value.
    Prefix(Dimension, usize),
}

/// A value that a rule can fix. Users and groups are fixed by name or by number. A rule for a container stands under its
/// id and under its pod's, because it means either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Dimension {
    Exe,
    User,
    Uid,
    Group,
    Gid,
    Unit,
    Cgroup,
    Container,
    Pod,
}

const DIMENSIONS: [Dimension; 9] = [
    Dimension::Exe,
    Dimension::User,
    Dimension::Uid,
    Dimension::Group,
    Dimension::Gid,
    Dimension::Unit,
    Dimension::Cgroup,
    Dimension::Container,
    Dimension::Pod,
];

/// The lengths in bytes that prefixes are cut to, so that a bucket has few shapes.
const PREFIXES: [usize; 7] = [64, 32, 16, 12, 8, 4, 2];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Value<'a> {
    Text(&'a str),
    Number(u32),
}

impl Dimension {
    const fn bit(self) -> u16 {
        1 << self as u8
    }

    fn of(self, process: &Process) -> Option<Value<'_>> {
        let text = match self {
            Self::Uid => return Some(Value::Number(process.uid)),
            Self::Gid => return Some(Value::Number(process.gid)),
            Self::Container => return Some(Value::Text(&process.container.as_ref()?.id)),
            Self::Pod => return process.container.as_ref()?.pod.as_deref().map(Value::Text),
            Self::Exe => &process.exe,
            Self::User => &process.user,
            Self::Group => &process.group,
            Self::Unit => &process.unit,
            Self::Cgroup => &process.cgroup,
        };
        text.as_deref().map(Value::Text)
    }

    /// The values that the texts of a key are compared with.
    const fn of_texts(key: ProcessKey) -> &'static [Self] {
        match key {
            ProcessKey::Exe => &[Self::Exe],
            ProcessKey::User => &[Self::User],
            ProcessKey::Group => &[Self::Group],
            ProcessKey::Unit => &[Self::Unit],
            ProcessKey::Cgroup => &[Self::Cgroup],
            ProcessKey::Container => &[Self::Container, Self::Pod],
        }
    }

    /// The values that a pattern of a key fixes, one of which a process must have; `None` if it fixes none.
    fn fixed(key: ProcessKey, pattern: &Pattern) -> Option<Vec<(Self, Value<'_>)>> {
        match (key, pattern) {
            (ProcessKey::User, Pattern::Number(number)) => Some(vec![(Self::Uid, Value::Number(*number))]),
            (ProcessKey::Group, Pattern::Number(number)) => Some(vec![(Self::Gid, Value::Number(*number))]),
            (_, Pattern::Text(text)) => {
                Some(Self::of_texts(key).iter().map(|dimension| (*dimension, Value::Text(text))).collect())
            }
            (_, Pattern::Number(_) | Pattern::Glob(_)) => None,
        }
    }
}

/// The hash of a shape and the values that it takes from a process or a rule, in the order of [`DIMENSIONS`].
fn entry<'a>(shape: Shape, values: impl Iterator<Item = Value<'a>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    shape.hash(&mut hasher);
    values.for_each(|value| value.hash(&mut hasher));
    hasher.finish()
}

impl Shape {
    /// The entry under which rules that fit the process are found; `None` if it lacks one of the values.
    fn look_up(self, process: Option<&Process>) -> Option<u64> {
        match (self, process) {
            (Self::Exact(0), _) => Some(entry(self, std::iter::empty())),
            (_, None) => None,
            (Self::Exact(mask), Some(process)) => {
                let mut known = 0;
                let values = DIMENSIONS.into_iter().filter(|dimension| mask & dimension.bit() != 0);
                let values = values.filter_map(|dimension| {
                    let value = dimension.of(process)?;
                    known |= dimension.bit();
                    Some(value)
                });
                let found = entry(self, values);
                (known == mask).then_some(found)
            }
            (Self::Prefix(dimension, length), Some(process)) => match dimension.of(process)? {
                Value::Text(text) => Some(entry(self, std::iter::once(Value::Text(text.get(..length)?)))),
                Value::Number(_) => None,
            },
        }
    }

    /// The entries under which a rule must stand; empty if only comparing it will do.
    fn entries(spec: Option<&ProcessSpec>) -> Vec<(Self, u64)> {
        let Some(spec) = spec else {
            return vec![(Self::Exact(0), entry(Self::Exact(0), std::iter::empty()))];
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
        if combinations.iter().all(|values| !values.is_empty()) {
            let exact = combinations.into_iter().map(|mut values| {
                values.sort_by_key(|(dimension, _)| *dimension);
                let shape = Self::Exact(values.iter().fold(0, |mask, (dimension, _)| mask | dimension.bit()));
                (shape, entry(shape, values.into_iter().map(|(_, value)| value)))
            });
            return exact.collect();
        }
        for key in [ProcessKey::Exe, ProcessKey::Unit, ProcessKey::Cgroup, ProcessKey::Container] {
            let [Pattern::Glob(glob)] = spec.patterns(key) else { continue };
            let literal = glob.text.find(['*', '?', '[', '{']).unwrap_or(0);
            let cut = |length: &usize| *length <= literal && glob.text.is_char_boundary(*length);
            if let Some(length) = PREFIXES.into_iter().find(cut) {
                let begin = Value::Text(&glob.text[..length]);
                let prefixed = Dimension::of_texts(key).iter().map(|dimension| {
                    let shape = Self::Prefix(*dimension, length);
                    (shape, entry(shape, std::iter::once(begin)))
                });
                return prefixed.collect();
            }
        }
        Vec::new()
    }
}

impl Tuples {
    fn build(numbers: &[u32], rules: &[CompiledRule]) -> Self {
        let mut tuples = Self::default();
        let mut shapes = HashSet::new();
        for number in numbers {
            let entries = Shape::entries(rules[*number as usize].process.as_deref());
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
}

/// Those of the rules, all of one bucket, for whose process no earlier one is valid at least as long.
fn useful(numbers: impl Iterator<Item = u32>, rules: &[CompiledRule]) -> Box<[u32]> {
    // How long the longest-lived rule so far allows each process; `None` lasts for ever. Specs are interned, so that
    // equal ones are the same.
    let mut reach: HashMap<Option<*const ProcessSpec>, Option<Timestamp>> = HashMap::new();
    let is_useful = |number: &u32| {
        let rule = &rules[*number as usize];
        match reach.entry(rule.process.as_ref().map(Arc::as_ptr)) {
            Entry::Vacant(vacant) => {
                vacant.insert(rule.until);
                true
            }
            Entry::Occupied(mut known) => {
                let longer = match (*known.get(), rule.until) {
                    (None, _) => false,
                    (Some(_), None) => true,
                    (Some(known), Some(until)) => until > known,
                };
                if longer {
                    known.insert(rule.until);
                }
                longer
            }
        }
    };
    numbers.filter(is_useful).collect()
}

/// The rules in the order of their roles, of which a port has each once.
fn by_role(mut numbers: Vec<u32>, rules: &[CompiledRule]) -> Vec<u32> {
    numbers.sort_unstable_by(|a, b| rules[*a as usize].role.cmp(&rules[*b as usize].role));
    numbers
}

impl Bucket {
    fn build(numbers: Vec<u32>, rules: &[CompiledRule]) -> Self {
        let kept = useful(numbers.iter().copied(), rules);
        let tuples = (kept.len() > SMALL).then(|| Tuples::build(&kept, rules));
        let by_role = useful(by_role(numbers, rules).into_iter(), rules);
        Self { rules: kept, by_role, tuples }
    }

    /// Lowers `best` to the first rule before it that allows the process.
    fn first(&self, rules: &[CompiledRule], process: Option<&Process>, now: Timestamp, best: &mut u32) {
        let mut search = |numbers: &[u32]| {
            for number in numbers.iter().take_while(|number| **number < *best) {
                if rules[*number as usize].allows(process, now) {
                    *best = *number;
                    break;
                }
            }
        };
        let Some(tuples) = &self.tuples else { return search(&self.rules) };
        for shape in &tuples.shapes {
            if let Some(found) = shape.look_up(process).and_then(|entry| tuples.entries.get(&entry)) {
                search(found);
            }
        }
        search(&tuples.rest);
    }
}

impl RuleIndex {
    /// Indexes the rules of one direction.
    pub(crate) fn build(rules: &[CompiledRule], direction: Direction) -> Self {
        let mut numbers: HashMap<ItemId, Vec<u32>> = HashMap::new();
        let mut all = Vec::new();
        for (number, rule) in (0..).zip(rules).filter(|(_, rule)| rule.direction == direction) {
            all.push(number);
            for item in &rule.peers {
                numbers.entry(*item).or_default().push(number);
            }
        }
        let buckets = numbers.into_iter().map(|(item, numbers)| (item, Bucket::build(numbers, rules)));
        Self { all: by_role(all, rules).into(), buckets: buckets.collect() }
    }

    /// Lowers `best` to the first rule before it that this item reaches and that allows the process now.
    pub(crate) fn first(
        &self,
        item: ItemId,
        rules: &[CompiledRule],
        process: Option<&Process>,
        now: Timestamp,
        best: &mut u32,
    ) {
        if let Some(bucket) = self.buckets.get(&item) {
            bucket.first(rules, process, now, best);
        }
    }

    /// The rules that an item reaches, by role, but for those that a better one stands for.
    pub(crate) fn reached(&self, item: ItemId) -> &[u32] {
        self.buckets.get(&item).map_or(&[], |bucket| &bucket.by_role)
    }

    /// All rules, by role.
    pub(crate) const fn all(&self) -> &[u32] {
        &self.all
    }
}
