//! The ledger's place in the loop: what the tally has added up is handed over once a second, and kept if there is no room.
//!
//! Belongs here: when that happens, and how the ledger is. Does not belong here: adding up (`core::ledger`), and the
//! database (`ledger`).

use std::sync::Arc;
use std::sync::mpsc::{self, TryRecvError};
use std::time::{Duration, Instant};

use gdprport_core::audit::{Finding, FindingChange, Judged};
use gdprport_core::ledger::{Batch, Entry, RunEnd, Tally, TallyLimits};
use gdprport_core::policy::Source;
use gdprport_core::volume::Known;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::monitor::Monitor;
use super::session::Session;
use crate::control::api::{LedgerStanding, LedgerStatus};
use crate::host::process::TaskLookup;
use crate::ledger::{Ledger, LedgerSnapshot, LedgerState};

/// How often it is tried to hand over the last batches, while the ledger writes those before.
const RETRY: Duration = Duration::from_millis(5);

/// Hands over what the monitor's tally has added up.
#[derive(Debug)]
pub(super) struct Keeper {
    /// `None`: no ledger is kept.
    ledger: Option<Ledger>,
    /// A batch that there was no room for. What comes after it goes on being added up in the tally meanwhile.
    pending: Option<Box<Batch>>,
    /// Up to when time was counted as watched.
    watched: Instant,
    /// The day of the last call, in UTC.
    day: Date,
    /// Where the ledger answers what rules with a volume have moved before; `None`: nothing is asked.
    asked: Option<mpsc::Receiver<Answered>>,
}

/// What rules have moved, and since when the ledger has something to say; or why that is not known.
type Answered = Result<(Vec<Known>, Option<Timestamp>), String>;

impl Keeper {
    /// Begins to count: the run, and the policy that it begins with.
    #[must_use]
    pub(super) fn begin<K: TaskLookup>(
        ledger: Option<Ledger>,
        limits: TallyLimits,
        sources: Arc<[Source]>,
        session: &Session,
        monitor: &mut Monitor<K>,
    ) -> Self {
        let at = session.started;
        monitor.publisher.log_policy(&sources);
        if ledger.is_some() {
            let mut tally = Tally::new(limits, session.started_ns);
            let agent = monitor.publisher.agent();
            tally.enter(Entry::Began {
                run: agent.run.to_string().into(),
                version: Arc::clone(&agent.version),
                boot_id: session.host.boot_id.as_str().into(),
                at,
            });
            let digest = monitor.publisher.policy().map(|policy| policy.digest);
            tally.enter(Entry::Policy { digest, sources, at });
            monitor.count_into(tally);
        }
        Self { ledger, pending: None, watched: Instant::now(), day: day_of(at), asked: None }
    }

    /// To be called every second: counts the second, shows what is open in a day that begins, and hands over what came
    /// together.
    pub(super) fn second<K: TaskLookup>(&mut self, monitor: &mut Monitor<K>, now: Timestamp) {
        let Some(tally) = &mut monitor.tally else { return };
        tally.watched(elapsed(&mut self.watched), now);
        let day = day_of(now);
        if std::mem::replace(&mut self.day, day) != day {
            monitor.day_begins(now);
        }
        let Some(tally) = &mut monitor.tally else { return };
        let stands_there = self.hand_over(tally, false, now);
        self.volumes(stands_there, monitor, now);
    }

    /// Takes what the ledger has answered of rules with a volume, and asks it of those of which it may know something: once all that
    /// was counted so far was handed over.
    fn volumes<K: TaskLookup>(&mut self, handed_over: bool, monitor: &mut Monitor<K>, now: Timestamp) {
        if let Some(asked) = &self.asked {
            match asked.try_recv() {
                Ok(Ok((known, begin))) => monitor.add_volumes(&known, begin.unwrap_or(now), now),
                Ok(Err(why)) => {
                    tracing::warn!(why, "what rules with a volume moved before now is not known");
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {}
            }
            self.asked = None;
        }
        let (Some(ledger), Some(volumes)) = (&self.ledger, &mut monitor.volumes) else { return };
        if handed_over && volumes.wants() {
            let (to, asked) = mpsc::channel();
            // Nobody waits for it any more if the daemon ends.
            ledger.ask_volumes(volumes.wanted(), move |known| drop(to.send(known)));
            self.asked = Some(asked);
        }
    }

    /// Hands over all that came together, because the policy is about to change.
    pub(super) fn before_reload<K: TaskLookup>(&mut self, monitor: &mut Monitor<K>, now: Timestamp) {
        if let Some(tally) = &mut monitor.tally {
            tally.watched(elapsed(&mut self.watched), now);
            self.hand_over(tally, true, now);
        }
    }

    /// Hands over the last of a run and waits until it is written, at the latest until `deadline`.
    pub(super) async fn finish(mut self, tally: Option<Tally>, now: Timestamp, deadline: Instant) {
        let (Some(mut tally), true) = (tally, self.ledger.is_some()) else { return };
        tally.watched(elapsed(&mut self.watched), now);
        tally.enter(Entry::Ended { end: RunEnd::Stopped, at: now });
        let mut handed_over = self.hand_over(&mut tally, true, now);
        while !handed_over && Instant::now() < deadline {
            tokio::time::sleep(RETRY).await;
            handed_over = self.hand_over(&mut tally, true, now);
        }
        let Some(ledger) = self.ledger else { return };
        let finish = move || ledger.finish(deadline);
        let Ok(snapshot) = tokio::task::spawn_blocking(finish).await else { return };
        if !handed_over || snapshot.waiting > 0 {
            let why = why(&snapshot.state).unwrap_or_else(|| "it is not written in time".to_owned());
            tracing::warn!(why, "the ledger lacks the last of this run");
        }
    }

    /// Has the findings of an audit compared with those of the one before. `reply` is called by the ledger's thread, or at
    /// once where it cannot be.
    pub(super) fn record(
        &self,
        findings: Vec<Finding>,
        judged: Judged,
        reply: impl FnOnce(Result<Vec<FindingChange>, String>) + Send + 'static,
    ) {
        match &self.ledger {
            Some(ledger) => ledger.record(findings, judged, reply),
            None => {
                reply(Err("the daemon keeps no ledger; turn it on in gdprport.toml, `[ledger]`".to_owned()));
            }
        }
    }

    /// Whether everything was handed over.
    fn hand_over(&mut self, tally: &mut Tally, all: bool, now: Timestamp) -> bool {
        let Some(ledger) = &self.ledger else { return true };
        if let Some(batch) = self.pending.take() {
            self.pending = ledger.offer(*batch).err();
        }
        if self.pending.is_none() {
            self.pending = ledger.offer(tally.drain(all, now)).err();
        }
        self.pending.is_none()
    }

    /// How the ledger is; `None`: none is kept.
    #[must_use]
    pub(super) fn snapshot(&self) -> Option<LedgerSnapshot> {
        let mut snapshot = self.ledger.as_ref()?.snapshot();
        snapshot.waiting += u64::from(self.pending.is_some());
        Some(snapshot)
    }

    /// The same for the status. `lost`: what found no room.
    #[must_use]
    pub(super) fn status(&self, lost: u64) -> LedgerStatus {
        let Some(snapshot) = self.snapshot() else { return LedgerStatus::default() };
        LedgerStatus {
            state: match snapshot.state {
                LedgerState::Ok => LedgerStanding::Ok,
                LedgerState::Late { .. } => LedgerStanding::Late,
                LedgerState::Unavailable { .. } => LedgerStanding::Unavailable,
            },
            why: why(&snapshot.state),
            path: Some(snapshot.path.display().to_string()),
            since: snapshot.begin,
            stored_until: snapshot.stored_until,
            synced_until: snapshot.synced_until,
            rows: snapshot.rows,
            batches: snapshot.batches,
            waiting: snapshot.waiting,
            lost,
            bytes: snapshot.bytes,
            wal_bytes: snapshot.wal_bytes,
            set_aside: snapshot.set_aside.map(|path| path.display().to_string()),
            last_error: snapshot.last_error,
        }
    }
}

fn why(state: &LedgerState) -> Option<String> {
    match state {
        LedgerState::Ok => None,
        LedgerState::Late { why } | LedgerState::Unavailable { why } => Some(why.clone()),
    }
}

fn elapsed(since: &mut Instant) -> Duration {
    let now = Instant::now();
    now.duration_since(std::mem::replace(since, now))
}

fn day_of(time: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(time).date()
}
