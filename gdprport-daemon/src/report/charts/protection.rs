//! How much of each port was encrypted: bars of equal length, each a whole.

use super::super::record::{Cell, Column, Key, Kind, Table};
use super::super::svg::{Along, Drawing, Element, Path};
use super::super::words::{Lang, Words, fill};
use super::chart::{About, Chart, ENCRYPTION, SAMPLE, legend};
use super::frame::{Frame, WIDTH};
use gdprport_core::charts::{Bar, Percent, Protection, bars};
use gdprport_core::records::Records;

/// The part of a bar that is shown of anything that is there, at least.
const LEAST: f64 = 0.006;
/// Pixels of a bar.
const HEIGHT: f64 = 14.0;

const fn word(protection: Protection, words: &Words) -> &'static str {
    match protection {
        Protection::Encrypted => words.encrypted,
        Protection::Weak => words.state_weak,
        Protection::Plain => words.not_encrypted,
        Protection::Unknown => words.state_unknown,
    }
}

const fn class(protection: Protection) -> &'static str {
    match protection {
        Protection::Encrypted => "encrypted",
        Protection::Weak => "weak",
        Protection::Plain => "plain",
        Protection::Unknown => "unknown",
    }
}

fn percent(percent: Option<Percent>, lang: Lang) -> String {
    let of = |tenths: u16| {
        let (whole, rest) = (tenths / 10, tenths % 10);
        let number = if rest == 0 { whole.to_string() } else { format!("{whole}{}{rest}", lang.point()) };
        fill(lang.words().percent, &[&number])
    };
    match percent {
        None => of(0),
        Some(Percent::Least) => format!("< {}", of(1)),
        Some(Percent::Tenths(999)) => format!("> {}", of(999)),
        Some(Percent::Tenths(tenths)) => of(tenths),
        Some(Percent::Whole) => of(1_000),
    }
}

/// The bars; `None`: there was no connection.
pub(crate) fn encryption(records: &Records, lang: Lang) -> Option<Chart> {
    let words = lang.words();
    let bars = bars(records);
    if bars.is_empty() {
        return None;
    }
    let id = "chart-encryption";
    let mut columns = vec![Column::new(Kind::Plain, words.activity)];
    columns.extend(Protection::ALL.map(|protection| Column::number(Kind::Observed, word(protection, words))));
    columns.push(Column::number(Kind::Observed, words.state_none));
    let row = |bar: &Bar| {
        let mut cells = vec![Cell::new(Kind::Plain, name(bar, lang))];
        cells.extend(Protection::ALL.map(|of| {
            let (count, share) = (lang.count(bar.count(of)), percent(bar.percent(of), lang));
            Cell::lines(Kind::Observed, vec![count, share]).number()
        }));
        cells.push(Cell::new(Kind::Observed, lang.count(bar.no_data)).number());
        cells
    };
    let mut all = Bar::default();
    bars.iter().for_each(|bar| all.add(bar));
    let of = |protection| lang.count(all.count(protection));
    let sum = fill(
        words.encrypted_in_all,
        &[
            &of(Protection::Encrypted),
            &lang.count(all.all()),
            &of(Protection::Weak),
            &of(Protection::Plain),
            &of(Protection::Unknown),
        ],
    );
    let used: Vec<Protection> =
        Protection::ALL.into_iter().filter(|protection| all.count(*protection) > 0).collect();
    let about = About {
        id: id.to_owned(),
        title: words.encryption_by_port,
        lines: vec![sum, words.encryption_read.to_owned()],
        keys: used.iter().map(|protection| key(*protection, lang)).collect(),
        table: Table { caption: words.encryption_by_port, columns, rows: bars.iter().map(row).collect() },
        file: Some(ENCRYPTION),
    };
    Some(about.chart("shares", 0.0, &|frame| draw(frame, &bars, &used, lang)))
}

fn name(bar: &Bar, lang: Lang) -> String {
    let others = || fill(lang.words().others, &[&lang.count(bar.activities as u64)]);
    bar.name.as_ref().map_or_else(others, ToString::to_string)
}

fn pattern_id(frame: Frame, protection: Protection) -> String {
    format!("chart-encryption-{}{}", class(protection), if frame.is_page() { "" } else { "-alone" })
}

/// What tells them apart without colours: encrypted is plain, weak has wide stripes, not encrypted is crossed, unknown is dotted.
fn patterns(frame: Frame) -> Vec<Element> {
    let stripes =
        Path::from(-1.0, 1.0).line(1.0, -1.0).to(0.0, 6.0).line(6.0, 0.0).to(5.0, 7.0).line(7.0, 5.0);
    let crossed = Path::from(0.0, 0.0).line(6.0, 6.0).to(6.0, 0.0).line(0.0, 6.0);
    let dots = Path::from(2.0, 3.0).line(4.0, 3.0);
    let all = [(Protection::Weak, stripes), (Protection::Plain, crossed), (Protection::Unknown, dots)];
    all.iter()
        .map(|(protection, line)| {
            Element::pattern(
                &pattern_id(frame, *protection),
                6.0,
                line,
                &format!("line-{}", class(*protection)),
            )
        })
        .collect()
}

/// A part of a bar: its colour, on it its pattern, and a line around.
fn segment(frame: Frame, protection: Protection, (x, y): (Along, f64), width: Along, says: &str) -> Element {
    let rect = || Element::bar(x, y, width, HEIGHT);
    let group = Element::group()
        .class(&format!("segment {}", class(protection)))
        .titled(says)
        .with(rect().class("fill"));
    if protection == Protection::Encrypted {
        return group;
    }
    group.with(rect().filled(&pattern_id(frame, protection))).with(rect().class("edge"))
}

/// What shows what a part is.
fn sample(frame: Frame, protection: Protection, words: &Words) -> Element {
    segment(frame, protection, (Along::Pixels(0.0), 0.0), Along::Pixels(SAMPLE), word(protection, words))
}

fn key(protection: Protection, lang: Lang) -> Key {
    let words = lang.words();
    let mut drawing = Drawing::decoration("shares", (SAMPLE, HEIGHT));
    drawing.add(sample(Frame::page(0.0), protection, words));
    Key { sample: drawing.inside(), meaning: word(protection, words).to_owned() }
}

fn draw(frame: Frame, bars: &[Bar], used: &[Protection], lang: Lang) -> (Vec<Element>, f64) {
    let words = lang.words();
    let mut parts = patterns(frame);
    let mut y = 0.0;
    for bar in bars {
        let share = percent(bar.percent(Protection::Encrypted), lang);
        let full = format!("{share} {}", words.encrypted);
        let said = if bar.all() == 0 { (words.state_none, words.state_none) } else { (&*share, &*full) };
        parts.extend(frame.heading(y + 13.0, &name(bar, lang), said, "soft"));
        y += 21.0;
        parts.push(Element::bar(frame.at(0.0), y, frame.length(1.0), HEIGHT).class("edge"));
        let mut x = 0.0;
        for (protection, part) in lengths(bar) {
            let (share, count) = (percent(bar.percent(protection), lang), lang.count(bar.count(protection)));
            let says = format!("{}: {share} ({count})", word(protection, words));
            parts.push(segment(frame, protection, (frame.at(x), y), frame.length(part), &says));
            x += part;
        }
        y += HEIGHT;
        for protection in Protection::ALL[1..].iter().filter(|protection| bar.count(**protection) > 0) {
            let open = format!("{} {}", word(*protection, words), percent(bar.percent(*protection), lang));
            parts.push(Element::label(frame.at(0.0), 0.0, y + 14.0, &open).class("tick"));
            y += 14.0;
        }
        y += 15.0;
    }
    let samples = used.iter().map(|of| (sample(frame, *of, words), word(*of, words)));
    let (keys, y) = legend(frame, WIDTH, samples, y - 8.0);
    parts.extend(keys);
    (parts, y)
}

/// The parts of a bar, which are its whole: what is there has a least length, and the longest gives it.
fn lengths(bar: &Bar) -> Vec<(Protection, f64)> {
    let all = bar.all();
    #[expect(clippy::cast_precision_loss, reason = "a part of a drawing, not a number that is shown")]
    let part = |protection: Protection| (bar.count(protection) as f64 / all as f64).max(LEAST);
    let mut parts: Vec<(Protection, f64)> = Protection::ALL
        .into_iter()
        .filter(|protection| bar.count(*protection) > 0)
        .map(|protection| (protection, part(protection)))
        .collect();
    let over = parts.iter().map(|(_, part)| part).sum::<f64>() - 1.0;
    if let Some((_, longest)) = parts.iter_mut().max_by(|a, b| a.1.total_cmp(&b.1)) {
        *longest -= over;
    }
    parts
}
