//! The thresholds, each with its reason. They were chosen on synthetic ports with other seeds than those of the test that holds
//! their figures (`docs/anomalies.md`).

/// From when on an hour is unusual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Hours before an hour that it is compared with: thirteen weeks, so that each hour of the week has thirteen samples and a
    /// season is not compared with the one before.
    pub window: i64,
    /// Hours that a series must be old: volume has the rhythm of a week, and three of them show it.
    pub learning: i64,
    /// Samples that each bucket must have to be compared with: the same hour of the week, of the day, any hour.
    pub samples: [usize; 3],
    /// How many deviations above the median.
    pub deviations: f64,
    /// The least deviation, of the logarithm: a factor of 1.28. A port that sends the same every hour has none of its own.
    pub least_deviation: f64,
    /// How many times as much it must be as what happened before, at such a time or at no regular one.
    pub over: u64,
    /// On how many days that must have happened to be usual.
    pub habit: usize,
    /// How many times its hour of the week's median something may be to have happened at its regular time.
    pub regular: u64,
    /// Bytes in an hour below which nothing is unusual: the pages of a morning reach it, an export of a database exceeds it.
    pub least_bytes: u64,
    /// Connections in an hour below which nothing is unusual: one every few seconds is a service's own.
    pub least_connections: u64,
    /// Hours from the begin of what is unusual for which it is the same, and is not compared with itself.
    pub episode: i64,
}

impl Rule {
    /// The rule of the audit.
    pub const DEFAULT: Self = Self {
        window: 13 * 168,
        learning: 3 * 168,
        samples: [4, 14, 168],
        deviations: 5.0,
        least_deviation: 0.25,
        over: 2,
        habit: 1,
        regular: 4,
        least_bytes: 64 << 20,
        least_connections: 1_000,
        episode: 24,
    };
}
