//! Where everything stands, in whole pixels: three lanes of boxes, a row for each edge at its other end, so that no label can meet
//! another one.

use super::model::{Graph, Recipient};
use super::order::{Order, order, zone_rank};
use crate::records::Zone;

/// The width of a map.
const WIDTH: i32 = 960;

/// Left edge and width of each lane.
const LANES: [(i32, i32); 3] = [(1, 216), (292, 192), (730, 229)];

/// What stands above the lanes.
pub const HEADING: i32 = 40;

/// Above a zone's name, and its height.
const ZONE: (i32, i32) = (8, 24);

/// Up to so many edges, rows have room for two lines.
const FEW: usize = 20;

/// Height of a row with two lines, and with one.
const ROWS: [i32; 2] = [44, 22];

/// Between two boxes of other ends.
const APART: i32 = 4;

/// Least height of other boxes, and what is between them.
const BOX: (i32, i32) = (44, 12);

/// Between the ends of two lines at a box.
const SLOT: i32 = 5;

/// A label: its width and height, and how far it is from the box.
const LABEL: (i32, i32, i32) = (98, 18, 16);

/// Between a text and the edge of its box.
pub const PAD: i32 = 10;

/// A rectangle by its upper left corner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rect {
    /// From the left.
    pub x: i32,
    /// From the top.
    pub y: i32,
    /// Its width.
    pub width: i32,
    /// Its height.
    pub height: i32,
}

impl Rect {
    /// Its right edge.
    #[must_use]
    pub const fn right(&self) -> i32 {
        self.x + self.width
    }

    /// Its lower edge.
    #[must_use]
    pub const fn bottom(&self) -> i32 {
        self.y + self.height
    }

    /// The middle between above and below.
    #[must_use]
    pub const fn middle(&self) -> i32 {
        self.y + self.height / 2
    }

    /// Whether any point is within both.
    #[must_use]
    pub const fn meets(&self, other: &Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }
}

/// A line from the lane at the left to the one at the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Where it leaves the left box.
    pub from: (i32, i32),
    /// Where it reaches the right box.
    pub to: (i32, i32),
    /// Its width in tenths of a pixel, by the logarithm of bytes.
    pub width: i32,
    /// Where its label has its place, just before the right box. Empty: it has none.
    pub label: Rect,
}

/// The name of a zone, above its other ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading {
    /// Where.
    pub at: Rect,
    /// Which; `None`: several.
    pub zone: Option<Zone>,
}

/// Where everything stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The whole.
    pub size: (i32, i32),
    /// The lanes, without their headings.
    pub lanes: [Rect; 3],
    /// Programs, as in the graph.
    pub sources: Vec<Rect>,
    /// Services, as in the graph.
    pub ports: Vec<Rect>,
    /// Other ends, as in the graph.
    pub recipients: Vec<Rect>,
    /// Zones from top to bottom.
    pub zones: Vec<Heading>,
    /// Edges, as in the graph.
    pub edges: Vec<Line>,
    /// Links, as in the graph.
    pub links: Vec<Line>,
    /// Whether the boxes of other ends have room for two lines.
    pub has_two_lines: bool,
}

/// Tenths of a pixel, by the logarithm. With few edges: 1.5 of nothing, 3.5 of a kibibyte, 7.5 of a gibibyte; with many, half of it.
fn stroke(bytes: u64, is_wide: bool) -> i32 {
    let log = i32::try_from(bytes.checked_ilog2().unwrap_or(0)).unwrap_or(0);
    if is_wide { 15 + 2 * log } else { 11 + log }
}

/// Where everything of a graph stands.
#[must_use]
pub fn layout(graph: &Graph) -> Layout {
    let order = order(graph);
    let has_two_lines = graph.edges.len() <= FEW;
    let row = ROWS[usize::from(!has_two_lines)];
    let of_recipient = counts(graph.recipients.len(), graph.edges.iter().map(|edge| edge.recipient));
    let of_port = |ends: &[usize], others: &[usize]| -> Vec<i32> {
        ends.iter().zip(others).map(|(a, b)| BOX.0.max((as_i32(*a.max(b)) + 1) * SLOT)).collect()
    };
    let port_heights = of_port(
        &counts(graph.ports.len(), graph.edges.iter().map(|edge| edge.port)),
        &counts(graph.ports.len(), graph.links.iter().map(|link| link.port)),
    );
    let ends = counts(graph.sources.len(), graph.links.iter().map(|link| link.source));
    let source_heights = of_port(&ends, &ends);
    let lane =
        |heights: &[i32]| heights.iter().sum::<i32>() + BOX.1 * as_i32(heights.len().saturating_sub(1));
    let (mut zones, mut recipients, tall) = recipients(graph, &order, &of_recipient, row);
    let height = tall.max(lane(&port_heights)).max(lane(&source_heights)).max(BOX.0);
    // A lane that is shorter stands in the middle.
    let down = HEADING + (height - tall) / 2;
    recipients.iter_mut().for_each(|at| at.y += down);
    zones.iter_mut().for_each(|zone| zone.at.y += down);
    let rows = rows(graph, &order, &recipients, row);
    let bottom = HEADING + height;
    let wanted = middles(
        graph.ports.len(),
        graph.edges.iter().map(|edge| edge.port).zip(rows.iter().copied()),
        bottom,
    );
    let ports = place(&order.ports, &wanted, &port_heights, LANES[1], (HEADING, bottom));
    let middle_of = |link: &super::model::Link| (link.source, ports[link.port].middle());
    let wanted = middles(graph.sources.len(), graph.links.iter().map(middle_of), bottom);
    let sources = place(&order.sources, &wanted, &source_heights, LANES[0], (HEADING, bottom));
    let lanes = LANES.map(|(x, width)| Rect { x, y: HEADING, width, height });
    let (mut edges, links) = lines(graph, &sources, &ports, &recipients, &rows);
    for (line, edge) in edges.iter_mut().zip(&graph.edges) {
        line.width = stroke(edge.volume.bytes(), has_two_lines);
    }
    Layout {
        size: (WIDTH, bottom + 2),
        lanes,
        sources,
        ports,
        recipients,
        zones,
        edges,
        links,
        has_two_lines,
    }
}

fn as_i32(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn counts(len: usize, of: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut counts = vec![0; len];
    of.for_each(|at| counts[at] += 1);
    counts
}

/// Zones and other ends from the top, and how tall they are.
fn recipients(graph: &Graph, order: &Order, edges: &[usize], row: i32) -> (Vec<Heading>, Vec<Rect>, i32) {
    let (x, width) = LANES[2];
    let mut zones: Vec<Heading> = Vec::new();
    let mut boxes = vec![Rect::default(); graph.recipients.len()];
    let mut y = 0;
    let mut last = None;
    for at in &order.recipients {
        let Recipient { zone, .. } = graph.recipients[*at];
        if last != Some(zone_rank(zone)) {
            y += if last.is_some() { ZONE.0 } else { 0 };
            zones.push(Heading { at: Rect { x, y, width, height: ZONE.1 - APART }, zone });
            y += ZONE.1;
            last = Some(zone_rank(zone));
        }
        let height = row * as_i32(edges[*at].max(1));
        boxes[*at] = Rect { x, y, width, height: height - APART };
        y += height;
    }
    (zones, boxes, (y - APART).max(0))
}

/// The middle of each edge's row in the box of its other end: those of the uppermost service first.
fn rows(graph: &Graph, order: &Order, recipients: &[Rect], row: i32) -> Vec<i32> {
    let mut place = vec![0; graph.ports.len()];
    order.ports.iter().enumerate().for_each(|(rank, at)| place[*at] = rank);
    let mut by_box: Vec<usize> = (0..graph.edges.len()).collect();
    by_box.sort_by_key(|at| {
        let edge = &graph.edges[*at];
        (edge.recipient, place[edge.port], edge.direction, edge.outcome, *at)
    });
    let mut rows = vec![0; graph.edges.len()];
    let mut taken = vec![0; graph.recipients.len()];
    for at in by_box {
        let end = graph.edges[at].recipient;
        rows[at] = recipients[end].y + taken[end] * row + (row - APART) / 2;
        taken[end] += 1;
    }
    rows
}

/// The middle of what each of `len` nodes is joined with; of those without any, `none`.
fn middles(len: usize, joined: impl Iterator<Item = (usize, i32)>, none: i32) -> Vec<i32> {
    let mut sums = vec![(0_i32, 0_i32); len];
    for (at, y) in joined {
        sums[at] = (sums[at].0 + y, sums[at].1 + 1);
    }
    sums.into_iter().map(|(sum, count)| sum.checked_div(count).unwrap_or(none)).collect()
}

/// Boxes of a lane in their order, each as near as it can be to where it is wanted. They have to fit.
fn place(
    order: &[usize],
    wanted: &[i32],
    heights: &[i32],
    (x, width): (i32, i32),
    (top, bottom): (i32, i32),
) -> Vec<Rect> {
    let mut sorted = order.to_vec();
    // What is wanted in another order by now (rows are not places) stands so.
    sorted.sort_by_key(|at| wanted[*at]);
    let upper: Vec<i32> = sorted.iter().map(|at| wanted[*at] - heights[*at] / 2).collect();
    let tall = |i: usize| heights[sorted[i]] + BOX.1;
    let push_down = |mut y: Vec<i32>| {
        for i in 0..y.len() {
            let least = if i == 0 { top } else { y[i - 1] + tall(i - 1) };
            y[i] = y[i].max(least);
        }
        y
    };
    let push_up = |mut y: Vec<i32>| {
        for i in (0..y.len()).rev() {
            let most = if i + 1 == y.len() { bottom - heights[sorted[i]] } else { y[i + 1] - tall(i) };
            y[i] = y[i].min(most);
        }
        y
    };
    // Both are apart as they have to be, so what is between them is too.
    let low = push_up(push_down(upper.clone()));
    let high = push_down(push_up(upper));
    let mut boxes = vec![Rect::default(); order.len()];
    for (i, at) in sorted.iter().enumerate() {
        boxes[*at] = Rect { x, y: i32::midpoint(low[i], high[i]), width, height: heights[*at] };
    }
    boxes
}

fn lines(
    graph: &Graph,
    sources: &[Rect],
    ports: &[Rect],
    recipients: &[Rect],
    rows: &[i32],
) -> (Vec<Line>, Vec<Line>) {
    let pair = |at: usize| (graph.edges[at].port, rows[at]);
    let leave = slots(graph.edges.len(), ports, pair);
    let edges = graph
        .edges
        .iter()
        .enumerate()
        .map(|(at, edge)| {
            let right = recipients[edge.recipient].x;
            let (width, height, away) = LABEL;
            let label = Rect { x: right - away - width, y: rows[at] - height / 2, width, height };
            let from = (ports[edge.port].right(), leave[at]);
            Line { from, to: (right, rows[at]), width: 0, label }
        })
        .collect();
    let leave = slots(graph.links.len(), sources, |at| {
        let link = &graph.links[at];
        (link.source, ports[link.port].middle())
    });
    let reach = slots(graph.links.len(), ports, |at| {
        let link = &graph.links[at];
        (link.port, sources[link.source].middle())
    });
    let links = graph.links.iter().enumerate().map(|(at, link)| Line {
        from: (sources[link.source].right(), leave[at]),
        to: (ports[link.port].x, reach[at]),
        width: 20,
        label: Rect::default(),
    });
    (edges, links.collect())
}

/// Where each of `len` lines meets its box, in the order of where they lead to.
fn slots(len: usize, boxes: &[Rect], of: impl Fn(usize) -> (usize, i32)) -> Vec<i32> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by_key(|at| (of(*at), *at));
    let count = counts(boxes.len(), order.iter().map(|at| of(*at).0));
    let mut taken = vec![0; boxes.len()];
    let mut slots = vec![0; len];
    for at in order {
        let one = of(at).0;
        let (height, parts) = (boxes[one].height, as_i32(count[one]) + 1);
        taken[one] += 1;
        slots[at] = boxes[one].y + height * taken[one] / parts;
    }
    slots
}
