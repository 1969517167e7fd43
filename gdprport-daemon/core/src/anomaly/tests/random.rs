//! Numbers that look random and are the same on every machine for the same seed.

/// `SplitMix64`, and what is made of it.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In 0..1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).expect("low is below high");
        low + i64::try_from(self.next() % span).expect("a small number")
    }

    pub(super) fn chance(&mut self, of: f64) -> bool {
        self.unit() < of
    }

    /// Normal, by twelve uniform ones: no function of the platform is in it.
    pub(super) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A factor whose logarithm is normal.
    pub(super) fn noise(&mut self, sigma: f64) -> f64 {
        (self.normal() * sigma).exp()
    }

    /// Pareto from 1 on: the smaller the exponent, the heavier the tail.
    pub(super) fn pareto(&mut self, exponent: f64) -> f64 {
        (1.0 - self.unit()).powf(-1.0 / exponent)
    }
}
