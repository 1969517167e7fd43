//! Which ports and rules need host names that are not resolved, for the status and the log.

use std::collections::HashMap;
use std::sync::Arc;

use super::active::ActivePolicy;
use crate::policy::compile::{CompiledSite, ItemId};
use crate::policy::dns_names::Resolution;

/// How many uses are listed for one name.
const USES: usize = 8;

/// A host name that does not resolve, and what cannot be decided without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecidable<'p> {
    /// The name.
    pub name: &'p str,
    /// Why; `None` if it has not been resolved yet.
    pub why: Option<String>,
    /// What needs it: the port's name, and the role, or `None` where it decides which remote service a flow is to. At
    /// most eight.
    pub uses: Vec<(Arc<str>, Option<Arc<str>>)>,
    /// How many more there are.
    pub more: usize,
}

impl ActivePolicy {
    /// Every name that is not resolved, by name, with what only it would allow.
    #[must_use]
    pub fn undecidable(&self) -> Vec<Undecidable<'_>> {
        let (policy, names) = (self.policy(), self.names());
        let mut open: Vec<&str> = policy.host_names().filter(|name| !names.is_resolved(name)).collect();
        open.sort_unstable();
        if open.is_empty() {
            return Vec::new();
        }
        // By item, the rules and services that it is in: at most as many as are listed, and how many there are.
        let mut by_item: HashMap<(bool, ItemId), (Vec<_>, usize)> = HashMap::new();
        let mut note = |item, port: &Arc<str>, role: Option<&Arc<str>>| {
            let (uses, all) = by_item.entry(item).or_default();
            *all += 1;
            if uses.len() < USES {
                uses.push((Arc::clone(port), role.cloned()));
            }
        };
        for declaration in policy.declarations.iter().filter(|declaration| !declaration.hosts.is_empty()) {
            for rule in &declaration.rules {
                rule.peers.iter().for_each(|item| note((false, *item), &declaration.name, Some(&rule.role)));
            }
        }
        for declaration in &policy.declarations {
            if let CompiledSite::Remote(Some(item)) = declaration.site {
                note((true, item), &declaration.name, None);
            }
        }
        let listed = open.into_iter().map(|name| {
            let items = [(false, &policy.peers), (true, &policy.services)]
                .into_iter()
                .flat_map(|(of, index)| index.items_of(name).iter().map(move |item| (of, *item)));
            let (mut uses, mut all) = (Vec::new(), 0);
            for (known, count) in items.filter_map(|item| by_item.get(&item)) {
                uses.extend(known.iter().take(USES - uses.len()).cloned());
                all += count;
            }
            let why = match names.get(name) {
                Some(Resolution::Unresolved(why)) => Some(why.clone()),
                Some(Resolution::Resolved(..)) | None => None,
            };
            Undecidable { name, why, more: all - uses.len(), uses }
        });
        listed.collect()
    }
}
