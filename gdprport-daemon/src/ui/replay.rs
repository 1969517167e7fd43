//! The past judged by another policy, as tables: what would change first, then what it comes to.

use std::sync::Arc;

use gdprport_core::ledger::VerdictKey;
use gdprport_core::model::Attribution;
use gdprport_core::records::Volume;
use gdprport_core::replay::{Change, Group, Now, Replay};
use jiff::Timestamp;
use serde::Serialize;

use super::format::{bytes, counted, moment, thousands};
use super::screen::Screen;
use super::table::{Cell, Column, TIE, table_that_says, title, wrap};
use super::tone::Tone;

/// The past, judged.
#[derive(Debug, Serialize)]
pub(super) struct Replayed {
    /// Begin of the period.
    pub(super) since: Timestamp,
    /// Its end.
    pub(super) until: Timestamp,
    /// Since when the ledger knows something.
    pub(super) begin: Timestamp,
    /// The digest of the policy; `None`: the catalog.
    pub(super) policy: Option<Arc<str>>,
    /// Rows that were judged.
    pub(super) rows: u64,
    /// Losses in the period.
    pub(super) gaps: u64,
    /// What was said and what would be.
    #[serde(flatten)]
    pub(super) replay: Replay,
}

/// How many groups are listed.
const LISTED: usize = 60;

/// How many numbers of rows, and how many peers, are named.
const NAMED: usize = 3;

/// Screens at least this wide have room for more.
const WIDE: u16 = 120;

const fn columns(width: u16) -> [Column; 10] {
    let wide = width >= WIDE;
    [
        Column::elastic("PORT", 12),
        Column::text("DIR").spare(1),
        Column::elastic("PROCESS", 12),
        Column::elastic("PEERS", 15),
        Column::elastic("WHY", if wide { 30 } else { 22 }),
        Column::number("FLOWS"),
        Column::number("SENT").spare(4),
        Column::number("RECEIVED").spare(4),
        Column::text("SEEN").spare(3),
        Column::elastic("ROWS", 8).spare(2),
    ]
}

/// A table for each change, and what it comes to.
pub(super) fn show(replayed: &Replayed, all: bool, screen: &Screen) -> String {
    let replay = &replayed.replay;
    let width = usize::from(screen.width);
    let mut text = String::new();
    let policy = replayed.policy.as_deref();
    let policy = policy.map_or("the built-in catalog", |digest| digest.get(..23).unwrap_or(digest));
    let rows = counted(replayed.rows, "row");
    let head = format!("{rows} since {}, judged by {policy}", moment(replayed.since));
    wrap(&head, width).iter().for_each(|line| text += &(Tone::Dim.paint(line) + "\n"));
    for total in &replay.totals {
        let Volume { flows, sent, received, .. } = total.volume;
        let remark =
            format!("{}, {} sent, {} received", counted(flows, "connection"), bytes(sent), bytes(received));
        if !all && !total.change.is_notable() {
            let line = format!("{}: {remark}", words(total.change));
            text += "\n";
            wrap(&line, width).iter().for_each(|line| text += &(Tone::Dim.paint(line) + "\n"));
            continue;
        }
        text += &title(&words(total.change).to_uppercase(), &remark);
        let groups = replay.groups.iter().filter(|group| group.change == total.change);
        let rows: Vec<_> = groups.take(LISTED).map(|group| cells(group, tone(total.change))).collect();
        text += &table_that_says(&columns(screen.width), &rows, screen.width);
        if let Some(more) = total.groups.checked_sub(LISTED as u64).filter(|more| *more > 0) {
            text += &(Tone::Dim.paint(&format!("and {} more; --json has them", thousands(more))) + "\n");
        }
    }
    text += "\n";
    for (tone, line) in summary(replayed) {
        wrap(&line, width).iter().for_each(|line| text += &(tone.paint(line) + "\n"));
    }
    text
}

fn of(replay: &Replay, is: impl Fn(Change) -> bool) -> u64 {
    replay.totals.iter().filter(|total| is(total.change)).map(|total| total.volume.flows).sum()
}

fn summary(replayed: &Replayed) -> Vec<(Tone, String)> {
    let replay = &replayed.replay;
    let mut lines = Vec::new();
    let lost = of(replay, |change| change == Change::DeclaredToViolation);
    let has_lost = replay.totals.iter().any(|total| total.change == Change::DeclaredToViolation);
    let unjudged = |change| {
        matches!(change, Change::DeclaredToUndecided | Change::ViolationToUndecided | Change::StaysUndecided)
    };
    let unclear = replay.totals.iter().any(|total| unjudged(total.change));
    let unwatched = replay.totals.iter().any(|total| total.change == Change::ToUnwatched);
    if has_lost {
        let said =
            format!("{} that the policy of then declared would be violations", counted(lost, "connection"));
        lines.push((Tone::Bad, said));
    } else if unclear {
        lines.push((
            Tone::Warn,
            "as far as the ledger can say, nothing that was declared would be a violation".to_owned(),
        ));
    } else {
        let tone = if unwatched { Tone::Warn } else { Tone::Good };
        lines.push((tone, "nothing that was declared would be a violation".to_owned()));
    }
    if unwatched {
        let many = counted(of(replay, |change| change == Change::ToUnwatched), "connection");
        lines.push((Tone::Bad, format!("{many} would not be seen at all: their ports would not be watched")));
    }
    if unclear {
        let many = counted(of(replay, unjudged), "connection");
        let said = format!(
            "{many} cannot be judged: the ledger does not keep what would decide; that they would be declared is not claimed"
        );
        lines.push((Tone::Warn, said));
    }
    if replay.passing > 0 {
        let rows = counted(replay.passing, "row");
        lines.push((
            Tone::Dim,
            format!("{rows} that connections only passed through: they are judged where they stand for good"),
        ));
    }
    if replayed.begin > replayed.since {
        let said = format!("nothing is known before {}, when the ledger began", moment(replayed.begin));
        lines.push((Tone::Warn, said));
    }
    if replayed.gaps > 0 {
        let gaps = counted(replayed.gaps, "gap");
        lines.push((Tone::Warn, format!("{gaps} in this period: what was lost in it is in no row")));
    }
    lines
}

/// What would change, in words.
const fn words(change: Change) -> &'static str {
    match change {
        Change::DeclaredToViolation => "declared, would be a violation",
        Change::ViolationToDeclared => "a violation, would be declared",
        Change::ToUnwatched => "watched, would not be",
        Change::UndecidedToViolation => "undecided, would be a violation",
        Change::DeclaredToUndecided => "declared, cannot be judged",
        Change::ViolationToUndecided => "a violation, cannot be judged",
        Change::UndecidedToDeclared => "undecided, would be declared",
        Change::OtherReasons => "a violation, for other reasons",
        Change::OtherRule => "declared, by another rule",
        Change::StaysUndecided => "undecided, cannot be judged",
        Change::Same => "as it was",
    }
}

const fn tone(change: Change) -> Tone {
    match change {
        Change::DeclaredToViolation | Change::ToUnwatched => Tone::Bad,
        Change::ViolationToDeclared
        | Change::UndecidedToViolation
        | Change::DeclaredToUndecided
        | Change::ViolationToUndecided
        | Change::StaysUndecided => Tone::Warn,
        Change::UndecidedToDeclared => Tone::Note,
        Change::OtherReasons | Change::OtherRule | Change::Same => Tone::Dim,
    }
}

fn cells(group: &Group, tone: Tone) -> Vec<Cell> {
    let used = &group.used;
    let peers: Vec<String> =
        group
            .peers
            .iter()
            .take(NAMED)
            .map(|net| {
                if net.prefix_len() == net.max_prefix_len() {
                    net.addr().to_string()
                } else {
                    net.to_string()
                }
            })
            .collect();
    let rows: Vec<String> = used.rows.0.iter().take(NAMED).map(ToString::to_string).collect();
    let day = |at: Timestamp| at.strftime("%m-%d").to_string();
    let (first, last) = (day(used.first), day(used.last));
    let size = |n: u64| Cell::plain(bytes(n).replace(' ', TIE));
    vec![
        Cell::plain(&group.port.name),
        Cell::plain(group.direction.as_str()),
        process(group),
        Cell::plain(more(&peers, group.peers.len())),
        Cell::new(tone, why(group)),
        Cell::count(Tone::Plain, used.volume.flows),
        size(used.volume.sent),
        size(used.volume.received),
        Cell::plain(if first == last { first } else { format!("{first} to {last}").replace(' ', TIE) }),
        Cell::new(Tone::Dim, more(&rows, used.rows.0.len())),
    ]
}

fn process(group: &Group) -> Cell {
    match (group.process.attribution, group.process.name()) {
        (Attribution::Unknown, _) | (_, None) => Cell::new(Tone::Warn, "unknown"),
        (Attribution::Exact, Some(name)) => Cell::plain(name),
        (other, Some(name)) => Cell::plain(format!("{name} ({other})")),
    }
}

fn why(group: &Group) -> String {
    match &group.now {
        Now::Judged(VerdictKey::Declared { rule }) => format!("by {rule}"),
        Now::Judged(VerdictKey::Violation { reasons, nearest }) => {
            let reasons = reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ");
            nearest.as_ref().map_or(reasons.clone(), |role| format!("{reasons}; nearest {role}"))
        }
        Now::Judged(VerdictKey::Undecided { .. }) => {
            group.missing.first().map_or_else(|| "evidence is missing".to_owned(), Clone::clone)
        }
        Now::Unwatched => "neither declared nor in the catalog".to_owned(),
    }
}

fn more(named: &[String], all: usize) -> String {
    match all.checked_sub(named.len()).filter(|more| *more > 0) {
        Some(more) => format!("{} and {} more", named.join(", "), thousands(more as u64)),
        None => named.join(", "),
    }
}
