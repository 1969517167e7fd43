//! One course over the axis of time: bars from zero, upwards and downwards, on what was not watched.

use super::super::svg::{Element, Path};
use super::super::words::Lang;
use super::frame::{Frame, SMALL, WIDTH, at_width};
use super::time;
use gdprport_core::charts::{Axis, Course, Mark, Point, Scale, Tick, Tier, Why, ticks, width};

/// Pixels from one label of values to the next.
const APART: f64 = 13.0;
/// How much of a slot its bar takes.
const BAR: f64 = 0.78;
/// How wide a bar is at most, of the axis.
const WIDEST: f64 = 0.045;
/// Pixels of a value that is there, at least.
const LEAST: f64 = 1.0;

/// A value, and the class of its bars.
pub(super) type Bars = (fn(&Point) -> u64, &'static str);

/// What a slot says.
pub(super) type Says<'s> = dyn Fn(usize, &Point) -> String + 's;

/// What is drawn of a course.
pub(super) struct Shown<'c> {
    pub(super) course: &'c Course,
    /// Upwards, with its class.
    pub(super) up: Bars,
    /// Downwards, with its class, on the same scale.
    pub(super) down: Option<Bars>,
    pub(super) scale: Scale,
    /// What a value is called.
    pub(super) value: &'c dyn Fn(u128) -> String,
    /// What a slot with something says in a page when a pointer rests on it; `None`: another chart says it.
    pub(super) says: Option<&'c Says<'c>>,
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
    parts.push(bars(place, shown, &heights));
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

/// The bars: one path for each direction. Over them, in a page, what each slot says.
#[expect(clippy::cast_precision_loss, reason = "few slots, and heights in pixels")]
fn bars(place: &Place<'_>, shown: &Shown<'_>, heights: &Heights) -> Element {
    let one = 1.0 / place.axis.slots() as f64;
    let wide = (one * BAR).min(WIDEST);
    let steps = shown.scale.ticks().count() - 1;
    let tall = |value: u64| (shown.scale.part(value.into()) * steps as f64 * heights.step).max(LEAST);
    let band = place.frame.band(heights.top, heights.bottom - heights.top);
    let (mut up, mut down, mut hits) = (Path::default(), Path::default(), Vec::new());
    for (slot, point) in shown.course.points.iter().enumerate() {
        let (above, below) = ((shown.up.0)(point), shown.down.map_or(0, |(of, _)| of(point)));
        let begin = slot as f64 * one;
        let at = (begin + (one - wide) / 2.0, wide);
        if above > 0 {
            up = band.bar(up, at, (heights.zero, heights.zero - tall(above)));
        }
        if below > 0 {
            down = band.bar(down, at, (heights.zero, heights.zero + tall(below)));
        }
        if let Some(says) = shown.says.filter(|_| above > 0 || below > 0) {
            hits.push(Element::path(&band.whole((begin, one))).titled(&says(slot, point)));
        }
    }
    let paths = [(up, shown.up.1), (down, shown.down.map_or("", |(_, class)| class))];
    let paths = paths.into_iter().filter(|(path, _)| !path.is_empty());
    let paths = paths.map(|(path, class)| Element::path(&path).class(class));
    let is_said = place.frame.is_page() && !hits.is_empty();
    band.of(paths.chain(is_said.then(|| Element::group().class("hits").all(hits))))
}

/// The marks of the axis of time below a strip that ends at `y`.
pub(super) fn time_marks(frame: Frame, axis: &Axis, lang: Lang, y: f64) -> Vec<Element> {
    // A file is as wide as it is.
    let wider = if frame.is_page() { 1.0 } else { WIDTH / Tier::Wide.least() };
    let label = |mark: Mark| width(&time::mark(mark, lang)) * SMALL / wider;
    let of_tier = |tier: Tier| {
        let ticks = ticks(axis, tier, &label);
        let band = frame.band(y, 4.0);
        let lines = ticks.iter().fold(Path::default(), |path, tick| band.upright(path, tick.at));
        let text = |tick: &Tick| {
            let label = Element::label(frame.at(tick.at), 0.0, y + 16.0, &time::mark(tick.mark, lang));
            if tick.is_before { label.end() } else { label }
        };
        let texts = ticks.iter().map(text);
        let class = if frame.is_page() { format!("marks {}", at_width(tier)) } else { "marks".to_owned() };
        Element::group().class(&class).with(band.of([Element::path(&lines).class("base")])).all(texts)
    };
    let all = if frame.is_page() { &Tier::ALL[..] } else { &[Tier::Wide][..] };
    all.iter().map(|tier| of_tier(*tier)).collect()
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
