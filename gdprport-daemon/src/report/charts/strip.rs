//! One course over the axis of time: bars from zero, upwards and downwards, on what was not watched.

use super::super::svg::{Element, Path};
use super::super::words::Lang;
use super::frame::{Frame, SMALL, at_width};
use super::time;
use gdprport_core::charts::{Axis, Course, Mark, Point, Scale, Tier, Why, ticks, width};

/// Pixels from one label of values to the next.
const APART: f64 = 13.0;
/// How much of a slot its bar takes.
const BAR: f64 = 0.78;
/// How wide a bar is at most, of the axis.
const WIDEST: f64 = 0.045;
/// Pixels of a value that is there, at least.
const LEAST: f64 = 1.0;

/// What is drawn of a course.
pub(super) struct Shown<'c> {
    pub(super) course: &'c Course,
    /// Upwards, with its class.
    pub(super) up: (fn(&Point) -> u64, &'static str),
    /// Downwards, with its class, on the same scale.
    pub(super) down: Option<(fn(&Point) -> u64, &'static str)>,
    pub(super) scale: Scale,
    /// What a value is called.
    pub(super) value: &'c dyn Fn(u128) -> String,
    /// What a slot says when a pointer rests on it.
    pub(super) says: &'c dyn Fn(usize, &Point) -> String,
}

/// Where a strip goes.
pub(super) struct Place<'p> {
    pub(super) frame: Frame,
    pub(super) axis: &'p Axis,
    pub(super) lang: Lang,
    /// The id of the pattern of what was not watched.
    pub(super) hatch: &'p str,
    /// Pixels.
    pub(super) top: f64,
    /// Pixels of its height, at most.
    pub(super) height: f64,
}

/// Heights of a strip, in pixels.
struct Heights {
    top: f64,
    zero: f64,
    bottom: f64,
    step: f64,
}

#[expect(clippy::cast_precision_loss, reason = "a few steps")]
fn heights(place: &Place<'_>, shown: &Shown<'_>) -> Heights {
    let steps = |of: fn(&Point) -> u64| {
        let largest = shown.course.points.iter().map(of).max().unwrap_or(0);
        shown.scale.ticks().skip(1).take_while(|tick| *tick < u128::from(largest)).count() + 1
    };
    let up = steps(shown.up.0);
    let down = shown.down.map_or(0, |(of, _)| steps(of));
    let step = (place.height / (up + down) as f64).min(place.height / 2.0).floor();
    let zero = step.mul_add(up as f64, place.top);
    Heights { top: place.top, zero, bottom: step.mul_add(down as f64, zero), step }
}

/// The parts of a strip, and where it ends.
pub(super) fn strip(place: &Place<'_>, shown: &Shown<'_>) -> (Vec<Element>, f64) {
    let Place { frame, axis, .. } = *place;
    let heights = heights(place, shown);
    let Heights { top, zero, bottom, .. } = heights;
    let mut parts = Vec::new();
    for span in &shown.course.unwatched {
        let words = place.lang.words();
        let why = match span.why {
            Why::BeforeLedger => words.before_ledger,
            Why::NotWatched => words.unwatched,
        };
        let rect = Element::bar(frame.at(span.from), top, frame.length(span.to - span.from), bottom - top);
        parts.push(rect.filled(place.hatch).titled(why));
    }
    parts.extend(grid(place, shown, &heights));
    let slots = axis.slots();
    for (slot, point) in shown.course.points.iter().enumerate() {
        parts.extend(bars(place, shown, &heights, (slot, slots), point));
    }
    parts.push(Element::rule((frame.at(0.0), zero), (frame.at(axis.end()), zero)).class("base"));
    (parts, bottom)
}

/// A line and a label for each value that is marked, as far as the labels have room.
fn grid(place: &Place<'_>, shown: &Shown<'_>, heights: &Heights) -> Vec<Element> {
    let frame = place.frame;
    let mut marks: Vec<(f64, u128)> = Vec::new();
    let (mut up, mut down) = (heights.zero, heights.zero);
    for tick in shown.scale.ticks() {
        if up >= heights.top {
            marks.push((up, tick));
        }
        if tick > 0 && down <= heights.bottom {
            marks.push((down, tick));
        }
        up -= heights.step;
        down += heights.step;
    }
    // The outermost say most, then zero.
    marks.sort_by_key(|(y, tick)| {
        (*y > heights.top && *y < heights.bottom, *tick > 0 && *y > heights.top && *y < heights.bottom)
    });
    let mut labels: Vec<f64> = Vec::new();
    let mut parts = Vec::new();
    for (y, tick) in marks {
        if tick > 0 {
            parts.push(Element::rule((frame.at(0.0), y), (frame.at(1.0), y)).class("grid"));
        }
        if labels.iter().all(|other| (other - y).abs() >= APART) {
            labels.push(y);
            let label = Element::label(frame.at(0.0), -7.0, y + 4.0, &(shown.value)(tick));
            parts.push(label.class("tick soft").end());
        }
    }
    parts
}

#[expect(clippy::cast_precision_loss, reason = "few slots, and heights in pixels")]
fn bars(
    place: &Place<'_>,
    shown: &Shown<'_>,
    heights: &Heights,
    (slot, slots): (usize, usize),
    point: &Point,
) -> Option<Element> {
    let frame = place.frame;
    let (up, down) = ((shown.up.0)(point), shown.down.map_or(0, |(of, _)| of(point)));
    if up == 0 && down == 0 {
        return None;
    }
    let one = 1.0 / slots as f64;
    let (begin, wide) = (slot as f64 * one, (one * BAR).min(WIDEST));
    let at = frame.at(begin + (one - wide) / 2.0);
    let tall = |value: u64| {
        let steps = shown.scale.ticks().count() - 1;
        (shown.scale.part(value.into()) * steps as f64 * heights.step).max(LEAST)
    };
    let mut group = Element::group().class("slot").titled(&(shown.says)(slot, point)).with(
        Element::bar(frame.at(begin), heights.top, frame.length(one), heights.bottom - heights.top)
            .class("hit"),
    );
    if up > 0 {
        let height = tall(up);
        group =
            group.with(Element::bar(at, heights.zero - height, frame.length(wide), height).class(shown.up.1));
    }
    if let Some((_, class)) = shown.down.filter(|_| down > 0) {
        group = group.with(Element::bar(at, heights.zero, frame.length(wide), tall(down)).class(class));
    }
    Some(group)
}

/// The marks of the axis of time below a strip that ends at `y`.
pub(super) fn time_marks(frame: Frame, axis: &Axis, lang: Lang, y: f64) -> Vec<Element> {
    let label = |mark: Mark| width(&time::mark(mark, lang)) * SMALL;
    let all = Tier::ALL.map(|tier| (tier, at_width(tier)));
    // A file has one width.
    let tiers = if frame.is_page() { &all[..] } else { &[(Tier::Wide, "")][..] };
    let mut parts = Vec::new();
    for (tier, class) in tiers {
        for tick in ticks(axis, *tier, &label) {
            let line = Element::rule((frame.at(tick.at), y), (frame.at(tick.at), y + 4.0));
            parts.push(line.class(&format!("base{class}")));
            let text = Element::label(frame.at(tick.at), 0.0, y + 16.0, &time::mark(tick.mark, lang));
            parts.push(text.class(&format!("tick soft{class}")));
        }
    }
    parts
}

/// The pattern of what was not watched.
pub(super) fn hatch(id: &str) -> Element {
    Element::pattern(
        id,
        6.0,
        &Path::from(-1.0, 1.0).line(1.0, -1.0).to(0.0, 6.0).line(6.0, 0.0).to(5.0, 7.0).line(7.0, 5.0),
        "hatch",
    )
}
