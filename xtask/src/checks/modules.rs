//! The modules of every crate of a tree: which file each is in, what it declares, and what its `use` lines name. Nothing
//! is resolved here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow, bail};
use syn::visit::{self, Visit};
use syn::{Item, ItemMod, UseTree, Visibility};

use super::attributes::{is_for_tests, path_of};
use super::files::File;

/// A module's place in [`Modules::list`].
pub(crate) type Id = usize;

#[derive(Default)]
pub(crate) struct Modules {
    pub(crate) list: Vec<Module>,
    /// The root modules of the libraries, by the crate's name in paths.
    pub(crate) libraries: BTreeMap<String, Id>,
}

pub(crate) struct Module {
    pub(crate) file: String,
    pub(crate) root: Id,
    pub(crate) parent: Option<Id>,
    /// Compiled for tests only.
    pub(crate) is_test: bool,
    pub(crate) children: BTreeMap<String, Id>,
    /// What is declared here; for an enum with its variants.
    pub(crate) declared: BTreeMap<String, BTreeSet<String>>,
    pub(crate) uses: Vec<Use>,
    /// Everything but the modules.
    pub(crate) items: Vec<Item>,
}

/// One leaf of a `use`.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    pub(crate) path: Vec<String>,
    /// None for a glob.
    pub(crate) name: Option<String>,
    pub(crate) is_reexport: bool,
    pub(crate) line: usize,
}

impl Modules {
    /// Reads every crate whose `Cargo.toml` is among the files.
    ///
    /// # Errors
    /// A source file does not parse, or is part of no crate: no check would see it.
    pub(crate) fn read(files: &[File]) -> Result<Self> {
        let texts: BTreeMap<&str, &str> = files.iter().map(|file| (&*file.path, &*file.text)).collect();
        let mut modules = Self::default();
        for file in files {
            if let Some(folder) = file.path.strip_suffix("Cargo.toml")
                && let Some((_, package)) = file.text.split_once("[package]")
            {
                for (root, name) in roots(folder, package, &texts) {
                    let id = modules.add(&texts, &root, None, false)?;
                    if let Some(name) = name {
                        modules.libraries.insert(name, id);
                    }
                }
            }
        }
        let known: BTreeSet<&str> = modules.list.iter().map(|module| &*module.file).collect();
        match files.iter().find(|file| file.is_rust() && !known.contains(&*file.path)) {
            Some(file) => Err(anyhow!("{}: no crate has this file", file.path)),
            None => Ok(modules),
        }
    }

    /// Adds the module that a file is, with those below it.
    fn add(
        &mut self,
        texts: &BTreeMap<&str, &str>,
        path: &str,
        parent: Option<Id>,
        is_test: bool,
    ) -> Result<Id> {
        let text = texts.get(path).ok_or_else(|| anyhow!("{path}: there is no such file"))?;
        let file = syn::parse_file(text)
            .map_err(|error| anyhow!("{path}:{}: {error}", error.span().start().line))?;
        let is_test = is_test || is_test_file(path) || is_for_tests(&file.attrs);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        // The children of `a/mod.rs` and of a crate's root are beside it, those of `a/b.rs` in `a/b/`.
        let below = match name.trim_end_matches(".rs") {
            "mod" => folder.to_owned(),
            _ if parent.is_none() => folder.to_owned(),
            stem => format!("{folder}/{stem}"),
        };
        self.fill(texts, (path, &below), parent, is_test, file.items)
    }

    fn fill(
        &mut self,
        texts: &BTreeMap<&str, &str>,
        (file, below): (&str, &str),
        parent: Option<Id>,
        is_test: bool,
        items: Vec<Item>,
    ) -> Result<Id> {
        let id = self.list.len();
        self.list.push(Module {
            file: file.to_owned(),
            root: parent.map_or(id, |parent| self.list[parent].root),
            parent,
            is_test,
            children: BTreeMap::new(),
            declared: BTreeMap::new(),
            uses: Vec::new(),
            items: Vec::new(),
        });
        for item in items {
            let Item::Mod(ItemMod { attrs, ident, content, .. }) = item else {
                let module = &mut self.list[id];
                Declarations { module, is_nested: false }.visit_item(&item);
                module.items.push(item);
                continue;
            };
            let name = ident.to_string();
            let is_test = is_test || is_for_tests(&attrs);
            let child = match (content, path_of(&attrs)) {
                (Some((_, items)), _) => {
                    self.fill(texts, (file, &format!("{below}/{name}")), Some(id), is_test, items)?
                }
                (None, Some(path)) => {
                    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
                    self.add(texts, &normal(&format!("{folder}/{path}")), Some(id), is_test)?
                }
                (None, None) => {
                    let candidates = [format!("{below}/{name}.rs"), format!("{below}/{name}/mod.rs")];
                    let Some(path) = candidates.iter().find(|path| texts.contains_key(&***path)) else {
                        bail!("{file}: `mod {name}` has no file");
                    };
                    self.add(texts, path, Some(id), is_test)?
                }
            };
            self.list[id].children.insert(name, child);
        }
        Ok(id)
    }
}

/// The files that are roots of crates in this folder, by cargo's conventions and as its manifest says; a library with its
/// name.
fn roots(folder: &str, package: &str, texts: &BTreeMap<&str, &str>) -> BTreeMap<String, Option<String>> {
    let value = |key: &'static str| {
        package
            .lines()
            .filter_map(move |line| line.strip_prefix(key)?.trim().strip_prefix('='))
            .map(|value| value.trim().trim_matches('"'))
    };
    let named = value("path").map(|path| format!("{folder}{path}"));
    let usual = texts.keys().filter(|path| {
        let Some(path) = path.strip_prefix(folder) else { return false };
        let single =
            ["src/bin/", "tests/", "benches/", "examples/"].iter().find_map(|dir| path.strip_prefix(dir));
        matches!(path, "src/main.rs" | "build.rs")
            || single.is_some_and(|path| {
                path.ends_with(".rs") && !path.contains('/')
                    || path.ends_with("/main.rs") && path.matches('/').count() == 1
            })
    });
    let mut roots: BTreeMap<String, Option<String>> = usual
        .map(|path| (*path).to_owned())
        .chain(named)
        .filter(|path| texts.contains_key(&**path))
        .map(|path| (path, None))
        .collect();
    let library = format!("{folder}src/lib.rs");
    if texts.contains_key(&*library) {
        let name = value("name").next().map(|name| name.replace('-', "_"));
        roots.insert(library, name);
    }
    roots
}

/// Sources that only tests use have these names.
fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "testing.rs"))
}

/// Without `..`.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// Writes down what the items declare, those within functions too: their names hide others as well.
struct Declarations<'a> {
    module: &'a mut Module,
    is_nested: bool,
}

impl<'ast> Visit<'ast> for Declarations<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (name, variants) = match item {
            Item::Use(item) => {
                if !is_for_tests(&item.attrs) {
                    let is_reexport = !self.is_nested && !matches!(item.vis, Visibility::Inherited);
                    leaves(&item.tree, &mut Vec::new(), is_reexport, &mut self.module.uses);
                }
                return;
            }
            Item::Const(item) => (Some(&item.ident), BTreeSet::new()),
            Item::Enum(item) => {
                (Some(&item.ident), item.variants.iter().map(|variant| variant.ident.to_string()).collect())
            }
            Item::Fn(item) => (Some(&item.sig.ident), BTreeSet::new()),
            Item::Macro(item) => (item.ident.as_ref(), BTreeSet::new()),
            Item::Static(item) => (Some(&item.ident), BTreeSet::new()),
            Item::Struct(item) => (Some(&item.ident), BTreeSet::new()),
            Item::Trait(item) => (Some(&item.ident), BTreeSet::new()),
            Item::TraitAlias(item) => (Some(&item.ident), BTreeSet::new()),
            Item::Type(item) => (Some(&item.ident), BTreeSet::new()),
            Item::Union(item) => (Some(&item.ident), BTreeSet::new()),
            _ => (None, BTreeSet::new()),
        };
        if let Some(name) = name {
            self.module.declared.entry(name.to_string()).or_default().extend(variants);
        }
        let outer = std::mem::replace(&mut self.is_nested, true);
        visit::visit_item(self, item);
        self.is_nested = outer;
    }
}

/// Takes a `use` apart into its leaves.
pub(crate) fn leaves(tree: &UseTree, prefix: &mut Vec<String>, is_reexport: bool, uses: &mut Vec<Use>) {
    let mut add = |last: Option<String>, name: Option<String>, line| {
        let path = prefix.iter().cloned().chain(last).collect();
        uses.push(Use { path, name, is_reexport, line });
    };
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            leaves(&path.tree, prefix, is_reexport, uses);
            prefix.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, prefix, is_reexport, uses)),
        UseTree::Glob(glob) => add(None, None, glob.star_token.span.start().line),
        UseTree::Name(leaf) if leaf.ident == "self" => {
            add(None, prefix.last().cloned(), leaf.ident.span().start().line);
        }
        UseTree::Name(leaf) => {
            let name = leaf.ident.to_string();
            add(Some(name.clone()), Some(name), leaf.ident.span().start().line);
        }
        UseTree::Rename(leaf) => {
            let last = (leaf.ident != "self").then(|| leaf.ident.to_string());
            add(last, Some(leaf.rename.to_string()), leaf.ident.span().start().line);
        }
    }
}
