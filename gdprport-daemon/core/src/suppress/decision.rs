//! What is decided, and about what.

/// What to do with an event of a flow, and with what comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Send all of it.
    Pass,
    /// Leave the flow's event out, which is counted as suppressed, and in a summary where the port's `emit` asks for one;
    /// send what comes with it.
    SuppressFlow,
    /// Leave all of it out: it is counted as suppressed, and in a summary.
    SuppressAll,
}

/// The events that one of a flow brings with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct With {
    /// A `violation`: the first of the flow, or one for more reasons than before.
    pub violation: bool,
    /// A `finding`: the flow ended, and its encryption was not proven.
    pub finding: bool,
}

impl With {
    /// How many they are.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.violation as u32 + self.finding as u32
    }
}
