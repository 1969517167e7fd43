//! The map in a page: the drawing, what its marks mean, and the same as a table.

use gdprport_core::map::{Edge, Outcome};

use super::super::record::{Cell, Column, Figure, Key, Kind, Room, Table};
use super::super::svg::{Drawing, Element};
use super::line::{SAMPLE, samples};
use super::view::{FILES, View, mark};

/// The figure.
pub(crate) fn figure(view: &View) -> Figure {
    Figure {
        id: "data-flows".to_owned(),
        title: view.lang.words().map_caption.to_owned(),
        about: std::iter::once(view.lang.words().map_about.to_owned()).chain(view.remarks()).collect(),
        hint: Some(view.lang.words().map_hint),
        room: Room::Page,
        drawing: view.inside(),
        keys: keys(view),
        table: table(view),
        file: Some(FILES[0]),
    }
}

fn keys(view: &View) -> Vec<Key> {
    let key = |(part, meaning): (Element, String)| {
        let mut drawing = Drawing::decoration("map", (SAMPLE.0.into(), SAMPLE.1.into()));
        drawing.add(part);
        Key { sample: drawing.inside(), meaning }
    };
    samples(view).into_iter().map(key).collect()
}

fn table(view: &View) -> Table {
    let words = view.lang.words();
    let observed = |name| Column::new(Kind::Observed, name);
    let mut columns = vec![
        observed(words.other_end),
        observed(words.map_port),
        observed(words.direction),
        observed(words.outcome),
        observed(words.process),
        observed(words.encryption),
        Column::number(Kind::Observed, words.connections),
        Column::number(Kind::Observed, words.volume),
    ];
    let mut rows: Vec<Vec<Cell>> =
        view.in_order().into_iter().map(|at| row(view, &view.graph.edges[at])).collect();
    if view.has_names() {
        columns.insert(1, Column::new(Kind::Declared, words.named));
        for (row, at) in rows.iter_mut().zip(view.in_order()) {
            let name = view.name(view.graph.edges[at].recipient);
            row.insert(
                1,
                name.map_or_else(|| Cell::new(Kind::Plain, "–"), |name| Cell::new(Kind::Declared, name)),
            );
        }
    }
    Table { caption: words.map_title, columns, rows }
}

fn row(view: &View, edge: &Edge) -> Vec<Cell> {
    let graph = &view.graph;
    let observed = |text: String| Cell::new(Kind::Observed, text);
    let lines = |lines: Vec<String>| {
        Cell::lines(Kind::Observed, lines.into_iter().filter(|line| !line.is_empty()).collect())
    };
    let end = &graph.recipients[edge.recipient];
    let port = &graph.ports[edge.port];
    let tone = match edge.outcome {
        Outcome::Declared => "good",
        Outcome::Violation => "bad",
        Outcome::Undecided => "open",
    };
    let country = end.country.as_deref().unwrap_or_default().to_owned();
    let plain = if edge.is_plain { view.lang.words().state_plaintext.to_owned() } else { String::new() };
    let sources = edge.sources.iter().map(|at| view.source(&graph.sources[*at])).collect::<Vec<_>>();
    vec![
        lines(vec![view.end(end), view.zone(end.zone).to_owned(), country]),
        lines(vec![view.port(port), view.ports(port)]),
        observed(view.direction(edge.direction).to_owned()),
        lines(vec![format!("{} {}", mark(edge.outcome), view.outcome(edge.outcome)), View::why(edge)])
            .tone(tone),
        lines(sources),
        lines(vec![view.encryption(edge), plain]),
        observed(view.lang.count(edge.volume.flows)).number(),
        observed(view.bytes(edge)).number().rows(&edge.rows, view.lang),
    ]
}
