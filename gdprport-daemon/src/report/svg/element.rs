//! The parts that a drawing can have. Names of elements and attributes are only ours, so that nothing else can be made of them.

use gdprport_core::text::is_control_or_bidi;

use super::path::{Path, number};

/// A part of a drawing.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    content: Vec<Content>,
}

#[derive(Debug, Clone)]
enum Content {
    Part(Element),
    Text(String),
}

impl Element {
    const fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new(), content: Vec::new() }
    }

    /// Parts that belong together.
    pub(crate) const fn group() -> Self {
        Self::new("g")
    }

    /// A rectangle by its upper left corner, width and height.
    pub(crate) fn rect(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self::new("rect").number("x", x).number("y", y).number("width", width).number("height", height)
    }

    /// A circle by its centre and radius.
    pub(crate) fn circle(x: f64, y: f64, radius: f64) -> Self {
        Self::new("circle").number("cx", x).number("cy", y).number("r", radius)
    }

    /// A straight line.
    pub(crate) fn line(from: (f64, f64), to: (f64, f64)) -> Self {
        Self::new("line").number("x1", from.0).number("y1", from.1).number("x2", to.0).number("y2", to.1)
    }

    /// Any line or area.
    pub(crate) fn path(path: &Path) -> Self {
        Self::new("path").set("d", path.text())
    }

    /// A text that begins at a point, on its baseline.
    pub(crate) fn text(x: f64, y: f64, text: &str) -> Self {
        Self::new("text").number("x", x).number("y", y).content(text)
    }

    /// A part of a text with a class of its own.
    pub(crate) fn span(text: &str) -> Self {
        Self::new("tspan").content(text)
    }

    /// What a part is called, and what is known of it: `title` or `desc`.
    pub(super) fn described(name: &'static str, id: &str, text: &str) -> Self {
        Self::new(name).set("id", id).content(text)
    }

    pub(super) fn style(rules: &str) -> Self {
        Self::new("style").content(rules)
    }

    pub(super) const fn root() -> Self {
        Self::new("svg")
    }

    /// Its name in the page, for rules that are about it alone.
    pub(crate) fn id(self, id: &str) -> Self {
        self.set("id", id)
    }

    /// Its classes in the style sheet.
    pub(crate) fn class(self, class: &str) -> Self {
        self.set("class", class)
    }

    /// Rounds a rectangle's corners.
    pub(crate) fn rounded(self, radius: f64) -> Self {
        self.number("rx", radius)
    }

    /// How wide its line is.
    pub(crate) fn stroke(self, width: f64) -> Self {
        self.number("stroke-width", width)
    }

    /// Everything in it stands so far to the right and down.
    pub(crate) fn moved(self, x: f64, y: f64) -> Self {
        self.set("transform", &format!("translate({} {})", number(x), number(y)))
    }

    /// A text ends at its point.
    pub(crate) fn end(self) -> Self {
        self.set("text-anchor", "end")
    }

    /// A text has its middle at its point.
    pub(crate) fn middle(self) -> Self {
        self.set("text-anchor", "middle")
    }

    /// What it is called by whoever does not see it, and when a pointer rests on it.
    pub(crate) fn titled(self, text: &str) -> Self {
        self.with(Self::new("title").content(text))
    }

    /// It is reached by keyboard, and called so by a screen reader.
    pub(crate) fn reachable(self, label: &str) -> Self {
        self.set("tabindex", "0").set("role", "img").set("aria-label", label)
    }

    /// A screen reader passes it over.
    pub(crate) fn silent(self) -> Self {
        self.set("aria-hidden", "true")
    }

    /// Adds a part.
    pub(crate) fn with(mut self, part: Self) -> Self {
        self.content.push(Content::Part(part));
        self
    }

    /// Adds parts.
    pub(crate) fn all(mut self, parts: impl IntoIterator<Item = Self>) -> Self {
        self.content.extend(parts.into_iter().map(Content::Part));
        self
    }

    pub(super) const fn named(name: &'static str) -> Self {
        Self::new(name)
    }

    pub(super) fn containing(self, text: &str) -> Self {
        self.content(text)
    }

    pub(super) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.attributes.push((name, value.to_owned()));
        self
    }

    fn number(self, name: &'static str, value: f64) -> Self {
        self.set(name, &number(value))
    }

    fn content(mut self, text: &str) -> Self {
        self.content.push(Content::Text(text.to_owned()));
        self
    }

    pub(super) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(self.name);
        for (name, value) in &self.attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(value, out);
            out.push('"');
        }
        if self.content.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        for content in &self.content {
            match content {
                Content::Part(part) => part.write(out),
                Content::Text(text) => escape(text, out),
            }
        }
        out.push_str("</");
        out.push_str(self.name);
        out.push('>');
    }
}

/// XML knows no control characters, and what turns text around or steers whatever shows the source is not let through.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&#38;"),
            '<' => out.push_str("&#60;"),
            '>' => out.push_str("&#62;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push(' '),
            c if is_control_or_bidi(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}
