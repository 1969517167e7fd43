//! Which file imports what from which other: `use` lines, and paths in types, expressions, attributes and macros.
//!
//! An import leads to the file that declares the item. `mod child;` is none, and neither is a re-export, unless the file
//! also uses the name itself. Code that only tests have does not count.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Expr, ImplItem, ImplItemFn, Item, ItemFn, Local, Macro, Meta, PatIdent, Path, Token,
    TraitItemFn,
};

use super::attributes::is_for_tests;
use super::modules::{Id, Modules, leaves};
use super::resolve::Named;
use super::tokens::{self, Written};

/// How a file comes to name something of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Import,
    /// `pub use`, which hands the name on.
    Reexport,
    /// A `use` of a module; what is used of it is an import for itself.
    Module,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) from: String,
    pub(crate) line: usize,
    /// The file that declares the item.
    pub(crate) to: String,
    /// The file of the module that the path goes through: it may re-export the item, or be the file itself.
    pub(crate) via: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// A path into a crate that is not among the checked.
#[derive(Debug)]
pub(crate) struct Foreign {
    pub(crate) from: String,
    pub(crate) line: usize,
    pub(crate) path: String,
}

#[derive(Debug, Default)]
pub(crate) struct Imports {
    pub(crate) own: Vec<Import>,
    pub(crate) foreign: Vec<Foreign>,
}

impl Imports {
    /// Those of all modules.
    pub(crate) fn of(modules: &Modules) -> Self {
        let mut imports = Self::default();
        for (id, module) in modules.list.iter().enumerate().filter(|(_, module)| !module.is_test) {
            let mut reader =
                Reader { modules, id, locals: BTreeSet::new(), in_macro: false, imports: &mut imports };
            for import in &module.uses {
                let kind = if import.is_reexport { Kind::Reexport } else { Kind::Import };
                reader.add(&import.path, &modules.resolve(id, &import.path), import.line, kind);
            }
            module.items.iter().for_each(|item| reader.visit_item(item));
        }
        imports
    }
}

/// Reads the items of one module.
struct Reader<'a> {
    modules: &'a Modules,
    id: Id,
    /// Names that the function binds: they hide what is imported.
    locals: BTreeSet<String>,
    in_macro: bool,
    imports: &'a mut Imports,
}

impl Reader<'_> {
    fn add(&mut self, path: &[String], named: &[Named], line: usize, kind: Kind) {
        let from = &self.modules.list[self.id].file;
        for named in named {
            let (target, name, kind) = match named {
                Named::Item(target, name) => (*target, name.clone(), kind),
                Named::Module(target) => (*target, path.last().cloned().unwrap_or_default(), Kind::Module),
                Named::Foreign(path) => {
                    self.imports.foreign.push(Foreign { from: from.clone(), line, path: path.join("::") });
                    continue;
                }
            };
            let target = &self.modules.list[target];
            if target.file != *from && !target.is_test {
                let to = target.file.clone();
                let via = if kind == Kind::Module { to.clone() } else { self.via(path).clone() };
                self.imports.own.push(Import { from: from.clone(), line, to, via, name, kind });
            }
        }
    }

    /// The file of the last module in a path; that of this module for a bare name.
    fn via(&self, path: &[String]) -> &String {
        let modules = (1..path.len()).rev().flat_map(|length| self.modules.resolve(self.id, &path[..length]));
        let last = modules.into_iter().find_map(|named| match named {
            Named::Module(id) => Some(id),
            _ => None,
        });
        &self.modules.list[last.unwrap_or(self.id)].file
    }

    fn path(&mut self, written: &Written) {
        let named = match &*written.path {
            [name] if written.is_macro => self.modules.resolve_macro(self.id, name),
            [name] if self.locals.contains(name) => return,
            path => self.modules.resolve(self.id, path),
        };
        // A module that is not of a `use` line stands in a visibility.
        let items: Vec<Named> =
            named.into_iter().filter(|named| !matches!(named, Named::Module(_))).collect();
        self.add(&written.path, &items, written.line, Kind::Import);
    }

    fn tokens(&mut self, tokens: TokenStream) {
        tokens::paths(tokens).iter().for_each(|written| self.path(written));
    }

    fn with_locals(&mut self, binds: impl FnOnce(&mut Locals<'_>), read: impl FnOnce(&mut Self)) {
        let outer = self.locals.clone();
        binds(&mut Locals(&mut self.locals));
        read(self);
        self.locals = outer;
    }
}

/// Collects the names that patterns bind. Those with capitals are constants.
struct Locals<'a>(&'a mut BTreeSet<String>);

impl<'ast> Visit<'ast> for Locals<'_> {
    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        let name = pattern.ident.to_string();
        if !name.starts_with(char::is_uppercase) {
            self.0.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Const(item) => &item.attrs,
            Item::Enum(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Macro(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Trait(item) => &item.attrs,
            Item::Type(item) => &item.attrs,
            // The module has its `use` lines; those that a macro is given it does not.
            Item::Use(item) => {
                let mut uses = Vec::new();
                if self.in_macro {
                    leaves(&item.tree, &mut Vec::new(), false, &mut uses);
                }
                for import in uses {
                    let named = self.modules.resolve(self.id, &import.path);
                    self.add(&import.path, &named, import.line, Kind::Import);
                }
                return;
            }
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            _ => return visit::visit_impl_item(self, item),
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_local(&mut self, local: &'ast Local) {
        if !is_for_tests(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.with_locals(|locals| locals.visit_item_fn(item), |reader| visit::visit_item_fn(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.with_locals(
            |locals| locals.visit_impl_item_fn(item),
            |reader| visit::visit_impl_item_fn(reader, item),
        );
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        self.with_locals(
            |locals| locals.visit_trait_item_fn(item),
            |reader| visit::visit_trait_item_fn(reader, item),
        );
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        let name = pattern.ident.to_string();
        if name.starts_with(char::is_uppercase) {
            self.path(&Written {
                path: vec![name],
                line: pattern.ident.span().start().line,
                is_macro: false,
            });
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.path(&written(path, false));
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.path(&written(&called.path, true));
        let outer = std::mem::replace(&mut self.in_macro, true);
        let tokens = &called.tokens;
        let expressions = Punctuated::<Expr, Token![,]>::parse_terminated;
        if let Ok(expressions) = expressions.parse2(tokens.clone()) {
            expressions.iter().for_each(|expression| self.visit_expr(expression));
        } else if let Ok(statements) = Block::parse_within.parse2(tokens.clone()) {
            statements.iter().for_each(|statement| self.visit_stmt(statement));
        } else {
            self.tokens(tokens.clone());
        }
        self.in_macro = outer;
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            Meta::List(list) if !list.path.is_ident("cfg") => {
                self.path(&written(&list.path, false));
                self.tokens(list.tokens.clone());
                if list.path.is_ident("serde") || list.path.is_ident("schemars") {
                    self.named_in_strings(list.tokens.clone());
                }
            }
            Meta::Path(path) => self.path(&written(path, false)),
            _ => {}
        }
    }
}

impl Reader<'_> {
    /// serde takes functions by their path in a string, and modules of which it calls two.
    fn named_in_strings(&mut self, tokens: TokenStream) {
        for token in tokens {
            let line = token.span().start().line;
            if let Ok(literal) = syn::parse2::<syn::LitStr>(token.into())
                && let Ok(path) = literal.parse_with(Path::parse_mod_style)
            {
                let mut path = written(&path, false).path;
                if let [Named::Module(_)] = *self.modules.resolve(self.id, &path) {
                    path.push("serialize".to_owned());
                }
                self.path(&Written { path, line, is_macro: false });
            }
        }
    }
}

fn written(path: &Path, is_macro: bool) -> Written {
    let parts = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    Written { path: parts, line: line_of(path), is_macro }
}

fn line_of(path: &Path) -> usize {
    path.segments.first().map_or(0, |segment| segment.ident.span().start().line)
}
