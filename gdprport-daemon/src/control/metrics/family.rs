//! A metric with everything that it says at one moment: its name, what it means, its labels and values.
//!
//! Does not belong here: how that is written (`render`).

use gdprport_core::text::is_control_or_bidi;

/// The most characters of a label's value. Names of ports are shorter; the path of a file need not be.
const LABEL_MAX: usize = 128;

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// It only grows, until the process starts again; its name ends in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Always 1: the labels are what it says; its name ends in `_info`.
    Info,
}

impl Type {
    /// As the documentation names it.
    #[cfg(test)]
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
        }
    }
}

/// A number, in the unit that ends the metric's name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<jiff::Timestamp> for Value {
    /// Seconds since 1970.
    fn from(at: jiff::Timestamp) -> Self {
        Self::Real(at.as_microsecond() as f64 / 1e6)
    }
}

impl Value {
    /// Seconds.
    #[must_use]
    pub(crate) fn seconds(ns: u64) -> Self {
        Self::Real(ns as f64 / 1e9)
    }
}

/// One value, with the values of the labels in the order of their names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(super) labels: Vec<String>,
    pub(super) value: Value,
}

/// The samples of one metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Samples(pub(super) Vec<Sample>);

/// A metric.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Family {
    /// As it is asked for, with the unit and `_total` or `_info`.
    pub(crate) name: &'static str,
    pub(crate) kind: Type,
    /// The names of its labels.
    pub(crate) labels: &'static [&'static str],
    /// What it counts or measures, in one sentence.
    pub(crate) help: &'static str,
    pub(super) samples: Samples,
}

impl Samples {
    /// One value without labels.
    #[must_use]
    pub(crate) fn one(value: impl Into<Value>) -> Self {
        Self::default().with([], value)
    }

    /// A value without labels if there is one.
    #[must_use]
    pub(crate) fn maybe(value: Option<impl Into<Value>>) -> Self {
        value.map(Self::one).unwrap_or_default()
    }

    /// One value for each of some labels.
    #[must_use]
    pub(crate) fn by<'l, V: Into<Value>>(values: impl IntoIterator<Item = (&'l str, V)>) -> Self {
        values.into_iter().fold(Self::default(), |samples, (label, value)| samples.with([label], value))
    }

    /// Adds a value.
    #[must_use]
    pub(crate) fn with<const N: usize>(mut self, labels: [&str; N], value: impl Into<Value>) -> Self {
        self.add(labels, value);
        self
    }

    /// The same, in place.
    pub(crate) fn add<const N: usize>(&mut self, labels: [&str; N], value: impl Into<Value>) {
        let labels = labels.into_iter().map(label).collect();
        self.0.push(Sample { labels, value: value.into() });
    }
}

impl Family {
    /// A number that only grows.
    pub(crate) fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        samples: Samples,
    ) -> Self {
        Self { name, kind: Type::Counter, labels, help, samples }
    }

    /// A number that goes up and down.
    pub(crate) fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        samples: Samples,
    ) -> Self {
        Self { name, kind: Type::Gauge, labels, help, samples }
    }

    /// Something that is said by labels.
    pub(crate) fn info<const N: usize>(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        values: [&str; N],
    ) -> Self {
        Self { name, kind: Type::Info, labels, help, samples: Samples::default().with(values, 1_u64) }
    }
}

/// Text as the value of a label: bounded, and without characters that steer a terminal.
fn label(text: &str) -> String {
    let shown = |c: char| if is_control_or_bidi(c) { '\u{fffd}' } else { c };
    let mut chars = text.chars().map(shown);
    let mut label: String = chars.by_ref().take(LABEL_MAX).collect();
    if chars.next().is_some() {
        label.pop();
        label.push('…');
    }
    label
}
