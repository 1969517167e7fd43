//! Where things are, in pixels and parts of the width.

use super::super::svg::{Along, Element, Path};
use gdprport_core::charts::{Tier, shortened, width};

/// Pixels left of an axis, for the labels of values.
pub(super) const GUTTER: f64 = 58.0;
/// Pixels of the axis in a file of its own.
pub(super) const WIDTH: f64 = 720.0;
/// Pixels at each edge of a file.
const EDGE: f64 = 8.0;
/// The size of labels, pixels.
pub(super) const SMALL: f64 = 11.0;
/// The size of names, pixels.
pub(super) const TEXT: f64 = 13.0;

const _: () = assert!(WIDTH >= 640.0, "a file is as wide as the widest page");

/// What a drawing is laid out in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    /// A page, which may have any width; else a file of its own.
    is_page: bool,
    /// Pixels left of the axis. Of a page they are the style sheet's margin.
    left: f64,
}

impl Frame {
    pub(super) const fn page(left: f64) -> Self {
        Self { is_page: true, left }
    }

    pub(super) const fn file(left: f64) -> Self {
        Self { is_page: false, left }
    }

    pub(super) const fn is_page(self) -> bool {
        self.is_page
    }

    /// A place on the axis.
    pub(super) fn at(self, part: f64) -> Along {
        if self.is_page {
            Along::Part(part)
        } else {
            Along::Pixels(Self::from_edge(WIDTH.mul_add(part, self.left)))
        }
    }

    /// A length along the axis.
    pub(super) fn length(self, part: f64) -> Along {
        if self.is_page { Along::Part(part) } else { Along::Pixels(WIDTH * part) }
    }

    /// A band of paths, from `top` on.
    pub(super) const fn band(self, top: f64, height: f64) -> Band {
        Band { frame: self, top, height }
    }

    /// The width of a file.
    pub(super) fn width(self) -> f64 {
        self.left + WIDTH + EDGE + EDGE
    }

    /// Pixels of a file, from its content's left edge.
    pub(super) const fn from_edge(pixels: f64) -> f64 {
        EDGE + pixels
    }

    /// A name at the left edge and what is said of it at the right one: in few words, and where there is room in more. What is too
    /// long of the name is cut.
    pub(super) fn heading(
        self,
        y: f64,
        name: &str,
        (brief, full): (&str, &str),
        class: &str,
    ) -> Vec<Element> {
        let fit = |room: f64, said: &str| shortened(name, (room - 16.0) / TEXT - width(said));
        let pair = |name: &str, said: &str, on: &str| {
            let name = Element::label(self.at(0.0), -self.left, y, name);
            let is_silent = said.is_empty();
            let said = Element::label(self.at(1.0), 0.0, y, said).end();
            let name = name.class(&format!("name strong{on}"));
            if is_silent { vec![name] } else { vec![name, said.class(&format!("name {class}{on}"))] }
        };
        if !self.is_page {
            return pair(&fit(self.left + WIDTH, full), full, "");
        }
        // As wide as an axis and what is left of it.
        let narrow = fit(Tier::Least.least() + GUTTER, brief);
        let wide = fit(Tier::Wide.least() + GUTTER, full);
        if brief == full && narrow == wide {
            return pair(&wide, full, "");
        }
        let mut both = pair(&narrow, brief, " brief");
        both.extend(pair(&wide, full, " wide"));
        both
    }
}

/// A part of a drawing as wide as the axis, of paths: they know only pixels, so that of a page is stretched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band {
    frame: Frame,
    top: f64,
    height: f64,
}

impl Band {
    /// Units of the width of a page. A tenth of one is no part of a pixel.
    const ACROSS: f64 = 1_000.0;

    /// A bar at a part of the axis, so wide, from one height to another.
    pub(super) fn bar(self, path: Path, (at, wide): (f64, f64), (from, to): (f64, f64)) -> Path {
        path.bar(self.x(at), (self.y(from), self.y(to)), wide * self.across())
    }

    /// A line across all of its height.
    pub(super) fn upright(self, path: Path, at: f64) -> Path {
        path.upright(self.x(at), (self.y(self.top), self.y(self.top + self.height)))
    }

    /// All of its height, at a part of the axis.
    pub(super) fn whole(self, (at, wide): (f64, f64)) -> Path {
        self.bar(Path::default(), (at, wide), (self.top + self.height, self.top))
    }

    /// With these in it.
    pub(super) fn of(self, parts: impl IntoIterator<Item = Element>) -> Element {
        if self.frame.is_page {
            Element::stretched(self.top, Self::ACROSS, self.height).all(parts)
        } else {
            Element::group().all(parts)
        }
    }

    const fn across(self) -> f64 {
        if self.frame.is_page { Self::ACROSS } else { WIDTH }
    }

    fn x(self, at: f64) -> f64 {
        at.mul_add(self.across(), if self.frame.is_page { 0.0 } else { Frame::from_edge(self.frame.left) })
    }

    const fn y(self, y: f64) -> f64 {
        if self.frame.is_page { y - self.top } else { y }
    }
}

/// The class of what is shown at a width only.
pub(super) const fn at_width(tier: Tier) -> &'static str {
    match tier {
        Tier::Least => "at-least",
        Tier::Small => "at-small",
        Tier::Middle => "at-middle",
        Tier::Wide => "at-wide",
    }
}
