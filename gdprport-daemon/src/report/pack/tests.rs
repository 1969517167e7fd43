//! Promises of a pack, as tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use gdprport_core::audit::{self, Audit, CountriesFile, Settings};
use gdprport_core::frameworks::{Facts, Framework, LedgerSpan, answers};
use gdprport_core::ledger::{Edge, Observed, PolicyPeriod, Run, RunEnd};
use gdprport_core::pack::{Happened, Recorded, Version, versions};
use gdprport_core::policy::{Source, outline};
use gdprport_core::records::Records;
use jiff::Timestamp;

use super::super::frameworks;
use super::super::record::samples::{self, EVIL, POLICY};
use super::super::samples::written;
use super::super::schemas::holds;
use super::super::words::Lang;
use super::findings::Findings;
use super::manifest::{FileSum, MANIFEST, Manifest, SUMS, check, digest};
use super::policies::Policies;
use super::{Pack, coverage, policies, write_files};

/// What a pack of the samples is made of.
struct Made {
    records: Records,
    observed: Observed,
    rows: Vec<(i64, Edge)>,
    versions: Vec<Version>,
    audit: Audit,
    recorded: Vec<Recorded>,
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

impl Made {
    fn of(evil: Option<&str>) -> Self {
        let mut observed = samples::observed(evil);
        let or = |text: &'static str| evil.unwrap_or(text);
        observed.runs = vec![Run {
            run: or("7f3a").into(),
            version: or("0.1.0").into(),
            from: at("2026-11-01T08:00:00Z"),
            to: at("2026-11-03T08:00:00Z"),
            end: Some(RunEnd::Killed),
        }];
        let period = |digest: &str, from: &str, to: Option<&str>| PolicyPeriod {
            digest: Some(digest.into()),
            from: at(from),
            to: to.map(at),
        };
        let (one, two) = (or("sha256:0aaa"), "sha256:0bbb");
        observed.policies = vec![
            period(one, "2026-11-01T08:00:00Z", Some("2026-11-02T08:00:00Z")),
            period(two, "2026-11-02T08:00:00Z", Some("2026-11-03T08:00:00Z")),
            period("sha256:0ccc", "2026-11-03T08:00:00Z", None),
        ];
        let source = |text: String| vec![Source { name: or("/etc/gdprport/policy.toml").to_owned(), text }];
        let texts: BTreeMap<Arc<str>, Vec<Source>> = [
            (one.into(), source(POLICY.replace("10.0.2.0/24", "10.0.2.0/25"))),
            (two.into(), source(POLICY.to_owned())),
        ]
        .into();
        let versions = versions(&observed.policies, &texts);
        let (policy, _) = outline(&source(POLICY.to_owned())).expect("a valid policy");
        let settings = Settings {
            host: or("db-1.example.org").into(),
            asked: at("2026-08-31T12:00:00Z"),
            digest: Some("sha256:0ccc".into()),
            first_file: or("policy.toml").into(),
            no_ledger: "".into(),
            no_inventory: or("the host was not looked at").into(),
            earlier: Vec::new(),
            countries: CountriesFile::NotAsked,
        };
        let rows = samples::edges(evil);
        observed.edges = rows.iter().map(|(_, edge)| edge.clone()).collect();
        let audit =
            audit::judge(Some(&policy), Some(&observed), None, None, &settings, at("2026-11-29T12:00:00Z"));
        let recorded = audit.findings.iter().take(1).map(|finding| Recorded {
            finding: finding.clone(),
            since: at("2026-11-05T08:00:00Z"),
            judged: at("2026-11-28T08:00:00Z"),
            settled: None,
            history: vec![Happened {
                at: at("2026-11-05T08:00:00Z"),
                change: or("new").into(),
                severity: or("high").into(),
                message: or("it was found").into(),
            }],
        });
        let recorded = recorded.collect();
        let records = if evil.is_some() { samples::hostile() } else { samples::records() };
        Self { records, observed, rows, versions, audit, recorded }
    }

    fn files(&self, asked: &[Framework]) -> Vec<(String, String)> {
        let span = LedgerSpan { begin: at("2026-09-30T00:00:00Z"), end: at("2026-11-29T12:00:00Z") };
        let facts = Facts {
            records: &self.records,
            observed: Some(&self.observed),
            rows: &self.rows,
            span: Some(span),
            versions: &self.versions,
            audit: &self.audit,
        };
        let frameworks = answers(asked, &facts);
        let pack = Pack { facts, recorded: &self.recorded, frameworks: &frameworks, lang: Lang::En };
        files(&pack)
    }
}

fn files(pack: &Pack<'_>) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    let manifest = write_files(pack, &mut |name, write| {
        files.push((name.to_owned(), written(write)));
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(manifest) = manifest;
    assert_eq!(manifest, digest(text(&files, MANIFEST).as_bytes()));
    files
}

fn there(files: &[(String, String)]) -> BTreeMap<String, FileSum> {
    let sum = |text: &str| FileSum::File { bytes: text.len() as u64, sha256: digest(text.as_bytes()) };
    files.iter().map(|(name, text)| (name.clone(), sum(text))).collect()
}

fn text<'f>(files: &'f [(String, String)], name: &str) -> &'f str {
    files.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str()).expect(name)
}

#[test]
fn a_small_pack_looks_like_this() {
    let files = Made::of(None).files(&[Framework::Gdpr, Framework::Pci]);
    let mut shown: String = files.iter().map(|(name, _)| format!("{name}\n")).collect();
    for name in ["README.md", "coverage.md", "coverage.csv", "violations.csv", "policies.md", "frameworks.md"]
    {
        shown += &format!("\n=== {name}\n{}", text(&files, name));
    }
    insta::assert_snapshot!(shown.replace('\r', ""));
}

#[test]
fn what_a_page_names_beside_it_is_in_the_pack() {
    let made = Made::of(None);
    let page = samples::page(&made.records, Lang::En);
    let named: Vec<_> =
        page.sections.iter().flat_map(|section| &section.figures).filter_map(|figure| figure.file).collect();
    assert!(!named.is_empty(), "something was seen");
    let files = made.files(&Framework::ALL);
    for name in named {
        text(&files, name);
    }
}

#[test]
fn the_same_gives_the_same_bytes() {
    assert_eq!(Made::of(None).files(&Framework::ALL), Made::of(None).files(&Framework::ALL));
}

#[test]
fn a_check_names_what_was_changed_added_and_missing() {
    let files = Made::of(None).files(&Framework::ALL);
    let manifest = text(&files, MANIFEST);
    let all = there(&files);
    let checked = check(manifest.as_bytes(), &all).expect("it is one");
    assert!(checked.is_same(), "{checked:?}");
    assert_eq!(checked.same, files.len() - 1, "all but the list itself");

    let mut changed = all.clone();
    let flipped = text(&files, "violations.csv").replacen('1', "2", 1);
    let sum = FileSum::File { bytes: flipped.len() as u64, sha256: digest(flipped.as_bytes()) };
    changed.insert("violations.csv".to_owned(), sum);
    changed.insert("coverage.csv".to_owned(), FileSum::Other);
    changed.remove("policies.md");
    changed.insert("notes.txt".to_owned(), FileSum::Unreadable("no".to_owned()));
    let checked = check(manifest.as_bytes(), &changed).expect("it is one");
    let names: Vec<&str> = checked.changed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["coverage.csv", "violations.csv"]);
    assert_eq!(checked.missing, ["policies.md"]);
    assert_eq!(checked.added, ["notes.txt"]);

    // Another list has another digest, which `SHA256SUMS` does not have.
    let other = manifest.replace("db-1.example.org", "db-2.example.org");
    let checked = check(other.as_bytes(), &all).expect("it is one");
    assert_eq!(checked.changed.first().map(|(name, _)| name.as_str()), Some(SUMS));
}

#[test]
fn a_list_that_somebody_made_leads_nowhere() {
    let of = |name: &str| {
        format!(
            "{{\"format\": \"gdprport.pack/1\", \"files\": [{{\"name\": \"{name}\", \"bytes\": 1, \"sha256\": \"00\"}}]}}"
        )
    };
    check(of("a.md").as_bytes(), &BTreeMap::new()).expect("a plain name");
    for name in
        ["../a.md", "/etc/passwd", "a/b", "", ".", "..", "MANIFEST.json", "SHA256SUMS", "a\\u0000b", "a\\nb"]
    {
        let error = check(of(name).as_bytes(), &BTreeMap::new()).expect_err(name);
        assert!(!error.contains('\n') && !error.contains('\0'), "{error}");
    }
    for wrong in ["", "[]", "{}", "null", "{\"format\": \"x\", \"files\": []}"] {
        check(wrong.as_bytes(), &BTreeMap::new()).expect_err(wrong);
    }
}

#[test]
fn nothing_from_outside_is_markup_a_formula_or_a_path() {
    let files = Made::of(Some(EVIL)).files(&Framework::ALL);
    for (name, text) in &files {
        assert!(!name.contains('/') && name.is_ascii(), "{name}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{name} steers a terminal");
        match name.rsplit('.').next() {
            Some("html") => assert!(!text.contains("<script") && !text.contains("<img"), "{name}"),
            Some("md") => {
                // The audit's own part has such texts in code, as its tests show.
                let text =
                    text.split_once("## Recorded by audits before").map_or(text.as_str(), |(_, own)| own);
                assert!(!text.contains("<script") && !text.contains("[x](javascript"), "{name}");
            }
            Some("csv") => {
                for cell in
                    text.trim_start_matches('\u{feff}').split("\",\"").flat_map(|cell| cell.split("\r\n\""))
                {
                    assert!(!cell.starts_with(['=', '+', '@']), "{name}: {cell}");
                }
            }
            Some("json") => {
                serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            }
            _ => {}
        }
    }
    let checked = check(text(&files, MANIFEST).as_bytes(), &there(&files)).expect("it is one");
    assert!(checked.is_same(), "{checked:?}");
}

#[test]
fn without_a_ledger_a_pack_says_so() {
    let made = Made { records: samples::nothing(), ..Made::of(None) };
    let facts = Facts {
        records: &made.records,
        observed: None,
        rows: &[],
        span: None,
        versions: &[],
        audit: &made.audit,
    };
    let frameworks = answers(&Framework::ALL, &facts);
    let pack = Pack { facts, recorded: &[], frameworks: &frameworks, lang: Lang::De };
    let pages =
        [coverage::page(&pack), policies::page(&pack), frameworks::page(&frameworks, &made.records, None)];
    for section in pages.iter().flat_map(|page| &page.sections) {
        assert!(!section.is_empty(), "{}", section.title);
    }
    let files = files(&pack);
    for name in ["README.md", "coverage.md", "frameworks.md"] {
        assert!(text(&files, name).contains("no ledger"), "{name}: {}", text(&files, name));
    }
    assert!(text(&files, "policies.md").contains("knows no policy"), "{}", text(&files, "policies.md"));
}

#[test]
fn what_a_pack_has_for_programs_is_valid_by_its_schema() {
    for evil in [None, Some(EVIL)] {
        let files = Made::of(evil).files(&Framework::ALL);
        holds::<Manifest<'_>>("pack", text(&files, MANIFEST));
        holds::<frameworks::Document<'_>>("frameworks", text(&files, "frameworks.json"));
        holds::<Findings<'_>>("findings", text(&files, "findings.json"));
        holds::<Policies<'_>>("policies", text(&files, "policies.json"));
    }
}
