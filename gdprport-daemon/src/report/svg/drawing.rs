//! A whole drawing: inside a page, or a file of its own.

use std::fmt;

use super::element::Element;
use super::path::number;

/// SVG for the inside of a page. Only a [`Drawing`] makes one, so a page takes it as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Svg(String);

impl fmt::Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A drawing.
#[derive(Debug, Clone)]
pub(crate) struct Drawing {
    /// Begins every id, which are shared by all of a page; `None`: a decoration, which a screen reader passes over.
    id: Option<String>,
    class: &'static str,
    width: f64,
    height: f64,
    /// Whether it is as wide as there is room, and not scaled.
    is_fluid: bool,
    title: String,
    about: String,
    /// Whether parts are reached by keyboard: then it is a group and not one image.
    has_reachable: bool,
    parts: Vec<Element>,
}

impl Drawing {
    /// A drawing of some size in pixels. `id` is the drawing's own in its page, `title` says what it is and `about` what it shows, for
    /// those who do not see it.
    pub(crate) fn new(
        (id, class): (&str, &'static str),
        (width, height): (f64, f64),
        title: &str,
        about: &str,
    ) -> Self {
        let (title, about) = (title.to_owned(), about.to_owned());
        Self {
            id: Some(id.to_owned()),
            class,
            width,
            height,
            is_fluid: false,
            title,
            about,
            has_reachable: false,
            parts: Vec::new(),
        }
    }

    /// A decoration beside a text that says the same, such as a sample of a line in a legend.
    pub(crate) const fn decoration(class: &'static str, (width, height): (f64, f64)) -> Self {
        Self {
            id: None,
            class,
            width,
            height,
            is_fluid: false,
            title: String::new(),
            about: String::new(),
            has_reachable: false,
            parts: Vec::new(),
        }
    }

    /// It is as wide as there is room: places along its width are parts of it, and nothing is scaled.
    pub(crate) const fn fluid(mut self) -> Self {
        self.is_fluid = true;
        self
    }

    /// It has parts that are [`Element::reachable`].
    pub(crate) const fn explorable(mut self) -> Self {
        self.has_reachable = true;
        self
    }

    /// Makes room below.
    pub(crate) fn taller(&mut self, by: f64) {
        self.height += by;
    }

    /// Adds a part, above those before it.
    pub(crate) fn add(&mut self, part: Element) {
        self.parts.push(part);
    }

    /// For the inside of a page, which has the style.
    pub(crate) fn inside(&self) -> Svg {
        self.within("")
    }

    /// The same with rules of its own, such as what a part does to others while it is pointed at. Texts from outside are no rules.
    pub(crate) fn within(&self, rules: &str) -> Svg {
        let mut text = String::new();
        self.root(Element::root(), rules).write(&mut text);
        Svg(text)
    }

    /// A file of its own, with this style.
    pub(crate) fn alone(&self, style: &str) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let root = Element::root().set("xmlns", "http://www.w3.org/2000/svg");
        self.root(root, style).write(&mut text);
        text.push('\n');
        text
    }

    /// HTML knows the namespace by the element's name; a file has to say it.
    fn root(&self, root: Element, rules: &str) -> Element {
        let (width, height) = (number(self.width), number(self.height));
        let mut root = root.class(self.class);
        root = if self.is_fluid {
            root.set("width", "100%")
        } else {
            root.set("viewBox", &format!("0 0 {width} {height}")).set("width", &width)
        };
        root = root.set("height", &height);
        root = match &self.id {
            None => root.silent(),
            Some(id) => {
                let (title, about) = (format!("{id}-title"), format!("{id}-about"));
                root.set("role", if self.has_reachable { "group" } else { "img" })
                    .set("aria-labelledby", &title)
                    .set("aria-describedby", &about)
                    .with(Element::described("title", &title, &self.title))
                    .with(Element::described("desc", &about, &self.about))
            }
        };
        if !rules.is_empty() {
            root = root.with(Element::style(rules));
        }
        root.all(self.parts.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::record::EVIL;
    use super::super::Path;
    use super::*;

    fn hostile() -> Drawing {
        let mut drawing = Drawing::new(("map", "map"), (100.0, 50.04), EVIL, EVIL).explorable();
        drawing.add(
            Element::group()
                .reachable(EVIL)
                .class(EVIL)
                .titled(EVIL)
                .with(Element::text(1.0, 2.0, EVIL).end().with(Element::span(EVIL)))
                .with(Element::rect(0.0, 0.0, 10.0, f64::NAN).rounded(2.0)),
        );
        drawing.add(Element::path(&Path::from(0.0, 0.0).line(1.0, 1.0)).stroke(1.25));
        drawing
    }

    #[test]
    fn names_of_attackers_stay_text_in_a_drawing() {
        for text in [hostile().inside().to_string(), hostile().alone("text { fill: red; }")] {
            for part in
                ["<script", "<img", "</style>&", "\u{1b}", "\u{202e}", "onerror=\"", "x onerror=alert(1)>"]
            {
                assert!(!text.contains(part), "{part}: {text}");
            }
            let tags: Vec<&str> = text
                .split('<')
                .skip(1)
                .filter_map(|rest| rest.split([' ', '>', '/', '?']).next())
                .filter(|tag| !tag.is_empty())
                .collect();
            let known = ["svg", "title", "desc", "style", "g", "text", "tspan", "rect", "path", "xml"];
            assert!(tags.iter().all(|tag| known.contains(tag)), "{tags:?}");
            // What is left of them is between quotes or tags.
            assert_eq!(text.matches('"').count() % 2, 0);
        }
    }

    #[test]
    fn a_drawing_says_what_it_is() {
        let text = hostile().inside().to_string();
        let begin = "<svg class=\"map\" viewBox=\"0 0 100 50\" width=\"100\" height=\"50\" \
            role=\"group\" aria-labelledby=\"map-title\" aria-describedby=\"map-about\"><title id=\"map-title\">";
        assert!(text.starts_with(begin), "{text}");
        assert!(!text.contains(" style=") && !text.contains(" fill="), "colours are the style sheet's");
        let decoration = Drawing::decoration("swatch", (10.0, 10.0)).inside().to_string();
        assert!(decoration.contains("aria-hidden=\"true\"") && !decoration.contains("role="), "{decoration}");
    }

    /// An element is what its content says: without any it is closed at once.
    #[test]
    fn a_drawing_alone_has_its_own_style() {
        let mut drawing = Drawing::decoration("swatch", (10.0, 10.0));
        drawing.add(Element::circle(1.0, 2.0, 3.0).silent());
        drawing.add(Element::line((0.0, 0.0), (5.0, 5.0)).class("a"));
        let text = drawing.alone("circle{r:1}");
        assert!(
            text.starts_with(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
            ),
            "{text}"
        );
        assert!(
            text.contains(
                "<style>circle{r:1}</style><circle cx=\"1\" cy=\"2\" r=\"3\" aria-hidden=\"true\"/>"
            )
        );
        assert!(text.ends_with("<line x1=\"0\" y1=\"0\" x2=\"5\" y2=\"5\" class=\"a\"/></svg>\n"), "{text}");
    }
}
