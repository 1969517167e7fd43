//! The checks run on the workspace, and on small trees that break a rule.

use std::sync::LazyLock;

use super::files::{self, File};
use super::imports::Imports;
use super::modules::Modules;
use super::{cycles, layers, links, names, purity, text};
use crate::sh;

/// Read once for all tests: it takes seconds.
static WORKSPACE: LazyLock<(Vec<File>, Imports)> = LazyLock::new(|| {
    let files = files::read(sh::workspace()).expect("the workspace can be read");
    let imports = Imports::of(&Modules::read(&files).expect("the workspace parses"));
    (files, imports)
});

#[track_caller]
fn none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[test]
fn the_workspace_has_no_circle_of_imports() {
    none(&cycles::offences(&WORKSPACE.1.own));
}

#[test]
fn the_workspace_keeps_to_the_table_of_layers() {
    none(&layers::offences(&WORKSPACE.0, &WORKSPACE.1.own));
}

#[test]
fn the_core_of_the_workspace_is_pure() {
    none(&purity::offences(&WORKSPACE.1.foreign));
}

#[test]
fn the_workspace_keeps_the_rules_of_names_and_text() {
    none(&[names::offences(&WORKSPACE.0), text::offences(&WORKSPACE.0)].concat());
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    none(&links::offences(&WORKSPACE.0));
}

/// The offences in a small product of these files; manifests and roots are generated.
fn offences(sources: &[(&str, &str)]) -> Vec<String> {
    let manifest = |name: &str| format!("[package]\nname = \"{name}\"\n");
    let mut files = Vec::new();
    for (folder, name, root) in [
        ("gdprport-common", "gdprport-common", "src/lib.rs"),
        ("gdprport-daemon/core", "gdprport-core", "src/lib.rs"),
        ("gdprport-daemon", "gdprport-daemon", "src/lib.rs"),
        ("gdprport-daemon", "gdprport-daemon", "src/main.rs"),
    ] {
        let root = format!("{folder}/{root}");
        // A root declares the files that lie beside it.
        let beside = root.rsplit_once('/').map_or("", |(beside, _)| beside);
        let mut text = "//! A root.\n".to_owned();
        for (path, _) in sources.iter().filter(|_| !root.ends_with("main.rs")) {
            if let Some(name) = path.strip_prefix(beside).and_then(|rest| rest.strip_prefix('/'))
                && let name = name.trim_end_matches("/mod.rs").trim_end_matches(".rs")
                && !name.contains('/')
                && name != "main"
            {
                text.push_str(&format!("pub mod {name};\n"));
            }
        }
        files.push(File { path: format!("{folder}/Cargo.toml"), text: manifest(name) });
        files.push(File { path: root, text });
    }
    files.retain(|file| sources.iter().all(|(path, _)| *path != file.path));
    let made_up = sources.iter().map(|(path, code)| (*path, format!("//! A file.\n{code}\n")));
    files.extend(made_up.map(|(path, text)| File { path: path.to_owned(), text }));
    files.dedup_by(|a, b| a.path == b.path);
    super::offences(&files).unwrap_or_else(|error| vec![error.to_string()])
}

#[test]
fn a_circle_between_files_is_named_arrow_by_arrow() {
    let a = "use crate::b::{self, B};\npub struct A(B);\nfn f() { b::make() }";
    let b = "use super::c;\npub struct B;\npub fn make() -> c::C { c::C }";
    let c = "pub struct C;\nfn f() { println!(\"{:?}\", vec![crate::a::A::new()]) }";
    let path = |name: &str| format!("gdprport-daemon/core/src/{name}.rs");
    assert_eq!(
        offences(&[(&path("a"), a), (&path("b"), b), (&path("c"), c)]),
        [
            "a circle of 3 files:",
            "  gdprport-daemon/core/src/a.rs -> gdprport-daemon/core/src/b.rs: B, make",
            "  gdprport-daemon/core/src/b.rs -> gdprport-daemon/core/src/c.rs: C",
            "  gdprport-daemon/core/src/c.rs -> gdprport-daemon/core/src/a.rs: A",
        ]
    );
    none(&offences(&[(&path("a"), a), (&path("b"), b), (&path("c"), "pub struct C;")]));
}

/// A parent that only declares and re-exports is in no circle. One that uses a child which uses the parent's own items is.
#[test]
fn a_parent_is_imported_only_for_what_it_defines() {
    let parent = "gdprport-daemon/src/host/mod.rs";
    let (one, two) = ("gdprport-daemon/src/host/one.rs", "gdprport-daemon/src/host/two.rs");
    let reexports = "mod one;\nmod two;\npub use one::*;\npub use two::Two;";
    let child = "use super::Two;\npub struct One(Two);";
    none(&offences(&[(parent, reexports), (one, child), (two, "pub struct Two;")]));
    let found = offences(&[
        (parent, reexports),
        (one, child),
        (two, "fn f() -> super::One { todo() }\npub struct Two;"),
    ]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[1].contains("one.rs -> ") && found[1].ends_with("two.rs: Two"), "{found:?}");

    for defines in
        ["pub struct Two;\nfn f() { one::One }", "pub struct Two;\npub use one::One;\ntype X = One;"]
    {
        let found = offences(&[(parent, &format!("mod one;\n{defines}")), (one, child)]);
        assert_eq!(found.len(), 3, "{found:?}");
    }
    let defines = "mod one;\npub use one::One;\npub struct Two;";
    none(&offences(&[(parent, defines), (one, child)]));
}

#[test]
fn circles_are_found_through_globs_macros_and_strings() {
    let a = "gdprport-daemon/src/host/a.rs";
    let b = "gdprport-daemon/src/host/b.rs";
    let host = ("gdprport-daemon/src/host/mod.rs", "pub mod a;\npub mod b;");
    for back in [
        "use super::a::*;\nstruct B(A);",
        "use super::super::host::{a::{A}};",
        "fn f() { let _x = super::a::A; }",
        "fn f() { select! { x = super::a::A => {}, }; }",
        "fn f() { use crate::host::a::A as Other; }",
        "#[serde(with = \"super::a\")]\nstruct B;",
        "use gdprport_daemon::host::a::A;",
        "pub(crate) use super::a::Inner as Other;\nfn f(_: Other) {}",
    ] {
        let found =
            offences(&[host, (a, "use super::b;\npub struct A(b::B);\npub struct Inner;"), (b, back)]);
        assert_eq!(found.len(), 3, "{back}\n{found:?}");
    }
    for none_at_all in [
        "use super::a::*;\nfn f(a: u8) { g(a) }",
        "pub use super::a::A;",
        "fn f(has: &X) { has.A() }",
        "pub(in crate::host) struct B;",
        "#[cfg(test)]\nmod tests { use super::super::a::A; }",
        "#[cfg(all(test, unix))]\nuse super::a::A;",
        "impl B { #[cfg(any(test, feature = \"testing\"))] fn f(_: super::a::A) {} }",
    ] {
        none(&offences(&[host, (a, "use super::b;\npub struct A(b::B);"), (b, none_at_all)]));
    }
}

#[test]
fn an_upward_import_is_an_offence_in_any_spelling() {
    let host = ("gdprport-daemon/src/host/mod.rs", "pub mod process;");
    let process = ("gdprport-daemon/src/host/process.rs", "pub struct Owner;");
    for line in [
        "use crate::host::process::Owner;",
        "use crate::{host::process::{Owner}};",
        "use crate::host::process;",
        "pub use crate::host::process::Owner;",
        "fn f() { crate::host::process::Owner::new() }",
        "fn f() { format!(\"{:?}\", super::super::host::process::Owner); }",
        "fn f() { json!({ \"a\": [crate::host::process::Owner] }); }",
        "use super::super::host::process::*;",
        "use gdprport_daemon::host::process::Owner as Other;",
    ] {
        let control = ("gdprport-daemon/src/control/mod.rs", "mod handle;");
        let found = offences(&[host, process, control, ("gdprport-daemon/src/control/handle.rs", line)]);
        assert_eq!(found.len(), 1, "{line}\n{found:?}");
        assert!(found[0].starts_with("gdprport-daemon/src/control/handle.rs:2 -> "), "{found:?}");
    }
}

#[test]
fn the_table_of_layers_knows_every_layer() {
    let main = |code| offences(&[("gdprport-daemon/src/main.rs", code), UI, APP, SINK]);
    none(&main("fn main() { gdprport_daemon::ui::run() }"));
    none(&main("use gdprport_daemon::ui;\nfn main() { ui::run() }"));
    assert_eq!(main("fn main() { gdprport_daemon::app::run() }").len(), 1);
    // What another layer re-exports is that layer's.
    none(&offences(&[("gdprport-daemon/src/ui.rs", "use crate::app::Made;"), APP, SINK]));
    assert_eq!(offences(&[("gdprport-daemon/src/ui.rs", "use crate::sink::Made;"), APP, SINK]).len(), 1);
    let core = |code| offences(&[("gdprport-daemon/core/src/flow.rs", code), SINK]);
    none(&core("use gdprport_common::Record;"));
    assert_eq!(core("use gdprport_daemon::sink::Made;").len(), 1);
    let unknown = offences(&[("gdprport-daemon/src/other.rs", "")]);
    assert_eq!(unknown, ["gdprport-daemon/src/other.rs: is in no layer of the table"]);
}

const UI: (&str, &str) = ("gdprport-daemon/src/ui.rs", "pub fn run() {}");
const APP: (&str, &str) = ("gdprport-daemon/src/app.rs", "pub use crate::sink::Made;\npub fn run() {}");
const SINK: (&str, &str) = ("gdprport-daemon/src/sink.rs", "pub struct Made;");

#[test]
fn a_file_that_no_check_can_see_is_an_offence() {
    let root = ("gdprport-daemon/src/ui.rs", "mod gone;");
    assert_eq!(offences(&[root]), ["gdprport-daemon/src/ui.rs: `mod gone` has no file"]);
    let orphan = ("gdprport-daemon/src/ui/orphan.rs", "");
    assert_eq!(offences(&[UI, orphan]), ["gdprport-daemon/src/ui/orphan.rs: no crate has this file"]);
    assert!(
        offences(&[("gdprport-daemon/src/ui.rs", "fn (")])[0].starts_with("gdprport-daemon/src/ui.rs:2: ")
    );
}
