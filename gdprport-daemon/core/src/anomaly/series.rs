//! Numbers by hour, and which hours were watched. Dense, so that an hour is found by its place; a bound of the caller's holds
//! their length.

use super::hour::Hour;

/// Hours from the first to the last that anything is known of, at most: four years. Those before are left out.
const MOST: i64 = 4 * 366 * 24;

/// Which hours of a port were watched from begin to end without a loss: only these are samples.
#[derive(Debug, Clone)]
pub struct Watched {
    first: Hour,
    whole: Vec<bool>,
}

impl Watched {
    /// Of these hours, up to the last that is over: an hour that goes on, or that a wrong clock has put into the future, is none.
    pub fn new(whole: impl IntoIterator<Item = Hour>, now: Hour) -> Self {
        let hours: Vec<Hour> =
            whole.into_iter().filter(|hour| *hour < now && now.since(*hour) <= MOST).collect();
        let first = hours.iter().copied().min().unwrap_or(now);
        let mut dense = vec![false; usize::try_from(now.since(first)).unwrap_or(0)];
        for hour in hours {
            if let Some(place) = place(first, hour).and_then(|place| dense.get_mut(place)) {
                *place = true;
            }
        }
        Self { first, whole: dense }
    }

    /// The first hour that was watched as a whole; the end if there is none.
    #[must_use]
    pub const fn first(&self) -> Hour {
        self.first
    }

    /// The hour after the last that is over.
    #[must_use]
    pub fn end(&self) -> Hour {
        self.first.plus(i64::try_from(self.whole.len()).unwrap_or(i64::MAX))
    }

    /// Whether an hour was watched from begin to end.
    #[must_use]
    pub fn is_whole(&self, hour: Hour) -> bool {
        place(self.first, hour).and_then(|place| self.whole.get(place)).is_some_and(|whole| *whole)
    }
}

/// What moved by hour; nothing where nothing is known.
#[derive(Debug, Clone, Default)]
pub struct Moved {
    first: Option<Hour>,
    amounts: Vec<u64>,
}

impl Moved {
    /// Of these hours, as far as they are over and no older than is compared. What stands twice is added up.
    pub fn new(amounts: impl IntoIterator<Item = (Hour, u64)>, now: Hour) -> Self {
        let amounts: Vec<(Hour, u64)> =
            amounts.into_iter().filter(|(hour, _)| *hour < now && now.since(*hour) <= MOST).collect();
        let Some(first) = amounts.iter().map(|(hour, _)| *hour).min() else { return Self::default() };
        let mut dense = vec![0_u64; usize::try_from(now.since(first)).unwrap_or(0)];
        for (hour, amount) in amounts {
            if let Some(sum) = place(first, hour).and_then(|place| dense.get_mut(place)) {
                *sum = sum.saturating_add(amount);
            }
        }
        Self { first: Some(first), amounts: dense }
    }

    /// How much in an hour.
    #[must_use]
    pub fn at(&self, hour: Hour) -> u64 {
        let place = self.first.and_then(|first| place(first, hour));
        place.and_then(|place| self.amounts.get(place)).copied().unwrap_or(0)
    }

    /// The first hour in which anything moved.
    #[must_use]
    pub fn first(&self) -> Option<Hour> {
        let place = self.amounts.iter().position(|amount| *amount > 0)?;
        Some(self.first?.plus(i64::try_from(place).ok()?))
    }
}

fn place(first: Hour, hour: Hour) -> Option<usize> {
    usize::try_from(hour.since(first)).ok()
}
