//! Parts of a drawing that is as wide as its page leaves it: places along its width are pixels or a part of the width, so that texts
//! and heights stay as they are at every width.

use super::element::Element;
use super::path::{Path, number};

/// A place or a length along the width of a drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Along {
    /// Pixels.
    Pixels(f64),
    /// A part of the width, from 0 to 1.
    Part(f64),
}

impl Along {
    fn text(self) -> String {
        match self {
            Self::Pixels(pixels) => number(pixels),
            // Two digits of a percent are a tenth of a pixel of a page.
            Self::Part(part) => {
                let hundredths = (part * 10_000.0).round();
                let percent = if hundredths.is_finite() { hundredths / 100.0 } else { 0.0 };
                // No `-0`.
                format!("{}%", percent + 0.0)
            }
        }
    }
}

impl Element {
    /// A rectangle.
    pub(crate) fn bar(x: Along, y: f64, width: Along, height: f64) -> Self {
        Self::named("rect")
            .set("x", &x.text())
            .set("y", &number(y))
            .set("width", &width.text())
            .set("height", &number(height))
    }

    /// Paths in a band as wide as the drawing: `across` of their units are the whole width, upwards they are pixels. It is stretched, so
    /// it is for what has neither texts nor round corners.
    pub(crate) fn stretched(top: f64, across: f64, height: f64) -> Self {
        Self::named("svg")
            .set("y", &number(top))
            .set("width", "100%")
            .set("height", &number(height))
            .set("viewBox", &format!("0 0 {} {}", number(across), number(height)))
            .set("preserveAspectRatio", "none")
    }

    /// A text on its baseline, so many pixels to the right of its place.
    pub(crate) fn label(x: Along, right: f64, y: f64, text: &str) -> Self {
        let label = Self::named("text").set("x", &x.text());
        let label = if right == 0.0 { label } else { label.set("dx", &number(right)) };
        label.set("y", &number(y)).containing(text)
    }

    /// A straight line.
    pub(crate) fn rule(from: (Along, f64), to: (Along, f64)) -> Self {
        Self::named("line")
            .set("x1", &from.0.text())
            .set("y1", &number(from.1))
            .set("x2", &to.0.text())
            .set("y2", &number(to.1))
    }

    /// A pattern, a square of so many pixels with a line of this class. It is drawn by [`Element::filled`] in any drawing of the page.
    pub(crate) fn pattern(id: &str, pixels: f64, line: &Path, class: &str) -> Self {
        Self::named("pattern")
            .set("id", id)
            .set("width", &number(pixels))
            .set("height", &number(pixels))
            .set("patternUnits", "userSpaceOnUse")
            .with(Self::path(line).class(class))
    }

    /// Filled with the pattern of this id.
    pub(crate) fn filled(self, pattern: &str) -> Self {
        self.set("fill", &format!("url(#{pattern})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_number_whatever_it_is_made_of() {
        let all = [0.0, 0.123_456, 1.0, -0.000_001, f64::NAN, f64::INFINITY];
        assert_eq!(all.map(|part| Along::Part(part).text()), ["0%", "12.35%", "100%", "0%", "0%", "0%"]);
        assert_eq!(Along::Pixels(1.26).text(), "1.3");
    }
}
