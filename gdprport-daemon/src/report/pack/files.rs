//! The files of a pack, in the order in which they are written.

use gdprport_core::records::Document;

use super::super::json::pretty as json;
use super::super::map::View;
use super::super::{charts, frameworks, record};
use super::contents::Pack;
use super::{coverage, findings, manifest, policies, readme, violations};

/// Every file with its text; the list of digests comes last. The same pack gives the same bytes.
///
/// # Errors
/// If a value cannot be written as JSON.
pub(crate) fn files(pack: &Pack<'_>) -> serde_json::Result<Vec<(String, String)>> {
    let page = record::page(pack.facts.records, pack.lang);
    let controls = frameworks::page(pack.frameworks, pack.facts.records, None);
    let mut files: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, text: String| files.push((name.to_owned(), text));
    add("README.md", readme::readme(pack));
    add("index.html", record::html(&page));
    add("record.md", record::markdown(&page));
    add("record.csv", record::sheet(pack.facts.records, pack.lang));
    add("record.json", json(&Document::of(pack.facts.records))?);
    for (name, text) in charts::files(pack.facts.records, pack.lang) {
        if let Some(text) = text {
            add(name, text);
        }
    }
    for (name, text) in View::of(pack.facts.records, pack.lang).iter().flat_map(View::files) {
        add(name, text);
    }
    add("coverage.md", record::markdown(&coverage::page(pack)));
    add("coverage.csv", coverage::sheet(pack));
    add("violations.csv", violations::sheet(pack.facts.rows));
    add("findings.md", findings::markdown(pack));
    add("findings.json", json(&findings::Findings::of(pack))?);
    add("policies.md", record::markdown(&policies::page(pack)));
    add("policies.json", json(&policies::Policies::of(pack))?);
    add("frameworks.html", record::html(&controls));
    add("frameworks.md", record::markdown(&controls));
    add("frameworks.csv", frameworks::sheet(pack.frameworks));
    add("frameworks.json", json(&frameworks::Document::of(pack.frameworks, pack.facts.records, None))?);
    files.extend(policies::texts(pack.facts.versions));
    files.sort();
    let manifest = json(&manifest::Manifest::of(pack, &files))?;
    let sums = manifest::sums(&files, &manifest);
    files.push((manifest::SUMS.to_owned(), sums));
    files.push((manifest::MANIFEST.to_owned(), manifest));
    Ok(files)
}
