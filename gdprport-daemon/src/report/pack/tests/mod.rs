//! Promises of a pack, as tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use gdprport_core::audit::{self, Audit, CountriesFile, Settings};
use gdprport_core::evidence::{
    self as log, Checkpoint, Hash, Head, KeyName, Note, PublicKey, Reason, Rotation, SecretKey, Sums,
};
use gdprport_core::frameworks::{Facts, Framework, LedgerSpan, answers};
use gdprport_core::ledger::{Edge, Observed, PolicyPeriod, Run, RunEnd};
use gdprport_core::pack::{Choice, Happened, LogPart, Recorded, Version, versions};
use gdprport_core::policy::{Source, outline};
use gdprport_core::records::Records;
use jiff::Timestamp;
use uuid::Uuid;

use super::super::frameworks;
use super::super::record::samples::{self, EVIL, POLICY};
use super::super::samples::written;
use super::super::schemas::holds;
use super::super::words::Lang;
use super::findings::Findings;
use super::manifest::{CHECKPOINTS, MANIFEST, Manifest, ROTATIONS, SIGNATURE, SUMS};
use super::policies::Policies;
use super::{Checked, FileSum, Found, Pack, Signature, check, coverage, policies, write_files};

mod signed;

/// What a pack of the samples is made of.
struct Made {
    records: Records,
    observed: Observed,
    rows: Vec<(i64, Edge)>,
    versions: Vec<Version>,
    audit: Audit,
    recorded: Vec<Recorded>,
    /// The evidence log and the key that signs, where there are.
    log: Option<LogPart>,
    signer: Option<SecretKey>,
}

/// Why there is neither.
const NONE: &str = "there is none, as this is a test";

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
        Self { records, observed, rows, versions, audit, recorded, log: None, signer: None }
    }

    /// The same with an evidence log, whose key took the place of another.
    fn signed(evil: Option<&str>) -> Self {
        let (old, new) = (key(1), key(2));
        let mut choice = Choice::new(at("2026-08-31T12:00:00Z"), at("2026-11-29T12:00:00Z"));
        for (sequence, time) in
            [(0, "2026-08-30T08:00:00Z"), (1, "2026-11-28T08:00:00Z"), (2, "2026-11-29T08:00:00Z")]
        {
            choice.take(checkpoint(&new, sequence, at(time)).as_bytes());
        }
        let rotation = Rotation::sign(&old, &new, 1, at("2026-08-29T08:00:00Z")).to_string();
        Self { log: Some(choice.chosen(rotation.as_bytes())), signer: Some(new), ..Self::of(evil) }
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
            log: self.log.as_ref(),
            is_signed: self.signer.is_some(),
        };
        let frameworks = answers(asked, &facts);
        let (log, signer) = (self.log.as_ref().ok_or(NONE), self.signer.as_ref().ok_or(NONE));
        let pack =
            Pack { facts, recorded: &self.recorded, frameworks: &frameworks, log, signer, lang: Lang::En };
        files(&pack)
    }
}

pub(super) fn key(secret: u8) -> SecretKey {
    SecretKey::new(KeyName::new("gdprport/db-1.example.org").expect("a name"), &[secret; 32])
}

fn checkpoint(key: &SecretKey, sequence: u64, time: Timestamp) -> String {
    let facts =
        log::Facts { sequence, time, boot: Uuid::nil(), reason: Reason::Activity, sums: Sums::default() };
    let head = Head { size: 10 + sequence, root: Hash::of(b"root") };
    let read = Checkpoint { origin: key.public().name().clone(), head, facts: Some(facts) };
    Note::sign(read.to_string(), &[key]).to_string()
}

fn digest(bytes: &[u8]) -> String {
    Hash::of(bytes).to_string()
}

/// What a check says of files, with their own list and signature.
fn checked(
    files: &[(String, String)],
    there: &BTreeMap<String, FileSum>,
    key: Option<&PublicKey>,
) -> Result<Checked, String> {
    let of = |name: &str| files.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_bytes());
    let rotations = of(ROTATIONS).unwrap_or_default();
    let found = Found { manifest: of(MANIFEST).unwrap_or_default(), signature: of(SIGNATURE), rotations };
    check(found, there, key)
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
    for made in [|| Made::of(None), || Made::signed(None)] {
        assert_eq!(made().files(&Framework::ALL), made().files(&Framework::ALL));
    }
}

#[test]
fn a_check_names_what_was_changed_added_and_missing() {
    let files = Made::of(None).files(&Framework::ALL);
    let all = there(&files);
    let found = checked(&files, &all, None).expect("it is one");
    assert!(found.is_fine(), "{found:?}");
    assert_eq!(found.same, files.len() - 1, "all but the list itself");
    assert_eq!(found.signature, Signature::Unsigned { why: NONE.to_owned() });

    let mut changed = all.clone();
    let flipped = text(&files, "violations.csv").replacen('1', "2", 1);
    let sum = FileSum::File { bytes: flipped.len() as u64, sha256: digest(flipped.as_bytes()) };
    changed.insert("violations.csv".to_owned(), sum);
    changed.insert("coverage.csv".to_owned(), FileSum::Other);
    changed.remove("policies.md");
    changed.insert("notes.txt".to_owned(), FileSum::Unreadable("no".to_owned()));
    let found = checked(&files, &changed, None).expect("it is one");
    let names: Vec<&str> = found.changed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["coverage.csv", "violations.csv"]);
    assert_eq!(found.missing, ["policies.md"]);
    assert_eq!(found.added, ["notes.txt"]);

    // Another list has another digest, which `SHA256SUMS` does not have.
    let found = checked(&signed::replaced(&files, MANIFEST, "db-1.example", "db-2.example"), &all, None)
        .expect("one");
    assert_eq!(found.changed.first().map(|(name, _)| name.as_str()), Some(SUMS));
    assert!(found.changed[0].1.contains("one of the two was changed"), "{found:?}");
}

#[test]
fn a_list_that_somebody_made_leads_nowhere() {
    let of = |name: &str| {
        format!(
            "{{\"format\": \"gdprport.pack/1\", \"files\": [{{\"name\": \"{name}\", \"bytes\": 1, \"sha256\": \"00\"}}]}}"
        )
    };
    let check = |manifest: &str| {
        let found = Found { manifest: manifest.as_bytes(), signature: None, rotations: b"" };
        check(found, &BTreeMap::new(), None)
    };
    check(&of("a.md")).expect("a plain name");
    for name in
        ["../a.md", "/etc/passwd", "a/b", "", ".", "..", MANIFEST, SUMS, SIGNATURE, "a\\u0000b", "a\\nb"]
    {
        let error = check(&of(name)).expect_err(name);
        assert!(!error.contains('\n') && !error.contains('\0'), "{error}");
    }
    for wrong in ["", "[]", "{}", "null", "{\"format\": \"x\", \"files\": []}"] {
        check(wrong).expect_err(wrong);
    }
}

#[test]
fn nothing_from_outside_is_markup_a_formula_or_a_path() {
    let files = Made::signed(Some(EVIL)).files(&Framework::ALL);
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
    let found = checked(&files, &there(&files), Some(key(2).public())).expect("it is one");
    assert!(found.is_fine(), "{found:?}");
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
        log: None,
        is_signed: false,
    };
    let frameworks = answers(&Framework::ALL, &facts);
    let (log, signer) = (Err(NONE), Err("<b>no key</b>"));
    let pack = Pack { facts, recorded: &[], frameworks: &frameworks, log, signer, lang: Lang::De };
    let pages =
        [coverage::page(&pack), policies::page(&pack), frameworks::page(&frameworks, &made.records, None)];
    for section in pages.iter().flat_map(|page| &page.sections) {
        assert!(!section.is_empty(), "{}", section.title);
    }
    let files = files(&pack);
    for name in ["README.md", "coverage.md", "frameworks.md"] {
        assert!(text(&files, name).contains("no ledger"), "{name}: {}", text(&files, name));
    }
    let readme = text(&files, "README.md");
    assert!(
        readme.contains("No checkpoints: there is none") && readme.contains("Not signed: &lt;b"),
        "{readme}"
    );
    assert!(files.iter().all(|(name, _)| ![CHECKPOINTS, ROTATIONS, SIGNATURE].contains(&&**name)));
    assert!(text(&files, "policies.md").contains("knows no policy"), "{}", text(&files, "policies.md"));
}

#[test]
fn what_a_pack_has_for_programs_is_valid_by_its_schema() {
    for made in [Made::of(None), Made::signed(None), Made::of(Some(EVIL)), Made::signed(Some(EVIL))] {
        let files = made.files(&Framework::ALL);
        holds::<Manifest<'_>>("pack", text(&files, MANIFEST));
        holds::<frameworks::Document<'_>>("frameworks", text(&files, "frameworks.json"));
        holds::<Findings<'_>>("findings", text(&files, "findings.json"));
        holds::<Policies<'_>>("policies", text(&files, "policies.json"));
    }
}
