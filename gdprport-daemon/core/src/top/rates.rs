//! Rates from counters that are read again and again: over restarts of the daemon, and over counters that fall.

use std::collections::VecDeque;

use crate::figures::thousands;

/// How long a reading is kept, in milliseconds: a little more than a minute, over which bytes are averaged.
const KEPT_MS: u64 = 65_000;

/// Readings that are kept: two a second.
const MOST: usize = 130;

/// Less time than this between two readings makes no rate, in milliseconds.
const LEAST_MS: u64 = 500;

/// What is counted. Each only grows as long as one daemon runs, but for bytes of flows that leave a full table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that began: opened, counted in an overload, or failed.
    pub began: u64,
    /// Violations.
    pub violations: u64,
    /// Bytes both ways, as far as they were read.
    pub bytes: u64,
}

/// So many a second, in tenths, rounded down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tenths(pub u64);

impl Tenths {
    /// Of so many in so many milliseconds, which are not 0.
    fn of(count: u64, ms: u64) -> Self {
        let tenths = u128::from(count) * 10_000 / u128::from(ms.max(1));
        // What happened at all is not shown as nothing.
        Self(u64::try_from(tenths).unwrap_or(u64::MAX).max(u64::from(count > 0)))
    }

    /// Whole ones, rounded down.
    #[must_use]
    pub const fn whole(self) -> u64 {
        self.0 / 10
    }

    /// `0`, `0.3`, `9.9`, `12`, `1,204`.
    #[must_use]
    pub fn text(self) -> String {
        match self.0 {
            0 => "0".to_owned(),
            tenths @ 1..100 => format!("{}.{}", tenths / 10, tenths % 10),
            tenths => thousands(tenths / 10),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at_ms: u64,
    counts: Counts,
}

/// Readings of one thing, such as a port, and the rates that follow.
#[derive(Debug, Default)]
pub struct Rates {
    /// Which daemon counts: when it began, for example.
    run: i64,
    readings: VecDeque<Reading>,
}

impl Rates {
    /// Takes a reading of the counters of a run at a time of a clock that does not jump, in milliseconds. After another run's,
    /// after a time that lies before the last one, and when what only grows has fallen it begins anew: nothing is known of
    /// what happened between.
    pub fn read(&mut self, run: i64, at_ms: u64, counts: Counts) {
        let fits = self.readings.back().is_none_or(|last| {
            let grew = counts.began >= last.counts.began && counts.violations >= last.counts.violations;
            run == self.run && at_ms >= last.at_ms && grew
        });
        if !fits {
            self.readings.clear();
        }
        self.run = run;
        self.readings.push_back(Reading { at_ms, counts });
        while self.readings.len() > MOST
            || self.readings.front().is_some_and(|first| first.at_ms.saturating_add(KEPT_MS) < at_ms)
        {
            self.readings.pop_front();
        }
    }

    /// How much came a second, on average over the last readings that span at most `window_ms`. `None`: not known yet, for there
    /// are no two readings half a second apart; or it fell.
    #[must_use]
    pub fn per_second(&self, window_ms: u64, of: fn(&Counts) -> u64) -> Option<Tenths> {
        let last = self.readings.back()?;
        let within = |reading: &&Reading| reading.at_ms.saturating_add(window_ms) >= last.at_ms;
        let first = self.readings.iter().find(within)?;
        // Readings that come late would leave none but the last within a short window.
        let before = self.readings.len().checked_sub(2).and_then(|index| self.readings.get(index))?;
        let first = if first.at_ms > before.at_ms { before } else { first };
        let ms = last.at_ms - first.at_ms;
        let count = of(&last.counts).checked_sub(of(&first.counts))?;
        (ms >= LEAST_MS).then(|| Tenths::of(count, ms))
    }
}
