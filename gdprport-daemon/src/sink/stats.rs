//! The counters of a sink.

use std::borrow::Cow;
use std::fmt;

use gdprport_core::event::SinkCounts;
use jiff::Timestamp;

/// Why a sink lost an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum DropReason {
    /// The queue was full: the destination is slower than the events come.
    QueueFull,
    /// The destination refused it: disk full, no such socket, …
    IoError,
    /// The destination is gone for good: the reader of the pipe, the client.
    Closed,
    /// It was still waiting when the daemon had to end; it may yet have been written in part.
    Deadline,
}

impl DropReason {
    pub(crate) const ALL: [Self; 4] = [Self::QueueFull, Self::IoError, Self::Closed, Self::Deadline];

    /// The stable identifier used in events, tables and metrics.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue-full",
            Self::IoError => "io-error",
            Self::Closed => "closed",
            Self::Deadline => "deadline",
        }
    }
}

/// That somebody may read or change what is written and should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exposed {
    /// Who may do what.
    pub found: String,
    /// The command that mends it.
    pub remedy: String,
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` mends it", self.found, self.remedy)
    }
}

/// What a spool holds, and what was removed from it since the daemon started, for want of room or by age.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Spooled {
    /// Events that a reader can get.
    pub(crate) records: u64,
    /// Bytes of its files, and how many there may be.
    pub(crate) bytes: u64,
    pub(crate) max_bytes: u64,
    /// When its oldest file was begun.
    pub(crate) oldest: Option<Timestamp>,
    /// Ordinary events that were removed.
    pub(crate) removed: u64,
    /// Events that were removed although they are kept longest.
    pub(crate) removed_kept: u64,
}

/// A snapshot of the counters of a sink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkStats {
    /// The counts, as they stand in a `coverage` event. Reasons that never happened are left out.
    pub counts: SinkCounts,
    /// Bytes written out whole.
    pub bytes: u64,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Who may read or change what is written and should not.
    pub(crate) exposed: Option<Exposed>,
    /// Of a spool: what it holds.
    pub(crate) spooled: Option<Spooled>,
    /// Whether the destination is gone for good.
    pub closed: bool,
    /// Of what was dropped, `coverage` events: an event that reports a loss and is lost itself is no news.
    pub coverage_dropped: u64,
}

/// The counts themselves; kept behind the lock of what they count, so that every snapshot adds up.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) received: u64,
    pub(super) delivered: u64,
    pub(super) bytes: u64,
    pub(super) last_error: Option<String>,
    pub(super) exposed: Option<Exposed>,
    pub(super) spooled: Option<Spooled>,
    pub(super) coverage_dropped: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl Counters {
    pub(super) const fn drop(&mut self, reason: DropReason, events: u64) {
        self.dropped[reason as usize] += events;
    }

    /// `queued` is what the queue itself holds, so that a mistake can break the conservation law, and
    /// checking it says something.
    pub(super) fn snapshot(&self, name: Cow<'static, str>, queued: u64, closed: bool) -> SinkStats {
        let dropped = DropReason::ALL
            .into_iter()
            .filter(|&reason| self.dropped[reason as usize] > 0)
            .map(|reason| (Cow::Borrowed(reason.as_str()), self.dropped[reason as usize]))
            .collect();
        SinkStats {
            counts: SinkCounts { name, received: self.received, delivered: self.delivered, queued, dropped },
            bytes: self.bytes,
            last_error: self.last_error.clone(),
            exposed: self.exposed.clone(),
            spooled: self.spooled,
            closed,
            coverage_dropped: self.coverage_dropped,
        }
    }
}
