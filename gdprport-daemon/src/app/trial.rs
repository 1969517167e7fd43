//! A policy on trial: it gives way to the one before by itself, unless it is confirmed.
//!
//! Belongs here: what is kept meanwhile, and until when. What is confirmed is written to its file by who confirms it and read
//! from there: a reload ends every trial. A daemon that ends takes its trial with it, as the next one reads the files.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::policy::Loaded;
use crate::control::api::{ReloadReply, TrialStatus};

/// What a trial was asked for with.
#[derive(Debug)]
pub(super) struct Terms {
    /// The file whose text is on trial.
    pub file: String,
    /// How long it lasts.
    pub within: Duration,
}

/// Who waits for the reply to that.
#[derive(Debug)]
pub(super) struct Asked {
    pub terms: Terms,
    pub to: oneshot::Sender<ReloadReply>,
}

/// A trial.
#[derive(Debug)]
pub(super) struct Trial {
    file: String,
    until: Timestamp,
    /// The same by the clock since boot, which nobody sets.
    until_ns: u64,
    before: Loaded,
}

impl Trial {
    /// Begins one now. `before` comes back when it ends.
    #[must_use]
    pub(super) fn begin(terms: Terms, before: Loaded, now: Timestamp, now_ns: u64) -> Self {
        let Terms { file, within } = terms;
        let until = SignedDuration::try_from(within).ok().and_then(|within| now.checked_add(within).ok());
        let within_ns = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        Self { file, until: until.unwrap_or(now), until_ns: now_ns.saturating_add(within_ns), before }
    }

    /// Whether it is over.
    #[must_use]
    pub(super) const fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.until_ns
    }

    /// When it gives way.
    #[must_use]
    pub(super) const fn until(&self) -> Timestamp {
        self.until
    }

    /// The same in nanoseconds of `CLOCK_BOOTTIME`.
    #[must_use]
    pub(super) const fn until_ns(&self) -> u64 {
        self.until_ns
    }

    /// What comes back.
    #[must_use]
    pub(super) fn end(self) -> Loaded {
        self.before
    }

    /// How it stands.
    #[must_use]
    pub(super) fn status(&self, now_ns: u64) -> TrialStatus {
        TrialStatus {
            until: self.until,
            left_s: Duration::from_nanos(self.until_ns.saturating_sub(now_ns)).as_secs(),
            before: self.before.policy.digest().to_owned(),
            file: self.file.clone(),
        }
    }
}
