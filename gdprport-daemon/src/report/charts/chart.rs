//! A chart with all that belongs to it: inside a page, and as a file.

use super::super::record::{Figure, Key, Room, Table};
use super::super::svg::{Drawing, Element};
use super::super::words::Lang;
use super::frame::{Frame, GUTTER, SMALL, WIDTH};
use super::strip::{Place, Shown, hatch, strip, time_marks};
use gdprport_core::charts::{Axis, width};

/// The file of the bytes by port.
pub(super) const VOLUME: &str = "chart-volume.svg";
/// The file of the encryption by port.
pub(super) const ENCRYPTION: &str = "chart-encryption.svg";
/// The file of the violations.
pub(super) const VIOLATIONS: &str = "chart-violations.svg";

/// A chart.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    /// In a page.
    pub(crate) figure: Figure,
    /// As a file.
    pub(super) alone: Drawing,
}

/// What a chart is, in words.
pub(super) struct About {
    /// Begins its ids.
    pub(super) id: String,
    pub(super) title: &'static str,
    /// What it shows, then how to read it.
    pub(super) lines: Vec<String>,
    pub(super) keys: Vec<Key>,
    pub(super) table: Table,
    pub(super) file: Option<&'static str>,
}

impl About {
    /// The chart of what is drawn in both frames.
    pub(super) fn chart(
        self,
        class: &'static str,
        left: f64,
        draw: &dyn Fn(Frame) -> (Vec<Element>, f64),
    ) -> Chart {
        let made = |frame: Frame| {
            let (parts, height) = draw(frame);
            let about = self.lines.first().map_or("", |line| line);
            let mut drawing = Drawing::new(
                (&format!("{}-drawing", self.id), class),
                (frame.width(), height),
                self.title,
                about,
            );
            if frame.is_page() {
                drawing = drawing.fluid();
            }
            parts.into_iter().for_each(|part| drawing.add(part));
            drawing
        };
        let (drawing, alone) = (made(Frame::page(left)).inside(), made(Frame::file(left)));
        let Self { id, title, lines, keys, table, file } = self;
        let (title, hint, room) = (title.to_owned(), None, Room::Any);
        let figure = Figure { id, title, about: lines, hint, room, drawing, keys, table, file };
        Chart { figure, alone }
    }
}

/// A course with its names.
pub(super) struct Row<'c> {
    pub(super) shown: Shown<'c>,
    /// Its name, and what is said of it, in few words and in more.
    pub(super) name: String,
    pub(super) said: (String, String),
    pub(super) class: &'static str,
}

/// Strips one below the other over one axis. `below` stands under the axis.
pub(super) fn strips(
    frame: Frame,
    (axis, lang): (&Axis, Lang),
    (id, height): (&str, f64),
    rows: &[Row<'_>],
    (below, meanings): (Option<&str>, &[Meaning]),
) -> (Vec<Element>, f64) {
    let pattern = format!("{id}-hatch{}", if frame.is_page() { "" } else { "-alone" });
    let mut parts = vec![hatch(&pattern)];
    let mut y = 0.0;
    for Row { shown, name, said: (brief, full), class } in rows {
        parts.extend(frame.heading(y + 13.0, name, (brief, full), class));
        let place = Place { frame, axis, lang, hatch: &pattern, top: y + 26.0, height };
        let (drawn, bottom) = strip(&place, shown);
        parts.extend(drawn);
        y = bottom + 18.0;
    }
    y -= 16.0;
    parts.extend(time_marks(frame, axis, lang, y));
    y += 22.0;
    if let Some(below) = below {
        parts.push(Element::label(frame.at(0.0), -GUTTER, y + 12.0, below).class("name strong"));
        y += 18.0;
    }
    let samples = meanings.iter().map(|meaning| {
        let sample = Element::rect(0.0, 0.0, SAMPLE, 12.0);
        (meaning.painted(sample, &pattern), &*meaning.text)
    });
    let (keys, y) = legend(frame, GUTTER + WIDTH, samples, y);
    parts.extend(keys);
    (parts, y)
}

/// Pixels of the sample of a key.
pub(super) const SAMPLE: f64 = 26.0;

/// What the parts of a file mean, below `top`, and where that ends. Beside the drawing in a page stand its keys.
pub(super) fn legend<'k>(
    frame: Frame,
    room: f64,
    samples: impl Iterator<Item = (Element, &'k str)>,
    top: f64,
) -> (Vec<Element>, f64) {
    const LINE: f64 = 18.0;
    let (mut parts, mut right, mut y) = (Vec::new(), 0.0, top + 8.0);
    for (sample, meaning) in samples.take_while(|_| !frame.is_page()) {
        let wide = width(meaning).mul_add(SMALL, SAMPLE + 20.0);
        if right > 0.0 && right + wide > room {
            (right, y) = (0.0, y + LINE);
        }
        let text = Element::text(SAMPLE + 6.0, 10.0, meaning).class("tick soft");
        parts.push(Element::group().moved(Frame::from_edge(right), y).all([sample, text]));
        right += wide;
    }
    let is_empty = parts.is_empty();
    (parts, if is_empty { top } else { y + LINE })
}

/// What a part of a chart means.
#[derive(Debug)]
pub(super) struct Meaning {
    /// The class of the part; `None`: it is hatched.
    pub(super) class: Option<&'static str>,
    pub(super) text: String,
}

impl Meaning {
    /// As a key of the page in which the chart of this id is.
    pub(super) fn key(&self, id: &str) -> Key {
        let mut sample = Drawing::decoration("course", (SAMPLE, 12.0));
        sample.add(self.painted(Element::rect(0.0, 0.0, SAMPLE, 12.0), &format!("{id}-hatch")));
        Key { sample: sample.inside(), meaning: self.text.clone() }
    }

    fn painted(&self, sample: Element, hatch: &str) -> Element {
        match self.class {
            Some(class) => sample.class(class),
            None => sample.filled(hatch),
        }
    }
}
