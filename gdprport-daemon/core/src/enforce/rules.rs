//! Rules as buckets: which rules one look-up finds, and what they say.

use std::collections::{BTreeMap, HashMap};

use gdprport_common::{
    CLASS_UNKNOWN, ENFORCE_EXE, ENFORCE_FOREVER, ENFORCE_PARTS, EnforceRule, EnforceRuleKey, EnforceStep,
};

use super::alike::Alike;
use super::known::Clock;
use super::parts::{DemandId, Part};
use super::tables::{RULES_MAX, TooLarge};
use crate::model::Direction;
use crate::policy::{CompiledRule, ItemId};

/// Where peers have to be for the rules of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Reach {
    /// In this item, or in one that is named by the same rules.
    Item(ItemId),
    /// Nobody knows: they may be anywhere, and what these rules allow is unknown.
    Anywhere,
    /// There is none: who may listen is asked.
    Nobody,
}

/// The rules of a declaration and direction that reach the same peers.
type Place = (usize, Direction, Reach);

/// What rules ask of each part.
pub(super) type Demands = [Option<DemandId>; ENFORCE_PARTS];

/// The classes that meet a demand, and whether for certain.
type Classes = Vec<(u32, bool)>;

/// What rules say, by bucket and classes.
pub(super) type Rows = BTreeMap<(u32, [u32; ENFORCE_PARTS]), EnforceRule>;

/// Rows with the keys of a generation.
pub(super) fn keyed(generation: u32, rows: Rows) -> Vec<(EnforceRuleKey, EnforceRule)> {
    let key = |bucket, classes| EnforceRuleKey { generation, bucket, classes };
    rows.into_iter().map(|((bucket, classes), rule)| (key(bucket, classes), rule)).collect()
}

/// A rule in its buckets.
struct Placed {
    demands: Demands,
    /// Until when it allows.
    until: u64,
    /// Each with whether it allows there, or only may.
    buckets: Vec<(u32, bool)>,
}

/// All buckets, and what the rules in them say.
pub(super) struct Buckets {
    alike: Alike,
    /// By part and demand.
    classes: [Vec<Classes>; ENFORCE_PARTS],
    numbers: HashMap<Place, BTreeMap<u32, u32>>,
    count: u32,
    placed: Vec<Placed>,
    /// How many rows were made.
    made: usize,
}

impl Buckets {
    pub(super) fn new(parts: &[Part; ENFORCE_PARTS], alike: Alike) -> Self {
        let classes = std::array::from_fn(|part| parts[part].classes_by_demand());
        Self { alike, classes, numbers: HashMap::new(), count: 0, placed: Vec::new(), made: 0 }
    }

    /// The steps that find the rules of a declaration about peers in these items, and about those that may be anywhere.
    pub(super) fn steps(
        &self,
        declaration: usize,
        direction: Direction,
        items: impl Iterator<Item = ItemId>,
    ) -> Vec<EnforceStep> {
        let kinds = self.alike.kinds(declaration, direction, items);
        let reached = kinds.into_iter().map(Reach::Item).chain([Reach::Anywhere]);
        reached.flat_map(|reach| self.of((declaration, direction, reach))).collect()
    }

    /// The steps that find the rules of a place.
    pub(super) fn of(&self, place: Place) -> impl Iterator<Item = EnforceStep> {
        let buckets = self.numbers.get(&place).into_iter().flatten();
        buckets.map(|(parts, bucket)| EnforceStep { bucket: *bucket, parts: *parts })
    }

    /// Puts a rule into its buckets: of every item that it allows, and `besides`, each with whether it allows there for certain.
    pub(super) fn add(
        &mut self,
        (declaration, rule): (usize, &CompiledRule),
        demands: Demands,
        besides: impl Iterator<Item = (Reach, bool)>,
        clock: Clock,
        rows: &mut Rows,
    ) -> Result<(), TooLarge> {
        if rule.until.is_some_and(|until| until < clock.now) {
            return Ok(());
        }
        let until = rule.until.map_or(ENFORCE_FOREVER, |until| clock.boot_ns(until));
        let kinds = self.alike.kinds(declaration, rule.direction, rule.peers.iter().copied());
        let items = kinds.into_iter().map(|item| (Reach::Item(item), true));
        let buckets = items
            .chain(besides)
            .map(|(reach, certain)| (self.bucket((declaration, rule.direction, reach), demands), certain))
            .collect();
        let placed = Placed { demands, until, buckets };
        let mut combinations = self.combinations(demands, None)?;
        if demands.iter().any(Option::is_some) {
            combinations.push((demands.map(|demand| demand.map_or(0, |_| CLASS_UNKNOWN)), false));
        }
        placed.write(&combinations, rows)?;
        self.placed.push(placed);
        self.made = rows.len();
        Ok(())
    }

    /// What the rules say of callers with a class that was not there when they were put into buckets, with the demands that it
    /// meets. Every other class is there by now.
    pub(super) fn grow(
        &mut self,
        part: usize,
        class: u32,
        meets: &[(DemandId, bool)],
    ) -> Result<Rows, TooLarge> {
        let mut rows = Rows::new();
        for placed in &self.placed {
            let Some(demand) = placed.demands[part] else { continue };
            let Ok(at) = meets.binary_search_by_key(&demand, |(id, _)| *id) else { continue };
            let combinations = self.combinations(placed.demands, Some((part, (class, meets[at].1))))?;
            placed.write(&combinations, &mut rows)?;
            check(self.made.saturating_add(rows.len()))?;
        }
        self.made += rows.len();
        for (demand, certain) in meets {
            self.classes[part][*demand as usize].push((class, *certain));
        }
        Ok(rows)
    }

    /// The bucket of a place for rules that ask for the same parts.
    fn bucket(&mut self, place: Place, demands: Demands) -> u32 {
        let parts = (0..)
            .zip(demands)
            .filter(|(_, demand)| demand.is_some())
            .fold(0, |bits, (part, _)| bits | 1 << part);
        let count = &mut self.count;
        *self.numbers.entry(place).or_default().entry(parts).or_insert_with(|| {
            *count += 1;
            *count
        })
    }

    /// The classes of callers that meet these demands, and whether for certain; of one part, if asked, this class only.
    ///
    /// A caller of whom nothing is known is another of them. Otherwise the kernel knows all parts but perhaps the executable,
    /// even if a value of them is not listed.
    fn combinations(
        &self,
        demands: Demands,
        only: Option<(usize, (u32, bool))>,
    ) -> Result<Vec<([u32; ENFORCE_PARTS], bool)>, TooLarge> {
        let mut found = vec![([0; ENFORCE_PARTS], true)];
        for (part, demand) in demands.iter().enumerate() {
            let Some(demand) = demand else { continue };
            let classes: Classes = match only {
                Some((which, class)) if which == part => vec![class],
                _ => {
                    let of_executable = (part == ENFORCE_EXE).then_some((CLASS_UNKNOWN, false));
                    self.classes[part][*demand as usize].iter().copied().chain(of_executable).collect()
                }
            };
            check(found.len().saturating_mul(classes.len()))?;
            let with = |(known, certain): ([u32; ENFORCE_PARTS], bool)| {
                classes.iter().map(move |(class, meets)| {
                    let mut known = known;
                    known[part] = *class;
                    (known, certain && *meets)
                })
            };
            found = found.into_iter().flat_map(with).collect();
        }
        Ok(found)
    }
}

impl Placed {
    /// Adds what it says of callers of these classes.
    fn write(&self, combinations: &[([u32; ENFORCE_PARTS], bool)], rows: &mut Rows) -> Result<(), TooLarge> {
        for (bucket, certain) in &self.buckets {
            for (classes, meets) in combinations {
                let entry = rows.entry((*bucket, *classes)).or_default();
                let last =
                    if *certain && *meets { &mut entry.allows_until } else { &mut entry.unknown_until };
                *last = (*last).max(self.until);
            }
            check(rows.len())?;
        }
        Ok(())
    }
}

fn check(entries: usize) -> Result<(), TooLarge> {
    TooLarge::check(
        entries,
        RULES_MAX,
        "entries for their rules",
        "write fewer rules, or ask for fewer keys with wildcards in them",
    )
}
