//! The policies of the period: their texts, when each applied, and what changed from one to the next.

use gdprport_core::pack::{Change, Text, Version};
use gdprport_core::policy::{Difference, Effect};
use jiff::Timestamp;
use serde::Serialize;

use super::super::record::cells::day_time;
use super::super::record::page::{Cell, Column, Kind, Page, Section, Table};
use super::super::words::Lang;
use super::contents::Pack;
use super::violations::moment;

/// Digits of a digest that name a file.
const DIGITS: usize = 12;

/// The name of a file of a policy in the pack.
fn file_name(digest: &str, at: usize) -> String {
    // A digest of the ledger may be any text.
    let digits: String =
        digest.trim_start_matches("sha256:").chars().filter(char::is_ascii_hexdigit).take(DIGITS).collect();
    format!("policy-{digits}-{}.toml", at + 1)
}

/// The texts, each once.
pub(super) fn texts(versions: &[Version]) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for version in versions {
        let digest = version.digest.as_deref().unwrap_or_default();
        for (at, source) in version.text.sources().iter().enumerate() {
            let name = file_name(digest, at);
            if !files.iter().any(|(known, _)| *known == name) {
                files.push((name, source.text.clone()));
            }
        }
    }
    files
}

fn known_of(text: &Text) -> &'static str {
    match text {
        Text::Catalog => "There was no policy: the built-in catalog applied.",
        Text::Known { .. } => "Its text is in this pack.",
        Text::Unread { .. } => {
            "Its text is in this pack, and this version of gdprport does not read it any more."
        }
        Text::DigestOnly => "It is known by its digest only: the ledger has no text of it.",
    }
}

fn until(version: &Version) -> String {
    version.to.map_or_else(|| "it applies, as far as the ledger knows".to_owned(), moment)
}

/// The page.
pub(super) fn page(pack: &Pack<'_>) -> Page {
    let about = &pack.facts.records.about;
    let mut notices = Vec::new();
    if pack.facts.versions.is_empty() {
        notices.push("The ledger knows no policy of this period.".to_owned());
    }
    let newest = pack.facts.versions.last().and_then(|version| version.digest.as_deref());
    if !pack.facts.versions.is_empty() && newest != about.policy.as_deref() {
        notices.push(
            "The policy whose declarations this pack shows is not the one that a daemon applied last: what it declares is in record.json, its \
             text is not in this pack."
                .to_owned(),
        );
    }
    let sections = pack.facts.versions.iter().enumerate().map(|(at, version)| section(version, at)).collect();
    Page {
        lang: Lang::En,
        kicker: "Evidence",
        title: "Policies of the period, and what changed",
        head: vec![
            ("Host", about.host.to_string()),
            ("Period", format!("{} – {}", day_time(about.asked), day_time(about.to))),
            ("Policy of this pack", about.policy.as_deref().unwrap_or("none").to_owned()),
        ],
        notices,
        sections,
        has_legend: false,
        foot: vec![
            "A policy applied while a daemon ran. Who changed it, and who approved that, is not recorded."
                .to_owned(),
            "A digest is that of all files of a policy: gdprport policy diff sha256:A sha256:B compares two."
                .to_owned(),
        ],
    }
}

fn section(version: &Version, at: usize) -> Section {
    let mut about = vec![
        format!("Digest: {}", version.digest.as_deref().unwrap_or("none")),
        format!("Applied since: {}", moment(version.from)),
        format!("Until: {}", until(version)),
        known_of(&version.text).to_owned(),
    ];
    let digest = version.digest.as_deref().unwrap_or_default();
    about.extend(
        version
            .text
            .sources()
            .iter()
            .enumerate()
            .map(|(at, source)| format!("{} was {}", file_name(digest, at), source.name)),
    );
    let mut tables = Vec::new();
    match &version.change {
        Change::First => about.push("It is the first of the period: it is compared with nothing.".to_owned()),
        Change::NotKnown => {
            about.push("What changed is not known: the text of one of both is not known.".to_owned());
        }
        Change::Means(differences) if differences.is_empty() => {
            about.push("It means the same as the one before.".to_owned());
        }
        Change::Means(differences) => tables.push(table(differences)),
    }
    let number = at + 1;
    Section { about, tables, ..Section::new(format!("version-{number}"), format!("Version {number}")) }
}

fn table(differences: &[Difference]) -> Table {
    let columns = vec![
        Column::new(Kind::Declared, "Does"),
        Column::new(Kind::Declared, "Port"),
        Column::new(Kind::Declared, "Rule"),
        Column::new(Kind::Declared, "What"),
    ];
    let row = |of: &Difference| {
        let (name, tone) = match of.effect {
            Effect::AllowsMore => ("allows more", "bad"),
            Effect::AllowsLess => ("allows less", "good"),
            Effect::SaysOtherwise => ("says otherwise", ""),
        };
        let or_dash = |text: Option<&str>| Cell::new(Kind::Declared, text.unwrap_or("–"));
        vec![
            Cell::new(Kind::Declared, name).tone(tone),
            or_dash(of.port.as_deref()),
            or_dash(of.rule.as_deref()),
            Cell::new(Kind::Declared, of.text.as_str()),
        ]
    };
    Table { caption: "What changed", columns, rows: differences.iter().map(row).collect() }
}

/// The policies of the period, and what changed from each to the next: `policies.json`. Fields are only ever added.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Policies<'p> {
    /// `gdprport.policies/1`.
    format: &'static str,
    /// When each applied, oldest first. The same policy stands there as often as it was put in force.
    versions: Vec<OneVersion<'p>>,
}

/// A policy, for a time in which it applied.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Version"))]
struct OneVersion<'p> {
    /// Of all its files; null: there was no policy.
    digest: Option<&'p str>,
    /// Since when.
    #[cfg_attr(test, schemars(with = "String"))]
    from: Timestamp,
    /// Until when; null: it applies, as far as the ledger knows.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    to: Option<Timestamp>,
    /// `known`: its text is in the pack. `unread`: it is, and this version of gdprport does not read it any more. `digest-only`: the
    /// ledger has no text of it. `catalog`: there was no policy.
    text: &'static str,
    /// Its files, in the order in which they were read.
    files: Vec<OneFile<'p>>,
    /// What differs from the one before; null: it is the first, or that is not known.
    differences: Option<&'p [Difference]>,
}

/// A file of a policy.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "PolicyFile"))]
struct OneFile<'p> {
    /// In this pack.
    name: String,
    /// As it was named when it was read.
    was: &'p str,
}

impl<'p> Policies<'p> {
    pub(super) fn of(pack: &Pack<'p>) -> Self {
        let version = |of: &'p Version| OneVersion {
            digest: of.digest.as_deref(),
            from: of.from,
            to: of.to,
            text: match of.text {
                Text::Catalog => "catalog",
                Text::Known { .. } => "known",
                Text::Unread { .. } => "unread",
                Text::DigestOnly => "digest-only",
            },
            files: of
                .text
                .sources()
                .iter()
                .enumerate()
                .map(|(at, source)| OneFile {
                    name: file_name(of.digest.as_deref().unwrap_or_default(), at),
                    was: &source.name,
                })
                .collect(),
            differences: match &of.change {
                Change::Means(differences) => Some(differences),
                Change::First | Change::NotKnown => None,
            },
        };
        Self { format: "gdprport.policies/1", versions: pack.facts.versions.iter().map(version).collect() }
    }
}
