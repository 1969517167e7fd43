//! One rule, ready to be compared.

use std::sync::Arc;

use jiff::Timestamp;

use super::peer_index::ItemId;
use crate::model::{Direction, Process};
use crate::policy::model::ProcessSpec;
use crate::policy::volume::VolumeLimit;

#[cfg(test)]
thread_local! {
    /// How many rules were compared: what the cost of a verdict is measured by, as time depends on the machine.
    pub(crate) static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// One rule, ready to be compared.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub role: Arc<str>,
    pub direction: Direction,
    /// Sorted.
    pub peers: Box<[ItemId]>,
    pub process: Option<Arc<ProcessSpec>>,
    /// The last moment at which it is valid.
    pub until: Option<Timestamp>,
    /// How much it may move; what it has moved is not known here.
    pub volume: Option<VolumeLimit>,
}

impl CompiledRule {
    pub(super) fn allows(&self, process: Option<&Process>, now: Timestamp) -> bool {
        #[cfg(test)]
        COMPARED.set(COMPARED.get() + 1);
        self.until.is_none_or(|until| now <= until)
            && match (&self.process, process) {
                (None, _) => true,
                (Some(spec), Some(process)) => spec.matches(process),
                (Some(_), None) => false,
            }
    }
}
