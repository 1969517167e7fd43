//! Gaps of what could not be looked at: a state that lasts, not a loss that is counted.

use std::borrow::Cow;

use jiff::Timestamp;

use gdprport_core::event::{Bound, Gap};

/// What of one kind could not be looked at. Its gap grows for as long as that lasts, and is reported once more when it is
/// over.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnseenState {
    /// When everything of this kind was last looked at.
    checked: Timestamp,
    /// From, to, the most at once, and whether it lasts.
    gap: Option<(Timestamp, Timestamp, u64, bool)>,
}

impl UnseenState {
    pub(super) const fn new(checked: Timestamp) -> Self {
        Self { checked, gap: None }
    }

    /// Returns whether that has to be reported now: it begins, or ends.
    pub(super) fn observe(&mut self, count: u64, now: Timestamp) -> bool {
        let lasts = count > 0;
        let began = lasts && self.gap.is_none();
        let ended = !lasts && self.gap.is_some_and(|(.., lasts)| lasts);
        match &mut self.gap {
            Some((_, to, most, going_on)) if *going_on => {
                (*to, *most, *going_on) = (now, (*most).max(count), lasts);
            }
            gap if lasts => *gap = Some((self.checked, now, count, true)),
            _ => {}
        }
        if !lasts {
            self.checked = now;
        }
        began || ended
    }

    pub(super) fn take(&mut self, reason: Cow<'static, str>) -> Option<Gap> {
        let (from, to, lost, lasts) = self.gap?;
        if !lasts {
            self.gap = None;
        }
        Some(Gap { from, to, lost, bound: Some(Bound::AtLeast), summed: None, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("time")
    }

    #[test]
    fn what_cannot_be_looked_at_is_a_gap_until_it_can() {
        let mut state = UnseenState::new(at(0));
        let mut observe = |count, second| {
            let urgent = state.observe(count, at(second));
            let gap = state.take("reason".into());
            (urgent, gap.map(|gap| (gap.from.as_second(), gap.to.as_second(), gap.lost)))
        };
        assert_eq!(observe(0, 1), (false, None));
        assert_eq!(observe(2, 2), (true, Some((1, 2, 2))), "from when everything was last looked at");
        assert_eq!(observe(5, 3), (false, Some((1, 3, 5))), "it grows, and is no news");
        assert_eq!(observe(1, 4), (false, Some((1, 4, 5))));
        assert_eq!(observe(0, 5), (true, Some((1, 5, 5))), "it is over");
        assert_eq!(observe(0, 6), (false, None));
        assert_eq!(observe(1, 7), (true, Some((6, 7, 1))), "another one");
    }
}
