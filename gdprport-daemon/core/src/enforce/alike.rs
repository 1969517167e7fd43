//! Items of peers that the same rules name: to these they are one. Each would have rows of its own otherwise, and a rule with many
//! peers as many.

use std::collections::HashMap;

use crate::model::Direction;
use crate::policy::{CompiledRule, ItemId};

/// An item that rules of a declaration name, in one direction.
type Named = (usize, Direction, ItemId);

/// For each item the first of those that it is like.
pub(super) struct Alike(HashMap<Named, ItemId>);

impl Alike {
    /// Compares the items of these rules, each with its declaration.
    pub(super) fn new<'a>(rules: impl Iterator<Item = (usize, &'a CompiledRule)>) -> Self {
        let mut named: HashMap<Named, Vec<u32>> = HashMap::new();
        for (number, (declaration, rule)) in (0..).zip(rules) {
            for item in &rule.peers {
                named.entry((declaration, rule.direction, *item)).or_default().push(number);
            }
        }
        let mut named: Vec<(Named, Vec<u32>)> = named.into_iter().collect();
        named.sort_unstable_by_key(|((.., item), _)| *item);
        let mut first = HashMap::new();
        let of = |(named, by): (Named, Vec<u32>)| {
            let (declaration, direction, item) = named;
            (named, *first.entry((declaration, direction, by)).or_insert(item))
        };
        Self(named.into_iter().map(of).collect())
    }

    /// The first of each kind among these items, ascending. Items that no rule of the declaration names are left out.
    pub(super) fn kinds(
        &self,
        declaration: usize,
        direction: Direction,
        items: impl Iterator<Item = ItemId>,
    ) -> Vec<ItemId> {
        let mut kinds: Vec<ItemId> =
            items.filter_map(|item| self.0.get(&(declaration, direction, item)).copied()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}
