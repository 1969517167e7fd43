//! The page, by the sections of the EDPB's template.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gdprport_core::incident::{Deadline, HourOf, Incident, Unwatched, Watched};
use gdprport_core::policy::ProcessingRecord;

use super::super::record::activity::{counterparts, encryption, in_all, processes};
use super::super::record::build::{controller, gaps};
use super::super::record::cells::{day_time, direction, rest};
use super::super::record::limits::Limits;
use super::super::record::page::{Cell, Column, Fact, Kind, Page, Section, Table};
use super::super::words::{Lang, fill};
use super::reachable::{listeners, rules};

/// Hours and times that a page shows one by one; the rest is counted.
const MOST: usize = 200;

/// The page.
pub(crate) fn page(incident: &Incident, lang: Lang) -> Page {
    let (words, own) = (lang.words(), lang.incident());
    let about = &incident.records.about;
    let mut notices = vec![own.draft.to_owned(), own.to_fill_about.to_owned(), own.not_guessed.to_owned()];
    notices.extend(about.no_ledger.as_ref().map(|why| fill(words.no_ledger, &[why])));
    if about.pseudonyms {
        notices.push(words.pseudonyms.to_owned());
    }
    Page {
        lang,
        kicker: words.law_33,
        title: own.title,
        head: vec![
            (words.host, about.host.to_string()),
            (words.ports, incident.port.to_string()),
            (words.period, time(incident)),
            (words.made, day_time(about.made)),
        ],
        notices,
        sections: vec![
            notification(incident.deadline, lang),
            responsible(incident, lang),
            breach(incident, lang),
            reachable(incident, lang),
            happened(incident, lang),
            protection(incident, lang),
            unwatched(incident, lang),
            people(lang),
        ],
        has_legend: true,
        foot: vec![own.foot.to_owned(), fill(words.version, &[&about.version])],
    }
}

fn time(incident: &Incident) -> String {
    format!("{} – {}", day_time(incident.from), day_time(incident.to))
}

const fn fact(name: &'static str, law: &'static str, cell: Cell) -> Fact {
    Fact { name, law, cell }
}

/// What a person has to write.
fn ask(name: &'static str, law: &'static str, question: &str, lang: Lang) -> Fact {
    let mark = format!("{} {}", Kind::ToFill.mark(), lang.words().to_fill);
    fact(name, law, Cell::lines(Kind::ToFill, vec![mark, question.to_owned()]))
}

fn plain(line: impl Into<String>) -> Cell {
    Cell::new(Kind::Plain, line)
}

/// `72 h`, or as it was written.
fn hours(within: Duration) -> String {
    match within.as_secs() {
        seconds if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
        _ => humantime::format_duration(within).to_string(),
    }
}

fn notification(deadline: Deadline, lang: Lang) -> Section {
    let own = lang.incident();
    let within = hours(deadline.within);
    let ends = match deadline.ends() {
        Some(ends) => fill(own.deadline_at, &[&day_time(ends), &within]),
        None => fill(own.deadline_after, &[&within]),
    };
    let aware = match deadline.aware {
        Some(aware) => fact(own.aware, "33(1)", plain(day_time(aware))),
        None => ask(own.aware, "33(1)", own.aware_ask, lang),
    };
    let facts = vec![
        ask(own.kind_of, "33(4)", own.kind_of_ask, lang),
        aware,
        fact(own.deadline, "33(1)", plain(ends)),
        ask(own.delay, "33(1)", own.delay_ask, lang),
        ask(own.reporter, "33(3)(b)", own.reporter_ask, lang),
        ask(own.authority, "55, 56", own.authority_ask, lang),
    ];
    Section { facts, ..Section::new("notification", own.notification) }
}

fn responsible(incident: &Incident, lang: Lang) -> Section {
    let own = lang.incident();
    let declared = controller(incident.controller.as_ref(), lang);
    let mut facts = declared.facts.clone();
    facts.push(ask(own.processors, "33(2)", own.processors_ask, lang));
    Section { about: vec![own.controller_about.to_owned()], facts, ..declared }
}

/// What the policies of then declared, each text once.
fn declared_then(incident: &Incident, of: impl Fn(&ProcessingRecord) -> Option<&[Arc<str>]>) -> Vec<String> {
    let ports = incident.policies.iter().filter_map(|policy| policy.declares.as_ref()).flatten();
    let records = ports.filter_map(|port| port.record.as_deref());
    let texts: BTreeSet<&str> = records.filter_map(of).flatten().map(|text| &**text).collect();
    texts.into_iter().map(str::to_owned).collect()
}

fn breach(incident: &Incident, lang: Lang) -> Section {
    let own = lang.incident();
    let mut facts = vec![
        fact(own.asked_time, "", plain(time(incident))),
        ask(own.time, "33(3)(a)", own.time_ask, lang),
        ask(own.how, "33(3)(a)", own.how_ask, lang),
        ask(own.of_what, "4(12)", own.of_what_ask, lang),
    ];
    let mut categories = |name, question, texts: Vec<String>| {
        if !texts.is_empty() {
            let text = fill(own.declared_then, &[&texts.join(", ")]);
            facts.push(fact(
                name,
                "33(3)(a)",
                Cell::new(Kind::Declared, format!("{} {text}", Kind::Declared.mark())),
            ));
        }
        facts.push(ask(name, "33(3)(a)", question, lang));
    };
    categories(own.subjects, own.subjects_ask, declared_then(incident, |record| record.subjects.as_deref()));
    categories(own.data, own.data_ask, declared_then(incident, |record| record.data.as_deref()));
    facts.push(ask(own.number_people, "33(3)(a)", own.number_ask, lang));
    facts.push(ask(own.number_records, "33(3)(a)", own.number_ask, lang));
    Section { facts, ..Section::new("breach", own.breach) }
}

fn reachable(incident: &Incident, lang: Lang) -> Section {
    let own = lang.incident();
    let mut about = vec![own.reachable_about.to_owned(), own.rules_about.to_owned()];
    let mut tables = Vec::new();
    if incident.reachable.is_empty() {
        about.push(own.no_listeners.to_owned());
    } else {
        tables.push(listeners(&incident.reachable, lang));
    }
    if incident.policies.is_empty() {
        about.push(own.no_policies.to_owned());
    } else {
        tables.push(rules(&incident.policies, lang));
    }
    Section { about, tables, ..Section::new("reachable", own.reachable) }
}

fn happened(incident: &Incident, lang: Lang) -> Section {
    let own = lang.incident();
    let mut about = vec![own.happened_about.to_owned()];
    let (mut seen, mut tables) = (Vec::new(), Vec::new());
    for activity in &incident.records.undeclared {
        let Some(found) = &activity.seen else { continue };
        let all = in_all(found.all.volume, &found.outcomes, lang);
        let text = format!("{} TCP {}. {all}", activity.name, activity.ports().join(", "));
        seen.push(Cell::new(Kind::Observed, text).rows(&found.all.rows, lang));
        tables.push(counterparts(&found.counterparts, Limits::ALONE, lang));
        tables.push(processes(&found.processes, Limits::ALONE, lang));
    }
    if seen.is_empty() {
        about.push(own.nothing_happened.to_owned());
    }
    if !incident.hours.is_empty() {
        tables.push(by_hour(&incident.hours, lang));
    }
    Section { about, seen, tables, ..Section::new("happened", own.happened) }
}

fn by_hour(hours: &[HourOf], lang: Lang) -> Table {
    let (words, own) = (lang.words(), lang.incident());
    let columns = vec![
        Column::new(Kind::Observed, own.hour),
        Column::new(Kind::Observed, words.direction),
        Column::new(Kind::Observed, words.role),
        Column::number(Kind::Observed, words.connections),
        Column::number(Kind::Observed, words.sent),
        Column::number(Kind::Observed, words.received),
    ];
    let observed = |text: String| Cell::new(Kind::Observed, text);
    let row = |of: &HourOf| {
        vec![
            observed(day_time(of.hour)),
            observed(direction(of.direction, words).to_owned()),
            observed(of.rule.as_deref().unwrap_or("–").to_owned()),
            observed(lang.count(of.flows)).number(),
            observed(lang.bytes(of.bytes_sent)).number(),
            observed(lang.bytes(of.bytes_received)).number(),
        ]
    };
    let mut rows: Vec<Vec<Cell>> = hours.iter().take(MOST).map(row).collect();
    rows.extend(rest(hours.len().saturating_sub(MOST), columns.len(), lang));
    Table { caption: own.by_hour, columns, rows }
}

fn protection(incident: &Incident, lang: Lang) -> Section {
    let (words, own) = (lang.words(), lang.incident());
    let mut about = vec![own.protection_about.to_owned()];
    let tables: Vec<Table> = incident
        .records
        .undeclared
        .iter()
        .filter_map(|activity| Some(encryption(&activity.seen.as_ref()?.shares, Limits::ALONE, lang)))
        .collect();
    if tables.is_empty() {
        about.push(words.nothing_seen.to_owned());
    }
    let measures = declared_then(incident, |record| record.measures.as_deref());
    let measures = if measures.is_empty() {
        Cell::new(Kind::NotDeclared, words.not_declared)
    } else {
        Cell::lines(Kind::Declared, measures)
    };
    let facts = vec![fact(own.measures_then, "32", measures)];
    Section { about, facts_are: Kind::Declared, facts, tables, ..Section::new("protection", own.protection) }
}

fn unwatched(incident: &Incident, lang: Lang) -> Section {
    let own = lang.incident();
    let Watched { period_s, watched_s, not, more, lost } = &incident.watched;
    let (watched, period) = (lang.duration(*watched_s), lang.duration(*period_s));
    let sum = fill(own.watched_of, &[&watched, &period, &lang.count(*lost)]);
    let is_whole = not.is_empty() && *lost == 0;
    let tone = if is_whole { "" } else { "open" };
    let seen = vec![Cell::new(Kind::Observed, sum).tone(tone)];
    let mut about = Vec::new();
    let mut tables = Vec::new();
    if not.is_empty() {
        about.push(own.all_watched.to_owned());
    } else {
        about.push(own.unwatched_about.to_owned());
        tables.push(times(not, *more, lang));
    }
    tables.extend(gaps(&incident.records, lang).tables);
    Section { about, seen, tables, ..Section::new("unwatched", own.unwatched) }
}

fn times(not: &[Unwatched], more: usize, lang: Lang) -> Table {
    let (words, own) = (lang.words(), lang.incident());
    let columns = vec![
        Column::new(Kind::Observed, words.from),
        Column::new(Kind::Observed, words.to),
        Column::new(Kind::Observed, words.coverage),
    ];
    let row = |of: &Unwatched| {
        let how = match of {
            Unwatched { before_ledger: true, .. } => own.before_ledger.to_owned(),
            Unwatched { watched_s: 0, .. } => own.not_watched.to_owned(),
            Unwatched { watched_s, .. } => fill(own.partly_watched, &[&lang.duration(*watched_s)]),
        };
        [day_time(of.from), day_time(of.to), how].map(|text| Cell::new(Kind::Observed, text)).to_vec()
    };
    let mut rows: Vec<Vec<Cell>> = not.iter().take(MOST).map(row).collect();
    let hidden = not.len().saturating_sub(MOST).saturating_add(more);
    if hidden > 0 {
        let text = fill(own.more_times, &[&lang.count(hidden as u64)]);
        rows.push(vec![Cell::new(Kind::Plain, text), plain("–"), plain("–")]);
    }
    Table { caption: own.unwatched, columns, rows }
}

fn people(lang: Lang) -> Section {
    let own = lang.incident();
    let facts = vec![
        ask(own.consequences, "33(3)(c)", own.consequences_ask, lang),
        ask(own.taken, "33(3)(d)", own.taken_ask, lang),
        ask(own.communication, "34", own.communication_ask, lang),
        ask(own.other_states, "33, 56", own.other_states_ask, lang),
    ];
    Section { facts, ..Section::new("people", own.people) }
}
