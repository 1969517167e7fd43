//! The daemon's first words: who watches, with what, and what became of the time since the daemon before.

use jiff::Timestamp;

use super::daemon::Daemon;
use super::run::{BATCH, make_room};
use crate::host::clock::boottime_ns;
use crate::host::probes::{Legacy, Previous, Ring};
use gdprport_core::event::{Body, Bound, DaemonInfo, DaemonStart, Gap, Hook, PreviousDaemon};

/// The identifier under which records are told that were read and perhaps not written.
const UNWRITTEN: &str = "unwritten";
/// The identifier under which time is told in which a hook was not attached; its name follows.
const AWAY: &str = "hook-away";
/// The identifier under which time is told that nobody will ever read about; why follows.
const NOT_ADOPTED: &str = "not-adopted";

impl Daemon {
    /// Gives every process that is there an exec id, so that children forked from now on inherit it. Those that
    /// the kernel side knows keep theirs.
    pub(super) fn number_processes(&mut self) {
        match self.resolver.seed_all() {
            Ok(seeds) => {
                let mut failed = 0_u64;
                for seed in seeds {
                    if self.probes.task(seed.tgid).is_none() {
                        failed += u64::from(self.probes.seed(seed.tgid, seed.identity, &seed.exec).is_err());
                    }
                }
                if failed > 0 {
                    tracing::warn!(failed, "processes from before are not known to the kernel side");
                }
            }
            Err(error) => tracing::warn!(%error, "processes from before cannot be read"),
        }
    }

    /// Tells who watches from now on, with which policy, and what may be missing since the daemon before. To be
    /// called before any record is read.
    pub(super) fn announce_start(&mut self) {
        let hooks = self.probes.hooks().iter().map(|hook| Hook {
            name: hook.spec.name.into(),
            attached: hook.missing.is_none(),
            missing: hook.missing.clone(),
        });
        let previous = self.probes.previous().cloned();
        let body = Body::DaemonStart(Box::new(DaemonStart {
            daemon: DaemonInfo {
                pid: std::process::id(),
                kernel: self.host.kernel.as_str().into(),
                hooks: hooks.collect(),
                previous: previous.as_ref().map(|previous| self.introduce(previous)),
            },
            policy: self.publisher.policy(),
        }));
        let now = self.now();
        self.publisher.send(body, now);
        self.announce_policy(None, now);
        if let Some(previous) = previous {
            let gaps = self.gaps_since(&previous, now);
            if !gaps.is_empty() {
                self.losses.last_loss = Some(now);
                let kernel = self.kernel_counters();
                self.send_coverage(gaps, kernel.as_ref(), now);
            }
        }
    }

    fn introduce(&self, previous: &Previous) -> PreviousDaemon {
        let refused = match &previous.legacy {
            Legacy::Adopted(_) => None,
            Legacy::Refused(unfit) => Some(unfit.to_string()),
        };
        let away_ms = boottime_ns().saturating_sub(previous.noted_ns) / 1_000_000;
        match &refused {
            None => tracing::info!(away_ms, "took over what the daemon before had pinned"),
            Some(why) => {
                tracing::warn!(away_ms, why, "begun anew: what the daemon before had pinned is of no use");
            }
        }
        PreviousDaemon {
            version: (!previous.version.is_empty()).then(|| previous.version.as_str().into()),
            noted: self.clock.timestamp(previous.noted_ns),
            adopted: refused.is_none(),
            refused,
        }
    }

    /// What may be missing between the daemon before and this one. What did not fit into the ring buffer is not
    /// among it: the kernel side has counted that, and `losses` tells it.
    fn gaps_since(&self, previous: &Previous, now: Timestamp) -> Vec<Gap> {
        let from = self.clock.timestamp(previous.noted_ns);
        let gap = |lost, bound, reason: String| Gap {
            from,
            to: now,
            lost,
            bound: Some(bound),
            reason: reason.into(),
        };
        match &previous.legacy {
            Legacy::Refused(unfit) => vec![gap(0, Bound::AtLeast, format!("{NOT_ADOPTED}:{}", unfit.id()))],
            Legacy::Adopted(adopted) => {
                let unwritten = self.probes.unwritten();
                let unwritten = (unwritten > 0).then(|| gap(unwritten, Bound::AtMost, UNWRITTEN.to_owned()));
                let away = adopted.away.iter().map(|hook| gap(0, Bound::AtLeast, format!("{AWAY}:{hook}")));
                unwritten.into_iter().chain(away).collect()
            }
        }
    }
}

/// Takes in all that was written while no daemon read. Nothing settles before it all is in, or a connection whose
/// acceptor is told a batch later would be told without; and no sink is given more than it has room for.
pub async fn take_backlog(daemon: &mut Daemon, ring: &mut Ring) {
    if daemon.probes.previous().is_none() {
        return;
    }
    let now = daemon.now();
    // What is more than a ring holds came meanwhile.
    for _ in 0..=daemon.probes.most_unread() / BATCH {
        if ring.drain(BATCH, |record| daemon.record(record, now)) < BATCH {
            break;
        }
        daemon.publisher.deliver();
        make_room(daemon).await;
    }
    daemon.settle(boottime_ns());
}
