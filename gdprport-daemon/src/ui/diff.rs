//! Differences between policies on a terminal: what allows more first.

use gdprport_core::policy::{Difference, Effect, Outline};
use serde::Serialize;

use super::format::counted;
use super::screen::Screen;
use super::table::{Cell, Column, table, title, wrap};
use super::tone::Tone;

/// A policy that is compared.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    /// As it was named.
    pub(super) name: String,
    /// Its digest.
    pub(super) digest: String,
    #[serde(skip)]
    pub(super) outline: Outline,
}

/// Two policies and what differs.
#[derive(Debug, Serialize)]
pub(super) struct Compared<'c> {
    /// Whether both mean the same.
    pub(super) same: bool,
    pub(super) before: &'c Side,
    pub(super) now: &'c Side,
    /// What differs, what allows more first.
    pub(super) differences: Vec<Difference>,
}

const COLUMNS: [Column; 3] =
    [Column::elastic("PORT", 8), Column::elastic("RULE", 8), Column::elastic("WHAT", 30)];

/// How many differences of one effect are listed.
const LISTED: usize = 200;

/// The differences by what they do.
pub(super) fn show(compared: &Compared<'_>, screen: &Screen) -> String {
    let width = usize::from(screen.width);
    let (before, now) = (&compared.before.name, &compared.now.name);
    let mut text = String::new();
    if compared.same {
        let line = format!("{before} and {now} mean the same");
        wrap(&line, width).iter().for_each(|line| text += &(Tone::Good.paint(line) + "\n"));
        return text;
    }
    let line = format!("what {now} means that {before} does not");
    wrap(&line, width).iter().for_each(|line| text += &(Tone::Dim.paint(line) + "\n"));
    for (effect, name, tone) in [
        (Effect::AllowsMore, "ALLOWS MORE", Tone::Bad),
        (Effect::AllowsLess, "ALLOWS LESS", Tone::Good),
        (Effect::SaysOtherwise, "SAYS OTHERWISE", Tone::Plain),
    ] {
        let of: Vec<&Difference> = compared.differences.iter().filter(|one| one.effect == effect).collect();
        if of.is_empty() {
            continue;
        }
        text += &title(name, &counted(of.len() as u64, "difference"));
        let rows: Vec<Vec<Cell>> = of.iter().take(LISTED).map(|one| cells(one, tone)).collect();
        text += &table(&COLUMNS, &rows, screen.width);
        if let Some(more) = of.len().checked_sub(LISTED).filter(|more| *more > 0) {
            text += &(Tone::Dim.paint(&format!("and {more} more; --json has them")) + "\n");
        }
    }
    text
}

fn cells(one: &Difference, tone: Tone) -> Vec<Cell> {
    vec![
        Cell::plain(one.port.as_deref().unwrap_or_default()),
        Cell::plain(one.rule.as_deref().unwrap_or_default()),
        Cell::new(tone, &one.text),
    ]
}
