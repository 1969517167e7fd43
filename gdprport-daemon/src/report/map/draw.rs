//! The map as SVG: lanes, zones, lines, and the nodes above them.

use gdprport_core::map::{End, HEADING, Outcome, PAD, Port, Rect, fit, width_of};

use super::super::svg::{Drawing, Element, Svg};
use super::super::words::fill;
use super::detail::{Name, rules, said, shown};
use super::line::{SAMPLE, edge, link, samples};
use super::view::View;

/// The style of a drawing alone: that of the page, and what it has to say of itself.
const STYLE: &str = concat!(
    include_str!("../../../templates/palette.css"),
    include_str!("../../../templates/drawing.css"),
    include_str!("../../../templates/map.css"),
    "svg.map { background: var(--card); }\n",
);

/// Fonts of a node's two lines.
const FONTS: (i32, i32) = (13, 11);

/// Above a legend, and of each of its lines.
const LEGEND: (i32, i32) = (18, 22);

/// The widest text at the right of a node.
const ASIDE: i32 = 96;

/// A node as it is drawn.
struct Node {
    name: Name,
    at: Rect,
    class: &'static str,
    /// The first line, the second, and what stands at the right of the first.
    texts: [String; 3],
    /// What the second line ends in, whatever room there is.
    standing: &'static str,
    /// What it says while it is pointed at.
    says: Vec<String>,
}

impl View {
    /// For a page, which has the style.
    pub(super) fn inside(&self) -> Svg {
        let (drawing, names) = self.drawing();
        drawing.within(&rules(&names))
    }

    /// A file of its own, with its legend.
    pub(crate) fn alone(&self) -> String {
        let (keys, height) = self.legend();
        let (mut drawing, names) = self.drawing();
        drawing.taller(height.into());
        keys.into_iter().for_each(|key| drawing.add(key));
        drawing.alone(&format!("{STYLE}{}", rules(&names)))
    }

    /// The legend below the map, and how much taller that makes it.
    fn legend(&self) -> (Vec<Element>, i32) {
        let (width, bottom) = self.layout.size;
        let (mut x, mut y) = (0, bottom + LEGEND.0);
        let mut keys = Vec::new();
        for (sample, meaning) in samples(self) {
            let needed = SAMPLE.0 + 8 + width_of(&meaning, 12);
            if x > 0 && x + needed > width {
                (x, y) = (0, y + LEGEND.1);
            }
            let text = Element::text(f64::from(SAMPLE.0) + 8.0, 12.0, &meaning).class("soft");
            let parts = [sample, text];
            keys.push(Element::group().moved(x.into(), y.into()).all(parts));
            x += needed + LEGEND.1;
        }
        (keys, y + LEGEND.1 - bottom)
    }

    fn drawing(&self) -> (Drawing, Vec<Name>) {
        let words = self.lang.words();
        let (width, height) = self.layout.size;
        let count = |n: usize| self.lang.count(n as u64);
        let violations = self.graph.edges.iter().filter(|edge| edge.outcome == Outcome::Violation).count();
        let about = fill(
            words.map_summary,
            &[
                &count(self.graph.sources.len()),
                &count(self.graph.ports.len()),
                &count(self.graph.recipients.len()),
                &count(violations),
            ],
        );
        let size = (width.into(), height.into());
        let mut drawing = Drawing::new(("map", "map"), size, words.map_title, &about).explorable();
        let lanes = [words.map_sources, words.map_ports, words.map_recipients];
        for (lane, name) in self.layout.lanes.iter().zip(lanes) {
            let name = fit(name, 13, lane.width);
            drawing.add(Element::text(lane.x.into(), f64::from(HEADING) - 22.0, &name).class("m-lane"));
        }
        for zone in &self.layout.zones {
            let name = fit(self.zone(zone.zone), 11, zone.at.width);
            drawing.add(Element::text(zone.at.x.into(), f64::from(zone.at.y) + 14.0, &name).class("m-zone"));
        }
        self.lines().into_iter().for_each(|line| drawing.add(line));
        let nodes = self.nodes();
        nodes.iter().for_each(|one| drawing.add(node(one)));
        for one in &nodes {
            drawing.add(shown(self, one.name, &one.at, &one.says));
        }
        (drawing, nodes.iter().map(|one| one.name).collect())
    }

    /// Links, then edges; of each what is wrong last, above the others.
    fn lines(&self) -> Vec<Element> {
        let (graph, layout) = (&self.graph, &self.layout);
        let mut lines = Vec::new();
        for outcome in [Outcome::Declared, Outcome::Undecided, Outcome::Violation] {
            let of = graph.links.iter().zip(&layout.links).filter(|(link, _)| link.outcome == outcome);
            lines.extend(of.map(|(one, line)| {
                let about = graph.edges.iter().filter(|edge| {
                    (edge.port, edge.direction, edge.outcome) == (one.port, one.direction, one.outcome)
                        && edge.sources.contains(&one.source)
                });
                let mut ends: Vec<usize> = about.map(|edge| edge.recipient).collect();
                ends.sort_unstable();
                ends.dedup();
                link(one, line, &ends)
            }));
        }
        for outcome in [Outcome::Declared, Outcome::Undecided, Outcome::Violation] {
            let of = graph.edges.iter().zip(&layout.edges).filter(|(edge, _)| edge.outcome == outcome);
            lines.extend(of.map(|(one, line)| edge(self, one, line)));
        }
        lines
    }

    fn nodes(&self) -> Vec<Node> {
        let (graph, layout, words) = (&self.graph, &self.layout, self.lang.words());
        let mut nodes = Vec::new();
        for (number, (source, at)) in graph.sources.iter().zip(&layout.sources).enumerate() {
            let name = self.source(source);
            let mut says = vec![format!("{name} ({})", self.kind(source))];
            says.extend(graph.links.iter().filter(|link| link.source == number).map(|link| {
                let port = self.port(&graph.ports[link.port]);
                let serves = match link.direction {
                    gdprport_core::model::Direction::In => fill(words.map_serves, &[&port]),
                    gdprport_core::model::Direction::Out => fill(words.map_calls, &[&port]),
                };
                format!("{serves}: {}", self.outcome(link.outcome))
            }));
            let texts = [name, self.kind(source).to_owned(), String::new()];
            nodes.push(Node {
                name: Name('s', number),
                at: *at,
                class: "m-node m-source",
                texts,
                standing: "",
                says,
            });
        }
        for (number, (port, at)) in graph.ports.iter().zip(&layout.ports).enumerate() {
            let name = self.port(port);
            let standing = self.standing(port);
            let mark = if port.is_declared { "■" } else { "○" };
            let second = self.ports(port);
            let mut says = vec![format!("{name} · {second} · {standing}")];
            says.extend(
                self.edges_of(|edge| edge.port == number, |edge| self.end(&graph.recipients[edge.recipient])),
            );
            let class = match (port.is_seen, port.is_declared) {
                (false, _) => "m-node m-port m-unseen",
                (true, true) => "m-node m-port",
                (true, false) => "m-node m-port m-undeclared",
            };
            let room = at.width - 2 * PAD;
            // Beside its standing there is room for its ports alone.
            let (second, standing) = if port.is_seen && port.is_declared {
                (self.ports_within(port, FONTS.1, room), "")
            } else {
                let beside = width_of(&format!(" · {standing}"), FONTS.1);
                let bare = Port { protocol: None, ..port.clone() };
                (self.ports_within(&bare, FONTS.1, room - beside), standing)
            };
            let texts = [name, second, mark.to_owned()];
            nodes.push(Node { name: Name('p', number), at: *at, class, texts, standing, says });
        }
        for (number, (end, at)) in graph.recipients.iter().zip(&layout.recipients).enumerate() {
            let name = self.end(end);
            let country = end.country.as_deref().unwrap_or_default().to_owned();
            let zone = self.zone(end.zone);
            let place = if country.is_empty() { zone.to_owned() } else { format!("{zone} · {country}") };
            let named = self.named(number);
            let mut says = vec![joined([&name, &place, &named])];
            says.extend(self.edges_of(
                |edge| edge.recipient == number,
                |edge| format!("{} · {}", self.port(&graph.ports[edge.port]), self.direction(edge.direction)),
            ));
            let of = graph.edges.iter().filter(|edge| edge.recipient == number);
            let mut why: Vec<String> = of.map(View::why).filter(|why| !why.is_empty()).collect();
            why.sort();
            why.dedup();
            // Of a group it is its outcome, as it may have many.
            let why = match end.end {
                End::Net(_) => why.join(", "),
                End::More(_, outcome) => self.outcome(outcome).to_owned(),
            };
            // In one line there is room for why beside a short name only.
            let both = width_of(&name, FONTS.0) + 8 + width_of(&why, FONTS.1).min(ASIDE);
            let declared = joined([&named, &country]);
            let (second, aside) = match (layout.has_two_lines, declared.is_empty()) {
                (true, _) => (joined([&named, &why]), country),
                (false, true) if both <= at.width - 2 * PAD => (String::new(), why),
                (false, _) => (String::new(), declared),
            };
            let texts = [name, second, aside];
            nodes.push(Node {
                name: Name('r', number),
                at: *at,
                class: "m-node m-end",
                texts,
                standing: "",
                says,
            });
        }
        nodes
    }

    /// What some edges say, the worst first.
    fn edges_of(
        &self,
        is_one: impl Fn(&gdprport_core::map::Edge) -> bool,
        with: impl Fn(&gdprport_core::map::Edge) -> String,
    ) -> Vec<String> {
        let mut edges: Vec<_> = self.graph.edges.iter().filter(|edge| is_one(edge)).collect();
        edges.sort_by_key(|edge| edge.outcome);
        edges.into_iter().map(|edge| format!("{}: {}", with(edge), self.says(edge))).collect()
    }
}

/// What there is of these.
fn joined<const N: usize>(texts: [&str; N]) -> String {
    texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn node(node: &Node) -> Element {
    let Node { name, at, class, texts: [first, second, aside], standing, says } = node;
    let (large, small) = FONTS;
    let room = at.width - 2 * PAD;
    let aside = fit(aside, small, ASIDE);
    let taken = if aside.is_empty() { 0 } else { width_of(&aside, small) + 8 };
    let (left, right) = (f64::from(at.x + PAD), f64::from(at.right() - PAD));
    let middle = f64::from(at.middle());
    let has_second = !second.is_empty();
    let base = if has_second { middle - 3.0 } else { middle + 4.5 };
    let mut group = Element::group()
        .id(&name.id())
        .class(class)
        .reachable(&said(says))
        .with(Element::rect(at.x.into(), at.y.into(), at.width.into(), at.height.into()).rounded(6.0))
        .with(Element::text(left, base, &fit(first, large, room - taken)).class("m-name"));
    if has_second {
        let standing = if standing.is_empty() { String::new() } else { format!(" · {standing}") };
        let room = room - if standing.is_empty() { 0 } else { width_of(&standing, small) };
        let mut text = Element::text(left, middle + 13.0, &fit(second, small, room)).class("m-second");
        if !standing.is_empty() {
            text = text.with(Element::span(&standing).class("m-standing"));
        }
        group = group.with(text);
    }
    if !aside.is_empty() {
        group = group.with(Element::text(right, base, &aside).end().class("m-second"));
    }
    group
}
