//! Medians and quartiles. Pure. Measurements on a shared machine have outliers, so there are no means.

use std::fmt;

/// Median and quartiles of measured values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
    pub(crate) count: usize,
}

impl Spread {
    /// Of values in any order; None if there are none.
    #[must_use]
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            low: at(&sorted, 0.25)?,
            median: at(&sorted, 0.5)?,
            high: at(&sorted, 0.75)?,
            count: sorted.len(),
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(3);
        write!(f, "{:.digits$} [{:.digits$}–{:.digits$}]", self.median, self.low, self.high)
    }
}

/// The quantile of sorted values, interpolated between two of them.
fn at(sorted: &[f64], part: f64) -> Option<f64> {
    let position = part * (sorted.len().checked_sub(1)?) as f64;
    let (below, above) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    Some(below + (above - below) * position.fract())
}

/// The result of one pair: a monitored round against the rounds without any monitor before and after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    /// Monitored, in relation to not monitored.
    pub(crate) ratio: f64,
    /// No other BPF programs were loaded meanwhile.
    pub(crate) clean: bool,
}

/// The clean pairs, if they are at least a third, otherwise all; and how many were left out.
#[must_use]
pub(crate) fn clean(pairs: &[Pair]) -> (Vec<f64>, usize) {
    let clean: Vec<f64> = pairs.iter().filter(|pair| pair.clean).map(|pair| pair.ratio).collect();
    let left_out = pairs.len() - clean.len();
    if clean.len() * 3 >= pairs.len().max(1) {
        (clean, left_out)
    } else {
        (pairs.iter().map(|pair| pair.ratio).collect(), 0)
    }
}

/// The pairs of a load on a watched port and on one that is not.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Pairs {
    pub(crate) watched: Vec<Pair>,
    pub(crate) unwatched: Vec<Pair>,
}

/// By how much each of `ours` is above the one of `theirs` from the same cycle; clean where both are.
#[must_use]
pub(crate) fn above(ours: &[Pair], theirs: &[Pair]) -> Vec<Pair> {
    let both = ours.iter().zip(theirs);
    both.map(|(ours, theirs)| Pair { ratio: ours.ratio - theirs.ratio, clean: ours.clean && theirs.clean })
        .collect()
}

/// Each of `ours` in relation to the one of `theirs` from the same cycle.
#[must_use]
pub(crate) fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).filter(|(_, theirs)| **theirs > 0.0).map(|(ours, theirs)| ours / theirs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_the_values_in_proportion() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).expect("there are values");
        assert_eq!(spread, Spread { low: 1.75, median: 2.5, high: 3.25, count: 4 });
        assert_eq!(spread.to_string(), "2.500 [1.750–3.250]");
    }

    #[test]
    fn no_values_have_no_spread() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[f64::NAN]), None);
    }

    #[test]
    fn one_outlier_moves_no_median() {
        let mut values = vec![1.0; 9];
        values.push(1000.0);
        assert_eq!(Spread::of(&values).expect("there are values").median, 1.0);
    }

    #[test]
    fn disturbed_pairs_are_left_out_unless_they_are_nearly_all() {
        let pair = |ratio, clean| Pair { ratio, clean };
        assert_eq!(clean(&[pair(1.0, true), pair(9.0, false), pair(1.1, true)]), (vec![1.0, 1.1], 1));
        let four = [pair(1.0, true), pair(9.0, false), pair(9.0, false), pair(9.0, false)];
        assert_eq!(clean(&four).1, 0);
    }

    #[test]
    fn what_is_above_another_is_compared_cycle_by_cycle() {
        let pair = |ratio, clean| Pair { ratio, clean };
        let ours = [pair(1.5, true), pair(1.25, true), pair(9.0, true)];
        let theirs = [pair(1.25, true), pair(1.25, false)];
        assert_eq!(above(&ours, &theirs), [pair(0.25, true), pair(0.0, false)]);
    }

    #[test]
    fn ratios_pair_what_belongs_to_one_cycle() {
        assert_eq!(ratios(&[2.0, 9.0, 1.0], &[4.0, 0.0]), [0.5]);
    }
}
