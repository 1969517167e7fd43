//! What a target says of the events that it was asked to write.

/// What became of the events that a target was asked to write.
#[derive(Debug)]
pub(super) struct Report {
    /// How many were written out whole; the others are lost.
    pub(super) delivered: usize,
    pub(super) bytes: usize,
    /// Which were not, in order, where these are not simply the last ones.
    pub(super) skipped: Vec<usize>,
    /// Why the others were not.
    pub(super) failure: Option<Failure>,
}

impl Report {
    /// None was written.
    pub(super) const fn none(failure: Failure) -> Self {
        Self { delivered: 0, bytes: 0, skipped: Vec::new(), failure: Some(failure) }
    }
}

/// Why events were not written.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may work again later.
    Io(String),
    /// It never will.
    Closed(String),
}

#[cfg(test)]
impl Failure {
    /// The reason.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Io(text) | Self::Closed(text) => text,
        }
    }
}
