//! What hangs on host names that are not resolved.
//!
//! Belongs here: which items of which declaration they are in, worked out once when names change and not for every
//! verdict; and which ports and rules they are needed by, for people.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::Policy;
use super::compiled::{Declaration, Where};
use super::names::{Names, Resolution};
use super::peers::ItemId;

/// How many rules are told for one name.
const USES: usize = 8;

#[cfg(test)]
thread_local! {
    /// How many items were looked at for names that are not resolved.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The items with names that are not resolved, by declaration, each ascending.
#[derive(Debug)]
pub(super) struct Open {
    /// The policy that the items are of.
    digest: Box<str>,
    items: Vec<Box<[ItemId]>>,
}

/// A host name that does not resolve, and what cannot be decided without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecidable<'p> {
    /// The name.
    pub name: &'p str,
    /// Why, in words; `None` if it is being asked for.
    pub why: Option<String>,
    /// By what it is needed: the port's name, and the role, or `None` where it tells which remote service a flow is to.
    /// At most eight.
    pub uses: Vec<(Arc<str>, Option<Arc<str>>)>,
    /// How many more there are.
    pub more: usize,
}

impl Names {
    fn is_open(&self, name: &str) -> bool {
        !matches!(self.get(name), Some(Resolution::Resolved(..)))
    }

    /// The names among these that are not resolved.
    pub(super) fn open<'n>(&'n self, names: &'n [Arc<str>]) -> impl Iterator<Item = &'n Arc<str>> {
        names.iter().filter(|name| self.is_open(name))
    }
}

impl Policy {
    /// The names with what of this policy hangs on those that are not resolved, so that no verdict has to find that out.
    #[must_use]
    pub fn prepare(&self, mut names: Names) -> Names {
        let items = self.declarations.iter().map(|declaration| self.find_open(declaration, &names).into());
        let items = items.collect();
        names.open = Some(Arc::new(Open { digest: self.digest().into(), items }));
        names
    }

    /// The items of one declaration with a name that is not resolved, ascending.
    pub(super) fn open_items<'n>(&self, declaration: usize, names: &'n Names) -> Cow<'n, [ItemId]> {
        match &names.open {
            Some(open) if *open.digest == *self.digest() => Cow::Borrowed(&open.items[declaration]),
            _ => Cow::Owned(self.find_open(&self.declarations[declaration], names)),
        }
    }

    fn find_open(&self, declaration: &Declaration, names: &Names) -> Vec<ItemId> {
        let is_open = |item: &ItemId| {
            #[cfg(test)]
            LOOKED_AT.set(LOOKED_AT.get() + 1);
            names.open(&self.peers.items[*item as usize].hosts).next().is_some()
        };
        declaration.hosts.iter().copied().filter(is_open).collect()
    }

    /// Every name that is not resolved, by name, with what only it would allow.
    #[must_use]
    pub fn undecidable(&self, names: &Names) -> Vec<Undecidable<'_>> {
        let mut open: Vec<&str> = self.host_names().filter(|name| names.is_open(name)).collect();
        open.sort_unstable();
        if open.is_empty() {
            return Vec::new();
        }
        // By item, the rules and services that it is in: at most as many as are told, and how many there are.
        let mut by_item: HashMap<(bool, ItemId), (Vec<_>, usize)> = HashMap::new();
        let mut note = |item, port: &Arc<str>, role: Option<&Arc<str>>| {
            let (uses, all) = by_item.entry(item).or_default();
            *all += 1;
            if uses.len() < USES {
                uses.push((Arc::clone(port), role.cloned()));
            }
        };
        for declaration in self.declarations.iter().filter(|declaration| !declaration.hosts.is_empty()) {
            for rule in &declaration.rules {
                rule.peers.iter().for_each(|item| note((false, *item), &declaration.name, Some(&rule.role)));
            }
        }
        for declaration in &self.declarations {
            if let Where::Elsewhere(Some(item)) = declaration.service {
                note((true, item), &declaration.name, None);
            }
        }
        let told = open.into_iter().map(|name| {
            let items = [(false, &self.peers), (true, &self.services)]
                .into_iter()
                .flat_map(|(of, index)| index.items_of(name).iter().map(move |item| (of, *item)));
            let (mut uses, mut all) = (Vec::new(), 0);
            for (told, count) in items.filter_map(|item| by_item.get(&item)) {
                uses.extend(told.iter().take(USES - uses.len()).cloned());
                all += count;
            }
            let why = match names.get(name) {
                Some(Resolution::Unresolved(why)) => Some(why.clone()),
                Some(Resolution::Resolved(..)) | None => None,
            };
            Undecidable { name, why, more: all - uses.len(), uses }
        });
        told.collect()
    }
}
