//! Events on their way out together, shared by all sinks.

use gdprport_core::event::Event;

/// Lines of NDJSON, each one event, and the events themselves where a sink wants those.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    lines: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
    /// As many as lines, or none.
    events: Vec<Event>,
    /// Whether it is a `coverage` event, alone, or sums of what one sink has lost.
    reports_losses: bool,
}

impl Batch {
    /// An empty one with room for as many bytes of lines.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self { lines: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Adds a line, ended by a line feed.
    pub(super) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.lines);
        self.ends.push(self.lines.len());
    }

    /// Keeps the event of the line that was added last.
    pub(super) fn keep(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Notes that its lines report losses.
    pub(super) fn mark(&mut self) {
        self.reports_losses = true;
    }

    /// Whether it reports losses: a full queue has a few places for that.
    pub(super) const fn reports_losses(&self) -> bool {
        self.reports_losses
    }

    /// What was added since it had so many bytes.
    pub(super) fn since(&self, begin: usize) -> &[u8] {
        &self.lines[begin..]
    }

    /// Forgets its events and keeps its memory.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
        self.ends.clear();
        self.events.clear();
        self.reports_losses = false;
    }

    /// Takes the events out into memory of just their size.
    pub(super) fn take_small(&mut self) -> Self {
        let small = Self {
            lines: self.lines.as_slice().into(),
            ends: self.ends.as_slice().into(),
            events: std::mem::take(&mut self.events),
            reports_losses: self.reports_losses,
        };
        self.clear();
        small
    }

    #[must_use]
    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub(crate) const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all lines.
    pub(super) const fn bytes(&self) -> usize {
        self.lines.len()
    }

    /// The first lines, each ended by a line feed.
    #[must_use]
    pub(crate) fn lines(&self, count: usize) -> &[u8] {
        let end = count.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.lines[..end]
    }

    /// Where the lines end.
    #[must_use]
    pub(crate) fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// One line, ended by a line feed.
    #[must_use]
    pub(crate) fn line(&self, index: usize) -> &[u8] {
        &self.lines(index + 1)[self.lines(index).len()..]
    }

    /// The events; none unless a sink of the fanout wants them.
    #[must_use]
    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }
}
