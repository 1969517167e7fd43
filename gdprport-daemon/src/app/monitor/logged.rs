//! What the evidence log is told beside the events that every sink gets: the texts of policies, and the sums that its checkpoints
//! state.

use std::sync::Arc;

use gdprport_core::evidence::Sums;
use gdprport_core::written::Source;

use super::publish::Publisher;
use crate::sink::SinkStats;
use crate::sink::evidence::PolicyTexts;

impl Publisher {
    /// Logs the texts of a policy that became active.
    pub(in crate::app) fn log_policy(&self, sources: &[Source]) {
        if let Some(evidence) = &self.evidence {
            let files = sources.iter().map(|source| (source.name.clone(), Arc::from(source.text.as_str())));
            let digest = self.policy().map(|policy| policy.digest.to_string()).unwrap_or_default();
            evidence.policy(PolicyTexts { digest, files: files.collect() });
        }
    }

    /// What the checkpoints of the evidence log say from now on. `watched_ms`: since this run was started; `lost`: occasions that
    /// are known to be missed.
    pub(in crate::app) fn sum_up(&self, watched_ms: u64, lost: u64) {
        if let Some(evidence) = &self.evidence {
            let dropped = |stats: &SinkStats| stats.counts.dropped.values().sum::<u64>();
            let of_log = self.fanout().stats();
            let unlogged =
                of_log.iter().filter(|stats| stats.counts.name.starts_with("evidence:")).map(dropped).sum();
            evidence.set_sums(Sums { watched_ms, emitted: self.fanout().published(), unlogged, lost });
        }
    }
}
