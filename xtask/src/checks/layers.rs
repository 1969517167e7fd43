//! The table of layers: which part of the product may use which. `ARCHITECTURE.md` explains it.
//!
//! What a layer re-exports is its own for those that use it; the re-export itself is checked where it stands.

use std::collections::{BTreeMap, BTreeSet};

use super::files::File;
use super::imports::Import;

/// A part of the product and the others that it may use.
struct Layer {
    /// A folder, or a file without `.rs`.
    path: &'static str,
    uses: &'static [&'static str],
}

const COMMON: &str = "gdprport-common/src";
const CORE: &str = "gdprport-daemon/core/src";
const DAEMON: &str = "gdprport-daemon/src";
const HOST: &str = "gdprport-daemon/src/host";
const SINK: &str = "gdprport-daemon/src/sink";
const LEDGER: &str = "gdprport-daemon/src/ledger";
const REPORT: &str = "gdprport-daemon/src/report";
const CONTROL: &str = "gdprport-daemon/src/control";
const DELIVER: &str = "gdprport-daemon/src/deliver";
const APP: &str = "gdprport-daemon/src/app";
const UI: &str = "gdprport-daemon/src/ui";

const LAYERS: [Layer; 12] = [
    Layer { path: COMMON, uses: &[] },
    Layer { path: CORE, uses: &[COMMON] },
    Layer { path: HOST, uses: &[COMMON, CORE] },
    Layer { path: SINK, uses: &[CORE, HOST] },
    Layer { path: CONTROL, uses: &[CORE] },
    Layer { path: LEDGER, uses: &[CORE, HOST] },
    Layer { path: REPORT, uses: &[CORE] },
    Layer { path: DELIVER, uses: &[CORE, HOST, SINK, CONTROL] },
    Layer { path: APP, uses: &[COMMON, CORE, HOST, SINK, CONTROL, LEDGER] },
    Layer { path: UI, uses: &[CORE, CONTROL, LEDGER, REPORT, DELIVER, APP] },
    // It declares the layers, and re-exports what the benches and the fuzzer call.
    Layer { path: "gdprport-daemon/src/lib", uses: &[HOST, SINK, CONTROL, LEDGER, REPORT, DELIVER, APP] },
    Layer { path: "gdprport-daemon/src/main", uses: &[UI] },
];

impl Layer {
    fn of(file: &str) -> Option<&'static Self> {
        LAYERS.iter().find(|layer| is_below(file, layer.path))
    }
}

fn is_below(file: &str, path: &str) -> bool {
    file.strip_prefix(path).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// Every import that the table does not allow, an arrow a line, and every file that it does not know.
pub(crate) fn offences(files: &[File], imports: &[Import]) -> Vec<String> {
    let unknown = files
        .iter()
        .filter(|file| file.is_rust() && is_below(&file.path, DAEMON) && Layer::of(&file.path).is_none())
        .map(|file| format!("{}: is in no layer of the table", file.path));
    let mut upward: BTreeMap<(&str, &str), (usize, BTreeSet<&str>)> = BTreeMap::new();
    for import in imports {
        let Some(layer) = Layer::of(&import.from) else { continue };
        let is_allowed = Layer::of(&import.via)
            .is_some_and(|target| target.path == layer.path || layer.uses.contains(&target.path));
        if !is_allowed {
            let arrow = upward.entry((&import.from, &import.via)).or_insert((import.line, BTreeSet::new()));
            arrow.1.insert(&import.name);
        }
    }
    let upward = upward.into_iter().map(|((from, to), (line, names))| {
        let names: Vec<&str> = names.into_iter().collect();
        format!("{from}:{line} -> {to}: {}: not allowed by the table of layers", names.join(", "))
    });
    unknown.chain(upward).collect()
}
