//! Lines of the map: what goes on, from where to where, and what says so.

use gdprport_core::map::{Edge, Line, Link, Outcome, width_of};
use gdprport_core::model::Direction;

use super::super::record::Kind;
use super::super::svg::{Element, Path};
use super::view::{View, mark};

/// The font of labels, in pixels.
const FONT: i32 = 11;

/// From the tip of an arrow to its end, and half its width.
const ARROW: (f64, f64) = (9.0, 4.5);

/// Where the curve ends and the line goes on straight: before the label.
const STRAIGHT: i32 = 8;

/// An arrow's head with its tip at a point; `sign` is 1 where it points to the right.
fn head((x, y): (f64, f64), sign: f64) -> Element {
    let (long, half) = ARROW;
    let path = Path::from(x, y).line(x - sign * long, y - half).line(x - sign * long, y + half).close();
    Element::path(&path).class("m-head")
}

fn point((x, y): (i32, i32)) -> (f64, f64) {
    (x.into(), y.into())
}

/// A curve that leaves and reaches its boxes level.
fn curve(from: (f64, f64), to: (f64, f64)) -> Path {
    let middle = f64::midpoint(from.0, to.0);
    Path::from(from.0, from.1).curve((middle, from.1), (middle, to.1), to)
}

pub(super) const fn outcome_class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Declared => "m-good",
        Outcome::Violation => "m-bad",
        Outcome::Undecided => "m-open",
    }
}

fn class(outcome: Outcome, is_plain: bool, more: &str) -> String {
    let plain = if is_plain { " m-plain" } else { "" };
    format!("m-line {}{plain}{more}", outcome_class(outcome))
}

/// Between a service and an other end.
pub(super) fn edge(view: &View, edge: &Edge, line: &Line) -> Element {
    let (from, to) = (point(line.from), point(line.to));
    let straight = (f64::from(line.label.x - STRAIGHT), to.1);
    // The head takes the place of the line's end.
    let (begin, end, head) = match edge.direction {
        Direction::In => ((from.0 + ARROW.0 - 1.0, from.1), to, head((from.0 + 1.0, from.1), -1.0)),
        Direction::Out => (from, (to.0 - ARROW.0 + 1.0, to.1), head((to.0 - 1.0, to.1), 1.0)),
    };
    let path = curve(begin, straight).line(end.0, end.1);
    let sources: String = edge.sources.iter().map(|at| format!(" s{at}")).collect();
    let more = format!(" m-edge p{} r{}{sources}", edge.port, edge.recipient);
    Element::group()
        .class(&class(edge.outcome, edge.is_plain, &more))
        .titled(&view.says(edge))
        .with(Element::path(&path).class("m-stroke").stroke(f64::from(line.width) / 10.0))
        .with(head)
        .with(label(view, edge, line))
}

/// A label in its place, as wide as its text.
fn label(view: &View, edge: &Edge, line: &Line) -> Element {
    let text = format!("{} {}", mark(edge.outcome), view.bytes(edge));
    let room = line.label;
    let width = (width_of(&text, FONT) + 12).min(room.width);
    let (x, y) = (f64::from(room.right() - width), f64::from(room.y));
    let frame = Element::rect(x, y, width.into(), room.height.into()).rounded(9.0);
    let middle = x + f64::from(width) / 2.0;
    Element::group()
        .class("m-label")
        .with(frame.class("m-frame"))
        .with(Element::text(middle, y + 13.0, &text).middle())
}

/// Between a program and a service. `ends` are the other ends that it is about.
pub(super) fn link(link: &Link, line: &Line, ends: &[usize]) -> Element {
    let (from, to) = (point(line.from), point(line.to));
    let (end, tip) = match link.direction {
        Direction::In => (to, Element::circle(to.0 - 1.0, to.1, 3.0).class("m-head")),
        Direction::Out => ((to.0 - ARROW.0 + 1.0, to.1), head((to.0 - 1.0, to.1), 1.0)),
    };
    let ends: String = ends.iter().map(|at| format!(" r{at}")).collect();
    let more = format!(" m-link s{} p{}{ends}", link.source, link.port);
    Element::group()
        .class(&class(link.outcome, link.is_plain, &more))
        .with(Element::path(&curve(from, end)).class("m-stroke").stroke(f64::from(line.width) / 10.0))
        .with(tip)
}

/// The size of what a legend shows.
pub(super) const SAMPLE: (i32, i32) = (40, 16);

/// What a legend shows, and what it means.
pub(super) fn samples(view: &View) -> Vec<(Element, String)> {
    let words = view.lang.words();
    let outcome = |of| (sample(of, false, None), format!("{} {}", mark(of), view.outcome(of)));
    let declared = |is_plain, direction| sample(Outcome::Declared, is_plain, direction);
    let frame = Element::rect(4.0, 2.0, 32.0, 12.0).rounded(3.0);
    let mut samples = vec![
        outcome(Outcome::Declared),
        outcome(Outcome::Violation),
        outcome(Outcome::Undecided),
        (declared(true, None), words.map_plain.to_owned()),
        (declared(false, Some(Direction::In)), words.map_in.to_owned()),
        (declared(false, Some(Direction::Out)), words.map_out.to_owned()),
        (Element::group().class("m-undeclared").with(frame), format!("○ {}", words.map_undeclared)),
    ];
    if view.has_names() {
        let mark = Element::text(20.0, 12.0, Kind::Declared.mark()).middle();
        samples.push((mark, words.map_named.to_owned()));
    }
    samples
}

fn sample(outcome: Outcome, is_plain: bool, direction: Option<Direction>) -> Element {
    let (left, right, y) = (2.0, 38.0, 8.0);
    let stroke = Element::line((left, y), (right, y)).class("m-stroke").stroke(2.5);
    let head = direction.map(|direction| match direction {
        Direction::In => head((left, y), -1.0),
        Direction::Out => head((right, y), 1.0),
    });
    Element::group().class(&class(outcome, is_plain, "")).with(stroke).all(head)
}
