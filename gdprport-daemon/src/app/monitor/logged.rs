//! What the evidence log is told beside the events that every sink gets: the texts of policies, and the sums that its checkpoints
//! state; and what may be asked of it.

use std::sync::Arc;

use gdprport_core::evidence::{Sums, cut};
use gdprport_core::written::Source;
use tokio::sync::oneshot;

use super::publish::Publisher;
use crate::control::api::{EraseQuery, EvidenceOrder, EvidenceReply};
use crate::sink::SinkStats;
use crate::sink::evidence::{Carried, Erasure, EvidenceHandle, Order, Orderer, PolicyTexts, Standing};

impl Publisher {
    /// Logs the texts of a policy that became active.
    pub(in crate::app) fn log_policy(&self, sources: &[Source]) {
        if let Some(evidence) = &self.evidence {
            let files = sources.iter().map(|source| (source.name.clone(), Arc::from(source.text.as_str())));
            let digest = self.policy().map(|policy| policy.digest.to_string()).unwrap_or_default();
            evidence.policy(PolicyTexts { digest, files: files.collect() });
        }
    }

    /// Asks something of whoever writes the evidence log, which replies itself.
    pub(in crate::app) fn order_evidence(
        &self,
        order: EvidenceOrder,
        to: oneshot::Sender<Result<EvidenceReply, String>>,
    ) {
        let order = match order {
            EvidenceOrder::Rotate => Order::Rotate,
            EvidenceOrder::Erase(EraseQuery { from, before, why, by }) => {
                Order::Erase(Erasure { from, before, why: cut(&why), by: cut(&by) })
            }
        };
        // A client that no longer waits is no error.
        let Some(evidence) = &self.evidence else {
            let _ = to.send(Err("this daemon keeps no evidence log: `enabled = true` in [evidence] of \
                 gdprport.toml and a restart begin one"
                .to_owned()));
            return;
        };
        let reply = |Carried { entries, checkpoint, key }| EvidenceReply { entries, checkpoint, key };
        evidence.order(order, Orderer::new(move |carried| drop(to.send(carried.map(reply)))));
    }

    /// How the evidence log is; `None`: none is kept.
    #[must_use]
    pub(in crate::app) fn evidence_standing(&self) -> Option<Standing> {
        self.evidence.as_ref().map(EvidenceHandle::standing)
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
