//! Finding the rule that allows a flow without looking at the others.
//!
//! Belongs here: the rules of one declaration and direction, indexed. Two steps, each of which does not grow with the
//! number of rules by more than a logarithm:
//!
//! 1. **Peer → items → buckets.** The policy's `PeerIndex` gives the items (named sets, networks, host names) that
//!    contain the peer; each item that this declaration uses has a bucket of rules.
//! 2. **Process → candidates.** A bucket of more than [`SMALL`] rules is searched by what they fix of the process
//!    ([`Tuples`]).
//!
//! Every candidate is compared in full, so that a hash collision costs time and never a wrong verdict. A rule that an
//! earlier one of the same bucket makes unreachable (same process, valid at least as long) is left out.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;

use super::compiled_rule::CompiledRule;
use super::peer_index::ItemId;
use super::tuples::Tuples;
use crate::model::{Direction, Process};
use crate::policy::model::{Evidence, ProcessSpec};

/// Up to this many rules are compared one by one.
const SMALL: usize = 8;

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
    /// The same by what evidence they rest on.
    by_evidence: Box<[(Evidence, Box<[u32]>)]>,
    tuples: Option<Tuples>,
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
        let mut by_evidence: BTreeMap<Evidence, Vec<u32>> = BTreeMap::new();
        for number in &by_role {
            let spec = rules[*number as usize].process.as_deref();
            by_evidence.entry(spec.map_or(Evidence::NONE, Evidence::of)).or_default().push(*number);
        }
        let by_evidence =
            by_evidence.into_iter().map(|(evidence, numbers)| (evidence, numbers.into())).collect();
        Self { rules: kept, by_role, by_evidence, tuples }
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
        tuples.candidates(process, search);
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

    /// Those of them that rest on some of this evidence.
    pub(crate) fn resting_on(&self, item: ItemId, evidence: Evidence) -> impl Iterator<Item = &u32> {
        let groups = self.buckets.get(&item).map_or(&[][..], |bucket| &bucket.by_evidence);
        let groups = groups.iter().filter(move |(rests_on, _)| rests_on.overlaps(evidence));
        groups.flat_map(|(_, numbers)| numbers)
    }

    /// All rules, by role.
    pub(crate) const fn all(&self) -> &[u32] {
        &self.all
    }
}
