//! Which entries were erased, when, why and by whom. Each erasure states all that came before it, since the entry of an earlier one
//! may be erased itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tile::WIDTH;

/// Ranges that one entry states at most; an entry has at most 64 KiB, and a range some 250 bytes.
const RANGES_MAX: usize = 128;

/// Bytes of a reason or a name at most.
pub const WORDS_BYTES_MAX: usize = 200;

/// A range of entries that were erased together or one after the other, for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedRange {
    /// Index of the first entry.
    pub from: u64,
    /// Index behind the last.
    pub to: u64,
    /// When the last of them were erased.
    pub time: Timestamp,
    /// Why.
    pub why: String,
    /// Who asked for it.
    pub by: String,
}

/// All that was erased: in ascending order, no two overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Erased(Vec<ErasedRange>);

impl Erased {
    /// Nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The ranges, in ascending order.
    #[must_use]
    pub fn ranges(&self) -> &[ErasedRange] {
        &self.0
    }

    /// Whether the entry with this index was erased.
    #[must_use]
    pub fn contains(&self, index: u64) -> bool {
        let at = self.0.partition_point(|range| range.to <= index);
        self.0.get(at).is_some_and(|range| range.from <= index)
    }

    /// Whether all entries of `from..to` were erased.
    #[must_use]
    pub fn covers(&self, from: u64, to: u64) -> bool {
        let mut from = from;
        for range in &self.0 {
            if range.from <= from && from < range.to {
                from = range.to;
            }
        }
        from >= to
    }

    /// Adds whole bundles. What was erased before keeps its reason. A range joins the one beside it if reason and name are the
    /// same; when there are more than an entry can state, the two oldest beside each other become one, and say both reasons.
    pub fn add(&mut self, new: ErasedRange) {
        debug_assert!(new.from.is_multiple_of(WIDTH) && new.to.is_multiple_of(WIDTH), "whole bundles");
        let mut from = new.from;
        let mut parts = Vec::new();
        for range in self.0.iter().filter(|range| range.to > new.from && range.from < new.to) {
            if from < range.from {
                parts.push(ErasedRange { from, to: range.from, ..new.clone() });
            }
            from = from.max(range.to);
        }
        if from < new.to {
            parts.push(ErasedRange { from, ..new });
        }
        self.0.extend(parts);
        self.0.sort_by_key(|range| range.from);
        self.join(|left, right| left.why == right.why && left.by == right.by);
        while self.0.len() > RANGES_MAX {
            let before = self.0.len();
            self.join_first();
            if self.0.len() == before {
                break;
            }
        }
    }

    /// Joins neighbours of which this holds.
    fn join(&mut self, joins: impl Fn(&ErasedRange, &ErasedRange) -> bool) {
        self.0.dedup_by(|right, left| {
            let joined = left.to == right.from && joins(left, right);
            if joined {
                left.to = right.to;
                left.time = left.time.max(right.time);
            }
            joined
        });
    }

    /// Joins the first two ranges that are beside each other.
    fn join_first(&mut self) {
        let Some(at) = self.0.windows(2).position(|pair| pair[0].to == pair[1].from) else { return };
        let right = self.0.remove(at + 1);
        let left = &mut self.0[at];
        left.to = right.to;
        left.time = left.time.max(right.time);
        for (to, from) in [(&mut left.why, &right.why), (&mut left.by, &right.by)] {
            if to != from {
                *to = cut(&format!("{to}; {from}"));
            }
        }
    }

    /// Whether another erasure can be stated. Ranges that are not beside each other cannot be joined.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.0.len() < RANGES_MAX || self.0.windows(2).any(|pair| pair[0].to == pair[1].from)
    }
}

/// A text of at most [`WORDS_BYTES_MAX`] bytes.
#[must_use]
pub fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(WORDS_BYTES_MAX)].to_owned()
}

/// Ranges that are no such list are refused: an entry of the log is input, too.
impl<'de> Deserialize<'de> for Erased {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ranges = Vec::<ErasedRange>::deserialize(deserializer)?;
        let ascending = ranges.windows(2).all(|pair| pair[0].to <= pair[1].from);
        if ascending && ranges.iter().all(|range| range.from < range.to) {
            Ok(Self(ranges))
        } else {
            Err(serde::de::Error::custom("the ranges overlap, or are not in order"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn range(from: u64, to: u64, why: &str) -> ErasedRange {
        let (why, by) = (why.to_owned(), "root".to_owned());
        ErasedRange { from: from * WIDTH, to: to * WIDTH, time: Timestamp::UNIX_EPOCH, why, by }
    }

    #[test]
    fn what_is_erased_day_by_day_stays_one_range() {
        let mut erased = Erased::none();
        for day in 0..1000 {
            erased.add(range(day, day + 1, "retention"));
        }
        assert_eq!(erased.ranges(), [range(0, 1000, "retention")]);
    }

    #[test]
    fn what_was_erased_before_keeps_its_reason() {
        let mut erased = Erased::none();
        erased.add(range(2, 4, "request 17"));
        erased.add(range(0, 6, "retention"));
        assert_eq!(
            erased.ranges(),
            [range(0, 2, "retention"), range(2, 4, "request 17"), range(4, 6, "retention")]
        );
        assert!(erased.covers(0, 6 * WIDTH) && !erased.covers(0, 6 * WIDTH + 1));
    }

    #[test]
    fn many_reasons_beside_each_other_still_fit_an_entry() {
        let mut erased = Erased::none();
        for number in 0..400 {
            erased.add(range(number, number + 1, &format!("request {number} {}", "x".repeat(180))));
        }
        assert!(erased.covers(0, 400 * WIDTH));
        assert!(erased.ranges().len() <= RANGES_MAX);
        let entry = serde_json::to_vec(&erased).expect("plain");
        assert!(entry.len() < super::super::entry::CONTENT_BYTES_MAX, "{}", entry.len());
    }

    #[test]
    fn ranges_that_overlap_are_refused() {
        let overlapping = serde_json::to_string(&[range(0, 2, "a"), range(1, 3, "a")]).expect("plain");
        assert!(serde_json::from_str::<Erased>(&overlapping).is_err());
        let backwards = serde_json::to_string(&[range(2, 2, "a")]).expect("plain");
        assert!(serde_json::from_str::<Erased>(&backwards).is_err());
    }

    proptest! {
        #[test]
        fn exactly_what_was_added_is_erased(added in proptest::collection::vec((0_u64..40, 1_u64..9, 0_u8..3), 0..30)) {
            let mut erased = Erased::none();
            let mut expected = BTreeSet::new();
            for (from, count, why) in added {
                erased.add(range(from, from + count, &why.to_string()));
                expected.extend(from..from + count);
            }
            for bundle in 0..50 {
                let is_erased = expected.contains(&bundle);
                prop_assert_eq!(erased.contains(bundle * WIDTH), is_erased);
                prop_assert_eq!(erased.contains(bundle * WIDTH + WIDTH - 1), is_erased);
                prop_assert_eq!(erased.covers(bundle * WIDTH, (bundle + 1) * WIDTH), is_erased);
            }
            let read: Erased = serde_json::from_slice(&serde_json::to_vec(&erased).expect("plain")).expect("its own");
            prop_assert_eq!(read, erased);
        }
    }
}
