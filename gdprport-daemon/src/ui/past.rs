//! Flows of the past as a table: what the ledger has of them, and what it cannot know.

use std::sync::Arc;

use gdprport_core::ledger::{Counts, GapRow, Identity, PortKey, PostureKey, VerdictKey};
use gdprport_core::model::{Attribution, Direction, PostureState};
use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::format::{basename, bytes, clean, counted, duration, moment, thousands};
use super::screen::Screen;
use super::table::{Cell, Column, TIE, table_that_says, wrap};
use super::tone::Tone;
use crate::ledger::StoredEdge;

/// Screens at least this wide show the time of the last observation; others how long ago it was.
const WIDE: u16 = 120;

/// How many losses are listed one by one.
const GAPS: usize = 5;

/// What the ledger has of a period.
#[derive(Debug, Serialize)]
pub(super) struct Past {
    /// Begin of the period.
    pub since: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Since when the ledger knows something; `None`: nothing was written yet.
    pub begin: Option<Timestamp>,
    /// Up to when it was written; `None`: a daemon writes it now.
    pub end: Option<Timestamp>,
    /// Whether there are more rows than these.
    pub more: bool,
    /// The rows, the latest first.
    pub rows: Vec<Row>,
    /// Losses in the period, oldest first.
    pub gaps: Vec<GapRow>,
}

/// A row of the ledger.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Its number, for `policy explain --row`.
    row: i64,
    /// The day in UTC that it counts.
    day: Date,
    /// The first observation.
    first: Timestamp,
    /// The last one.
    last: Timestamp,
    port: Arc<PortKey>,
    direction: Direction,
    peer: IpNet,
    process: Arc<Identity>,
    verdict: Arc<VerdictKey>,
    posture: Arc<PostureKey>,
    policy: Option<Arc<str>>,
    #[serde(flatten)]
    counts: Counts,
}

impl Row {
    pub(super) fn of(stored: StoredEdge) -> Self {
        let StoredEdge { row, edge } = stored;
        let (key, counts) = (edge.key, edge.counts);
        Self {
            row,
            day: edge.day,
            first: edge.first,
            last: edge.last,
            port: key.port,
            direction: key.direction,
            peer: key.peer,
            process: key.identity,
            verdict: key.verdict,
            posture: key.posture,
            policy: key.policy,
            counts,
        }
    }
}

const fn columns(width: u16) -> [Column; 17] {
    let wide = width >= WIDE;
    [
        Column::number("ROW"),
        if wide { Column::text("LAST SEEN") } else { Column::number("AGO") },
        Column::text("VERDICT"),
        Column::elastic("PORT", if wide { 12 } else { 10 }),
        Column::text("DIR").spare(1),
        Column::elastic("PEER", 11),
        Column::elastic("PROCESS", if wide { 14 } else { 8 }),
        Column::text("USER").spare(5),
        Column::elastic("UNIT", 20).spare(6),
        Column::text("ENCRYPTION").spare(4),
        Column::number("FLOWS").spare(2),
        Column::number("OPENED").spare(8),
        Column::number("CLOSED").spare(9),
        Column::number("FAILED").spare(8),
        Column::number("SENT").spare(7),
        Column::number("RECEIVED").spare(7),
        Column::elastic("WHY", if wide { 24 } else { 20 }),
    ]
}

/// The table, and what has to be known of the period.
pub(super) fn show(past: &Past, screen: &Screen) -> String {
    let mut text = String::new();
    if past.rows.is_empty() {
        text += &(Tone::Dim.paint("the ledger has no flow that matches") + "\n");
    } else {
        let rows: Vec<_> = past.rows.iter().map(|row| cells(row, screen)).collect();
        text += &table_that_says(&columns(screen.width), &rows, screen.width);
        let violations = past.rows.iter().filter(|row| matches!(*row.verdict, VerdictKey::Violation { .. }));
        let all = counted(past.rows.len() as u64, "row");
        let (latest, more) = if past.more { ("the latest ", " (more with --limit)") } else { ("", "") };
        let remark = format!(
            "{latest}{all} since {}{more}, {} in violation",
            moment(past.since),
            thousands(violations.count() as u64)
        );
        text += "\n";
        for line in wrap(&remark, usize::from(screen.width)) {
            text += &(Tone::Dim.paint(&line) + "\n");
        }
    }
    for line in notes(past).iter().flat_map(|note| wrap(note, usize::from(screen.width))) {
        text += &(Tone::Warn.paint(&line) + "\n");
    }
    text
}

/// What the ledger cannot know of the period.
fn notes(past: &Past) -> Vec<String> {
    let mut notes = Vec::new();
    match past.begin {
        None => notes.push("nothing was written to the ledger yet".to_owned()),
        Some(begin) if begin > past.since => {
            notes.push(format!("nothing is known before {}, when the ledger began", moment(begin)));
        }
        Some(_) => {}
    }
    if let Some(end) = past.end {
        notes.push(format!("nothing is known after {}, when the daemon ended", moment(end)));
    }
    if !past.gaps.is_empty() {
        let gaps = counted(past.gaps.len() as u64, "gap");
        notes.push(format!("{gaps} in this period: what was lost in it is in no row"));
        for gap in past.gaps.iter().rev().take(GAPS) {
            notes.push(format!(
                "  {} to {}: {} lost, {}",
                moment(gap.from),
                moment(gap.to),
                thousands(gap.lost),
                clean(&gap.reason)
            ));
        }
        if past.gaps.len() > GAPS {
            notes.push(format!("  and {} before", thousands((past.gaps.len() - GAPS) as u64)));
        }
    }
    notes
}

fn cells(row: &Row, screen: &Screen) -> Vec<Cell> {
    let known = |text: Option<&str>| text.map_or_else(|| Cell::new(Tone::Dim, "-"), Cell::plain);
    let wide = screen.width >= WIDE;
    let seconds = u64::try_from(screen.now.as_second().saturating_sub(row.last.as_second())).unwrap_or(0);
    let at = if wide { row.last.strftime("%Y-%m-%d %H:%M:%S").to_string() } else { duration(seconds) };
    let counts = &row.counts;
    let single = row.peer.prefix_len() == row.peer.max_prefix_len();
    let peer = if single { row.peer.addr().to_string() } else { row.peer.to_string() };
    let user = row.process.user.as_deref().map(str::to_owned).or(row.process.uid.map(|uid| uid.to_string()));
    vec![
        Cell::new(Tone::Dim, row.row.to_string()),
        Cell::plain(at.replace(' ', TIE)),
        Cell::new(tone(&row.verdict), row.verdict.outcome()),
        Cell::plain(&row.port.name),
        Cell::plain(row.direction.as_str()),
        Cell::plain(peer),
        Cell::new(
            if row.process.attribution == Attribution::Unknown { Tone::Warn } else { Tone::Plain },
            process(&row.process),
        ),
        known(user.as_deref()),
        known(row.process.unit.as_deref()),
        encryption(&row.posture),
        Cell::count(Tone::Plain, counts.standing()),
        Cell::count(Tone::Plain, counts.opened),
        Cell::count(Tone::Plain, counts.closed),
        Cell::count(Tone::Plain, counts.failed),
        Cell::plain(bytes(counts.bytes_sent).replace(' ', TIE)),
        Cell::plain(bytes(counts.bytes_received).replace(' ', TIE)),
        Cell::plain(why(&row.verdict)),
    ]
}

/// Who it was: the program, and its container.
fn process(identity: &Identity) -> String {
    if identity.attribution == Attribution::Unknown {
        return "unknown".to_owned();
    }
    let program = identity.script.as_deref().or(identity.exe.as_deref()).map_or("?", basename);
    let sure = match identity.attribution {
        Attribution::Exact => String::new(),
        other => format!(" ({other})"),
    };
    let container = identity.container.as_ref().map(|container| {
        let named = [&container.workload, &container.name, &container.image].into_iter().flatten().next();
        format!(" in {}", named.map_or("a container", |name| name))
    });
    format!("{program}{sure}{}", container.unwrap_or_default())
}

const fn tone(verdict: &VerdictKey) -> Tone {
    match verdict {
        VerdictKey::Declared { .. } => Tone::Good,
        VerdictKey::Violation { .. } => Tone::Bad,
        VerdictKey::Undecided { .. } => Tone::Warn,
    }
}

fn encryption(posture: &PostureKey) -> Cell {
    let tone = match posture.state {
        PostureState::Tls13 | PostureState::Tls12 | PostureState::StarttlsUpgraded => Tone::Good,
        PostureState::EncryptedOther | PostureState::NoData => Tone::Plain,
        PostureState::Unknown => Tone::Dim,
        _ => Tone::Warn,
    };
    Cell::new(tone, posture.state.as_str())
}

/// The rule that allowed it, or every reason and the nearest rule.
fn why(verdict: &VerdictKey) -> String {
    let near = |nearest: &Option<Arc<str>>| nearest.as_ref().map(|role| format!("nearest {role}"));
    match verdict {
        VerdictKey::Declared { rule } => rule.to_string(),
        VerdictKey::Violation { reasons, nearest } => {
            let reasons = reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ");
            near(nearest).map_or(reasons.clone(), |near| format!("{reasons}; {near}"))
        }
        VerdictKey::Undecided { nearest } => near(nearest)
            .map_or_else(|| "evidence is missing".to_owned(), |near| format!("evidence is missing; {near}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdprport_core::ledger::{ContainerIdentity, Edge, EdgeKey};
    use gdprport_core::model::TlsVersion;
    use gdprport_core::verdict::ReasonId;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn row(
        number: i64,
        direction: Direction,
        peer: &str,
        identity: Identity,
        verdict: VerdictKey,
        tls: bool,
    ) -> Row {
        let state = if tls { PostureState::Tls13 } else { PostureState::Plaintext };
        let key = EdgeKey {
            port: Arc::new(PortKey { name: "customers-db".into(), number: 5432, declared: true }),
            direction,
            identity: Arc::new(identity),
            peer: peer.parse().expect("a network"),
            verdict: Arc::new(verdict),
            posture: Arc::new(PostureKey {
                state,
                version: tls.then_some(TlsVersion::Tls13),
                cipher: None,
                certificate_until: None,
            }),
            policy: None,
        };
        let counts = Counts {
            flows: 1_204,
            moved: 0,
            opened: 1_200,
            closed: 1_198,
            failed: 4,
            bytes_sent: 1_840_412,
            bytes_received: 90,
        };
        let (first, last) = (at("2026-11-29T00:00:12Z"), at("2026-11-29T09:31:07Z"));
        Row::of(StoredEdge {
            row: number,
            edge: Edge { day: "2026-11-29".parse().expect("a day"), key, counts, first, last },
        })
    }

    fn identity(exe: &str, unit: &str, user: &str) -> Identity {
        Identity {
            attribution: Attribution::Exact,
            exe: Some(exe.into()),
            unit: Some(unit.into()),
            uid: Some(107),
            user: Some(user.into()),
            ..Identity::UNKNOWN
        }
    }

    fn past() -> Past {
        let postgres =
            identity("/usr/lib/postgresql/15/bin/postgres", "postgresql@15-main.service", "postgres");
        let evil = identity("/tmp/\u{1b}[2Jevil", "session-3.scope", "alice");
        let container =
            ContainerIdentity { name: Some("shop-orders-1".into()), ..ContainerIdentity::default() };
        let orders =
            Identity { container: Some(container), ..identity("/usr/bin/node", "docker.service", "node") };
        let violation = VerdictKey::Violation {
            reasons: vec![ReasonId::UndeclaredPeer, ReasonId::UndeclaredProcess],
            nearest: Some("nightly-backup".into()),
        };
        let declared = |rule: &str| VerdictKey::Declared { rule: rule.into() };
        let undecided = VerdictKey::Undecided { nearest: None };
        Past {
            since: at("2026-11-22T12:00:00Z"),
            until: at("2026-11-29T12:00:00Z"),
            begin: Some(at("2026-11-25T10:00:00Z")),
            end: None,
            more: true,
            rows: vec![
                row(4_112, Direction::In, "10.0.2.77/32", postgres, declared("orders-api"), true),
                row(4_110, Direction::Out, "203.0.113.7/32", evil, violation, false),
                row(98, Direction::Out, "10.0.2.15/32", orders, declared("orders"), true),
                row(7, Direction::In, "10.9.0.0/16", Identity::UNKNOWN, undecided, false),
            ],
            gaps: vec![GapRow {
                from: at("2026-11-27T03:00:00Z"),
                to: at("2026-11-27T03:00:02Z"),
                lost: 12,
                bound: None,
                reason: "kernel:ring-full".into(),
            }],
        }
    }

    fn shown(width: u16) -> String {
        let screen = Screen { width, now: at("2026-11-29T12:00:00Z") };
        anstream::adapter::strip_str(&show(&past(), &screen)).to_string()
    }

    #[test]
    fn the_past_on_a_narrow_screen() {
        insta::assert_snapshot!(shown(80));
    }

    #[test]
    fn the_past_on_a_screen_of_120_columns() {
        insta::assert_snapshot!(shown(120));
    }

    #[test]
    fn the_past_on_a_wide_screen() {
        insta::assert_snapshot!(shown(200));
    }

    #[test]
    fn an_empty_past_says_what_is_not_known() {
        let past = Past { begin: None, rows: Vec::new(), gaps: Vec::new(), more: false, ..past() };
        let screen = Screen { width: 80, now: at("2026-11-29T12:00:00Z") };
        let text = anstream::adapter::strip_str(&show(&past, &screen)).to_string();
        assert_eq!(text, "the ledger has no flow that matches\nnothing was written to the ledger yet\n");
    }
}
