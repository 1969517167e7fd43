//! How long a sink waits after a failure before it tries again.
//!
//! Exponential with full jitter: a random time up to a bound that doubles, so that many hosts whose receiver was away do not come
//! back in step (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

use std::time::Duration;

/// The bound after the first failure.
const FIRST: Duration = Duration::from_millis(500);

/// The bound that is not exceeded: half a minute after a receiver is back, all sinks are.
const MOST: Duration = Duration::from_secs(30);

/// The least pause: a receiver that refuses at once is not asked without end.
const LEAST: Duration = Duration::from_millis(50);

/// The longest pause that a receiver may ask for (`Retry-After`): an hour would be a way to silence the sink.
pub const AFTER_MAX: Duration = Duration::from_secs(300);

/// Failures in a row, as far as they matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

/// That of a sink.
impl Default for Backoff {
    fn default() -> Self {
        Self::between(FIRST, MOST)
    }
}

impl Backoff {
    /// Whose bound is `first` after the first failure and never more than `most`.
    #[must_use]
    pub const fn between(first: Duration, most: Duration) -> Self {
        Self { first, most, failures: 0 }
    }

    /// Something worked.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The pause after one more failure. `random` is evenly distributed over its type; `asked` is what the receiver asked for,
    /// and the least that is waited then.
    pub fn next(&mut self, random: u32, asked: Option<Duration>) -> Duration {
        let bound = self.first.saturating_mul(1 << self.failures.min(16)).min(self.most);
        self.failures = self.failures.saturating_add(1);
        let jittered = bound.mul_f64(f64::from(random) / f64::from(u32::MAX));
        jittered.max(LEAST).max(asked.unwrap_or_default().min(AFTER_MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bound_doubles_up_to_half_a_minute_and_begins_anew() {
        let mut backoff = Backoff::default();
        let bounds: Vec<u128> = (0..9).map(|_| backoff.next(u32::MAX, None).as_millis()).collect();
        assert_eq!(bounds, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.next(u32::MAX, None), FIRST);
    }

    #[test]
    fn what_the_receiver_asks_for_is_kept_up_to_a_bound() {
        let ask = |seconds| Backoff::default().next(0, Some(Duration::from_secs(seconds)));
        assert_eq!(ask(0), LEAST);
        assert_eq!(ask(7), Duration::from_secs(7));
        assert_eq!(ask(86_400), AFTER_MAX);
    }

    proptest! {
        #[test]
        fn a_pause_is_never_shorter_or_longer_than_it_may_be(
            randoms in prop::collection::vec(any::<u32>(), 1..40),
            asked in proptest::option::of(any::<u32>()),
        ) {
            let mut backoff = Backoff::default();
            let asked = asked.map(|ms| Duration::from_millis(ms.into()));
            for random in randoms {
                let pause = backoff.next(random, asked);
                prop_assert!(pause >= LEAST.max(asked.unwrap_or_default().min(AFTER_MAX)));
                prop_assert!(pause <= MOST.max(AFTER_MAX.min(asked.unwrap_or_default())));
            }
        }
    }
}
