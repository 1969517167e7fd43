//! The judgement of a status: one word and the reasons, the worst first.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::enforcement::EnforcementStatus;
use super::ledger::LedgerStanding;
use super::status::{HookState, Status};
use gdprport_core::event::ByReason;
use gdprport_core::figures::thousands;

/// A loss within this many seconds counts as going on.
const RECENT_S: i64 = 60;

/// Whether the daemon does all that it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    /// In one word.
    pub state: HealthState,
    /// Why, one short clause each; empty when healthy.
    pub reasons: Vec<String>,
}

/// How well the daemon does, ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HealthState {
    /// All hooks, no loss, the policy active as written.
    Healthy,
    /// Something is missing, cannot be looked at, or was lost earlier.
    Degraded,
    /// Events are being lost now.
    Losing,
}

impl HealthState {
    /// As the status line shows it.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Losing => "losing events",
        }
    }
}

impl Status {
    /// Judges the status. The moment it is judged at is `started` + `uptime_s`.
    #[must_use]
    pub(crate) fn health(&self) -> Health {
        let mut reasons = self.losses();
        let losing = !reasons.is_empty() && self.loss_is_recent();
        reasons.extend(self.defects());
        let state = match (losing, reasons.is_empty()) {
            (true, _) => HealthState::Losing,
            (false, false) => HealthState::Degraded,
            (false, true) => HealthState::Healthy,
        };
        Health { state, reasons }
    }

    fn losses(&self) -> Vec<String> {
        let lost = |n: u64, what: &str, of: &ByReason| {
            (n > 0).then(|| {
                let by = of
                    .iter()
                    .map(|(reason, n)| format!("{reason} {}", thousands(*n)))
                    .collect::<Vec<_>>()
                    .join(", ");
                format!("{} {what} ({by})", thousands(n))
            })
        };
        let coverage = &self.coverage;
        let sum = |counts: &ByReason| counts.values().sum::<u64>();
        [
            lost(sum(&coverage.kernel.dropped), "lost in the kernel", &coverage.kernel.dropped),
            lost(sum(&coverage.dropped), "lost in the daemon", &coverage.dropped),
            (coverage.evicted > 0)
                .then(|| format!("{} flows evicted from the full table", thousands(coverage.evicted))),
            (coverage.evicted_listeners > 0).then(|| {
                format!("{} listeners forgotten: there are too many", thousands(coverage.evicted_listeners))
            }),
            (coverage.kernel.owners_unkept > 0).then(|| {
                format!(
                    "{} owners of sockets not kept in the kernel",
                    thousands(coverage.kernel.owners_unkept)
                )
            }),
            (coverage.end_missed > 0).then(|| {
                format!(
                    "the ends of {} flows were not seen, they are reported as lost",
                    thousands(coverage.end_missed)
                )
            }),
            (coverage.found_late > 0).then(|| {
                format!("{} flows were found open whose opening was not seen", thousands(coverage.found_late))
            }),
            (self.ledger.lost > 0)
                .then(|| format!("{} found no room on the way to the ledger", thousands(self.ledger.lost))),
            (coverage.posture_given_up > 0).then(|| {
                format!(
                    "the encryption of {} flows not followed: too many were undecided at once",
                    thousands(coverage.posture_given_up)
                )
            }),
        ]
        .into_iter()
        .flatten()
        .chain(self.sinks.iter().filter_map(|sink| {
            let of = &sink.counts;
            lost(sum(&of.dropped), &format!("lost by sink {}", of.name), &of.dropped)
        }))
        .collect()
    }

    fn loss_is_recent(&self) -> bool {
        let started = self.started.as_second();
        let now = started.saturating_add(i64::try_from(self.uptime_s).unwrap_or(i64::MAX));
        // A loss without a time is taken for recent: the worse of the two, as nothing proves the better.
        self.coverage.last_loss.map_or(now, Timestamp::as_second) >= now.saturating_sub(RECENT_S)
    }

    fn defects(&self) -> Vec<String> {
        // What this kernel does not offer is no defect: another hook replaces it.
        let absent = self
            .hooks
            .iter()
            .filter(|hook| !matches!(hook.state, HookState::Attached | HookState::Missing))
            .count();
        let reload_refused = self.policy.last_reload.as_ref().is_some_and(|reload| !reload.ok);
        let unresolved = self.policy.unresolved.len();
        let unseen = &self.coverage.unseen;
        [
            self.part_of_cgroups.as_ref().map(|at| {
                format!("only a part of the cgroup tree is mounted at {at}: nothing outside of it is watched")
            }),
            (!unseen.is_empty()).then(|| {
                let what = unseen
                    .iter()
                    .map(|(reason, n)| format!("{reason} {}", thousands(*n)))
                    .collect::<Vec<_>>();
                format!("the host cannot be looked at completely ({})", what.join(", "))
            }),
            self.summed(),
            (absent > 0).then(|| format!("{absent} {} missing", plural(absent, "hook"))),
            reload_refused.then(|| "the last reload was refused".to_owned()),
            (self.translations.dropped > 0).then(|| {
                format!(
                    "how {} flows are translated was not asked: too many at once",
                    thousands(self.translations.dropped)
                )
            }),
            (self.owners.names_awaited > 0).then(|| {
                format!(
                    "the host does not return the names of {} users or groups",
                    thousands(self.owners.names_awaited)
                )
            }),
            (self.containers.dropped > 0).then(|| {
                format!(
                    "{} containers were not looked up: too many waited",
                    thousands(self.containers.dropped)
                )
            }),
            (self.containers.stuck > 0).then(|| {
                format!(
                    "the state of containers cannot be read in {} places: they do not answer",
                    self.containers.stuck
                )
            }),
            (unresolved > 0).then(|| format!("{unresolved} {} unresolved", plural(unresolved, "name"))),
            self.ledger_defect(),
        ]
        .into_iter()
        .flatten()
        .chain(self.enforcement.iter().flat_map(EnforcementStatus::defects))
        .chain(self.without.iter().map(|without| format!("without {} {}", without.capability, without.cost)))
        .chain(
            self.sinks
                .iter()
                .filter(|sink| sink.last_error.is_some())
                .map(|sink| format!("sink {} fails", sink.counts.name)),
        )
        .collect()
    }

    /// What is known by sums alone. Nothing of it is lost.
    fn summed(&self) -> Option<String> {
        let counts = &self.coverage.overload.counts;
        let sums = counts.began().saturating_add(counts.ends_of_described);
        (sums > 0).then(|| {
            format!(
                "{} connections were counted and not described: a burst had no room in the ring buffer",
                thousands(sums)
            )
        })
    }

    /// Why the ledger is not written in time. That none is kept was asked for.
    fn ledger_defect(&self) -> Option<String> {
        let what = match self.ledger.state {
            LedgerStanding::Off | LedgerStanding::Ok => return None,
            LedgerStanding::Late => "is late",
            LedgerStanding::Unavailable => "cannot be written",
        };
        let why = self.ledger.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        Some(format!("the ledger {what}{why}"))
    }
}

fn plural(n: usize, word: &str) -> String {
    format!("{word}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_ledger_that_is_not_written_is_a_defect_and_none_is_not() {
        for (state, expected) in [
            (LedgerStanding::Off, HealthState::Healthy),
            (LedgerStanding::Ok, HealthState::Healthy),
            (LedgerStanding::Late, HealthState::Degraded),
            (LedgerStanding::Unavailable, HealthState::Degraded),
        ] {
            let mut status = samples::healthy();
            status.ledger.state = state;
            status.ledger.why = Some("the disk is full: make room".to_owned());
            let health = status.health();
            assert_eq!(health.state, expected, "{state:?}");
            assert!(health.reasons.iter().all(|reason| reason.contains("the disk is full")), "{health:?}");
        }
    }

    #[test]
    fn a_daemon_that_watches_a_part_of_the_host_is_degraded() {
        let mut status = samples::healthy();
        status.part_of_cgroups = Some("/sys/fs/cgroup".to_owned());
        let Health { state, reasons } = status.health();
        assert_eq!(state, HealthState::Degraded);
        assert!(reasons[0].ends_with("nothing outside of it is watched"), "{reasons:?}");
    }

    #[test]
    fn any_loss_counts_as_losing_for_one_minute() {
        let evicted = |status: &mut Status| status.coverage.evicted = 5;
        let listeners = |status: &mut Status| status.coverage.evicted_listeners = 5;
        let unkept = |status: &mut Status| status.coverage.kernel.owners_unkept = 5;
        let by_a_sink =
            |status: &mut Status| status.sinks[0].counts.dropped = [("io-error".into(), 5)].into();
        let ledger = |status: &mut Status| status.ledger.lost = 5;
        for lose in [evicted, listeners, unkept, by_a_sink, ledger] {
            let mut status = samples::healthy();
            lose(&mut status);
            status.coverage.last_loss = Some(status.started);
            for (uptime_s, state) in [(60, HealthState::Losing), (61, HealthState::Degraded)] {
                status.uptime_s = uptime_s;
                let health = status.health();
                assert_eq!((health.state, health.reasons.len()), (state, 1), "{health:?}");
            }
        }
    }
}
