//! How much of a record a page shows one by one: what a person reads, and a browser opens at once. The rest is counted on the page, and
//! `record.json` has all of it.

/// Other ends of an activity, and processes, at most: those with the most bytes.
const MOST: usize = 100;

/// The same at least, however many activities a page has: whoever is behind nearly all of the bytes is mostly among five.
const LEAST: usize = 5;

/// Other ends and processes of all activities together: some 150 pages of paper, 6 MB. Twenty activities have as many as there may be.
const PAGE: usize = 4_000;

/// Ranges of row numbers behind a statement, at most.
const RANGES: usize = 200;

/// The same at least.
const RANGES_LEAST: usize = 10;

/// How much is shown of one activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Limits {
    /// Other ends, and as many processes.
    pub(in super::super) rows: usize,
    /// Ranges of row numbers behind a statement.
    pub(in super::super) ranges: usize,
}

impl Limits {
    /// Of one that has a page to itself.
    pub(in super::super) const ALONE: Self = Self { rows: MOST, ranges: RANGES };

    /// Of one of so many of which something was seen.
    pub(in super::super) fn of(activities: usize) -> Self {
        let rows = (PAGE / 2 / activities.max(1)).clamp(LEAST, MOST);
        Self { rows, ranges: (RANGES * rows / MOST).max(RANGES_LEAST) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_many_activities_is_bounded() {
        assert_eq!(Limits::of(0), Limits::ALONE);
        assert_eq!(Limits::of(20), Limits::ALONE);
        for activities in 1..5_000 {
            let Limits { rows, ranges } = Limits::of(activities);
            assert!((LEAST..=MOST).contains(&rows) && (RANGES_LEAST..=RANGES).contains(&ranges));
            assert!(2 * rows * activities <= PAGE.max(2 * LEAST * activities), "{activities}: {rows}");
        }
    }
}
