//! What the binary is made of: the crates that are linked into it, and those of the kernel programs that it embeds. Proc macros
//! and build scripts run while it is built and are not in it.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;

use crate::setup::compile;
use crate::sh;

/// The package of the binary.
const PRODUCT: &str = "gdprport-daemon";

/// One crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) licence: String,
    /// Of this workspace.
    pub(super) is_own: bool,
    /// Where its sources lie.
    pub(super) folder: PathBuf,
    /// SHA-256 of the archive that the registry has, from the lock file.
    pub(super) checksum: Option<String>,
    /// Places in [`Dependencies::crates`] of what it uses.
    pub(super) uses: Vec<usize>,
}

impl Crate {
    /// Name and version.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// All of them, by name and version.
#[derive(Debug)]
pub(super) struct Dependencies {
    pub(super) crates: Vec<Crate>,
}

impl Dependencies {
    /// Asks cargo.
    ///
    /// # Errors
    /// It does not answer, or not with what is expected.
    pub(super) fn read() -> Result<Self> {
        let mut cargo = sh::cargo();
        // As deny.toml has it: one list for both architectures, which differ in nothing that is in the binary.
        cargo.args(["metadata", "--format-version", "1", "--locked"]);
        cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
        let metadata =
            serde_json::from_str(&sh::quiet(&mut cargo)?).context("cargo's metadata are no JSON")?;
        let lock = sh::workspace().join("Cargo.lock");
        let lock = fs::read_to_string(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
        Self::from_metadata(&metadata, &lock)
    }

    fn from_metadata(metadata: &Value, lock: &str) -> Result<Self> {
        let strange = || anyhow!("cargo's metadata have no graph of packages");
        let packages: HashMap<&str, &Value> = by_id(&metadata["packages"]);
        let nodes: HashMap<&str, &Value> = by_id(&metadata["resolve"]["nodes"]);
        let of_name = |name: &str| {
            packages
                .iter()
                .find(|(_, package)| package["name"] == name)
                .map(|(id, _)| *id)
                .ok_or_else(strange)
        };
        let (product, kernel) = (of_name(PRODUCT)?, of_name(compile::PACKAGE)?);
        let uses = |id: &str| -> Vec<&str> {
            let deps = nodes.get(id).and_then(|node| node["deps"].as_array()).into_iter().flatten();
            let linked = deps.filter(|dep| is_linked(dep)).filter_map(|dep| dep["pkg"].as_str());
            let embedded = (id == product).then_some(kernel);
            linked.chain(embedded).filter(|id| packages.get(id).is_some_and(|one| !is_macro(one))).collect()
        };
        let mut found = BTreeSet::new();
        let mut waiting = vec![product];
        while let Some(id) = waiting.pop() {
            if found.insert(id) {
                waiting.extend(uses(id));
            }
        }
        let mut ids: Vec<&str> = found.into_iter().collect();
        let text = |id: &str, key: &str| packages[id][key].as_str().unwrap_or_default().to_owned();
        ids.sort_by_key(|id| (text(id, "name"), text(id, "version"), (*id).to_owned()));
        let places: HashMap<&str, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let checksums = checksums(lock);
        let crates = ids.iter().map(|id| {
            let (name, version) = (text(id, "name"), text(id, "version"));
            let mut used: Vec<usize> = uses(id).iter().filter_map(|id| places.get(id).copied()).collect();
            used.sort_unstable();
            used.dedup();
            Crate {
                // Before SPDX expressions cargo had a slash for "or".
                licence: text(id, "license").replace('/', " OR "),
                is_own: packages[id]["source"].is_null(),
                folder: Path::new(&text(id, "manifest_path"))
                    .parent()
                    .map(Path::to_owned)
                    .unwrap_or_default(),
                checksum: checksums.get(&(name.as_str(), version.as_str())).map(|sum| (*sum).to_owned()),
                uses: used,
                name,
                version,
            }
        });
        Ok(Self { crates: crates.collect() })
    }

    /// The binary's own package.
    pub(super) fn product(&self) -> usize {
        self.crates.iter().position(|one| one.name == PRODUCT).unwrap_or_default()
    }

    /// What others wrote.
    pub(super) fn third_party(&self) -> impl Iterator<Item = &Crate> {
        self.crates.iter().filter(|one| !one.is_own)
    }
}

fn by_id(list: &Value) -> HashMap<&str, &Value> {
    list.as_array().into_iter().flatten().filter_map(|one| Some((one["id"].as_str()?, one))).collect()
}

/// Whether it is needed by what is linked, and not only by tests or build scripts.
fn is_linked(dep: &Value) -> bool {
    dep["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"].is_null())
}

fn is_macro(package: &Value) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets
        .flat_map(|target| target["kind"].as_array().into_iter().flatten())
        .any(|kind| kind == "proc-macro")
}

/// The checksums of a lock file by name and version.
fn checksums(lock: &str) -> HashMap<(&str, &str), &str> {
    let packages = lock.split("\n[[package]]\n").skip(1);
    let value = |package: &'_ str, key: &str| -> Option<(usize, usize)> {
        let begin = package.find(&format!("{key} = \""))? + key.len() + 4;
        Some((begin, begin + package[begin..].find('"')?))
    };
    packages
        .filter_map(|package| {
            let field = |key| value(package, key).map(|(begin, end)| &package[begin..end]);
            Some(((field("name")?, field("version")?), field("checksum")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small workspace: the daemon uses `a`, which uses `m` (a macro) and, for tests only, `t`; the kernel programs use `k`.
    fn small() -> Dependencies {
        let package = |name: &str, kind: &str, source: Value| {
            serde_json::json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0", "source": source,
                "manifest_path": format!("/src/{name}/Cargo.toml"), "targets": [{"kind": [kind]}]})
        };
        let node = |name: &str, deps: &[(&str, Option<&str>)]| {
            let deps: Vec<Value> = deps
                .iter()
                .map(|(pkg, kind)| serde_json::json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]}))
                .collect();
            serde_json::json!({"id": name, "deps": deps})
        };
        let registry = Value::from("registry");
        let metadata = serde_json::json!({
            "packages": [
                package(PRODUCT, "bin", Value::Null), package(compile::PACKAGE, "bin", Value::Null),
                package("a", "lib", registry.clone()), package("m", "proc-macro", registry.clone()),
                package("t", "lib", registry.clone()), package("k", "lib", registry),
            ],
            "resolve": {"nodes": [
                node(PRODUCT, &[("a", None)]), node(compile::PACKAGE, &[("k", None)]),
                node("a", &[("m", None), ("t", Some("dev"))]), node("k", &[]),
            ]},
        });
        let lock = "# it\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"r\"\nchecksum = \"abc\"\n\n\
                    [[package]]\nname = \"own\"\nversion = \"1.0.0\"\n";
        Dependencies::from_metadata(&metadata, lock).expect("it is a graph")
    }

    #[test]
    fn only_what_is_in_the_binary_is_listed() {
        let small = small();
        let names: Vec<&str> = small.crates.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a", PRODUCT, compile::PACKAGE, "k"]);
        assert_eq!(small.crates[small.product()].uses, [0, 2], "the kernel programs are embedded");
        let others: Vec<&str> = small.third_party().map(|one| one.name.as_str()).collect();
        assert_eq!(others, ["a", "k"]);
        assert_eq!(small.crates[0].checksum.as_deref(), Some("abc"));
        assert_eq!(small.crates[0].licence, "MIT OR Apache-2.0");
    }

    #[test]
    fn every_crate_of_others_has_a_checksum() {
        let real = Dependencies::read().expect("cargo answers");
        let without: Vec<String> =
            real.third_party().filter(|one| one.checksum.is_none()).map(Crate::title).collect();
        assert!(without.is_empty(), "{without:?}");
        assert!(real.third_party().any(|one| one.name == "aya-ebpf"), "of the kernel programs too");
        assert!(real.third_party().all(|one| one.name != "syn"), "macros are not in the binary");
    }
}
