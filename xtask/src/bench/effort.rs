//! How much is measured.

/// Rounds and sizes of one run.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Cycles through all subjects, each a pair per subject.
    pub cycles: u32,
    /// Connections on each port in a round, in four parts.
    pub round: u32,
    /// Connections while the kernel measures its programs.
    pub counted: u32,
    /// Connections one by one, and eight at a time, of which none may be lost.
    pub many: u64,
    /// Short-lived processes.
    pub processes: u32,
    /// MiB in each direction and round.
    pub mebibytes: u32,
    /// Pairs of bulk rounds.
    pub bulk_pairs: u32,
    /// Connections that are there before the start.
    pub before: u32,
    /// Pairs of starts.
    pub starts: u32,
}

impl Effort {
    /// A few minutes.
    pub const QUICK: Self = Self {
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

    /// For a figure that is to be published.
    pub const FULL: Self = Self { cycles: 30, bulk_pairs: 24, starts: 5, ..Self::QUICK };
}
