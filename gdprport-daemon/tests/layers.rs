//! The table of layers, enforced on the source text: which layer may use which, what the pure core may not touch,
//! and the form of every file. The table itself is explained in `ARCHITECTURE.md`.

use std::fs;
use std::path::{Path, PathBuf};

/// Files aim at 400 lines; the check leaves room for the last thought.
const MAX_LINES: usize = 420;

/// Each layer with what it may use of the others, besides itself.
const LAYERS: [(&str, &[&str]); 6] = [
    ("core", &[]),
    ("host", &["core"]),
    ("sink", &["core"]),
    ("control", &["core"]),
    ("app", &["core", "host", "sink", "control"]),
    ("ui", &["core", "control", "app", "sink::ledger"]),
];

/// What only `main.rs` may use.
const MAIN: &[&str] = &["ui"];

/// What the core may not name: it gets everything, the time too, as an argument.
const IMPURE: [(&str, &str); 22] = [
    ("tokio", "is pure and waits for nothing"),
    ("aya", "is pure and knows no kernel"),
    ("rustix", "is pure and makes no system call"),
    ("libc", "is pure and makes no system call"),
    ("procfs", "is pure and reads no machine"),
    ("uzers", "is pure and reads no machine"),
    ("std::fs", "is pure and reads no file"),
    ("std::env", "is pure and has no environment"),
    ("std::process", "is pure and runs no program"),
    ("std::thread", "is pure and starts no thread"),
    ("std::os", "is pure and knows no descriptor"),
    ("std::net::TcpStream", "is pure and opens no socket"),
    ("std::net::TcpListener", "is pure and opens no socket"),
    ("std::net::UdpSocket", "is pure and opens no socket"),
    ("std::net::ToSocketAddrs", "is pure and resolves no name"),
    ("std::io::stdin", "is pure and has no terminal"),
    ("std::io::stdout", "is pure and has no terminal"),
    ("std::io::stderr", "is pure and has no terminal"),
    ("std::time::SystemTime", "is pure; time is an argument"),
    ("std::time::Instant", "is pure; time is an argument"),
    ("jiff::Timestamp::now", "is pure; time is an argument"),
    ("jiff::Zoned::now", "is pure; time is an argument"),
];

/// Calls that read the clock under whatever name their type was imported.
const CLOCKS: [&str; 4] = ["Timestamp::now(", "Zoned::now(", "Instant::now(", "SystemTime::now("];

#[test]
fn every_layer_uses_only_what_the_table_allows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&source, &mut files);
    assert!(!files.is_empty(), "no source in {}", source.display());
    let mut offences = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).expect("a file that was just listed");
        let relative = file.strip_prefix(&source).expect("it was listed below").to_string_lossy();
        offences.extend(offences_in(&relative, &text));
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir).expect("a folder of the crate").flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// What a file at this path below `src` does against the rules, each as `file:line: rule`.
fn offences_in(file: &str, text: &str) -> Vec<String> {
    let mut offences = Vec::new();
    let lines = text.lines().count();
    if lines > MAX_LINES {
        offences.push(format!("src/{file}:{lines}: has {lines} lines; split it, files stay under 400"));
    }
    if !text.starts_with("//! ") {
        offences.push(format!("src/{file}:1: begins without `//!` that says what belongs in the file"));
    }
    let module = module_of(file);
    let layer = module.first().copied().unwrap_or_default();
    // The core's tests may read the checkout: what they prove stands in files there.
    let tests = if is_test_file(file) { 0 } else { tests_begin(text) };
    for (line, path) in paths(text) {
        let absolute = resolve(&module, &path);
        if let Some(used) = absolute.strip_prefix("crate::")
            && let Some(rule) = layering(layer, used)
        {
            offences.push(format!("src/{file}:{line}: `{path}`: {rule}"));
        }
        if layer == "core"
            && line < tests
            && let Some((_, rule)) = IMPURE.iter().find(|(name, _)| begins_with(&absolute, name))
        {
            offences.push(format!("src/{file}:{line}: `{path}`: core {rule}"));
        }
    }
    if layer == "core" {
        for (number, line) in code_lines(text).take_while(|(number, _)| *number < tests) {
            if let Some(clock) = CLOCKS.iter().find(|clock| line.contains(*clock)) {
                offences.push(format!("src/{file}:{number}: `{clock})`: core is pure; time is an argument"));
            }
        }
    }
    offences
}

/// The rule that a layer breaks by using this path of the crate, if it breaks one.
fn layering(layer: &str, used: &str) -> Option<String> {
    let target = used.split("::").next().unwrap_or_default();
    if !LAYERS.iter().any(|(name, _)| *name == target) || target == layer {
        return None;
    }
    let allowed = match layer {
        "main" => MAIN,
        // The library's root declares the layers and uses none.
        "" => &[],
        _ => LAYERS.iter().find(|(name, _)| *name == layer).map_or(&[][..], |(_, allowed)| allowed),
    };
    let is_allowed = allowed.iter().any(|path| begins_with(used, path));
    (!is_allowed).then(|| match allowed {
        [] => format!("{layer} uses no other layer"),
        _ => format!("{layer} may use {} and not {target}", allowed.join(", ")),
    })
}

/// `host/probes/ring.rs` → `["host", "probes", "ring"]`; `host/mod.rs` → `["host"]`; `lib.rs` → `[]`.
fn module_of(file: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if matches!(parts.last(), Some(&"mod" | &"lib")) {
        parts.pop();
    }
    parts
}

/// A path as written → from the root of the crate, or from outside it.
fn resolve(module: &[&str], path: &str) -> String {
    let mut rest = path;
    let mut base = module.to_vec();
    if let Some(below) = rest.strip_prefix("self::") {
        rest = below;
    } else if !rest.starts_with("super::") {
        return path.replacen("gdprport_daemon::", "crate::", 1);
    }
    while let Some(above) = rest.strip_prefix("super::") {
        // Within an inline module this climbs one too far; the tests of a file reach their own layer either way.
        base.pop();
        rest = above;
    }
    let base: String = base.iter().map(|part| format!("{part}::")).collect();
    format!("crate::{base}{rest}")
}

fn begins_with(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// `tests.rs` and everything below a folder `tests` is compiled for tests only.
fn is_test_file(file: &str) -> bool {
    Path::new(file).components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

/// The line on which a file's module of tests begins; past the end when it has none.
fn tests_begin(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let begins =
        |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{');
    lines.windows(2).position(begins).map_or(usize::MAX, |index| index + 1)
}

/// The lines without comments, numbered from 1.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| {
        let is_comment = line.trim_start().starts_with("//");
        (index + 1, if is_comment { "" } else { line.split(" // ").next().unwrap_or_default() })
    })
}

/// Every path with `::` in the code, groups of a `use` taken apart, with its line.
fn paths(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // The prefixes of the braces that are open within one `use`.
    let mut open: Vec<String> = Vec::new();
    let mut in_use = false;
    for (number, line) in code_lines(text) {
        let mut word = String::new();
        for c in line.chars().chain(['\n']) {
            if c.is_alphanumeric() || matches!(c, '_' | ':') {
                word.push(c);
                continue;
            }
            let is_keyword = word == "use";
            if in_use && c == '{' {
                open.push(format!("{}{word}", open.last().map_or("", String::as_str)));
            } else if !word.is_empty() && !is_keyword {
                let prefix = open.last().map_or("", String::as_str);
                let path = format!("{prefix}{}", word.trim_end_matches(':'));
                if path.contains("::") {
                    found.push((number, path.trim_start_matches(':').to_owned()));
                }
            }
            in_use = (in_use || is_keyword) && c != ';';
            if in_use && c == '}' {
                open.pop();
            } else if !in_use {
                open.clear();
            }
            word.clear();
        }
    }
    found
}

#[test]
fn an_upward_path_is_an_offence_however_it_is_written() {
    for line in [
        "use crate::host::process::Owner;",
        "use crate::{core::model, host};",
        "use crate::{\n    core::model::Port,\n    host::{\n        process,\n    },\n};",
        "fn f() { crate::app::run(); }",
        "use super::super::ui::table;",
        "use gdprport_daemon::host::process;",
    ] {
        let text = format!("//! A file.\n{line}\n");
        assert_eq!(offences_in("sink/sinks.rs", &text).len(), 1, "{line}\n{:?}", paths(&text));
    }
    let ledger = "//! A file.\nuse crate::sink::ledger::Row;\nuse crate::app;\n";
    assert_eq!(offences_in("ui/flows.rs", ledger), [""; 0]);
    assert_eq!(offences_in("ui/flows.rs", &ledger.replace("ledger", "sinks")).len(), 1);
    assert_eq!(offences_in("main.rs", "//! M.\nuse gdprport_daemon::app;\n").len(), 1);
    assert_eq!(offences_in("main.rs", "//! M.\nuse gdprport_daemon::ui;\n"), [""; 0]);
}

#[test]
fn the_core_is_pure_and_addresses_are_not_sockets() {
    let core = |code: &str| offences_in("core/flow.rs", &format!("//! A file.\n{code}\n")).len();
    assert_eq!(core("use std::net::{IpAddr, SocketAddr};\nuse std::time::Duration;\n// use std::fs;"), 0);
    assert_eq!(core("use super::model::Port;\nmod tests {\n    use super::super::verdict;\n}"), 0);
    assert_eq!(core("use std::{collections::BTreeMap, fs::File};"), 1);
    assert_eq!(core("use std::net::{IpAddr, TcpStream};"), 1);
    assert_eq!(core("let began = std::time::Instant::now();"), 2);
    assert_eq!(core("let now = Timestamp::now();"), 1);
    assert_eq!(core("use tokio::time::sleep;"), 1);
    assert_eq!(core("#[cfg(test)]\nmod tests {\n    use std::fs;\n}"), 0);
    assert_eq!(core("#[cfg(test)]\nmod tests;\nuse std::fs::File;"), 1);
}

#[test]
fn a_file_says_what_it_is_and_stays_short() {
    assert_eq!(offences_in("core/a.rs", "use std::fmt;\n").len(), 1);
    assert_eq!(offences_in("core/a.rs", &format!("//! A.\n{}", "\n".repeat(MAX_LINES))).len(), 1);
}
