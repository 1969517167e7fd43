//! Lines, and how numbers are written.

/// A coordinate or a length: at most one digit after the point. What is no number is 0.
pub(super) fn number(value: f64) -> String {
    let tenths = (value * 10.0).round();
    if !tenths.is_finite() || tenths == 0.0 {
        return "0".to_owned();
    }
    format!("{}", tenths / 10.0)
}

/// The line of a path element.
#[derive(Debug, Clone, Default)]
pub(crate) struct Path(String);

impl Path {
    /// Begins at a point.
    pub(crate) fn from(x: f64, y: f64) -> Self {
        let mut path = Self::default();
        path.put('M', &[x, y]);
        path
    }

    /// Goes on at another point, without a line.
    pub(crate) fn to(mut self, x: f64, y: f64) -> Self {
        self.put('M', &[x, y]);
        self
    }

    /// A straight line to a point.
    pub(crate) fn line(mut self, x: f64, y: f64) -> Self {
        self.put('L', &[x, y]);
        self
    }

    /// A curve (cubic Bézier) to `to`, by two points that pull it.
    pub(crate) fn curve(mut self, first: (f64, f64), second: (f64, f64), to: (f64, f64)) -> Self {
        self.put('C', &[first.0, first.1, second.0, second.1, to.0, to.1]);
        self
    }

    /// A bar from one height to another, so wide to the right.
    pub(crate) fn bar(mut self, x: f64, (from, to): (f64, f64), width: f64) -> Self {
        // In few characters, as a page has thousands of them.
        self.put('M', &[x, from]);
        self.put('V', &[to]);
        self.put('h', &[width]);
        self.put('V', &[from]);
        self.close()
    }

    /// An upright line from one height to another.
    pub(crate) fn upright(mut self, x: f64, (from, to): (f64, f64)) -> Self {
        self.put('M', &[x, from]);
        self.put('V', &[to]);
        self
    }

    /// Whether there is nothing to draw.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Back to where it began.
    pub(crate) fn close(mut self) -> Self {
        self.0.push('Z');
        self
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    fn put(&mut self, command: char, numbers: &[f64]) {
        self.0.push(command);
        for (at, value) in numbers.iter().enumerate() {
            if at > 0 {
                self.0.push(' ');
            }
            self.0.push_str(&number(*value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_always_numbers() {
        let all = [1.0, -0.04, 0.05, 12.345, -7.25, f64::NAN, f64::INFINITY, 1e6];
        assert_eq!(all.map(number), ["1", "0", "0.1", "12.3", "-7.3", "0", "0", "1000000"]);
    }

    #[test]
    fn a_path_is_written_as_svg_reads_it() {
        let path = Path::from(0.0, 1.5).line(10.0, 1.5).curve((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)).close();
        assert_eq!(path.text(), "M0 1.5L10 1.5C1 2 3 4 5 6Z");
        let path = Path::default().bar(1.0, (9.0, 2.5), 3.0).upright(7.0, (0.0, 4.0));
        assert_eq!(path.text(), "M1 9V2.5h3V9ZM7 0V4");
    }
}
