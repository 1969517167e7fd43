//! The data-flow map on a terminal: each service with the programs that serve or call it, and a line for each other end.

use std::collections::{BTreeMap, BTreeSet};

use gdprport_core::map::{Edge, Outcome};
use gdprport_core::model::Direction;

use super::format::clean;
use super::table::{title, wrap};
use super::tone::Tone;
use crate::report::{View, mark};

/// Columns of the drawing, between them and of the volume.
const DRAWN: usize = 11;
const GAP: usize = 2;
const VOLUME: usize = 10;

/// The marks of a program: one for each outcome.
const MARKS: usize = 3;

/// Least columns of a screen: on a narrower one lines are as on this.
const LEAST: usize = 60;

/// The most columns of a zone with a country.
const ZONE: usize = 20;

/// The most columns of an other end; an IPv6 address of full length has 39.
const END: usize = 39;

const fn tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Declared => Tone::Good,
        Outcome::Violation => Tone::Bad,
        Outcome::Undecided => Tone::Warn,
    }
}

/// A text in exactly so many columns; what does not fit ends in `…`.
fn cell(text: &str, room: usize) -> String {
    let text = clean(text);
    let length = text.chars().count();
    if length <= room {
        return format!("{text}{}", " ".repeat(room - length));
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// The line of an edge before its mark: solid, doubled for a violation, dashed where plaintext was seen; its head is at the end that
/// was called.
const fn stroke(edge: &Edge) -> &'static str {
    match (edge.is_plain, edge.outcome, edge.direction) {
        (true, _, Direction::In) => "◀╌╌",
        (true, _, Direction::Out) => "╌╌▶",
        (false, Outcome::Violation, Direction::In) => "◀══",
        (false, Outcome::Violation, Direction::Out) => "══▶",
        (false, _, Direction::In) => "◀──",
        (false, _, Direction::Out) => "──▶",
    }
}

/// The columns of other ends and their zones on a screen.
#[derive(Debug, Clone, Copy)]
struct Widths {
    end: usize,
    zone: usize,
    why: usize,
}

fn widths(view: &View, width: usize) -> Widths {
    let longest =
        |texts: &mut dyn Iterator<Item = String>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let ends = longest(&mut view.graph.recipients.iter().map(|end| view.end(end))).min(END);
    let zone = longest(&mut view.graph.recipients.iter().map(|end| place(view, end))).min(ZONE);
    let taken = DRAWN + VOLUME + 3 * GAP;
    let left = width.saturating_sub(taken + ends + zone);
    // Why goes to a line of its own where it has no room beside the rest.
    if left >= 16 {
        return Widths { end: ends, zone, why: left };
    }
    let end = ends.min(width.saturating_sub(taken + zone - GAP));
    Widths { end, zone, why: 0 }
}

fn place(view: &View, end: &gdprport_core::map::Recipient) -> String {
    let country = end.country.iter().map(|country| format!(" {country}"));
    std::iter::once(view.zone(end.zone).to_owned()).chain(country).collect()
}

/// The map on lines of at most `width` columns.
pub(super) fn drawn(view: &View, width: u16) -> String {
    let width = usize::from(width).max(LEAST);
    let widths = widths(view, width);
    let words = view.lang.words();
    let mut text = title(words.map_title, "");
    let order = view.in_order();
    for (number, port) in view.graph.ports.iter().enumerate().filter(|(_, port)| port.is_seen) {
        let mark = if port.is_declared { "■" } else { "○" };
        let standing = format!("{mark} {}", view.standing(port));
        let about =
            [view.ports(port), standing].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        let tone = if port.is_declared { Tone::Dim } else { Tone::Bad };
        let name = cell(&view.port(port), view.port(port).chars().count().min(width / 2));
        let about = cell(&about.join(" · "), width - name.chars().count() - GAP);
        text.push_str(&format!("\n{}  {}\n", Tone::Strong.paint(&name), tone.paint(about.trim_end())));
        sources(&mut text, view, number, width);
        let edges: Vec<&Edge> =
            order.iter().map(|at| &view.graph.edges[*at]).filter(|edge| edge.port == number).collect();
        for (at, edge) in edges.iter().enumerate() {
            line(&mut text, view, edge, at + 1 == edges.len(), widths, width);
        }
    }
    text.push('\n');
    for remark in view.remarks() {
        for line in wrap(&remark, width) {
            text.push_str(&format!("{}\n", Tone::Dim.paint(&line)));
        }
    }
    text
}

/// The programs of a service, each with all that was decided of it.
fn sources(text: &mut String, view: &View, port: usize, width: usize) {
    let words = view.lang.words();
    let mut of: BTreeMap<(usize, Direction), BTreeSet<Outcome>> = BTreeMap::new();
    for link in view.graph.links.iter().filter(|link| link.port == port) {
        of.entry((link.source, link.direction)).or_default().insert(link.outcome);
    }
    for ((source, direction), outcomes) in of {
        let source = &view.graph.sources[source];
        let name = format!("{} ({})", view.source(source), view.kind(source));
        let does = match direction {
            Direction::In => words.map_serves,
            Direction::Out => words.map_calls,
        };
        let does = does.replace("{}", "").split_whitespace().collect::<Vec<_>>().join(" ");
        let marks: String = outcomes.iter().map(|outcome| tone(*outcome).paint(mark(*outcome))).collect();
        let space = " ".repeat(MARKS - outcomes.len());
        let name = cell(&name, width.saturating_sub(5 + MARKS + does.chars().count()));
        text.push_str(&format!("│ {space}{marks}  {} {}\n", Tone::Dim.paint(&does), name.trim_end()));
    }
}

fn line(text: &mut String, view: &View, edge: &Edge, is_last: bool, widths: Widths, width: usize) {
    let end = &view.graph.recipients[edge.recipient];
    let branch = if is_last { "└─" } else { "├─" };
    let colour = tone(edge.outcome);
    let volume = view.bytes(edge);
    let volume = format!("{}{volume}", " ".repeat(VOLUME.saturating_sub(volume.chars().count())));
    let why = View::why(edge);
    let plain =
        if edge.is_plain && !why.contains("plaintext") { view.lang.words().state_plaintext } else { "" };
    let parts = [&*why, plain, &view.named(edge.recipient)];
    let why = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    let gap = " ".repeat(GAP);
    let drawn = format!("{branch} {} ", colour.paint(&format!("{} {}", stroke(edge), mark(edge.outcome))));
    let shown = format!(
        "{drawn} {}{gap}{}{gap}{volume}",
        cell(&view.end(end), widths.end),
        Tone::Dim.paint(&cell(&place(view, end), widths.zone)),
    );
    if widths.why > 0 {
        text.push_str(&format!("{shown}{gap}{}\n", colour.paint(cell(&why, widths.why).trim_end())));
        return;
    }
    text.push_str(&format!("{shown}\n"));
    let bar = if is_last { " " } else { "│" };
    for line in wrap(&why, width - DRAWN).iter().filter(|line| !line.is_empty()) {
        text.push_str(&format!("{bar}{}{}\n", " ".repeat(DRAWN - 1), colour.paint(line)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Lang, hostile_records, sample_records};

    fn at(records: &gdprport_core::records::Records, lang: Lang, width: u16) -> String {
        let view = View::of(records, lang).expect("something was seen");
        anstream::adapter::strip_str(&drawn(&view, width)).to_string()
    }

    #[test]
    fn a_map_fits_its_screen_whatever_is_on_it() {
        for records in [sample_records(), hostile_records()] {
            for lang in [Lang::En, Lang::De, Lang::Fr] {
                for width in (40..160).step_by(7) {
                    let text = at(&records, lang, width);
                    let most = usize::from(width).max(LEAST);
                    for line in text.lines() {
                        assert!(line.chars().count() <= most, "{width}: {line}");
                    }
                    assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}'), "{text}");
                }
            }
        }
    }

    #[test]
    fn a_map_on_a_terminal_says_who_was_called_and_why() {
        let wide = at(&sample_records(), Lang::En, 120);
        for part in [
            "customers-db  TCP 5432 · PostgreSQL · ■ declared\n",
            "├─ ◀── ✓  10.0.2.7",
            "orders-api, ■ app-servers",
            "◀╌╌ ✕  198.51.100.0/24",
            "serves postgresql@15-main.service (Unit)",
            "redis  TCP 6379",
            "○ not declared",
        ] {
            assert!(wide.contains(part), "{part}: {wide}");
        }
        // Why has no room beside the rest, and is said below.
        let narrow = at(&sample_records(), Lang::En, 80);
        assert!(narrow.contains("undeclared-peer") && narrow.contains("198.51.100.0/24"), "{narrow}");
    }
}
