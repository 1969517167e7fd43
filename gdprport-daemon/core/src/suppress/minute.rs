//! Minutes, counted from the first event in each.

use jiff::{SignedDuration, Timestamp};

/// What a rate refers to, and how long a period of a group that is summed up takes at first.
pub(super) const MINUTE: SignedDuration = SignedDuration::from_secs(60);

/// True if a minute that began at `since` is over, or the clock was set back by more than that: counts must not wait until
/// it is there again.
#[inline]
pub(super) fn is_over(since: Timestamp, now: Timestamp) -> bool {
    let elapsed = now.duration_since(since);
    elapsed >= MINUTE || elapsed < -MINUTE
}

/// Events of this minute and of the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Minute {
    since: Timestamp,
    /// All that happened.
    offered: u64,
    /// Of the minute before.
    before: u64,
    /// Of this minute those that were sent one by one.
    pub(super) sent: u32,
}

impl Minute {
    pub(super) const fn new(since: Timestamp) -> Self {
        Self { since, offered: 0, before: 0, sent: 0 }
    }

    /// Moves on to the minute of `now`.
    #[inline]
    pub(super) fn roll(&mut self, now: Timestamp) {
        if is_over(self.since, now) {
            let directly = now.duration_since(self.since) < MINUTE + MINUTE;
            *self = Self { before: if directly { self.offered } else { 0 }, ..Self::new(now) };
        }
    }

    /// Events happened, whether they are sent or not.
    #[inline]
    pub(super) fn offer(&mut self, events: u32, now: Timestamp) {
        self.roll(now);
        self.offered = self.offered.saturating_add(u64::from(events));
    }

    /// True if in this minute and the one before at most so many happened.
    pub(super) const fn is_calm(&self, most: u64) -> bool {
        self.offered <= most && self.before <= most
    }
}
