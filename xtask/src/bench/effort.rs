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
    /// Cycles through the subjects of the database, and seconds of each of its loads.
    pub(crate) database_cycles: u32,
    pub(crate) database_seconds: u32,
}

impl Effort {
    /// Some ten minutes.
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
        database_cycles: 7,
        database_seconds: 1,
    };

    /// For figures that are published.
    pub(crate) const FULL: Self =
        Self { cycles: 30, bulk_pairs: 24, starts: 5, database_cycles: 20, ..Self::QUICK };

    /// For trying the bench itself: what comes out means nothing.
    pub(crate) const TRY: Self = Self {
        cycles: 1,
        round: 80,
        counted: 100,
        many: 200,
        processes: 5,
        mebibytes: 4,
        bulk_pairs: 1,
        before: 300,
        starts: 1,
        database_cycles: 1,
        database_seconds: 1,
    };
}
