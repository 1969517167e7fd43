//! The task that has checkpoints stamped: the newest one, as often as the configuration says, and again after a failure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gdprport_core::delivery::{Backoff, TimestampSettings};
use gdprport_core::evidence::CLOCK_TOLERANCE;
use jiff::{SignedDuration, Timestamp};
use tokio::task::{AbortHandle, JoinSet, spawn_blocking};
use tokio::time::sleep;

use super::authority::Authority;
use super::kept::{DIRECTORY, KeptStamps};
use super::name::StampName;
use super::newest::{Newest, Seen};
use super::standing::StampsKnown;
use crate::control::api::LastStamp;

/// How often the spool is looked at for a checkpoint while one is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The longest sleep, so that a clock that is set matters soon.
const SLEEP_MAX: SignedDuration = SignedDuration::from_secs(60);

/// The bounds of pauses after failures: authorities on the internet refuse who asks too often.
const AGAIN: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(1_800));

/// After a fault of gdprport itself.
const AFTER_PANIC: Duration = Duration::from_secs(300);

/// What is needed to have checkpoints stamped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamper {
    pub(crate) settings: TimestampSettings,
    pub(crate) spool: PathBuf,
    /// The deliverer's state directory.
    pub(crate) state: PathBuf,
}

/// The task, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Stamping {
    pub(crate) stamper: Stamper,
    pub(crate) known: StampsKnown,
    task: AbortHandle,
}

impl Drop for Stamping {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stamper {
    /// Begins. What is wrong is in what is known, and in the log.
    pub(crate) fn begin(self) -> Stamping {
        let directory = self.state.join(DIRECTORY).display().to_string();
        let place = self.settings.http.url.shown().to_owned();
        tracing::info!(%place, every = %humantime::format_duration(self.settings.every), "checkpoints of the evidence log are stamped");
        let known = StampsKnown::new(place, directory, self.settings.every);
        let task = tokio::spawn(self.clone().run_always(known.clone())).abort_handle();
        Stamping { stamper: self, known, task }
    }

    /// Works without an end; a panic is none.
    async fn run_always(self, known: StampsKnown) {
        loop {
            // Ends with this task.
            let mut one = JoinSet::new();
            one.spawn(self.clone().run(known.clone()));
            if let Some(Err(panic)) = one.join_next().await {
                tracing::error!(%panic, "timestamps broke off and begin again: this is a fault of gdprport");
                let why = "gdprport itself failed while it asked for a timestamp; the log has more";
                known.failed(why.to_owned(), Timestamp::now(), AFTER_PANIC);
            }
            sleep(AFTER_PANIC).await;
        }
    }

    async fn run(self, known: StampsKnown) {
        let mut work = Work {
            authority: Authority::new(self.settings.clone()),
            newest: Some(Newest::of(self.spool.clone())),
            kept: None,
            known,
            backoff: Backoff::between(AGAIN.0, AGAIN.1),
            stamper: self,
        };
        // A mistake in the file of `ca` is said at once, not with the first checkpoint.
        if let Err(why) = work.authority.trusted().await {
            work.failed(why, None).await;
        }
        loop {
            match work.step().await {
                Ok(pause) => sleep(pause).await,
                Err(Failed { why, after }) => work.failed(why, after).await,
            }
        }
    }
}

struct Work {
    stamper: Stamper,
    authority: Authority,
    /// Away while it is read, and while nothing is due.
    newest: Option<Newest>,
    kept: Option<KeptStamps>,
    known: StampsKnown,
    backoff: Backoff,
}

struct Failed {
    why: String,
    after: Option<Duration>,
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self { why, after: None }
    }
}

impl Work {
    /// Does what is due, and returns how long nothing is.
    async fn step(&mut self) -> Result<Duration, Failed> {
        let mut kept = match self.kept.take() {
            Some(kept) => kept,
            None => self.open().await?,
        };
        let latest = kept.latest().cloned();
        let pause = latest.as_ref().and_then(|latest| until_due(latest.time, self.stamper.settings.every));
        if let Some(pause) = pause {
            self.kept = Some(kept);
            return Ok(pause);
        }
        let seen = self.look().await;
        let new = |seen: &Seen| latest.as_ref().is_none_or(|latest| !latest.is_of(seen.sequence, &seen.root));
        let Some(seen) = seen?.filter(new) else {
            self.kept = Some(kept);
            if self.known.is_failing() {
                // The spool can be read again; whether a timestamp could be had is seen with the next checkpoint.
                self.authority.trusted().await?;
                self.known.works();
            }
            return Ok(LOOK_EVERY);
        };
        let stamped = self.authority.stamp(&seen.note).await;
        let (stamp, answer) = stamped.map_err(|failure| Failed { why: failure.why, after: failure.after })?;
        let name = StampName::new(stamp.time, seen.sequence, &seen.root);
        let last = LastStamp { time: stamp.time, sequence: seen.sequence, entries: Some(seen.entries) };
        let written = spawn_blocking(move || {
            let added = kept.add(&name, &seen.note, &answer, Timestamp::now());
            added.map(|()| kept)
        });
        let kept = written.await.map_err(|panic| panic.to_string())?;
        let kept = kept.map_err(|error| not_kept(&self.stamper.state, &error))?;
        self.known.stamped(kept.count(), last);
        // By the time that the next one is due this place is far behind.
        self.newest = None;
        self.kept = Some(kept);
        self.backoff.reset();
        Ok(Duration::ZERO)
    }

    /// What is on the disk already.
    async fn open(&self) -> Result<KeptStamps, Failed> {
        let state = self.stamper.state.clone();
        let opened = spawn_blocking(move || {
            let kept = KeptStamps::open(&state).map_err(|error| not_kept(&state, &error))?;
            let entries = kept.covered();
            Ok::<_, String>((kept, entries))
        });
        let (kept, entries) = opened.await.map_err(|panic| panic.to_string())??;
        let last =
            kept.latest().map(|latest| LastStamp { time: latest.time, sequence: latest.sequence, entries });
        self.known.found(kept.count(), last);
        Ok(kept)
    }

    /// The newest checkpoint of the spool.
    async fn look(&mut self) -> Result<Option<Seen>, Failed> {
        let mut newest = self.newest.take().unwrap_or_else(|| Newest::of(self.stamper.spool.clone()));
        let looked = spawn_blocking(move || {
            let seen = newest.look();
            (newest, seen)
        });
        let (newest, seen) = looked.await.map_err(|panic| panic.to_string())?;
        self.newest = Some(newest);
        seen.map_err(|error| Failed::from(error.to_string()))
    }

    async fn failed(&mut self, why: String, after: Option<Duration>) {
        let next = self.backoff.next(fastrand::u32(u32::MAX / 2..), after);
        self.known.failed(why, Timestamp::now(), next);
        sleep(next).await;
    }
}

/// How long nothing is due after a timestamp of this time; `None`: something is. A time to come is a clock that was set, unless it
/// is the difference between this host's clock and the authority's.
fn until_due(last: Timestamp, every: Duration) -> Option<Duration> {
    let since = Timestamp::now().duration_since(last);
    let left = SignedDuration::try_from(every).ok()? - since;
    (left.is_positive() && since > -CLOCK_TOLERANCE * 2).then(|| left.min(SLEEP_MAX).unsigned_abs())
}

fn not_kept(state: &Path, error: &std::io::Error) -> String {
    format!(
        "timestamps cannot be kept in {}: {error}: it has to be a directory of the deliverer's user",
        state.join(DIRECTORY).display()
    )
}
