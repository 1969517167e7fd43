//! One processing activity as a part of a page: what is declared of it, and what was observed.

use std::collections::BTreeSet;

use super::super::words::{Lang, Words, fill};
use super::cells::{day, day_time, direction, list, rest, text};
use super::limits::Limits;
use super::page::{Cell, Column, Fact, Kind, Section, Table};
use super::rules::rules;
use gdprport_core::ledger::Identity;
use gdprport_core::model::{Attribution, PostureState};
use gdprport_core::policy::{DeclaredPeer, DeclaredSite, ProcessingRecord, TlsDemand};
use gdprport_core::records::{
    Activity, Capacity, Counterpart, CoverageOf, Outcomes, Posed, ProcessOf, Seen, Shares, Use, Volume, Zone,
};

/// Processes that are named beside an other end.
const NAMED: usize = 3;

pub(super) fn section(activity: &Activity, number: usize, limits: Limits, lang: Lang) -> Section {
    let words = lang.words();
    let mut about = vec![
        std::iter::once(format!("TCP {}", activity.ports().join(", ")))
            .chain(activity.protocol.as_ref().map(ToString::to_string))
            .chain(activity.site.as_ref().map(|site| place(site, words)))
            .collect::<Vec<_>>()
            .join(" · "),
    ];
    if !activity.is_declared {
        about.push(words.undeclared_note.to_owned());
    }
    let badge = if activity.is_declared {
        Cell::new(Kind::Declared, words.declared)
    } else {
        Cell::new(Kind::NotDeclared, words.undeclared).tone("bad")
    };
    let mut tables = Vec::new();
    if !activity.rules.is_empty() {
        tables.push(rules(&activity.rules, activity.coverage, limits, lang));
    }
    if let Some(seen) = &activity.seen {
        tables.extend([
            counterparts(&seen.counterparts, limits, lang),
            processes(&seen.processes, limits, lang),
            encryption(&seen.shares, limits, lang),
        ]);
    }
    Section {
        about,
        badge: Some(badge),
        facts_are: Kind::Declared,
        facts: if activity.is_declared { declared(activity, lang) } else { Vec::new() },
        seen: seen(activity.seen.as_ref(), activity.coverage, limits, lang),
        tables,
        ..Section::new(format!("activity-{number}"), activity.name.to_string())
    }
}

fn written(peers: &[DeclaredPeer]) -> String {
    peers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn place(site: &DeclaredSite, words: &Words) -> String {
    match site {
        DeclaredSite::Local(Some(listen)) => {
            format!("{}, {}", words.served_here, fill(words.bound_to, &[&written(listen)]))
        }
        DeclaredSite::Local(None) => format!("{}, {}", words.served_here, words.bound_anywhere),
        DeclaredSite::Remote(service) => fill(words.served_at, &[&written(service)]),
    }
}

/// What is declared, in the order of Art. 30(1), or for others of Art. 30(2); then what templates of authorities have beside.
fn declared(activity: &Activity, lang: Lang) -> Vec<Fact> {
    let words = lang.words();
    let none = ProcessingRecord::default();
    let record = activity.declared.as_deref().unwrap_or(&none);
    let for_others = match &activity.capacity {
        Capacity::Controller => None,
        Capacity::Processor(others) => Some(&**others),
    };
    let law = |controller: &'static str, processor: &'static str| {
        if for_others.is_some() { processor } else { controller }
    };
    let special = record.special_category.map(|special| if special { words.yes } else { words.no });
    let tls = match &activity.tls {
        TlsDemand::None => text(None, lang),
        TlsDemand::NotRequired { why } => text(Some(&fill(words.tls_not_required, &[why])), lang),
        TlsDemand::AtLeast(version) => text(Some(&fill(words.at_least, &[version.name()])), lang),
    };
    let purpose = if for_others.is_some() { words.categories_of_processing } else { words.purpose };
    // That nobody wrote for whom is no declaration.
    let capacity = match for_others {
        Some(_) => Cell::new(Kind::Declared, words.as_processor),
        None => Cell::new(Kind::Plain, words.as_controller),
    };
    let mut facts = vec![(words.capacity, law("30(1)", "30(2)"), capacity)];
    if let Some(others) = for_others {
        facts.push((words.on_behalf, "30(2)(a)", list(Some(others), lang)));
    }
    facts.extend([
        (words.joint, law("30(1)(a), 26", ""), list(record.joint.as_deref(), lang)),
        (purpose, law("30(1)(b)", "30(2)(b)"), text(record.purpose.as_deref(), lang)),
        (words.basis, "6(1)", text(record.basis.as_deref(), lang)),
        (words.subjects, law("30(1)(c)", ""), list(record.subjects.as_deref(), lang)),
        (words.data, law("30(1)(c)", ""), list(record.data.as_deref(), lang)),
        (words.special, "9", text(special, lang)),
        (words.recipients, law("30(1)(d)", ""), list(record.recipients.as_deref(), lang)),
        (words.transfers, law("30(1)(e)", "30(2)(c)"), list(record.transfers.as_deref(), lang)),
        (words.safeguards, law("30(1)(e)", "30(2)(c)"), list(record.safeguards.as_deref(), lang)),
        (words.retention, law("30(1)(f)", ""), text(record.retention.as_deref(), lang)),
        (words.measures, law("30(1)(g), 32", "30(2)(d), 32"), list(record.measures.as_deref(), lang)),
        (words.tls_demand, law("30(1)(g), 32", "30(2)(d), 32"), tls),
        (words.location, "", list(record.location.as_deref(), lang)),
        (words.dpia, "35", text(record.dpia.as_deref(), lang)),
        (words.owner, "", text(record.owner.as_deref(), lang)),
    ]);
    facts.into_iter().map(|(name, law, cell)| Fact { name, law, cell }).collect()
}

/// What was watched stands beside what was seen, and beside that nothing was.
fn seen(seen: Option<&Seen>, coverage: CoverageOf, limits: Limits, lang: Lang) -> Vec<Cell> {
    let words = lang.words();
    let watched = if coverage.watched_s == 0 && seen.is_none() {
        words.not_watched.to_owned()
    } else {
        let (watched, period) = (lang.duration(coverage.watched_s), lang.duration(coverage.period_s));
        fill(words.watched, &[&watched, &period])
    };
    let mut cells = match seen {
        None => vec![Cell::new(Kind::NotSeen, format!("{} {watched}", words.nothing_seen))],
        Some(Seen { all, outcomes, .. }) => {
            let text = in_all(all.volume, outcomes, lang);
            let when = format!(
                "{}. {}. {}. {watched}",
                lang.named(words.first, &day_time(all.first)),
                lang.named(words.last, &day_time(all.last)),
                lang.named(words.days, &lang.count(all.days.into()))
            );
            vec![Cell::lines(Kind::Observed, vec![text, when]).rows_within(&all.rows, limits, lang)]
        }
    };
    if coverage.lost > 0 {
        let lost = fill(words.lost, &[&lang.count(coverage.lost)]);
        cells.push(Cell::new(Kind::Observed, lost).tone("open"));
    }
    cells
}

/// `Connections: 1,204 (declared: 1,201; violations: 3; …); …`
pub(in super::super) fn in_all(volume: Volume, outcomes: &Outcomes, lang: Lang) -> String {
    let words = lang.words();
    let count = |name: &str, n: u64| lang.named(name, &lang.count(n));
    format!(
        "{} ({}; {}; {}); {}; {} {}, {} {}.",
        count(words.connections, volume.flows),
        count(words.outcome_declared, outcomes.declared),
        count(words.outcome_violations, outcomes.violation),
        count(words.outcome_undecided, outcomes.undecided),
        count(words.failed, volume.failed),
        lang.bytes(volume.sent),
        words.sent,
        lang.bytes(volume.received),
        words.received,
    )
}

/// How much, as three columns.
fn how_much(words: &'static Words) -> [Column; 3] {
    [
        Column::number(Kind::Observed, words.connections),
        Column::number(Kind::Observed, words.volume),
        Column::number(Kind::Observed, words.last),
    ]
}

/// The cells of these.
fn much(used: &Use, limits: Limits, lang: Lang) -> [Cell; 3] {
    let volume = used.volume;
    let bytes = vec![format!("↑ {}", lang.bytes(volume.sent)), format!("↓ {}", lang.bytes(volume.received))];
    [
        Cell::new(Kind::Observed, lang.count(volume.flows)).number(),
        Cell::lines(Kind::Observed, bytes).number(),
        Cell::new(Kind::Observed, day(used.last)).number().rows_within(&used.rows, limits, lang),
    ]
}

pub(in super::super) fn counterparts(others: &[Counterpart], limits: Limits, lang: Lang) -> Table {
    let words = lang.words();
    let observed = |name| Column::new(Kind::Observed, name);
    let mut columns = vec![
        observed(words.other_end),
        observed(words.direction),
        observed(words.outcome),
        observed(words.process),
        observed(words.encryption),
    ];
    columns.extend(how_much(words));
    let width = columns.len();
    let shown = others.iter().take(limits.rows);
    let mut rows: Vec<Vec<Cell>> = shown.map(|other| counterpart(other, limits, lang)).collect();
    rows.extend(rest(others.len().saturating_sub(limits.rows), width, lang));
    Table { caption: words.other_ends, columns, rows }
}

fn counterpart(other: &Counterpart, limits: Limits, lang: Lang) -> Vec<Cell> {
    let words = lang.words();
    let net = &other.at.net;
    let address =
        if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() };
    let zone = match other.at.zone {
        Zone::Host => words.zone_host,
        Zone::Private => words.zone_private,
        Zone::Public => words.zone_public,
        Zone::Unknown => words.zone_unknown,
    };
    let country = other.at.country.as_ref().map(|country| lang.named(words.country, country));
    let outcome = match other.outcome {
        "declared" => {
            let rule = other.rule.as_deref().unwrap_or_default();
            Cell::new(Kind::Observed, format!("✓ {} ({rule})", words.outcome_declared)).tone("good")
        }
        "violation" => {
            let mut lines = vec![format!("✕ {}", words.outcome_violation)];
            lines.extend(other.reasons.iter().map(|reason| (*reason).to_owned()));
            Cell::lines(Kind::Observed, lines).tone("bad")
        }
        _ => Cell::new(Kind::Observed, format!("? {}", words.outcome_undecided)).tone("open"),
    };
    // Several may be called the same, as runs of one program by several users are.
    let names: BTreeSet<String> = other.processes.iter().map(|identity| name(identity, words)).collect();
    let more = names.len().saturating_sub(NAMED);
    let mut processes: Vec<String> = names.into_iter().take(NAMED).collect();
    if more > 0 {
        processes.push(format!("+ {more}"));
    }
    let encryption = other.shares.0.iter().filter(|posed| posed.flows > 0).map(|posed| share(posed, lang));
    let mut encryption: Vec<String> = encryption.collect();
    if encryption.is_empty() {
        encryption.push(words.state_unknown.to_owned());
    }
    let mut cells = vec![
        Cell::lines(Kind::Observed, [address, zone.to_owned()].into_iter().chain(country).collect()),
        Cell::new(Kind::Observed, direction(other.direction, words)),
        outcome,
        Cell::lines(Kind::Observed, processes),
        Cell::lines(Kind::Observed, encryption),
    ];
    cells.extend(much(&other.used, limits, lang));
    cells
}

pub(in super::super) fn name(identity: &Identity, words: &Words) -> String {
    identity.name().unwrap_or(words.unknown_process).to_owned()
}

fn share(posed: &Posed, lang: Lang) -> String {
    lang.named(&state(posed, lang.words()), &lang.count(posed.flows))
}

fn state(posed: &Posed, words: &Words) -> String {
    let name = match posed.state {
        PostureState::Tls13 => return "TLS 1.3".to_owned(),
        PostureState::Tls12 => return "TLS 1.2".to_owned(),
        PostureState::WeakTls => words.state_weak,
        PostureState::StarttlsUpgraded => words.state_upgraded,
        PostureState::StarttlsRefused => words.state_refused,
        PostureState::Plaintext => words.state_plaintext,
        PostureState::EncryptedOther => words.state_other,
        PostureState::Unrecognised => words.state_unrecognised,
        PostureState::NoData => words.state_none,
        PostureState::Unknown => words.state_unknown,
    };
    posed.version.map_or_else(|| name.to_owned(), |version| format!("{name} ({})", version.name()))
}

pub(in super::super) fn processes(processes: &[ProcessOf], limits: Limits, lang: Lang) -> Table {
    let words = lang.words();
    let observed = |name| Column::new(Kind::Observed, name);
    let mut columns = vec![
        observed(words.process),
        observed(words.unit),
        observed(words.user),
        observed(words.container),
        observed(words.known_by),
        observed(words.direction),
    ];
    columns.extend(how_much(words));
    let width = columns.len();
    let shown = processes.iter().take(limits.rows);
    let mut rows: Vec<Vec<Cell>> = shown.map(|process| row(process, limits, lang)).collect();
    rows.extend(rest(processes.len().saturating_sub(limits.rows), width, lang));
    Table { caption: words.processes, columns, rows }
}

fn row(process: &ProcessOf, limits: Limits, lang: Lang) -> Vec<Cell> {
    let words = lang.words();
    let Identity { attribution, exe, script, unit, uid, user, container, .. } = &*process.identity;
    let or_dash = |text: Option<String>| Cell::new(Kind::Observed, text.unwrap_or_else(|| "–".to_owned()));
    let program: Vec<String> = script.iter().chain(exe).map(ToString::to_string).collect();
    let program = if program.is_empty() { vec![words.unknown_process.to_owned()] } else { program };
    let known = match attribution {
        Attribution::Exact => words.exact,
        Attribution::Listener => words.listener,
        Attribution::Snapshot => words.snapshot,
        Attribution::Unknown => words.unknown_process,
    };
    let parts = container
        .iter()
        .flat_map(|container| [&container.namespace, &container.workload, &container.name, &container.image]);
    let parts: Vec<String> = parts.flatten().map(ToString::to_string).collect();
    let contained = if parts.is_empty() { or_dash(None) } else { Cell::lines(Kind::Observed, parts) };
    let user = user.as_ref().map(ToString::to_string).or_else(|| uid.map(|uid| uid.to_string()));
    let mut cells = vec![
        Cell::lines(Kind::Observed, program),
        or_dash(unit.as_ref().map(ToString::to_string)),
        or_dash(user),
        contained,
        Cell::new(Kind::Observed, known),
        Cell::new(Kind::Observed, direction(process.direction, words)),
    ];
    cells.extend(much(&process.used, limits, lang));
    cells
}

pub(in super::super) fn encryption(shares: &Shares, limits: Limits, lang: Lang) -> Table {
    let words = lang.words();
    let columns = vec![
        Column::new(Kind::Observed, words.encryption),
        Column::number(Kind::Observed, words.connections),
        Column::number(Kind::Observed, words.volume),
    ];
    let row = |posed: &Posed| {
        let tone = match posed.state {
            _ if posed.is_encrypted() => "good",
            PostureState::NoData => "",
            PostureState::Unknown | PostureState::Unrecognised | PostureState::StarttlsUpgraded => "open",
            _ => "bad",
        };
        vec![
            Cell::new(Kind::Observed, state(posed, words)).tone(tone),
            Cell::new(Kind::Observed, lang.count(posed.flows)).number(),
            Cell::new(Kind::Observed, lang.bytes(posed.bytes)).number().rows_within(
                &posed.rows,
                limits,
                lang,
            ),
        ]
    };
    Table { caption: words.encryption, columns, rows: shares.0.iter().map(row).collect() }
}
