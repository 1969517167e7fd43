//! A record as a page.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::super::charts::{self, Charts};
use super::super::drawings::Drawings;
use super::super::map::{View, figure};
use super::super::words::{Lang, fill};
use super::activity::section;
use super::cells::{day_time, list, rest, text};
use super::limits::Limits;
use super::page::{Cell, Column, Fact, Figure, Kind, Page, Section, Table};
use gdprport_core::event::Bound;
use gdprport_core::ledger::GapRow;
use gdprport_core::policy::Controller;
use gdprport_core::records::{Activity, Records};

/// Losses and notes that a page shows one by one, the latest; the rest is counted.
const MOST: usize = 50;

/// Activities whose volume is drawn, which makes a page of some megabytes at most.
const CHARTS: usize = 24;

/// The page.
pub(crate) fn page(records: &Records, drawings: &Drawings, lang: Lang) -> Page {
    let words = lang.words();
    let limits = Limits::of(records.all().filter(|activity| activity.seen.is_some()).count());
    let about = &records.about;
    let mut head = vec![
        (words.host, about.host.to_string()),
        (words.period, format!("{} – {}", day_time(about.asked), day_time(about.to))),
        (words.made, day_time(about.made)),
    ];
    head.extend(about.policy.as_ref().map(|digest| (words.policy_digest, short(digest))));
    let mut notices = Vec::new();
    if about.policy.is_none() {
        notices.push(words.no_policy.to_owned());
    }
    notices.extend(about.no_ledger.as_ref().map(|why| fill(words.no_ledger, &[why])));
    if about.from > about.asked {
        notices.push(fill(words.ledger_begins, &[&day_time(about.from)]));
    }
    if about.pseudonyms {
        notices.push(words.pseudonyms.to_owned());
    }
    let mut sections = vec![overview(records, &drawings.charts, lang)];
    sections.extend(drawings.view.as_ref().map(drawn));
    sections.push(controller(records.controller.as_ref(), lang));
    let with_chart = most_bytes(records);
    for (at, activity) in records.all().enumerate() {
        let mut section = section(activity, at + 1, limits, lang);
        if with_chart.contains(&at) {
            let chart = charts::activity(records, activity, at + 1, lang);
            section.figures.extend(chart.map(|chart| chart.figure));
        }
        sections.push(section);
    }
    sections.push(gaps(records, lang));
    Page {
        lang,
        kicker: words.law_30,
        title: words.title,
        head,
        notices,
        sections,
        has_legend: true,
        foot: vec![
            words.whole_days.to_owned(),
            words.bytes_counted.to_owned(),
            words.evidence_note.to_owned(),
            words.self_note.to_owned(),
            fill(words.version, &[&about.version]),
        ],
    }
}

/// The map, as a part of the page.
fn drawn(view: &View) -> Section {
    Section { figures: vec![figure(view)], ..Section::new("flows", view.lang.words().map_title) }
}

/// The first digits of a digest, which tell it from others.
fn short(digest: &str) -> String {
    digest.chars().take("sha256:".len() + 12).collect()
}

pub(in super::super) fn controller(controller: Option<&Controller>, lang: Lang) -> Section {
    let words = lang.words();
    let of = |field: fn(&Controller) -> Option<&str>| text(controller.and_then(field), lang);
    let joint = controller.and_then(|controller| controller.joint.as_deref());
    let facts = [
        (words.controller_name, "30(1)(a)", of(|controller| Some(&controller.name))),
        (words.contact, "30(1)(a)", of(|controller| controller.contact.as_deref())),
        (words.joint, "30(1)(a), 26", list(joint, lang)),
        (words.representative, "30(1)(a), 27", of(|controller| controller.representative.as_deref())),
        (words.dpo, "30(1)(a), 37", of(|controller| controller.dpo.as_deref())),
    ];
    let facts = facts.into_iter().map(|(name, law, cell)| Fact { name, law, cell }).collect();
    Section { facts_are: Kind::Declared, facts, ..Section::new("controller", words.controller) }
}

fn overview(records: &Records, charts: &Charts, lang: Lang) -> Section {
    let words = lang.words();
    let columns = vec![
        Column::new(Kind::Plain, words.activity),
        Column::new(Kind::Declared, words.declared),
        Column::number(Kind::Observed, words.connections),
        Column::number(Kind::Observed, words.violations),
        Column::new(Kind::Observed, words.encryption),
        Column::new(Kind::Observed, words.coverage),
    ];
    let rows: Vec<_> = records.all().map(|activity| in_short(activity, lang)).collect();
    let mut about = Vec::new();
    if records.activities.is_empty() && records.about.policy.is_some() {
        about.push(words.no_activities.to_owned());
    }
    if rows.is_empty() {
        about.push(words.overview_empty.to_owned());
    }
    let in_short = (!rows.is_empty()).then_some(Table { caption: words.activities, columns, rows });
    let figures = figures(records, charts);
    Section { about, in_short, figures, ..Section::new("overview", words.overview) }
}

/// Charts of all activities. Of one alone its own says the same.
fn figures(records: &Records, charts: &Charts) -> Vec<Figure> {
    let volume = charts.volume.as_ref().filter(|_| most_bytes(records).len() > 1);
    let all = [volume, charts.encryption.as_ref(), charts.violations.as_ref()];
    all.into_iter().flatten().map(|chart| chart.figure.clone()).collect()
}

/// The activities whose volume is drawn, by their place: those with the most.
fn most_bytes(records: &Records) -> BTreeSet<usize> {
    let bytes = records.all().map(gdprport_core::charts::volume).enumerate();
    let mut moved: Vec<(usize, u64)> = bytes.filter(|(_, bytes)| *bytes > 0).collect();
    moved.sort_by_key(|(_, bytes)| Reverse(*bytes));
    moved.into_iter().take(CHARTS).map(|(at, _)| at).collect()
}

fn in_short(activity: &Activity, lang: Lang) -> Vec<Cell> {
    let words = lang.words();
    let name = Cell::lines(
        Kind::Plain,
        vec![activity.name.to_string(), format!("TCP {}", activity.ports().join(", "))],
    );
    let missing: Vec<&str> = activity.missing().into_iter().map(|key| words.of_key(key)).collect();
    let declared = match (activity.is_declared, missing.is_empty()) {
        (false, _) => Cell::new(Kind::NotDeclared, words.not_declared).tone("bad"),
        (true, true) => Cell::new(Kind::Declared, words.complete).tone("good"),
        (true, false) => Cell::new(Kind::Declared, fill(words.missing, &[&missing.join(", ")])).tone("open"),
    };
    let coverage = activity.coverage;
    let watched = format!("{} / {}", lang.duration(coverage.watched_s), lang.duration(coverage.period_s));
    let mut cells = vec![name, declared];
    match &activity.seen {
        Some(seen) => {
            let violations = seen.outcomes.violation;
            let (encrypted, of) = seen.shares.encrypted();
            let encryption = fill(words.encrypted_of, &[&lang.count(encrypted), &lang.count(of)]);
            cells.extend([
                Cell::new(Kind::Observed, lang.count(seen.all.volume.flows)).number(),
                Cell::new(Kind::Observed, lang.count(violations)).number().tone(if violations > 0 {
                    "bad"
                } else {
                    ""
                }),
                Cell::new(Kind::Observed, encryption).tone(if encrypted < of { "open" } else { "" }),
            ]);
        }
        None => cells.extend([
            Cell::new(Kind::NotSeen, "–").number(),
            Cell::new(Kind::NotSeen, "–").number(),
            Cell::new(Kind::NotSeen, words.nothing_seen),
        ]),
    }
    cells.push(Cell::new(Kind::Observed, watched).tone(if coverage.watched_s == 0 { "open" } else { "" }));
    cells
}

pub(in super::super) fn gaps(records: &Records, lang: Lang) -> Section {
    let words = lang.words();
    let mut tables = Vec::new();
    let (gaps, earlier) = latest(&records.gaps);
    if !gaps.is_empty() {
        let mut rows: Vec<Vec<Cell>> = gaps.iter().map(|gap| loss(gap, lang)).collect();
        rows.extend(rest(earlier, 4, lang));
        let columns = vec![
            Column::new(Kind::Observed, words.gap_reason),
            Column::new(Kind::Observed, words.from),
            Column::new(Kind::Observed, words.to),
            Column::number(Kind::Observed, words.amount),
        ];
        tables.push(Table { caption: words.gaps, columns, rows });
    }
    let (notes, earlier) = latest(&records.notes);
    if !notes.is_empty() {
        let mut rows: Vec<Vec<Cell>> = notes
            .iter()
            .map(|note| {
                vec![Cell::new(Kind::Observed, day_time(note.at)), Cell::new(Kind::Observed, &*note.text)]
            })
            .collect();
        rows.extend(rest(earlier, 2, lang));
        let columns = vec![Column::new(Kind::Observed, words.from), Column::new(Kind::Observed, words.notes)];
        tables.push(Table { caption: words.notes, columns, rows });
    }
    let about = match (&records.about.no_ledger, records.gaps.is_empty()) {
        (Some(_), _) => Some(words.gaps_unknown),
        (None, true) => Some(words.no_gaps),
        (None, false) => None,
    };
    let about = about.into_iter().map(ToOwned::to_owned).collect();
    Section { about, tables, ..Section::new("gaps", words.gaps) }
}

/// The latest, and how many are earlier.
fn latest<T>(all: &[T]) -> (&[T], usize) {
    let earlier = all.len().saturating_sub(MOST);
    (&all[earlier..], earlier)
}

fn loss(gap: &GapRow, lang: Lang) -> Vec<Cell> {
    let words = lang.words();
    let lost = lang.count(gap.lost);
    let lost = match gap.bound {
        None => lost,
        Some(Bound::AtLeast) => fill(words.at_least_n, &[&lost]),
        Some(Bound::AtMost) => fill(words.at_most_n, &[&lost]),
    };
    vec![
        Cell::new(Kind::Observed, &*gap.reason),
        Cell::new(Kind::Observed, day_time(gap.from)),
        Cell::new(Kind::Observed, day_time(gap.to)),
        Cell::new(Kind::Observed, lost).number(),
    ]
}
