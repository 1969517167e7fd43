//! Names resolved as the compiler does it: from a module and a path to the module that declares the item, through
//! imports, re-exports and globs.

use std::collections::BTreeSet;

use super::modules::{Id, Modules};

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Module(Id),
    /// An item and the module that declares it.
    Item(Id, String),
    /// A path that begins with a crate from elsewhere.
    Foreign(Vec<String>),
}

/// The imports that are being followed, so that a circle of them ends.
type Followed = BTreeSet<(Id, usize, String)>;

impl Modules {
    /// What the path names that stands in this module; several things if a function and a module, say, share a name.
    pub(crate) fn resolve(&self, from: Id, path: &[String]) -> Vec<Named> {
        self.walk(from, path, &mut Followed::new())
    }

    /// The module that declares a macro by its bare name: such names are also seen from the modules around.
    pub(crate) fn resolve_macro(&self, from: Id, name: &str) -> Vec<Named> {
        let mut at = Some(from);
        while let Some(id) = at {
            let found = self.lookup(id, name, &mut Followed::new());
            if !found.is_empty() {
                return found;
            }
            at = self.list[id].parent;
        }
        Vec::new()
    }

    fn walk(&self, from: Id, path: &[String], followed: &mut Followed) -> Vec<Named> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        let mut found = match (self.relative(from, first), self.lookup(from, first, followed)) {
            (Some(module), _) => vec![Named::Module(module)],
            (None, found) if !found.is_empty() => found,
            _ => match self.libraries.get(first) {
                _ if first == "Self" => Vec::new(),
                Some(library) => vec![Named::Module(*library)],
                None => vec![Named::Foreign(vec![first.clone()])],
            },
        };
        for part in rest {
            // A module rather than a function of the same name: the path goes on.
            let is_module = |named: &&Named| matches!(named, Named::Module(_));
            found = match found.iter().find(is_module).or(found.first()).cloned() {
                Some(Named::Module(id)) => match self.relative(id, part).filter(|_| part != "crate") {
                    Some(module) => vec![Named::Module(module)],
                    None => match self.lookup(id, part, followed) {
                        // Made by a macro: nothing else is in the module and not in its text.
                        found if found.is_empty() => vec![Named::Item(id, part.clone())],
                        found => found,
                    },
                },
                Some(Named::Foreign(mut path)) => {
                    path.push(part.clone());
                    vec![Named::Foreign(path)]
                }
                // A variant, an associated function.
                Some(item) => return vec![item],
                None => return Vec::new(),
            };
        }
        found
    }

    /// `crate`, `self` and `super`.
    fn relative(&self, from: Id, part: &str) -> Option<Id> {
        match part {
            "crate" => Some(self.list[from].root),
            "self" => Some(from),
            "super" => self.list[from].parent,
            _ => None,
        }
    }

    /// What a name means in a module; nothing if it does not have it.
    fn lookup(&self, id: Id, name: &str, followed: &mut Followed) -> Vec<Named> {
        let module = &self.list[id];
        let mut found = Vec::new();
        if module.declared.contains_key(name) {
            found.push(Named::Item(id, name.to_owned()));
        }
        found.extend(module.children.get(name).copied().map(Named::Module));
        let (globs, named): (Vec<_>, Vec<_>) =
            module.uses.iter().enumerate().partition(|(_, import)| import.name.is_none());
        for (at, import) in named.into_iter().filter(|(_, import)| import.name.as_deref() == Some(name)) {
            let key = (id, at, name.to_owned());
            if followed.insert(key.clone()) {
                found.extend(self.walk(id, &import.path, followed));
                followed.remove(&key);
            }
        }
        if !found.is_empty() {
            return found;
        }
        for (at, import) in globs {
            let key = (id, at, name.to_owned());
            if !followed.insert(key.clone()) {
                continue;
            }
            for named in self.walk(id, &import.path, followed) {
                match named {
                    Named::Module(target) => found.extend(self.lookup(target, name, followed)),
                    Named::Item(target, item) => {
                        let has = |variants: &BTreeSet<String>| variants.contains(name);
                        if self.list[target].declared.get(&item).is_some_and(has) {
                            found.push(Named::Item(target, item));
                        }
                    }
                    Named::Foreign(_) => {}
                }
            }
            followed.remove(&key);
        }
        found
    }
}
