//! What an hour is compared with: the samples of its bucket, their median and deviation, and what happened at other times.

use super::hour::Hour;
use super::rule::Rule;
use super::series::{Moved, Watched};

/// What makes the median absolute deviation of a normal distribution its standard deviation.
const MAD: f64 = 1.482_6;

/// Which samples an hour was compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// The same hour of the week.
    Week,
    /// The same hour of the day.
    Day,
    /// Any hour.
    All,
}

impl Bucket {
    /// In the order in which they are tried.
    const ALL: [Self; 3] = [Self::Week, Self::Day, Self::All];

    fn has(self, hour: Hour, other: Hour) -> bool {
        match self {
            Self::Week => hour.of_week() == other.of_week(),
            Self::Day => hour.of_day() == other.of_day(),
            Self::All => true,
        }
    }

    /// Hours between two of its samples.
    const fn step(self) -> i64 {
        match self {
            Self::Week => 168,
            Self::Day => 24,
            Self::All => 1,
        }
    }
}

/// An hour that exceeds what it is compared with, and the numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What it moved.
    pub amount: u64,
    /// Which samples it was compared with.
    pub bucket: Bucket,
    /// How many.
    pub samples: usize,
    /// The least of them.
    pub least: u64,
    /// The median of them.
    pub median: u64,
    /// The most of them.
    pub most: u64,
    /// The deviation of their logarithms that counted: 1.4826 × MAD, or the least that there is.
    pub deviation: f64,
    /// From how much on it was unusual.
    pub limit: u64,
    /// The most in any hour of the window, whenever.
    pub record: u64,
}

impl Comparison {
    /// How many times the limit it was.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio needs no more than 52 bits")]
    pub fn excess(&self) -> f64 {
        self.amount as f64 / self.limit.max(1) as f64
    }
}

/// What a series was before an hour.
pub(super) struct Before<'a> {
    pub rule: &'a Rule,
    pub watched: &'a Watched,
    pub moved: &'a Moved,
    /// The first hour that may be compared with.
    pub from: Hour,
    /// The hour after the last.
    pub to: Hour,
}

impl Before<'_> {
    /// Compares an hour; `None`: it is usual, or there is nothing to compare it with.
    pub(super) fn compare(&self, hour: Hour, least: u64) -> Option<Comparison> {
        let (rule, amount) = (self.rule, self.moved.at(hour));
        if amount < least.max(1) {
            return None;
        }
        let (bucket, mut samples) = Bucket::ALL
            .into_iter()
            .zip(rule.samples)
            .map(|(bucket, enough)| (bucket, self.samples(bucket, hour), enough))
            .find(|(_, samples, enough)| samples.len() >= (*enough).max(1))
            .map(|(bucket, samples, _)| (bucket, samples))?;
        samples.sort_unstable();
        let median = middle(&samples);
        let expected = |deviation: f64| power(rule.deviations.mul_add(deviation, logarithm(median)));
        // Most hours end here.
        if amount <= expected(rule.least_deviation) {
            return None;
        }
        let deviation = deviation(&samples).max(rule.least_deviation);
        let expected = expected(deviation);
        if amount <= expected {
            return None;
        }
        let before = self.happened(hour, bucket);
        let limit = expected.max(before.saturating_mul(rule.over)).max(least);
        (amount >= limit).then(|| Comparison {
            amount,
            bucket,
            samples: samples.len(),
            least: samples.first().copied().unwrap_or(0),
            median,
            most: samples.last().copied().unwrap_or(0),
            deviation,
            limit,
            record: self.hours().map(|hour| self.moved.at(hour)).max().unwrap_or(0),
        })
    }

    fn hours(&self) -> impl Iterator<Item = Hour> {
        let from = self.from;
        (0..self.to.since(from).max(0)).map(move |hours| from.plus(hours))
    }

    /// The whole watched hours of a bucket.
    fn samples(&self, bucket: Bucket, hour: Hour) -> Vec<u64> {
        let step = bucket.step();
        let last = self.to.plus(-1);
        // The last hour before the end that is in the bucket.
        let back = last.since(hour).rem_euclid(step);
        let count = last.plus(-back).since(self.from).div_euclid(step).max(-1) + 1;
        (0..count)
            .map(|steps| last.plus(-back - steps * step))
            .filter(|other| bucket.has(hour, *other) && self.watched.is_whole(*other))
            .map(|other| self.moved.at(other))
            .collect()
    }

    /// How much has happened before, so that it can again: at such a time, an hour earlier or later counts too (summer time, a job
    /// that began late), or at a time at which it is not regular. What a job moves at its own time says nothing of other times. Of
    /// hours that were watched in part too: what they moved has happened.
    fn happened(&self, hour: Hour, bucket: Bucket) -> u64 {
        let medians = (bucket == Bucket::Week).then(|| self.medians());
        let counts = |other: Hour| {
            let Some(medians) = &medians else { return true };
            let near = (-1..=1).any(|hours| hour.of_week() == other.plus(hours).of_week());
            let usual = (-1..=1).filter_map(|hours| medians[other.plus(hours).of_week()]).max();
            near || usual.is_none_or(|usual| self.moved.at(other) > usual.saturating_mul(self.rule.regular))
        };
        let mut days: Vec<(i64, u64)> = Vec::new();
        for other in self.hours() {
            let amount = self.moved.at(other);
            if amount == 0 || !counts(other) {
                continue;
            }
            // Days are counted back from the end.
            let day = self.to.plus(-1).since(other).div_euclid(24);
            match days.last_mut().filter(|(known, _)| *known == day) {
                Some((_, most)) => *most = (*most).max(amount),
                None => days.push((day, amount)),
            }
        }
        let mut most: Vec<u64> = days.into_iter().map(|(_, most)| most).collect();
        most.sort_unstable_by(|a, b| b.cmp(a));
        most.get(self.rule.habit.saturating_sub(1)).copied().unwrap_or(0)
    }

    /// The median of each hour of the week that has samples enough.
    fn medians(&self) -> Vec<Option<u64>> {
        let mut samples = vec![Vec::new(); Hour::WEEK];
        for hour in self.hours().filter(|hour| self.watched.is_whole(*hour)) {
            samples[hour.of_week()].push(self.moved.at(hour));
        }
        let enough = self.rule.samples[0].max(1);
        let median = |mut of: Vec<u64>| {
            of.sort_unstable();
            (of.len() >= enough).then(|| middle(&of))
        };
        samples.into_iter().map(median).collect()
    }
}

/// The middle of sorted values; of an even number the lower one, so that half of nothing is nothing.
fn middle(sorted: &[u64]) -> u64 {
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

/// 1.4826 × the median distance from the median, of logarithms.
fn deviation(sorted: &[u64]) -> f64 {
    let centre = logarithm(middle(sorted));
    let mut distances: Vec<f64> = sorted.iter().map(|value| (logarithm(*value) - centre).abs()).collect();
    distances.sort_by(f64::total_cmp);
    MAD * distances.get(distances.len() / 2).copied().unwrap_or(0.0)
}

/// The logarithm of one more, so that an hour without anything has one.
#[expect(clippy::cast_precision_loss, reason = "a logarithm needs no more than 52 bits")]
fn logarithm(amount: u64) -> f64 {
    (amount as f64).ln_1p()
}

/// What has this logarithm, rounded up; the largest number if it is larger.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a float saturates")]
fn power(logarithm: f64) -> u64 {
    logarithm.exp_m1().ceil() as u64
}
