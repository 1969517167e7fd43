//! Scales of values: linear, and from zero, as the length of a bar says how much it is.

/// Steps between two ticks, at most: more of them do not make a bar easier to read.
const STEPS: u128 = 3;

/// From zero to a round number that is not below the largest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    step: u128,
    steps: u128,
}

impl Scale {
    /// Of bytes: round in binary units, so that every tick is a short number of one unit.
    #[must_use]
    pub fn bytes(largest: u64) -> Self {
        // With at most three steps no tick is beyond 1024 of its unit but by halves of the next one.
        const ROUND: [u128; 9] = [1, 2, 5, 10, 20, 50, 100, 256, 512];
        let units = (0..7_u32).map(|power| 1_u128 << (10 * power));
        Self::of(largest, units.flat_map(|unit| ROUND.map(|round| round * unit)))
    }

    /// Of counts: 1, 2 or 5 and zeros.
    #[must_use]
    pub fn counts(largest: u64) -> Self {
        let powers = (0..20_u32).map(|power| 10_u128.pow(power));
        Self::of(largest, powers.flat_map(|power| [1, 2, 5].map(|round| round * power)))
    }

    /// The first step by which a few reach the largest value.
    fn of(largest: u64, mut steps: impl Iterator<Item = u128>) -> Self {
        let largest = u128::from(largest.max(1));
        let step = steps.find(|step| largest.div_ceil(*step) <= STEPS).unwrap_or(largest);
        Self { step, steps: largest.div_ceil(step) }
    }

    /// The value at its end.
    #[must_use]
    pub const fn top(&self) -> u128 {
        self.step * self.steps
    }

    /// Values that are marked: zero, the end, and those between at equal distances.
    pub fn ticks(&self) -> impl Iterator<Item = u128> + use<> {
        let step = self.step;
        (0..=self.steps).map(move |at| at * step)
    }

    /// How far a value is from zero to the end: 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a part of a drawing, not a number that is shown")]
    pub fn part(&self, value: u128) -> f64 {
        (value as f64 / self.top() as f64).clamp(0.0, 1.0)
    }
}
