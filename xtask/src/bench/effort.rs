//! How much is measured: rounds and sizes.

#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Cycles through all subjects, each a pair per subject.
    pub(crate) cycles: u32,
    /// Connections on each port in a round, in four parts.
    pub(crate) round: u32,
    /// Connections while the kernel measures its programs.
    pub(crate) counted: u32,
    /// Connections one by one, and eight at a time; none may be lost.
    pub(crate) many: u64,
    pub(crate) processes: u32,
    /// MiB in each direction and round.
    pub(crate) mebibytes: u32,
    pub(crate) bulk_pairs: u32,
    /// Connections that exist before the start.
    pub(crate) before: u32,
    pub(crate) starts: u32,
}

impl Effort {
    /// A few minutes.
    pub(crate) const QUICK: Self = Self {
        cycles: 10,
        round: 1_200,
        counted: 2_000,
        many: 10_000,
        processes: 500,
        mebibytes: 256,
        bulk_pairs: 8,
        before: 50_000,
        starts: 3,
    };

    /// For figures that are published.
    pub(crate) const FULL: Self = Self { cycles: 30, bulk_pairs: 24, starts: 5, ..Self::QUICK };
}
