//! Bytes and violations in the course of time.

use std::collections::BTreeMap;

use super::super::record::{Cell, Column, Kind, Table};
use super::super::words::{Lang, fill};
use super::chart::{About, Chart, Meaning, Row, VIOLATIONS, VOLUME, strips};
use super::frame::{Frame, GUTTER};
use super::strip::{Bars, Says, Shown};
use super::time::{resolution, slot, slots};
use gdprport_core::charts::{self, Axis, Course, Point, Scale};
use gdprport_core::records::{Activity, Records};

/// Pixels of a strip that stands alone.
const TALL: f64 = 108.0;
/// Pixels of one among others.
const LOW: f64 = 66.0;

/// Reasons that are named; the rest is counted.
const REASONS: usize = 5;

/// How a course is drawn.
struct Style<'s> {
    up: Bars,
    down: Option<Bars>,
    scale: fn(u64) -> Scale,
    value: &'s dyn Fn(u128) -> String,
    says: Option<&'s Says<'s>>,
}

impl Style<'_> {
    fn shown<'c>(&'c self, course: &'c Course) -> Shown<'c> {
        let of = |value: fn(&Point) -> u64| course.peak(value).map_or(0, |(_, largest)| largest);
        let largest = of(self.up.0).max(self.down.map_or(0, |(value, _)| of(value)));
        let Self { up, down, value, says, .. } = *self;
        Shown { course, up, down, scale: (self.scale)(largest), value, says }
    }
}

fn bytes(n: u128, lang: Lang) -> String {
    // A tick is a short number of its unit, and a whole one says no more.
    let text = lang.bytes(u64::try_from(n).unwrap_or(u64::MAX));
    text.replace(".0 ", " ").replace(",0 ", " ")
}

fn count(n: u128, lang: Lang) -> String {
    match n {
        0..1_000_000 => lang.count(u64::try_from(n).unwrap_or(u64::MAX)),
        _ => {
            let power = n.ilog10();
            format!("{}e{power}", n / 10_u128.pow(power))
        }
    }
}

/// A slot's bytes in words.
fn says_bytes(axis: &Axis, lang: Lang) -> impl Fn(usize, &Point) -> String {
    move |at, point| {
        let (sent, received) = (lang.bytes(point.sent), lang.bytes(point.received));
        format!("{}: ↑ {sent} ↓ {received}{}", slot(axis, at), in_part(axis, at, point, lang))
    }
}

/// How long a slot was watched, unless that is all of it.
fn in_part(axis: &Axis, at: usize, point: &Point, lang: Lang) -> String {
    let length = axis.length_s(at);
    if point.watched_s >= length {
        return String::new();
    }
    format!(" · {}", lang.named(lang.words().coverage, &watched((point.watched_s, length), lang)))
}

fn watched((watched_s, length_s): (u64, u64), lang: Lang) -> String {
    format!("{} / {}", lang.duration(watched_s), lang.duration(length_s))
}

/// `48.2 GiB sent, 6.9 GiB received; most …`
fn sum_of_bytes(courses: &[Course], axis: &Axis, lang: Lang) -> String {
    let words = lang.words();
    let sum =
        |of: fn(&Point) -> u64| courses.iter().fold(0_u64, |sum, course| sum.saturating_add(course.sum(of)));
    let (sent, received) = (lang.bytes(sum(|point| point.sent)), lang.bytes(sum(|point| point.received)));
    let all = (0..axis.slots()).map(|at| {
        courses
            .iter()
            .filter_map(|course| course.points.get(at))
            .fold(0_u64, |sum, point| sum.saturating_add(point.bytes()))
    });
    let most = all.enumerate().fold((0, 0), |most, (at, sum)| if sum > most.1 { (at, sum) } else { most });
    fill(words.bytes_in_all, &[&sent, &received, &slot(axis, most.0), &lang.bytes(most.1)])
}

/// The bytes of every port, by port; `None`: there were none.
pub(crate) fn volume(records: &Records, lang: Lang) -> Option<Chart> {
    let words = lang.words();
    let axis = Axis::of(&records.about, records.has_hours());
    let courses = charts::courses(records, &axis, &charts::volume);
    if courses.is_empty() {
        return None;
    }
    let id = "chart-volume";
    let columns = vec![
        Column::new(Kind::Plain, words.activity),
        Column::number(Kind::Observed, words.sent),
        Column::number(Kind::Observed, words.received),
        Column::new(Kind::Observed, words.most),
    ];
    let row = |course: &Course| {
        let (at, most) = course.peak(Point::bytes).unwrap_or_default();
        vec![
            Cell::new(Kind::Plain, name(course, lang)),
            Cell::new(Kind::Observed, lang.bytes(course.sum(|point| point.sent))).number(),
            Cell::new(Kind::Observed, lang.bytes(course.sum(|point| point.received))).number(),
            Cell::new(Kind::Observed, lang.named(&slot(&axis, at), &lang.bytes(most))),
        ]
    };
    let ways = [("sent", "↑", words.sent), ("received", "↓", words.received)];
    let ways = ways.map(|(class, sign, name)| Meaning { class: Some(class), text: format!("{sign} {name}") });
    let meanings: Vec<Meaning> = ways.into_iter().chain(hatched(&courses, lang)).collect();
    let table = Table { caption: words.volume_by_port, columns, rows: courses.iter().map(row).collect() };
    let about = About {
        id: id.to_owned(),
        title: words.volume_by_port,
        lines: vec![
            sum_of_bytes(&courses, &axis, lang),
            format!("{} {} {}", resolution(&axis, lang), words.own_scale, words.bytes_counted),
        ],
        keys: meanings.iter().map(|meaning| meaning.key(id)).collect(),
        table,
        file: Some(VOLUME),
    };
    let value = |n| bytes(n, lang);
    // The chart of each activity says what each slot has.
    let style = both_ways(&value, None);
    let said = |course: &Course| {
        let (sent, received) = (course.sum(|point| point.sent), course.sum(|point| point.received));
        let full = format!("↑ {}  ↓ {}", lang.bytes(sent), lang.bytes(received));
        (lang.bytes(sent.saturating_add(received)), full)
    };
    let rows = || -> Vec<Row<'_>> {
        let row = |course| Row {
            shown: style.shown(course),
            name: name(course, lang),
            said: said(course),
            class: "soft",
        };
        courses.iter().map(row).collect()
    };
    let draw = |frame: Frame| strips(frame, (&axis, lang), (id, LOW), &rows(), (None, &meanings));
    Some(about.chart("course", GUTTER, &draw))
}

fn both_ways<'s>(value: &'s dyn Fn(u128) -> String, says: Option<&'s Says<'s>>) -> Style<'s> {
    Style {
        up: (|point| point.sent, "sent"),
        down: Some((|point| point.received, "received")),
        scale: Scale::bytes,
        value,
        says,
    }
}

fn name(course: &Course, lang: Lang) -> String {
    let others = || fill(lang.words().others, &[&lang.count(course.activities as u64)]);
    course.name.as_ref().map_or_else(others, ToString::to_string)
}

/// What was not watched, if anything was not.
fn hatched(courses: &[Course], lang: Lang) -> Option<Meaning> {
    let any = courses.iter().any(|course| !course.unwatched.is_empty());
    any.then(|| Meaning { class: None, text: lang.words().hatched.to_owned() })
}

/// The bytes of one activity, the one of this number; `None`: there were none.
pub(crate) fn activity(records: &Records, activity: &Activity, number: usize, lang: Lang) -> Option<Chart> {
    let words = lang.words();
    if charts::volume(activity) == 0 {
        return None;
    }
    let axis = Axis::of(&records.about, records.has_hours());
    let course = Course::of(&[activity], Some(std::sync::Arc::clone(&activity.name)), &axis, &records.about);
    let courses = [course];
    let course = &courses[0];
    let id = format!("chart-activity-{number}");
    let columns = vec![
        Column::new(Kind::Plain, words.period),
        Column::number(Kind::Observed, words.sent),
        Column::number(Kind::Observed, words.received),
        Column::number(Kind::Observed, words.coverage),
    ];
    let table =
        Table { caption: words.volume_in_time, columns, rows: rows_of_bytes(&axis, &course.points, lang) };
    let about = About {
        id: id.clone(),
        title: words.volume_in_time,
        lines: vec![
            sum_of_bytes(&courses, &axis, lang),
            format!("{} {}", resolution(&axis, lang), words.linear_scale),
        ],
        keys: hatched(&courses, lang).iter().map(|meaning| meaning.key(&id)).collect(),
        table,
        file: None,
    };
    let (value, says) = (|n| bytes(n, lang), says_bytes(&axis, lang));
    let style = both_ways(&value, Some(&says));
    let draw = |frame: Frame| {
        let row = Row {
            shown: style.shown(course),
            name: format!("↑ {}", words.sent),
            said: (String::new(), String::new()),
            class: "soft",
        };
        let below = format!("↓ {}", words.received);
        strips(frame, (&axis, lang), (&id, TALL), &[row], (Some(&below), &[]))
    };
    Some(about.chart("course", GUTTER, &draw))
}

/// A row for each slot. Those one after the other of which nothing was watched are one.
fn rows_of_bytes(axis: &Axis, points: &[Point], lang: Lang) -> Vec<Vec<Cell>> {
    let is_dark = |point: &Point| point.watched_s == 0 && point.bytes() == 0;
    let mut rows = Vec::new();
    let mut at = 0;
    while let Some(point) = points.get(at) {
        let dark = points[at..].iter().take_while(|point| is_dark(point)).count();
        let last = at + dark.max(1) - 1;
        let cell = |bytes: u64| match dark {
            0 => Cell::new(Kind::Observed, lang.bytes(bytes)).number(),
            _ => Cell::new(Kind::NotSeen, "–").number(),
        };
        let length_s = (at..=last).map(|at| axis.length_s(at)).sum();
        rows.push(vec![
            Cell::new(Kind::Plain, slots(axis, at, last)),
            cell(point.sent),
            cell(point.received),
            Cell::new(Kind::Observed, watched((point.watched_s, length_s), lang)).number(),
        ]);
        at = last + 1;
    }
    rows
}

/// The violations by day, by port; `None`: there is no ledger. Without any it shows what was watched.
pub(crate) fn violations(records: &Records, lang: Lang) -> Option<Chart> {
    let words = lang.words();
    let about = &records.about;
    if about.no_ledger.is_some() || records.all().next().is_none() {
        return None;
    }
    let axis = Axis::of(about, false);
    let mut courses = charts::courses(records, &axis, &charts::violations);
    let is_empty = courses.is_empty();
    if is_empty {
        let all: Vec<&Activity> = records.all().collect();
        courses.push(Course::of(&all, None, &axis, about));
    }
    let number = |point: &Point| point.violations;
    let id = "chart-violations";
    let mut rows = Vec::new();
    for course in &courses {
        for (at, point) in course.points.iter().enumerate().filter(|(_, point)| point.violations > 0) {
            rows.push(vec![
                Cell::new(Kind::Plain, slot(&axis, at)),
                Cell::new(Kind::Observed, name(course, lang)),
                Cell::new(Kind::Observed, lang.count(point.violations)).number(),
            ]);
        }
    }
    if is_empty {
        let cells = [
            Cell::new(Kind::Plain, "–"),
            Cell::new(Kind::NotSeen, words.no_violations),
            Cell::new(Kind::Observed, "0").number(),
        ];
        rows.push(cells.into());
    }
    let columns = vec![
        Column::new(Kind::Plain, words.period),
        Column::new(Kind::Observed, words.activity),
        Column::number(Kind::Observed, words.violations),
    ];
    let mut lines = vec![if is_empty {
        words.no_violations.to_owned()
    } else {
        sum_of_violations(records, &courses, &axis, lang)
    }];
    lines.push(format!(
        "{} {}",
        resolution(&axis, lang),
        if courses.len() > 1 { words.own_scale } else { words.linear_scale }
    ));
    let meanings: Vec<Meaning> = hatched(&courses, lang).into_iter().collect();
    let texts = About {
        id: id.to_owned(),
        title: words.violations_in_time,
        lines,
        keys: meanings.iter().map(|meaning| meaning.key(id)).collect(),
        table: Table { caption: words.violations_in_time, columns, rows },
        file: Some(VIOLATIONS),
    };
    let says = |at: usize, point: &Point| {
        format!("{}: {}{}", slot(&axis, at), lang.count(point.violations), in_part(&axis, at, point, lang))
    };
    let value = |n| count(n, lang);
    let style = Style {
        up: (number, "violation"),
        down: None,
        scale: Scale::counts,
        value: &value,
        says: Some(&says),
    };
    let rows = || -> Vec<Row<'_>> {
        let row = |course: &Course| {
            let all = lang.count(course.sum(number));
            let name = if is_empty { words.all_ports.to_owned() } else { name(course, lang) };
            (name, (all.clone(), all))
        };
        let class = if is_empty { "soft" } else { "wrong" };
        courses
            .iter()
            .map(|course| {
                let (name, said) = row(course);
                Row { shown: style.shown(course), name, said, class }
            })
            .collect()
    };
    let draw = |frame: Frame| strips(frame, (&axis, lang), (id, LOW), &rows(), (None, &meanings));
    Some(texts.chart("course", GUTTER, &draw))
}

/// How many there were, when most, and for which reasons.
fn sum_of_violations(records: &Records, courses: &[Course], axis: &Axis, lang: Lang) -> String {
    let words = lang.words();
    let all =
        courses.iter().fold(0_u64, |sum, course| sum.saturating_add(course.sum(|point| point.violations)));
    let mut most = (0, 0_u64);
    for at in 0..axis.slots() {
        let points = courses.iter().filter_map(|course| course.points.get(at));
        let sum = points.fold(0_u64, |sum, point| sum.saturating_add(point.violations));
        if sum > most.1 {
            most = (at, sum);
        }
    }
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    let others =
        records.all().filter_map(|activity| activity.seen.as_ref()).flat_map(|seen| &seen.counterparts);
    for other in others {
        for reason in &other.reasons {
            let sum = reasons.entry(reason).or_default();
            *sum = sum.saturating_add(other.used.volume.flows);
        }
    }
    let mut reasons: Vec<(&str, u64)> = reasons.into_iter().filter(|(_, flows)| *flows > 0).collect();
    reasons.sort_by_key(|(_, flows)| std::cmp::Reverse(*flows));
    let shown = reasons.iter().take(REASONS);
    let mut named: Vec<String> =
        shown.map(|(reason, flows)| format!("{reason} {}", lang.count(*flows))).collect();
    let others = reasons.len().saturating_sub(REASONS);
    named.extend((others > 0).then(|| fill(words.others, &[&lang.count(others as u64)])));
    fill(
        words.violations_in_all,
        &[&lang.count(all), &slot(axis, most.0), &lang.count(most.1), &named.join(", ")],
    )
}
