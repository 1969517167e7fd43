//! The rules of an activity, and what came by each.

use super::super::words::{Lang, fill};
use super::cells::{day, day_time, direction};
use super::limits::Limits;
use super::page::{Cell, Column, Kind, Table};
use gdprport_core::records::{CoverageOf, RuleUse};

/// What is declared of each rule beside what came by it.
pub(super) fn rules(rules: &[RuleUse], coverage: CoverageOf, limits: Limits, lang: Lang) -> Table {
    let words = lang.words();
    let mut columns = vec![
        Column::new(Kind::Declared, words.role),
        Column::new(Kind::Declared, words.direction),
        Column::new(Kind::Declared, words.allowed_peers),
        Column::new(Kind::Declared, words.asked_process),
        Column::new(Kind::Declared, words.until),
    ];
    let has_limit = rules.iter().any(|used| used.rule.volume.is_some());
    columns.extend(has_limit.then(|| Column::new(Kind::Declared, words.limit)));
    columns.push(Column::new(Kind::Observed, words.used));
    let row = |of: &RuleUse| {
        let rule = &of.rule;
        let asked: Vec<String> =
            rule.process.iter().map(|(key, values)| format!("{key}: {}", values.join(", "))).collect();
        let asked = if asked.is_empty() { vec![words.any_process.to_owned()] } else { asked };
        let mut cells = vec![
            Cell::new(Kind::Declared, &*rule.role),
            Cell::new(Kind::Declared, direction(rule.direction, words)),
            Cell::lines(Kind::Declared, rule.peers.iter().map(ToString::to_string).collect()),
            Cell::lines(Kind::Declared, asked),
            Cell::new(Kind::Declared, rule.until.map_or_else(|| "–".to_owned(), day_time)),
        ];
        if has_limit {
            let limit =
                rule.volume.map(|of| fill(words.limit_of, &[&lang.bytes(of.max), &lang.window(of.per)]));
            cells.push(Cell::new(Kind::Declared, limit.unwrap_or_else(|| "–".to_owned())));
        }
        cells.push(used(of, coverage, limits, lang));
        cells
    };
    Table { caption: words.rules, columns, rows: rules.iter().map(row).collect() }
}

/// What came by a rule, and where it may move only so much, the most that it has moved in one window.
fn used(RuleUse { rule, used, most }: &RuleUse, coverage: CoverageOf, limits: Limits, lang: Lang) -> Cell {
    let words = lang.words();
    let Some(used) = used else {
        if coverage.watched_s == 0 {
            return Cell::new(Kind::NotSeen, words.not_watched);
        }
        let watched = lang.duration(coverage.watched_s);
        return Cell::new(Kind::NotSeen, format!("{} ({watched})", words.unused));
    };
    let flows = lang.named(words.connections, &lang.count(used.volume.flows));
    let mut lines = vec![flows, lang.named(words.last, &day(used.last))];
    let mut tone = "";
    if let (Some(limit), Some(most)) = (rule.volume, most) {
        let bytes = lang.bytes(most.bytes);
        let bytes = if most.bound.is_some() { fill(words.at_least_n, &[&bytes]) } else { bytes };
        lines.push(fill(words.limit_most, &[&lang.window(limit.per), &bytes, &day_time(most.from)]));
        if most.beyond > 0 {
            let (beyond, of) = (lang.count(most.beyond.into()), lang.count(most.windows.into()));
            lines.insert(0, format!("✕ {}", fill(words.limit_beyond, &[&beyond, &of])));
            tone = "bad";
        }
    }
    Cell::lines(Kind::Observed, lines).tone(tone).rows_within(&used.rows, limits, lang)
}
