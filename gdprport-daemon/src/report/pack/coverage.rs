//! How well each port was watched: minutes, what was lost and why, and when a daemon ran.

use gdprport_core::event::Bound;
use gdprport_core::figures::{duration, thousands};
use gdprport_core::ledger::{GapRow, RunEnd};
use gdprport_core::pack::{PortCoverage, coverage};

use super::super::csv::{MARK, line};
use super::super::record::cells::day_time;
use super::super::record::page::{Cell, Column, Kind, Page, Section, Table};
use super::super::words::Lang;
use super::contents::Pack;
use super::violations::moment;

/// Runs and losses that a page shows one by one, the latest; the rest is counted.
const MOST: usize = 500;

fn ports(pack: &Pack<'_>) -> Vec<PortCoverage> {
    pack.facts.observed.map_or_else(Vec::new, |observed| coverage(observed, pack.facts.records.about.asked))
}

/// Minutes: with those that were watched they are those of the period, also where seconds are left over.
const fn not_watched(of: &PortCoverage) -> u64 {
    (of.period_s / 60).saturating_sub(of.watched_s / 60)
}

/// The sheet: a line for each port.
pub(super) fn sheet(pack: &Pack<'_>) -> String {
    let mut file = String::from(MARK);
    let head = [
        "service",
        "port",
        "declared",
        "minutes watched",
        "minutes of the period",
        "minutes not watched",
        "connections seen",
        "lost",
        "first hour",
        "last hour",
    ];
    line(&mut file, head.into_iter());
    for of in ports(pack) {
        let cells = [
            of.port.name.to_string(),
            of.port.number.to_string(),
            if of.port.declared { "yes" } else { "no" }.to_owned(),
            (of.watched_s / 60).to_string(),
            (of.period_s / 60).to_string(),
            not_watched(&of).to_string(),
            of.seen.to_string(),
            of.lost.to_string(),
            moment(of.first),
            moment(of.last),
        ];
        line(&mut file, cells.iter().map(String::as_str));
    }
    file
}

/// The page.
pub(super) fn page(pack: &Pack<'_>) -> Page {
    let about = &pack.facts.records.about;
    let mut notices = Vec::new();
    notices.extend(
        about
            .no_ledger
            .as_ref()
            .map(|why| format!("Nothing was observed, as there is no ledger to read: {why}")),
    );
    if about.from > about.asked {
        notices.push(format!("Nothing is known before {}, when the ledger began.", day_time(about.from)));
    }
    notices.push(
        "A port that is not listed was not watched in this period: that nothing was seen on it says nothing."
            .to_owned(),
    );
    Page {
        lang: Lang::En,
        kicker: "Evidence",
        title: "How well each port was watched",
        head: vec![
            ("Host", about.host.to_string()),
            ("Period", format!("{} – {}", day_time(about.asked), day_time(about.to))),
        ],
        notices,
        sections: vec![by_port(pack), losses(pack), runs(pack), notes(pack)],
        has_legend: false,
        foot: vec![
            "Minutes are counted by whole hours at the begin and the end of the period.".to_owned(),
            "Reasons of losses are those of coverage events: gdprport-events(7) has their causes.".to_owned(),
        ],
    }
}

fn section(id: &str, title: &str, about: Vec<String>, table: Option<Table>) -> Section {
    let tables = table.into_iter().filter(|table| !table.rows.is_empty()).collect();
    Section { about, facts_are: Kind::Observed, tables, ..Section::new(id, title) }
}

fn observed(text: impl Into<String>) -> Cell {
    Cell::new(Kind::Observed, text)
}

fn by_port(pack: &Pack<'_>) -> Section {
    let columns = vec![
        Column::new(Kind::Observed, "Port"),
        Column::number(Kind::Observed, "Minutes watched"),
        Column::number(Kind::Observed, "Of"),
        Column::number(Kind::Observed, "Not watched"),
        Column::number(Kind::Observed, "Connections seen"),
        Column::number(Kind::Observed, "Lost"),
    ];
    let row = |of: &PortCoverage| {
        let number = |number: u64| observed(thousands(number)).number();
        vec![
            observed(format!("{} {}", of.port.name, of.port.number)),
            number(of.watched_s / 60),
            number(of.period_s / 60),
            number(not_watched(of)),
            number(of.seen),
            number(of.lost),
        ]
    };
    let rows: Vec<_> = ports(pack).iter().map(row).collect();
    let about = if rows.is_empty() { vec!["No port was watched.".to_owned()] } else { Vec::new() };
    section("ports", "Ports", about, Some(Table { caption: "By port", columns, rows }))
}

/// The latest, and a sentence about the rest.
fn latest<T>(all: &[T]) -> (&[T], Option<String>) {
    let earlier = all.len().saturating_sub(MOST);
    (&all[earlier..], (earlier > 0).then(|| format!("{earlier} earlier ones are not shown here.")))
}

fn losses(pack: &Pack<'_>) -> Section {
    let gaps = &pack.facts.records.gaps;
    let (shown, rest) = latest(gaps);
    let columns = vec![
        Column::new(Kind::Observed, "Why"),
        Column::new(Kind::Observed, "From"),
        Column::new(Kind::Observed, "To"),
        Column::new(Kind::Observed, "For"),
        Column::number(Kind::Observed, "Lost"),
    ];
    let mut about: Vec<String> = rest.into_iter().collect();
    if gaps.is_empty() {
        about.push(match pack.facts.observed {
            Some(_) => "No loss was reported in this period.".to_owned(),
            None => "Not known, as there is no ledger.".to_owned(),
        });
    }
    let rows = shown.iter().map(loss).collect();
    section("losses", "What was lost, and why", about, Some(Table { caption: "Losses", columns, rows }))
}

fn loss(gap: &GapRow) -> Vec<Cell> {
    let lost = thousands(gap.lost);
    let lost = match gap.bound {
        None => lost,
        Some(Bound::AtLeast) => format!("at least {lost}"),
        Some(Bound::AtMost) => format!("at most {lost}"),
    };
    let length = u64::try_from(gap.to.duration_since(gap.from).as_secs()).unwrap_or(0);
    vec![
        observed(&*gap.reason),
        observed(moment(gap.from)),
        observed(moment(gap.to)),
        observed(duration(length)),
        observed(lost).number(),
    ]
}

fn runs(pack: &Pack<'_>) -> Section {
    let runs = pack.facts.observed.map_or(&[][..], |observed| &observed.runs);
    let (shown, rest) = latest(runs);
    let columns = vec![
        Column::new(Kind::Observed, "Run"),
        Column::new(Kind::Observed, "Version"),
        Column::new(Kind::Observed, "From"),
        Column::new(Kind::Observed, "Last written"),
        Column::new(Kind::Observed, "End"),
    ];
    let rows = shown
        .iter()
        .map(|run| {
            let end = match run.end {
                Some(RunEnd::Stopped) => "stopped",
                Some(RunEnd::Killed) => "killed: what came after is missing",
                None => "not known: it ran, or was killed",
            };
            vec![
                observed(&*run.run),
                observed(&*run.version),
                observed(moment(run.from)),
                observed(moment(run.to)),
                observed(end),
            ]
        })
        .collect();
    let about =
        vec!["Between two runs nothing was watched, unless the programs stayed attached (--pin).".to_owned()];
    let about = about.into_iter().chain(rest).collect();
    section("runs", "When a daemon ran", about, Some(Table { caption: "Runs", columns, rows }))
}

fn notes(pack: &Pack<'_>) -> Section {
    let (shown, rest) = latest(&pack.facts.records.notes);
    let columns = vec![Column::new(Kind::Observed, "At"), Column::new(Kind::Observed, "What")];
    let rows = shown.iter().map(|note| vec![observed(moment(note.at)), observed(&*note.text)]).collect();
    let nothing = shown.is_empty().then(|| match pack.facts.observed {
        Some(_) => "Nothing was noted about the ledger itself.".to_owned(),
        None => "There is no ledger.".to_owned(),
    });
    let table = Table { caption: "Notes", columns, rows };
    section("notes", "About the ledger", rest.into_iter().chain(nothing).collect(), Some(table))
}
