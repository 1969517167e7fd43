//! The bill of materials, in two forms: CycloneDX 1.5 beside the binary, and in it the list that `cargo auditable` defines
//! (<https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md>), which scanners of images read.
//!
//! Made here and not by those tools, because they see one graph of crates: the kernel programs are another one, which the
//! binary embeds.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Value, json};

use super::dependencies::{Crate, Dependencies};
use super::stamp::{Form, Stamp};
use crate::setup::python::LINKING;

/// The section that holds the list.
pub(super) const AUDITABLE: &str = ".dep-v0";

/// The list for the binary: compressed JSON.
///
/// # Errors
/// Never in practice: it writes to memory.
pub(super) fn auditable(dependencies: &Dependencies) -> Result<Vec<u8>> {
    let root = dependencies.product();
    let packages: Vec<Value> = dependencies
        .crates
        .iter()
        .enumerate()
        .map(|(place, one)| {
            let source = if one.is_own { "local" } else { "registry" };
            let mut package = json!({"name": one.name, "version": one.version, "source": source});
            if !one.uses.is_empty() {
                package["dependencies"] = json!(one.uses);
            }
            if place == root {
                package["root"] = json!(true);
            }
            package
        })
        .collect();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(json!({"packages": packages}).to_string().as_bytes())
        .and_then(|()| zlib.finish())
        .context("cannot compress")
}

/// CycloneDX, as JSON.
///
/// # Errors
/// The version of a part that is not a crate cannot be found out.
pub(super) fn cyclonedx(dependencies: &Dependencies, stamp: &Stamp) -> Result<String> {
    let root = &dependencies.crates[dependencies.product()];
    let crates = dependencies.crates.iter().filter(|one| one.name != root.name).map(component);
    let linked = beside(dependencies);
    let graph = dependencies.crates.iter().map(|one| {
        let uses: Vec<String> = one.uses.iter().map(|place| purl(&dependencies.crates[*place])).collect();
        json!({"ref": purl(one), "dependsOn": uses})
    });
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": stamp.time(Form::Rfc3339)?,
            "component": {
                "type": "application", "bom-ref": purl(root), "name": "gdprport", "version": root.version,
                "purl": purl(root), "licenses": [{"expression": root.licence}],
            },
        },
        "components": crates.chain(linked).collect::<Vec<_>>(),
        "dependencies": graph.collect::<Vec<_>>(),
    });
    Ok(format!("{}\n", serde_json::to_string_pretty(&bill)?))
}

fn component(one: &Crate) -> Value {
    let mut component = json!({
        "type": "library", "bom-ref": purl(one), "name": one.name, "version": one.version, "purl": purl(one),
        "scope": "required", "licenses": [{"expression": one.licence}],
    });
    if let Some(checksum) = &one.checksum {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

fn purl(one: &Crate) -> String {
    format!("pkg:cargo/{}@{}", one.name, one.version)
}

/// What is linked and is no crate.
fn beside(dependencies: &Dependencies) -> Vec<Value> {
    let part = |name: &str, version: &str, licence: Value| {
        let purl = format!("pkg:generic/{name}@{version}");
        json!({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "scope": "required",
               "licenses": [licence]})
    };
    let expression = |licence: &str| json!({"expression": licence});
    let bundled = dependencies.crates.iter().find(|one| one.name == "libsqlite3-sys");
    let sqlite = bundled.and_then(|one| sqlite_version(&one.folder)).map(|version| {
        // SPDX has no word for the public domain.
        part("sqlite", &version, json!({"license": {"name": "public domain"}}))
    });
    let zig = LINKING.version("ziglang").map(|version| {
        // Of LLVM, in the version that zig carries.
        part("zig-libunwind-compiler-rt", version, expression("Apache-2.0 WITH LLVM-exception"))
    });
    let std = part("rust-std", &rustc_version(), expression("MIT OR Apache-2.0"));
    [Some(std), zig, sqlite].into_iter().flatten().collect()
}

fn sqlite_version(folder: &Path) -> Option<String> {
    let header = std::fs::read_to_string(folder.join("sqlite3/sqlite3.h")).ok()?;
    let line = header.lines().find(|line| line.starts_with("#define SQLITE_VERSION "))?;
    line.split('"').nth(1).map(str::to_owned)
}

fn rustc_version() -> String {
    let mut rustc = std::process::Command::new("rustc");
    let said = crate::sh::quiet(rustc.arg("--version").current_dir(crate::sh::workspace()));
    let said = said.unwrap_or_default();
    said.split_whitespace().nth(1).unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::ZlibDecoder;

    use super::*;

    fn real() -> Dependencies {
        Dependencies::read().expect("cargo answers")
    }

    #[test]
    fn the_list_in_the_binary_has_one_root_and_no_dangling_place() {
        let list = auditable(&real()).expect("compressed");
        let mut text = String::new();
        ZlibDecoder::new(list.as_slice()).read_to_string(&mut text).expect("it is zlib");
        let list: Value = serde_json::from_str(&text).expect("it is JSON");
        let packages = list["packages"].as_array().expect("a list");
        assert_eq!(packages.iter().filter(|package| package["root"] == true).count(), 1);
        let uses =
            packages.iter().flat_map(|package| package["dependencies"].as_array().into_iter().flatten());
        assert!(uses.filter_map(Value::as_u64).all(|place| place < packages.len() as u64));
        assert!(
            packages.iter().any(|package| package["name"] == "aya-ebpf"),
            "the kernel programs are in it"
        );
    }

    #[test]
    fn the_bill_names_each_part_once_with_its_licence() {
        let dependencies = real();
        let stamp = Stamp { version: "1.0.0", epoch: 0 };
        let bill: Value =
            serde_json::from_str(&cyclonedx(&dependencies, &stamp).expect("made")).expect("it is JSON");
        let components = bill["components"].as_array().expect("a list");
        let mut refs: Vec<&str> = components.iter().filter_map(|part| part["bom-ref"].as_str()).collect();
        let count = refs.len();
        refs.sort_unstable();
        refs.dedup();
        assert_eq!((refs.len(), components.len()), (count, count), "a part stands there twice");
        assert!(components.iter().all(|part| part["licenses"][0].is_object()));
        for name in ["sqlite", "rust-std", "zig-libunwind-compiler-rt", "aya", "aya-ebpf"] {
            assert!(components.iter().any(|part| part["name"] == name), "{name}");
        }
        assert_eq!(bill["metadata"]["timestamp"], "1970-01-01T00:00:00Z");
    }
}
